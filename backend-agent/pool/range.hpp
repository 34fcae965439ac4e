#pragma once
// Ranges of IPv4 addresses as an operator writes them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.hpp"

namespace sluice::agent {

/// Both ends belong to it; host order; first <= last.
struct AddressRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool contains(std::uint32_t address) const { return address >= first && address <= last; }
  std::uint64_t size() const { return std::uint64_t{last} - first + 1; }
  bool operator==(const AddressRange&) const = default;
};

/// "10.0.0.2-10.0.0.250", "10.0.0.0/24" (without its first and last address, unless it is /31 or /32), or one
/// address.
std::optional<AddressRange> parse_range(std::string_view text);

/// The fewest prefixes that hold exactly the addresses of a range.
std::vector<Prefix> prefixes_of(const AddressRange& range);

}  // namespace sluice::agent
