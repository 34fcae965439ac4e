#include "edge/capture/tap.hpp"

#include <algorithm>

#include "edge/capture/redact.hpp"
#include "l2tp/header.hpp"

namespace sluice::edge {
namespace {

constexpr std::uint8_t kProtocolUdp = 17, kProtocolEsp = 50;
constexpr std::size_t kUdpHeader = 8, kIpv4Header = 20, kIpv6Header = 40, kNonEspMarker = 4;
constexpr std::uint8_t kTtl = 64;
constexpr std::uint16_t kDontFragment = 0x4000;

// RFC 1071.
std::uint16_t header_checksum(Bytes header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2) sum += load_be16(header.data() + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

ByteVector ipv4_packet(const IpAddress& from, const IpAddress& to, std::uint8_t protocol, Bytes payload) {
  const auto total = narrow<std::uint16_t>(kIpv4Header + payload.size());
  if (!total) return {};
  ByteVector out(*total);
  ByteWriter writer(out);
  writer.u8(0x45);
  writer.u8(0);
  writer.u16(*total);
  writer.u16(0);
  writer.u16(kDontFragment);
  writer.u8(kTtl);
  writer.u8(protocol);
  writer.u16(0);
  writer.bytes(from.bytes());
  writer.bytes(to.bytes());
  writer.patch_u16(10, header_checksum(writer.written()));
  writer.bytes(payload);
  return out;
}

// RFC 8200 §3.
ByteVector ipv6_packet(const IpAddress& from, const IpAddress& to, std::uint8_t protocol, Bytes payload) {
  const auto length = narrow<std::uint16_t>(payload.size());
  if (!length) return {};
  ByteVector out(kIpv6Header + payload.size());
  ByteWriter writer(out);
  writer.u32(0x60000000);
  writer.u16(*length);
  writer.u8(protocol);
  writer.u8(kTtl);
  writer.bytes(from.bytes());
  writer.bytes(to.bytes());
  writer.bytes(payload);
  return out;
}

ByteVector udp_datagram(std::uint16_t from, std::uint16_t to, std::size_t marker, Bytes payload) {
  const auto length = narrow<std::uint16_t>(kUdpHeader + marker + payload.size());
  if (!length) return {};
  ByteVector out(*length);
  ByteWriter writer(out);
  writer.u16(from);
  writer.u16(to);
  writer.u16(*length);
  writer.u16(0);  // none (RFC 768)
  writer.zeros(marker);
  writer.bytes(payload);
  return out;
}

ByteVector between(const CaptureTap::Way& way, std::uint8_t protocol, Bytes payload) {
  const auto& from = way.from_client ? way.remote.address : way.local.address;
  const auto& to = way.from_client ? way.local.address : way.remote.address;
  return ip_packet(from, to, protocol, payload);
}

bool has_address_and_control(Bytes frame) {
  return frame.size() >= 2 && frame[0] == 0xff && frame[1] == 0x03;
}

}  // namespace

ByteVector ip_packet(const IpAddress& from, const IpAddress& to, std::uint8_t protocol, Bytes payload) {
  if (from.is_v6() != to.is_v6()) return {};
  return from.is_v6() ? ipv6_packet(from, to, protocol, payload) : ipv4_packet(from, to, protocol, payload);
}

bool CaptureFilter::fits(const Endpoint& remote) const {
  return (client && *client == remote.address) || std::ranges::find(places, remote) != places.end();
}

bool CaptureFilter::fits(PeerId peer, const Endpoint& remote) const {
  return (client && *client == remote.address) || std::ranges::find(peers, peer) != peers.end();
}

void CaptureTap::outer(const Way& way, Outer how, Bytes payload, Instant now) {
  if (!wants(CapturePoint::kEsp)) return;
  if (how == Outer::kEsp) return put(CapturePoint::kEsp, way, between(way, kProtocolEsp, payload), now);
  const auto& from = way.from_client ? way.remote : way.local;
  const auto& to = way.from_client ? way.local : way.remote;
  const auto udp = udp_datagram(from.port, to.port, how == Outer::kUdpMarked ? kNonEspMarker : 0, payload);
  put(CapturePoint::kEsp, way, between(way, kProtocolUdp, udp), now);
}

void CaptureTap::inner(const Way& way, Bytes udp, Instant now) {
  if (udp.size() < kUdpHeader || !(wants(CapturePoint::kL2tp) || wants(CapturePoint::kPpp))) return;
  ByteVector copy(udp.begin(), udp.end());
  const auto packet = MutableBytes(copy).subspan(kUdpHeader);
  redact_l2tp(packet);
  if (wants(CapturePoint::kL2tp)) put(CapturePoint::kL2tp, way, between(way, kProtocolUdp, copy), now);
  const auto l2tp = l2tp::classify(packet);
  if (!wants(CapturePoint::kPpp) || l2tp.kind != l2tp::PacketKind::kData) return;
  const auto frame = packet.subspan(l2tp.payload_offset, l2tp.payload_size);
  ByteVector ppp;
  ppp.reserve(frame.size() + 2);
  if (!has_address_and_control(frame)) ppp = {0xff, 0x03};
  ppp.insert(ppp.end(), frame.begin(), frame.end());
  put(CapturePoint::kPpp, way, std::move(ppp), now);
}

void CaptureTap::put(CapturePoint point, const Way& way, ByteVector bytes, Instant now) {
  const auto size = bytes.size();
  const bool full = bytes_in_.read() - bytes_out_.read() + size > kMaxBytes;
  const auto since = now.time_since_epoch() + config_.clock;
  CapturedPacket packet{point, way.from_client, way.peer, static_cast<std::uint64_t>(since.count()),
                        std::move(bytes)};
  if (packet.bytes.empty() || full || !queue_.push(std::move(packet))) return dropped_.add(point);
  bytes_in_.add(size);
}

std::optional<CapturedPacket> CaptureTap::next() {
  auto packet = queue_.pop();
  if (packet) bytes_out_.add(packet->bytes.size());
  return packet;
}

}  // namespace sluice::edge
