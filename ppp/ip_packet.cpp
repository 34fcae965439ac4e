#include "ppp/ip_packet.hpp"

namespace sluice::ppp {
namespace {

constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40, kUdpHeader = 8;
constexpr std::size_t kIcmpChecksum = 2, kUdpChecksum = 6;
/// Neighbour discovery is believed only if no router was in between (RFC 4861 §4.1).
constexpr std::uint8_t kNdHopLimit = 255;
constexpr std::uint8_t kTtl = 64;

std::uint32_t sum_of(Bytes bytes) {
  std::uint32_t sum = 0;
  std::size_t at = 0;
  for (; at + 1 < bytes.size(); at += 2) sum += load_be16(bytes.data() + at);
  if (at < bytes.size()) sum += static_cast<std::uint32_t>(bytes[at] << 8);
  return sum;
}
std::uint16_t fold(std::uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

ByteVector make_ip(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                   std::uint8_t hop_limit, Bytes payload) {
  const bool six = source.is_v6();
  ByteVector packet((six ? kIpv6Header : kIpv4Header) + payload.size());
  ByteWriter out(packet);
  if (six) {
    out.u32(0x60000000);
    out.u16(narrow<std::uint16_t>(payload.size()).value_or(0));
    out.u8(protocol);
    out.u8(hop_limit);
  } else {
    out.u16(0x4500);
    out.u16(narrow<std::uint16_t>(packet.size()).value_or(0));
    out.u32(0);
    out.u8(hop_limit);
    out.u8(protocol);
    out.u16(0);
  }
  out.bytes(source.bytes());
  out.bytes(destination.bytes());
  if (!six) store_be16(packet.data() + 10, fold(sum_of(Bytes(packet).first(kIpv4Header))));
  out.bytes(payload);
  return packet;
}

std::optional<IpView> parse_ipv4(Bytes packet) {
  if (packet.size() < kIpv4Header) return std::nullopt;
  const std::size_t header = (packet[0] & 0x0fU) * 4U;
  const std::size_t total = load_be16(packet.data() + 2);
  const bool fragment = (load_be16(packet.data() + 6) & 0x3fffU) != 0;
  if (header < kIpv4Header || total < header || total > packet.size() || fragment) return std::nullopt;
  IpView out;
  out.hop_limit = packet[8];
  out.protocol = packet[9];
  out.source = IpAddress::v4(load_be32(packet.data() + 12));
  out.destination = IpAddress::v4(load_be32(packet.data() + 16));
  out.payload = packet.subspan(header, total - header);
  return out;
}

std::optional<IpView> parse_ipv6(Bytes packet) {
  if (packet.size() < kIpv6Header) return std::nullopt;
  const std::size_t length = load_be16(packet.data() + 4);
  if (length > packet.size() - kIpv6Header) return std::nullopt;
  IpView out;
  out.protocol = packet[6];
  out.hop_limit = packet[7];
  out.source = *IpAddress::from_bytes(packet.subspan(8, 16));
  out.destination = *IpAddress::from_bytes(packet.subspan(24, 16));
  out.payload = packet.subspan(kIpv6Header, length);
  return out;
}

}  // namespace

std::optional<IpView> parse_ip(Bytes packet) {
  if (packet.empty()) return std::nullopt;
  const unsigned version = packet[0] >> 4;
  return version == 4 ? parse_ipv4(packet) : version == 6 ? parse_ipv6(packet) : std::nullopt;
}

std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                 Bytes payload) {
  const auto length = static_cast<std::uint32_t>(payload.size() & 0xffff);
  return fold(sum_of(source.bytes()) + sum_of(destination.bytes()) + protocol + length + sum_of(payload));
}

std::optional<UdpView> parse_udp(const IpView& packet) {
  if (packet.protocol != kUdpProtocol || packet.payload.size() < kUdpHeader) return std::nullopt;
  const std::size_t length = load_be16(packet.payload.data() + 4);
  if (length < kUdpHeader || length > packet.payload.size()) return std::nullopt;
  const Bytes whole = packet.payload.first(length);
  // RFC 768: over IPv4 a checksum of 0 means that there is none; RFC 8200 §8.1: over IPv6 there is always
  // one.
  const bool none = load_be16(whole.data() + kUdpChecksum) == 0;
  if (none && packet.source.is_v6()) return std::nullopt;
  if (!none && transport_checksum(packet.source, packet.destination, kUdpProtocol, whole) != 0)
    return std::nullopt;
  return UdpView{load_be16(whole.data()), load_be16(whole.data() + 2), whole.subspan(kUdpHeader)};
}

ByteVector make_udp(const Endpoint& source, const Endpoint& destination, Bytes data) {
  ByteVector udp(kUdpHeader + data.size());
  ByteWriter out(udp);
  out.u16(source.port);
  out.u16(destination.port);
  out.u16(narrow<std::uint16_t>(udp.size()).value_or(0));
  out.u16(0);
  out.bytes(data);
  const auto sum = transport_checksum(source.address, destination.address, kUdpProtocol, udp);
  store_be16(udp.data() + kUdpChecksum, sum == 0 ? std::uint16_t{0xffff} : sum);
  return make_ip(source.address, destination.address, kUdpProtocol, kTtl, udp);
}

ByteVector make_icmpv6(const IpAddress& source, const IpAddress& destination, Bytes message) {
  ByteVector icmp(message.begin(), message.end());
  store_be16(icmp.data() + kIcmpChecksum, 0);
  store_be16(icmp.data() + kIcmpChecksum, transport_checksum(source, destination, kIcmpv6Protocol, icmp));
  return make_ip(source, destination, kIcmpv6Protocol, kNdHopLimit, icmp);
}

}  // namespace sluice::ppp
