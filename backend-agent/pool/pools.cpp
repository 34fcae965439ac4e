#include "backend-agent/pool/pools.hpp"

#include <algorithm>
#include <cctype>

namespace sluice::agent {
namespace {

constexpr std::uint8_t kLinkPrefix = 64;
constexpr std::string_view kDefault = "default";

bool same_realm(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::string_view realm_of(std::string_view user) {
  if (const auto at = user.rfind('@'); at != std::string_view::npos) return user.substr(at + 1);
  if (const auto slash = user.find('\\'); slash != std::string_view::npos) return user.substr(0, slash);
  return {};
}

Pools::Pools(const PoolsSettings& settings, const std::unordered_set<std::uint32_t>& reserved)
    : ipv6_(settings.ipv6, kLinkPrefix, settings.quarantine),
      delegated_(settings.delegated, settings.delegated_length, settings.quarantine) {
  entries_.push_back(
      {std::string(kDefault), {}, AddressPool(settings.ranges, reserved, settings.quarantine)});
  for (const auto& named : settings.named)
    entries_.push_back({named.name, named.realms, AddressPool(named.ranges, reserved, settings.quarantine)});
}

Pools::Entry* Pools::find(std::string_view name) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

Pools::Entry& Pools::for_realm(std::string_view realm) {
  for (auto& entry : entries_) {
    const bool its = std::any_of(entry.realms.begin(), entry.realms.end(),
                                 [&](const std::string& one) { return same_realm(one, realm); });
    if (its) return entry;
  }
  return entries_.front();
}

Pools::Given Pools::allocate(const std::string& user, const std::string& pool, Instant now) {
  Entry* entry = pool.empty() ? &for_realm(realm_of(user)) : find(pool);
  if (entry == nullptr) return {pool, false, std::nullopt};
  return {entry->name, true, entry->pool.allocate(user, now)};
}

bool Pools::claim(const IpAddress& address, const std::string& user) {
  return std::all_of(entries_.begin(), entries_.end(), [&](Entry& e) { return e.pool.claim(address, user); });
}

void Pools::release(const IpAddress& address, Instant now) {
  for (auto& entry : entries_) entry.pool.release(address, now);
}

void Pools::set_reserved(const std::unordered_set<std::uint32_t>& reserved) {
  for (auto& entry : entries_) entry.pool.set_reserved(reserved);
}

bool Pools::claim(const Prefix& prefix, const std::string& user) {
  if (!ipv6_.is_free(prefix) || !delegated_.is_free(prefix)) return false;
  ipv6_.claim(prefix, user);
  delegated_.claim(prefix, user);
  return true;
}

void Pools::release(const Prefix& prefix, Instant now) {
  ipv6_.release(prefix, now);
  delegated_.release(prefix, now);
}

void Pools::set_reserved(const std::vector<Prefix>& prefixes) {
  ipv6_.set_reserved(prefixes);
  delegated_.set_reserved(prefixes);
}

bool Pools::contains(const IpAddress& address) const {
  if (address.is_v6()) return ipv6_.contains(address) || delegated_.contains(address);
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& e) { return e.pool.contains(address); });
}

std::size_t Pools::free() const {
  std::size_t out = 0;
  for (const auto& entry : entries_) out += entry.pool.free();
  return out;
}

std::vector<Pools::Use> Pools::use() const {
  std::vector<Use> out;
  for (const auto& entry : entries_) out.push_back({entry.name, entry.pool.used(), entry.pool.free()});
  return out;
}

std::size_t Pools::used() const {
  std::size_t out = 0;
  for (const auto& entry : entries_) out += entry.pool.used();
  return out;
}

}  // namespace sluice::agent
