#include "lab/swarm/sources.hpp"

#include <charconv>
#include <optional>

#include "base/text.hpp"

namespace sluice::swarm {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<std::uint32_t> parse_v4(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address || !address->is_v4()) return std::nullopt;
  return address->to_v4();
}

template <class T>
struct Span {
  T first, last;
};

/// "A" or "A-B".
template <class Parse>
auto parse_span(std::string_view text, Parse parse)
    -> std::optional<Span<typename decltype(parse(text))::value_type>> {
  const auto dash = text.find('-');
  const auto first = parse(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return Span<typename decltype(parse(text))::value_type>{*first, *last};
}

std::optional<Span<std::uint32_t>> parse_addresses(std::string_view text) {
  if (text.find('/') == std::string_view::npos) return parse_span(text, parse_v4);
  const auto prefix = Prefix::parse(text);
  if (!prefix || !prefix->network.is_v4() || prefix->length < 8 || prefix->length > 30) return std::nullopt;
  const std::uint32_t network = prefix->network.to_v4();
  return Span<std::uint32_t>{network + 1, network + (std::uint32_t{1} << (32 - prefix->length)) - 2};
}

}  // namespace

Result<Sources, std::string> Sources::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  const std::string shape = "sources '" + escaped(text) +
                            "' are not ADDRESS[-LAST or /LENGTH]:PORT[-LAST], as in 10.9.0.0/22:4500-4503";
  if (colon == std::string_view::npos) return Failure{shape};
  const auto addresses = parse_addresses(text.substr(0, colon));
  const auto ports = parse_span(text.substr(colon + 1), parse_port);
  if (!addresses || !ports) return Failure{shape};
  Sources out;
  out.first_address_ = addresses->first;
  out.addresses_ = addresses->last - addresses->first + 1;
  out.first_port_ = ports->first;
  out.ports_ = std::uint32_t{ports->last} - ports->first + 1;
  return out;
}

Endpoint Sources::of(std::uint64_t client) const {
  return {IpAddress::v4(first_address_ + static_cast<std::uint32_t>(client % addresses_)),
          static_cast<std::uint16_t>(first_port_ + client / addresses_)};
}

std::vector<std::uint16_t> Sources::ports() const {
  std::vector<std::uint16_t> out;
  for (std::uint32_t i = 0; i < ports_; ++i) out.push_back(static_cast<std::uint16_t>(first_port_ + i));
  return out;
}

}  // namespace sluice::swarm
