#include "backend-agent/pool/prefix_pool.hpp"

#include <algorithm>
#include <array>

namespace sluice::agent {
namespace {

/// More than anybody needs of one base, and few enough to be counted together.
constexpr std::uint32_t kMaxParts = 1U << 24;

/// `network` with `number` in the bits that end at `length`.
Prefix part(const Prefix& base, std::uint8_t length, std::uint32_t number) {
  std::array<std::uint8_t, 16> raw{};
  std::copy(base.network.bytes().begin(), base.network.bytes().end(), raw.begin());
  for (unsigned i = 0; i < 32 && i < length; ++i) {
    const unsigned bit = length - 1U - i;
    if ((number >> i & 1) != 0) raw[bit / 8] |= static_cast<std::uint8_t>(0x80U >> bit % 8);
  }
  return {*IpAddress::from_bytes(raw), length};
}

/// The bits of the network from `from` to `to`.
std::uint64_t bits_of(const Prefix& prefix, unsigned from, unsigned to) {
  std::uint64_t out = 0;
  for (unsigned bit = from; bit < to; ++bit)
    out = out << 1 | (prefix.network.bytes()[bit / 8] >> (7 - bit % 8) & 1U);
  return out;
}

}  // namespace

std::vector<PrefixPool::Base> PrefixPool::number(const std::vector<Prefix>& bases, std::uint8_t length) {
  std::vector<Base> out;
  std::uint32_t next = 0;
  for (const auto& prefix : bases) {
    const unsigned bits = length - prefix.length;
    const std::uint32_t count = bits >= 24 ? kMaxParts : 1U << bits;
    out.push_back({prefix, next, count});
    next += count;
  }
  return out;
}

AddressPool PrefixPool::numbers_for(const std::vector<Base>& bases, Duration quarantine) {
  if (bases.empty()) return AddressPool({}, {}, quarantine);
  return AddressPool({{0, bases.back().first + bases.back().count - 1}}, {}, quarantine);
}

PrefixPool::PrefixPool(std::vector<Prefix> bases, std::uint8_t length, Duration quarantine)
    : length_(length), bases_(number(bases, length)), numbers_(numbers_for(bases_, quarantine)) {}

std::optional<Prefix> PrefixPool::allocate(const std::string& user, Instant now) {
  const auto address = numbers_.allocate(user, now);
  return address ? prefix_of(address->to_v4()) : std::nullopt;
}

std::optional<Prefix> PrefixPool::prefix_of(std::uint32_t number) const {
  for (const Base& base : bases_) {
    if (number - base.first < base.count) return part(base.prefix, length_, number - base.first);
  }
  return std::nullopt;
}

void PrefixPool::take_over(const PrefixPool& former) {
  for (const auto& [address, user] : former.numbers_.out()) {
    if (const auto prefix = former.prefix_of(address.to_v4())) claim(*prefix, user);
  }
}

std::vector<PrefixPool::Parts> PrefixPool::parts_of(const Prefix& prefix) const {
  std::vector<Parts> out;
  if (prefix.network.is_v4()) return out;
  for (const Base& base : bases_) {
    if (prefix.length <= base.prefix.length) {
      if (prefix.contains(base.prefix.network)) out.push_back({base.first, base.first + base.count - 1});
      continue;
    }
    if (!base.prefix.contains(prefix.network)) continue;
    const unsigned length = std::min(prefix.length, length_);
    const unsigned left = length_ - length;
    const std::uint64_t number = bits_of(prefix, base.prefix.length, length);
    if (number >= base.count || number << left >= base.count) continue;
    const std::uint64_t first = number << left;
    const std::uint64_t last = std::min<std::uint64_t>(first + (1ULL << left), base.count) - 1;
    out.push_back(
        {base.first + static_cast<std::uint32_t>(first), base.first + static_cast<std::uint32_t>(last)});
  }
  return out;
}

bool PrefixPool::is_free(const Prefix& prefix) const {
  for (const auto& parts : parts_of(prefix)) {
    if (parts.last - parts.first >= kMaxClaim) return false;
    for (std::uint32_t i = 0; i <= parts.last - parts.first; ++i) {
      if (numbers_.is_out(IpAddress::v4(parts.first + i))) return false;
    }
  }
  return true;
}

void PrefixPool::claim(const Prefix& prefix, const std::string& user) {
  for (const auto& parts : parts_of(prefix)) {
    for (std::uint32_t i = 0; i <= parts.last - parts.first; ++i)
      numbers_.claim(IpAddress::v4(parts.first + i), user);
  }
}

void PrefixPool::release(const Prefix& prefix, Instant now) {
  for (const auto& parts : parts_of(prefix)) {
    for (std::uint32_t i = 0; i <= parts.last - parts.first; ++i)
      numbers_.release(IpAddress::v4(parts.first + i), now);
  }
}

void PrefixPool::set_reserved(const std::vector<Prefix>& prefixes) {
  std::unordered_set<std::uint32_t> numbers;
  for (const auto& prefix : prefixes) {
    for (const auto& parts : parts_of(prefix)) {
      if (parts.last - parts.first >= kMaxClaim) continue;
      for (std::uint32_t i = 0; i <= parts.last - parts.first; ++i) numbers.insert(parts.first + i);
    }
  }
  numbers_.set_reserved(std::move(numbers));
}

bool PrefixPool::contains(const IpAddress& address) const {
  return std::any_of(bases_.begin(), bases_.end(), [&](const Base& b) { return b.prefix.contains(address); });
}

}  // namespace sluice::agent
