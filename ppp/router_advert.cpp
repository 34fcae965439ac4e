#include "ppp/router_advert.hpp"

#include <array>

#include "ppp/dns_name.hpp"

namespace sluice::ppp {
namespace {

constexpr std::uint8_t kHopLimit = 255;
/// §4.6, RFC 8106 §5.
constexpr std::uint8_t kSourceLinkLayer = 1, kPrefixInformation = 3, kMtu = 5, kRdnss = 25, kDnssl = 31;
constexpr std::uint8_t kOtherConfig = 0x40;
constexpr std::uint8_t kOnLink = 0x80, kAutonomous = 0x40;
/// A router, asked, the only one that may answer.
constexpr std::uint32_t kRouterFlag = 0x80000000, kSolicitedFlag = 0x40000000, kOverrideFlag = 0x20000000;
constexpr std::uint8_t kDefaultHopLimit = 64;
constexpr std::size_t kMaxServers = 8;
constexpr std::size_t kMaxAdvert = 640;

/// Walks the options of §4.6: a length of 0 makes the whole packet void.
bool options_fit(Bytes options, bool link_layer_allowed) {
  ByteReader reader(options);
  while (!reader.at_end()) {
    const std::uint8_t type = reader.u8();
    const std::uint8_t length = reader.u8();
    if (length == 0 || (type == kSourceLinkLayer && !link_layer_allowed)) return false;
    reader.skip(length * 8U - 2U);
    if (!reader.ok()) return false;
  }
  return true;
}

/// §6.1.1 and §7.1.1 begin alike.
bool is_nd(const IpView& packet, std::uint8_t type, std::size_t size) {
  return packet.protocol == kIcmpv6Protocol && packet.hop_limit == kHopLimit &&
         packet.payload.size() >= size && packet.payload[0] == type && packet.payload[1] == 0 &&
         transport_checksum(packet.source, packet.destination, kIcmpv6Protocol, packet.payload) == 0 &&
         options_fit(packet.payload.subspan(size), !packet.source.is_unspecified());
}

void write_domain(ByteWriter& out, const std::string& domain, std::uint32_t lifetime) {
  const ByteVector name = encode_dns_name(domain);
  if (name.empty()) return;
  const std::size_t units = 1 + (name.size() + 7) / 8;
  out.u8(kDnssl);
  out.u8(static_cast<std::uint8_t>(units));
  out.u16(0);
  out.u32(lifetime);
  out.bytes(name);
  out.zeros((units - 1) * 8 - name.size());
}

}  // namespace

ByteVector write_router_advert(const RouterAdvert& advert) {
  std::array<std::uint8_t, kMaxAdvert> buffer;
  ByteWriter out(buffer);
  out.u8(kRouterAdvertisement);
  out.u8(0);
  out.u16(0);
  out.u8(kDefaultHopLimit);
  out.u8(advert.other_config ? kOtherConfig : std::uint8_t{0});
  out.u16(advert.router_lifetime);
  out.u64(0);  // reachable time and retransmission timer: no opinion
  if (advert.prefix) {
    out.u8(kPrefixInformation);
    out.u8(4);
    out.u8(advert.prefix->length);
    out.u8(kOnLink | kAutonomous);
    out.u32(advert.valid);
    out.u32(advert.preferred);
    out.u32(0);
    out.bytes(advert.prefix->network.bytes());
  }
  if (advert.mtu != 0) {
    out.u8(kMtu);
    out.u8(1);
    out.u16(0);
    out.u32(advert.mtu);
  }
  const std::size_t servers = std::min(advert.dns.size(), kMaxServers);
  if (servers > 0) {
    out.u8(kRdnss);
    out.u8(static_cast<std::uint8_t>(1 + 2 * servers));
    out.u16(0);
    out.u32(advert.dns_lifetime);
    for (std::size_t i = 0; i < servers; ++i) out.bytes(advert.dns[i].bytes());
  }
  write_domain(out, advert.domain, advert.dns_lifetime);
  return ByteVector(out.written().begin(), out.written().end());
}

bool is_router_solicitation(const IpView& packet) {
  return is_nd(packet, kRouterSolicitation, 8);
}

std::optional<IpAddress> solicited_neighbour(const IpView& packet) {
  if (!is_nd(packet, kNeighbourSolicitation, 24)) return std::nullopt;
  const auto target = IpAddress::from_bytes(packet.payload.subspan(8, 16));
  return target && target->bytes()[0] != 0xff ? target : std::nullopt;
}

ByteVector write_neighbour_advert(const IpAddress& target, bool solicited) {
  ByteVector message(24);
  ByteWriter out(message);
  out.u8(kNeighbourAdvertisement);
  out.u8(0);
  out.u16(0);
  out.u32(kRouterFlag | kOverrideFlag | (solicited ? kSolicitedFlag : 0));
  out.bytes(target.bytes());
  return message;
}

}  // namespace sluice::ppp
