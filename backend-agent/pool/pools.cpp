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

Pools::Pools(const PoolsSettings& settings, const std::unordered_set<std::uint32_t>& reserved) {
  const auto add = [&](const NamedPool& pool) {
    entries_.push_back({pool.name, pool.realms, AddressPool(pool.ranges, reserved, settings.quarantine),
                        PrefixPool(pool.ipv6, kLinkPrefix, settings.quarantine),
                        PrefixPool(pool.delegated, settings.delegated_length, settings.quarantine)});
  };
  add({std::string(kDefault), settings.ranges, {}, settings.ipv6, settings.delegated});
  for (const auto& named : settings.named) add(named);
}

void Pools::reconfigure(const PoolsSettings& settings, const std::unordered_set<std::uint32_t>& reserved) {
  const auto former = std::move(entries_);
  entries_ = Pools(settings, reserved).entries_;
  for (auto& entry : entries_) {
    for (const auto& old : former) {
      entry.pool.take_over(old.pool);
      for (const auto* prefixes : {&old.ipv6, &old.delegated}) {
        entry.ipv6.take_over(*prefixes);
        entry.delegated.take_over(*prefixes);
      }
    }
  }
}

Pools::Entry* Pools::find(std::string_view name) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

template <class Part>
Pools::Entry& Pools::for_realm(std::string_view realm, Part Entry::*part) {
  for (auto& entry : entries_) {
    const bool its = std::any_of(entry.realms.begin(), entry.realms.end(),
                                 [&](const std::string& one) { return same_realm(one, realm); });
    if (its && !(entry.*part).empty()) return entry;
  }
  return entries_.front();
}

Pools::Given Pools::allocate(const std::string& user, const std::string& pool, Instant now) {
  Entry* entry = pool.empty() ? &for_realm(realm_of(user), &Entry::pool) : find(pool);
  if (entry == nullptr || (!pool.empty() && entry->pool.empty())) return {pool, false, std::nullopt};
  return {entry->name, true, entry->pool.allocate(user, now)};
}

Pools::GivenPrefix Pools::allocate(const std::string& user, const std::string& pool, PrefixPool Entry::*part,
                                   Instant now) {
  Entry* entry = pool.empty() ? &for_realm(realm_of(user), part) : find(pool);
  if (entry == nullptr || (!pool.empty() && (entry->*part).empty())) return {pool, false, std::nullopt};
  return {entry->name, true, (entry->*part).allocate(user, now)};
}

Pools::GivenPrefix Pools::allocate_link(const std::string& user, const std::string& pool, Instant now) {
  return allocate(user, pool, &Entry::ipv6, now);
}
Pools::GivenPrefix Pools::allocate_delegated(const std::string& user, const std::string& pool, Instant now) {
  return allocate(user, pool, &Entry::delegated, now);
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
  const bool free = std::all_of(entries_.begin(), entries_.end(), [&](const Entry& e) {
    return e.ipv6.is_free(prefix) && e.delegated.is_free(prefix);
  });
  if (!free) return false;
  for (auto& entry : entries_) {
    entry.ipv6.claim(prefix, user);
    entry.delegated.claim(prefix, user);
  }
  return true;
}

void Pools::release(const Prefix& prefix, Instant now) {
  for (auto& entry : entries_) {
    entry.ipv6.release(prefix, now);
    entry.delegated.release(prefix, now);
  }
}

void Pools::set_reserved(const std::vector<Prefix>& prefixes) {
  for (auto& entry : entries_) {
    entry.ipv6.set_reserved(prefixes);
    entry.delegated.set_reserved(prefixes);
  }
}

bool Pools::contains(const IpAddress& address) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) {
    return e.pool.contains(address) || e.ipv6.contains(address) || e.delegated.contains(address);
  });
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

std::size_t Pools::prefixes_used() const {
  std::size_t out = 0;
  for (const auto& entry : entries_) out += entry.ipv6.used();
  return out;
}

std::size_t Pools::delegations_used() const {
  std::size_t out = 0;
  for (const auto& entry : entries_) out += entry.delegated.used();
  return out;
}

}  // namespace sluice::agent
