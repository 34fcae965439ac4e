#include "backend-agent/radius/core/grant.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace sluice::radius {
namespace {

/// RFC 2865 §5.8: the user chooses, or the NAS does.
constexpr std::uint32_t kUserChooses = 0xffffffff, kNasChooses = 0xfffffffe;
constexpr std::uint64_t kKilobit = 1000;
constexpr unsigned kAuthenticationFailure = 691;

using Read = bool (*)(Bytes value, Grant& grant);

std::optional<std::uint32_t> number(Bytes value) {
  if (value.size() != 4) return std::nullopt;
  return load_be32(value.data());
}

template <auto Member>
bool read_seconds(Bytes value, Grant& grant) {
  const auto seconds = number(value);
  if (seconds) grant.*Member = std::chrono::seconds(*seconds);
  return seconds.has_value();
}

template <auto Member>
bool read_rate(Bytes value, Grant& grant) {
  const auto rate = number(value);
  if (rate) grant.*Member = std::uint64_t{*rate} * kKilobit;
  return rate.has_value();
}

template <auto Member>
bool read_text(Bytes value, Grant& grant) {
  grant.*Member = as_text(value);
  return !value.empty();
}

/// 0.0.0.0 means that there is no such server.
template <auto Member, std::size_t Size>
bool read_server(Bytes value, Grant& grant) {
  const auto address = IpAddress::from_bytes(value);
  if (value.size() != Size || !address) return false;
  if (!address->is_unspecified()) (grant.*Member).push_back(*address);
  return true;
}

bool read_address(Bytes value, Grant& grant) {
  const auto host = number(value);
  if (!host) return false;
  if (*host != kUserChooses && *host != kNasChooses) grant.address = IpAddress::v4(*host);
  return *host != 0;
}

/// RFC 3162 §2.3: reserved, length, and as many octets as matter.
template <auto Member>
bool read_prefix(Bytes value, Grant& grant) {
  if (value.size() < 2 || value.size() > 18 || value[1] > 128) return false;
  const std::uint8_t length = value[1];
  std::array<std::uint8_t, 16> raw{};
  std::copy(value.begin() + 2, value.end(), raw.begin());
  for (unsigned bit = length; bit < 128; ++bit) {
    if ((raw[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
  }
  grant.*Member = Prefix{*IpAddress::from_bytes(raw), length};
  return true;
}

bool read_route(Bytes value, Grant& grant) {
  const auto route = parse_framed_route(as_text(value));
  if (route) grant.routes.push_back(*route);
  return route.has_value();
}

bool read_interface(Bytes value, Grant& grant) {
  if (value.size() != 8) return false;
  grant.interface_id = load_be64(value.data());
  return true;
}

bool read_class(Bytes value, Grant& grant) {
  grant.classes.emplace_back(value.begin(), value.end());
  return true;
}

bool read_user(Bytes value, Grant& grant) {
  grant.user = as_text(value);
  return true;
}

bool read_message(Bytes value, Grant& grant) {
  grant.reply_message += as_text(value);
  return true;
}

bool read_state(Bytes value, Grant& grant) {
  grant.state.assign(value.begin(), value.end());
  return !value.empty();
}

/// RFC 2548 §2.1.5, §2.3.3: the Identifier of the exchange, then a text.
template <auto Member>
bool read_ms(Bytes value, Grant& grant) {
  if (value.size() < 2) return false;
  grant.ms_chap_id = value[0];
  grant.*Member = as_text(value.subspan(1));
  return true;
}

const std::map<AttributeType, Read>& readers() {
  static const std::map<AttributeType, Read> table{
      {attr::kUserName, read_user},
      {attr::kFramedIpAddress, read_address},
      {attr::kFramedPool, read_text<&Grant::pool>},
      {attr::kFramedRoute, read_route},
      {attr::kFramedIpv6Route, read_route},
      {attr::kFramedIpv6Prefix, read_prefix<&Grant::ipv6_prefix>},
      {attr::kDelegatedIpv6Prefix, read_prefix<&Grant::delegated_prefix>},
      {attr::kFramedIpv6Pool, read_text<&Grant::ipv6_pool>},
      {attr::kDelegatedIpv6Pool, read_text<&Grant::delegated_pool>},
      {attr::kFramedInterfaceId, read_interface},
      {attr::kMsPrimaryDns, read_server<&Grant::dns, 4>},
      {attr::kMsSecondaryDns, read_server<&Grant::dns, 4>},
      {attr::kMsPrimaryNbns, read_server<&Grant::nbns, 4>},
      {attr::kMsSecondaryNbns, read_server<&Grant::nbns, 4>},
      {attr::kDnsServerIpv6, read_server<&Grant::dns6, 16>},
      {attr::kSessionTimeout, read_seconds<&Grant::session_timeout>},
      {attr::kIdleTimeout, read_seconds<&Grant::idle_timeout>},
      {attr::kAcctInterimInterval, read_seconds<&Grant::interim_interval>},
      {attr::kSluiceRateUp, read_rate<&Grant::rate_up>},
      {attr::kSluiceRateDown, read_rate<&Grant::rate_down>},
      {attr::kFilterId, read_text<&Grant::filter_id>},
      {attr::kClass, read_class},
      {attr::kReplyMessage, read_message},
      {attr::kState, read_state},
      {attr::kMsChap2Success, read_ms<&Grant::ms_success>},
      {attr::kMsChapError, read_ms<&Grant::ms_error>},
  };
  return table;
}

}  // namespace

Grant read_grant(const Packet& packet) {
  Grant grant;
  for (const auto& attribute : packet.attributes()) {
    const auto found = readers().find(attribute.type);
    if (found != readers().end() && !found->second(attribute.value, grant))
      grant.bad.push_back(attribute.type);
  }
  grant.eap = packet.joined(attr::kEapMessage);
  return grant;
}

std::optional<Prefix> parse_framed_route(std::string_view text) {
  const auto word = text.substr(0, text.find_first_of(" \t"));
  auto prefix = Prefix::parse(word);
  if (!prefix || word.find('/') != std::string_view::npos || prefix->network.is_v6()) return prefix;
  const std::uint32_t network = prefix->network.to_v4();
  const std::uint8_t length = network >> 31 == 0 ? 8 : network >> 30 == 2 ? 16 : network >> 29 == 6 ? 24 : 32;
  if (length < 32 && (network & (0xffffffffU >> length)) != 0) return std::nullopt;
  prefix->length = length;
  return prefix;
}

unsigned ms_error_code(std::string_view text) {
  const auto at = text.find("E=");
  if (at == std::string_view::npos) return kAuthenticationFailure;
  const auto digits = text.substr(at + 2);
  unsigned code = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code);
  return error == std::errc{} && end != digits.data() ? code : kAuthenticationFailure;
}

}  // namespace sluice::radius
