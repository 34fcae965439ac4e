#include "ppp/dhcp_inform.hpp"

#include <algorithm>
#include <array>

namespace sluice::ppp {
namespace {

/// RFC 2131 §2 and §3; RFC 2132 §9.6.
constexpr std::uint8_t kBootRequest = 1, kBootReply = 2, kAck = 5, kInform = 8;
constexpr std::uint32_t kCookie = 0x63825363;
constexpr std::size_t kHardwareAddress = 16, kServerName = 64, kFile = 128;
constexpr std::uint8_t kPad = 0, kEnd = 255;
constexpr std::uint8_t kDns = 6, kDomain = 15, kNbns = 44, kMessageType = 53, kServerId = 54,
                       kParameters = 55, kRoutes = 121, kMicrosoftRoutes = 249;
/// Some clients drop what is shorter than BOOTP was (RFC 1542 §2.1).
constexpr std::size_t kMinReply = 300;
constexpr std::size_t kMaxReply = 1200;
constexpr std::size_t kMaxOption = 255;

struct Request {
  std::uint8_t hardware_type = 0, hardware_size = 0;
  std::uint32_t transaction = 0;
  std::uint16_t flags = 0;
  IpAddress client;
  Bytes hardware;
  std::uint8_t type = 0;
  Bytes parameters;
  bool listed = false;  ///< it says what it wants

  bool wants(std::uint8_t option) const {
    return !listed || std::find(parameters.begin(), parameters.end(), option) != parameters.end();
  }
};

std::optional<Request> parse(Bytes message) {
  ByteReader reader(message);
  Request out;
  const std::uint8_t op = reader.u8();
  out.hardware_type = reader.u8();
  out.hardware_size = reader.u8();
  reader.skip(1);  // hops
  out.transaction = reader.u32();
  reader.skip(2);  // secs
  out.flags = reader.u16();
  out.client = IpAddress::v4(reader.u32());
  reader.skip(12);  // yiaddr, siaddr, giaddr
  out.hardware = reader.bytes(kHardwareAddress);
  reader.skip(kServerName + kFile);
  if (reader.u32() != kCookie || !reader.ok() || op != kBootRequest) return std::nullopt;
  while (!reader.at_end()) {
    const std::uint8_t code = reader.u8();
    if (code == kPad) continue;
    if (code == kEnd) break;
    const Bytes value = reader.bytes(reader.u8());
    if (!reader.ok()) return std::nullopt;
    if (code == kMessageType && value.size() == 1) out.type = value[0];
    if (code == kParameters) {
      out.parameters = value;
      out.listed = true;
    }
  }
  return out;
}

/// RFC 3396: what is longer than one option holds goes on in the next of the same code.
void option(ByteWriter& out, std::uint8_t code, Bytes value) {
  while (!value.empty()) {
    const Bytes part = value.first(std::min(value.size(), kMaxOption));
    out.u8(code);
    out.u8(static_cast<std::uint8_t>(part.size()));
    out.bytes(part);
    value = value.subspan(part.size());
  }
}
void address_option(ByteWriter& out, std::uint8_t code, const std::vector<IpAddress>& addresses) {
  ByteVector value;
  for (const auto& address : addresses) {
    const Bytes bytes = address.bytes();
    if (address.is_v4()) value.insert(value.end(), bytes.begin(), bytes.end());
  }
  option(out, code, value);
}

/// RFC 3442: the prefix's width, as many octets of it as count, the router.
ByteVector encode_routes(const std::vector<Prefix>& routes, const IpAddress& router) {
  ByteVector out;
  for (const auto& route : routes) {
    if (route.network.is_v6() || route.length > 32) continue;
    out.push_back(route.length);
    const Bytes significant = route.network.bytes().first((route.length + 7U) / 8U);
    out.insert(out.end(), significant.begin(), significant.end());
    const Bytes via = router.bytes();
    out.insert(out.end(), via.begin(), via.end());
  }
  return out;
}

}  // namespace

std::optional<InformReply> answer_inform(Bytes message, const Addresses& addresses) {
  const auto request = parse(message);
  if (!request || request->type != kInform || request->client != addresses.remote) return std::nullopt;
  std::array<std::uint8_t, kMaxReply> buffer{};
  ByteWriter out(buffer);
  out.u8(kBootReply);
  out.u8(request->hardware_type);
  out.u8(request->hardware_size);
  out.u8(0);
  out.u32(request->transaction);
  out.u16(0);
  out.u16(request->flags);
  out.u32(request->client.to_v4());
  out.zeros(12);  // §4.3.5: yiaddr stays 0, and there is no lease time
  out.bytes(request->hardware);
  out.zeros(kServerName + kFile);
  out.u32(kCookie);
  option(out, kMessageType, std::array{kAck});
  option(out, kServerId, addresses.local.bytes());
  if (request->wants(kDns)) address_option(out, kDns, addresses.dns);
  if (request->wants(kDomain))
    option(out, kDomain, as_bytes(addresses.domain).first(std::min(addresses.domain.size(), kMaxOption)));
  if (request->wants(kNbns)) address_option(out, kNbns, addresses.nbns);
  const ByteVector routes = encode_routes(addresses.split_routes, addresses.local);
  for (const std::uint8_t code : {kRoutes, kMicrosoftRoutes}) {
    if (request->wants(code)) option(out, code, routes);
  }
  out.u8(kEnd);
  if (!out.ok()) return std::nullopt;
  ByteVector reply(out.written().begin(), out.written().end());
  reply.resize(std::max(reply.size(), kMinReply));
  return InformReply{request->client, std::move(reply)};
}

}  // namespace sluice::ppp
