#include "backend-agent/pool/range.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

namespace sluice::agent {
namespace {

std::optional<std::uint32_t> parse_v4(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address || !address->is_v4()) return std::nullopt;
  return address->to_v4();
}

std::optional<AddressRange> parse_prefix(std::string_view network, std::string_view length_text) {
  const auto base = parse_v4(network);
  unsigned length = 0;
  const auto* end = length_text.data() + length_text.size();
  const auto parsed = std::from_chars(length_text.data(), end, length);
  if (!base || parsed.ec != std::errc() || parsed.ptr != end || length == 0 || length > 32)
    return std::nullopt;
  const std::uint32_t host_bits = length == 32 ? 0 : 0xffffffffU >> length;
  if ((*base & host_bits) != 0) return std::nullopt;
  if (length >= 31) return AddressRange{*base, *base | host_bits};
  return AddressRange{*base + 1, (*base | host_bits) - 1};
}

}  // namespace

std::optional<AddressRange> parse_range(std::string_view text) {
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    return parse_prefix(text.substr(0, slash), text.substr(slash + 1));
  }
  const auto dash = text.find('-');
  const auto first = parse_v4(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_v4(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return AddressRange{*first, *last};
}

std::vector<Prefix> prefixes_of(const AddressRange& range) {
  std::vector<Prefix> out;
  for (std::uint64_t at = range.first; at <= range.last;) {
    const auto address = static_cast<std::uint32_t>(at);
    // The largest block that starts here and does not reach past the end.
    unsigned bits = address == 0 ? 32U : static_cast<unsigned>(std::countr_zero(address));
    while ((std::uint64_t{1} << bits) > range.last - at + 1) --bits;
    out.push_back({IpAddress::v4(address), static_cast<std::uint8_t>(32 - bits)});
    at += std::uint64_t{1} << bits;
  }
  return out;
}

}  // namespace sluice::agent
