#include "backend-agent/filter/filter.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::agent {
namespace {

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58;
/// RFC 8200 §4: headers that may stand between IPv6's own and the transport's.
constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kDestination = 60;
constexpr unsigned kMaxExtensions = 8;

/// What rules look at.
struct Seen {
  std::uint8_t protocol = 0;
  Bytes far;  ///< the far end's address
  bool has_port = false;
  std::uint16_t port = 0;
};

void read_port(Seen& seen, Bytes transport, bool up) {
  if ((seen.protocol != kTcp && seen.protocol != kUdp) || transport.size() < 4) return;
  seen.has_port = true;
  seen.port = load_be16(transport.data() + (up ? 2 : 0));
}

Seen look_v4(Bytes packet, bool up) {
  Seen seen;
  const std::size_t header = std::size_t{packet[0] & 0x0fU} * 4;
  seen.protocol = packet[9];
  seen.far = packet.subspan(up ? 16 : 12, 4);
  const bool later_fragment = (load_be16(packet.data() + 6) & 0x1fffU) != 0;
  if (!later_fragment && header <= packet.size()) read_port(seen, packet.subspan(header), up);
  return seen;
}

Seen look_v6(Bytes packet, bool up) {
  Seen seen;
  seen.far = packet.subspan(up ? 24 : 8, 16);
  seen.protocol = packet[6];
  Bytes rest = packet.subspan(40);
  for (unsigned i = 0; i < kMaxExtensions; ++i) {
    const std::uint8_t type = seen.protocol;
    const bool fragment = type == kFragment;
    if (!fragment && type != kHopByHop && type != kRouting && type != kDestination) break;
    const std::size_t size = fragment ? 8 : rest.size() < 2 ? 8 : (std::size_t{rest[1]} + 1) * 8;
    if (rest.size() < size) return seen;
    seen.protocol = rest[0];
    if (fragment && (load_be16(rest.data() + 2) & 0xfff8U) != 0) return seen;
    rest = rest.subspan(size);
  }
  read_port(seen, rest, up);
  return seen;
}

bool covers(const Prefix& network, Bytes address) {
  const Bytes own = network.network.bytes();
  if (own.size() != address.size()) return false;
  const std::size_t whole = network.length / 8U;
  if (!std::equal(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(whole), address.begin()))
    return false;
  const unsigned left = network.length % 8U;
  return left == 0 || ((own[whole] ^ address[whole]) >> (8 - left)) == 0;
}

bool fits(const FilterRule& rule, const Seen& seen) {
  const bool icmp = rule.protocol == kIcmp && seen.far.size() == 16 && seen.protocol == kIcmpv6;
  if (rule.protocol != 0 && rule.protocol != seen.protocol && !icmp) return false;
  if (rule.network && !covers(*rule.network, seen.far)) return false;
  if (rule.first_port == 0 && rule.last_port == UINT16_MAX) return true;
  if (!seen.has_port) return rule.allow;
  return seen.port >= rule.first_port && seen.port <= rule.last_port;
}

std::optional<std::uint16_t> number(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

std::optional<std::uint8_t> protocol_of(std::string_view word) {
  if (word == "tcp") return kTcp;
  if (word == "udp") return kUdp;
  if (word == "icmp") return kIcmp;
  const auto value = number(word, 255);
  return value && *value != 0 ? std::optional(static_cast<std::uint8_t>(*value)) : std::nullopt;
}

}  // namespace

bool Filter::passes(Bytes packet, bool up) const {
  const unsigned version = packet.empty() ? 0 : packet[0] >> 4U;
  const bool v4 = version == 4 && packet.size() >= 20, v6 = version == 6 && packet.size() >= 40;
  if (!v4 && !v6) return false;
  const Seen seen = v4 ? look_v4(packet, up) : look_v6(packet, up);
  const auto rule =
      std::find_if(rules_.begin(), rules_.end(), [&](const FilterRule& one) { return fits(one, seen); });
  return rule != rules_.end() && rule->allow;
}

Result<FilterRule, std::string> parse_filter_rule(std::string_view text) {
  const std::string whole = "\"" + std::string(text) + "\" ";
  FilterRule rule;
  const auto verdict = next_word(text);
  if (verdict != "allow" && verdict != "deny")
    return Failure{whole + "must begin with \"allow\" or \"deny\""};
  rule.allow = verdict == "allow";
  auto word = next_word(text);
  if (const auto protocol = protocol_of(word)) {
    rule.protocol = *protocol;
    word = next_word(text);
  }
  if (word != "any") {
    rule.network = Prefix::parse(word);
    if (!rule.network)
      return Failure{whole + "names no network: write \"any\", \"10.0.0.0/8\" or \"2001:db8::/32\""};
  }
  const auto ports = next_word(text);
  if (!next_word(text).empty()) return Failure{whole + "has words too many"};
  if (ports.empty()) return rule;
  const auto dash = ports.find('-');
  const auto first = number(ports.substr(0, dash), UINT16_MAX);
  const auto last = dash == std::string_view::npos ? first : number(ports.substr(dash + 1), UINT16_MAX);
  if (!first || !last || *first > *last)
    return Failure{whole + "names no port: write \"443\" or \"8000-8099\""};
  if (rule.protocol != kTcp && rule.protocol != kUdp)
    return Failure{whole + "names a port, which only \"tcp\" and \"udp\" have"};
  rule.first_port = *first;
  rule.last_port = *last;
  return rule;
}

}  // namespace sluice::agent
