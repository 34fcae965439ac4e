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

std::uint32_t number_of(const Prefix& prefix, std::uint8_t base_length) {
  std::uint32_t out = 0;
  for (unsigned bit = base_length; bit < prefix.length; ++bit)
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
  if (!address) return std::nullopt;
  const std::uint32_t number = address->to_v4();
  for (const Base& base : bases_) {
    if (number - base.first < base.count) return part(base.prefix, length_, number - base.first);
  }
  return std::nullopt;
}

void PrefixPool::release(const Prefix& prefix, Instant now) {
  if (prefix.length != length_) return;
  for (const Base& base : bases_) {
    if (base.prefix.contains(prefix.network))
      numbers_.release(IpAddress::v4(base.first + number_of(prefix, base.prefix.length)), now);
  }
}

bool PrefixPool::contains(const IpAddress& address) const {
  return std::any_of(bases_.begin(), bases_.end(), [&](const Base& b) { return b.prefix.contains(address); });
}

}  // namespace sluice::agent
