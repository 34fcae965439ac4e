#include "backend-agent/tun/coalescer.hpp"

#include <algorithm>

#include "backend-agent/tun/checksum.hpp"

namespace sluice::agent {
namespace {

using Kind = OffloadHeader::Kind;

constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40, kTcpHeader = 20, kUdpHeader = 8;
constexpr std::uint8_t kTcp = 6, kUdp = 17;
constexpr std::uint8_t kPsh = 0x08, kAck = 0x10;
constexpr std::uint16_t kDontFragment = 0x4000, kReservedBit = 0x8000;
constexpr std::size_t kRight = 0xffff;  ///< the folded sum over data with a right checksum

bool same(Bytes a, Bytes b, std::size_t at, std::size_t size) {
  return std::memcmp(a.data() + at, b.data() + at, size) == 0;
}
std::uint8_t protocol_of(Kind kind) {
  return kind == Kind::kUdp ? kUdp : kTcp;
}

/// The network header is plain and the packet whole; gives the transport's number.
std::optional<std::uint8_t> plain_network(Bytes ip) {
  if (ip.size() >= kIpv4Header && ip[0] == 0x45) {
    const bool fragment = (load_be16(ip.data() + 6) & ~(kDontFragment | kReservedBit)) != 0;
    if (fragment || load_be16(ip.data() + 2) != ip.size()) return std::nullopt;
    return ip[9];
  }
  if (ip.size() >= kIpv6Header && ip[0] >> 4 == 6) {
    if (load_be16(ip.data() + 4) + kIpv6Header != ip.size()) return std::nullopt;
    return ip[6];
  }
  return std::nullopt;
}

bool checksums_right(const FlowPacket& flow) {
  const Bytes ip = flow.packet;
  if (ip[0] >> 4 == 4 && fold_sum(add_to_sum(0, ip.first(kIpv4Header))) != kRight) return false;
  const Bytes transport = ip.subspan(flow.transport);
  const bool unsummed = flow.kind == Kind::kUdp && load_be16(transport.data() + 6) == 0;
  if (unsummed) return ip[0] >> 4 == 4;  // RFC 768; in IPv6 there is always one (RFC 8200 §8.1)
  return fold_sum(add_to_sum(pseudo_sum(ip, protocol_of(flow.kind), transport.size()), transport)) == kRight;
}

/// Which of 64 slots a flow has; `transport` octets from the start there are its ports.
std::size_t slot_of(Bytes ip, std::size_t transport) {
  const std::size_t addresses = ip[0] >> 4 == 6 ? 20 : 12;
  return ((load_be64(ip.data() + addresses) ^ load_be32(ip.data() + transport)) * 0x9e3779b97f4a7c15ULL) >>
         58;
}

/// Addresses, ports and all that a run's packets must have in common but lengths, checksums and numbers.
bool same_flow(const FlowPacket& a, const FlowPacket& b) {
  const Bytes one = a.packet, other = b.packet;
  if (a.kind != b.kind || a.headers != b.headers || one[0] != other[0]) return false;
  const bool v4 = one[0] >> 4 == 4;
  const bool network = v4 ? same(one, other, 1, 1) && same(one, other, 6, 4) && same(one, other, 12, 8)
                          : same(one, other, 1, 3) && same(one, other, 6, 34);
  if (!network || !same(one, other, a.transport, 4)) return false;
  if (a.kind == Kind::kUdp) {
    // All without a checksum or none; the kernel then writes one.
    return (load_be16(one.data() + a.transport + 6) == 0) == (load_be16(other.data() + a.transport + 6) == 0);
  }
  // Acknowledgement, data offset, window and options are the same for all; the rest the kernel makes anew.
  return same(one, other, a.transport + 8, 5) && same(one, other, a.transport + 14, 2) &&
         same(one, other, a.transport + kTcpHeader, a.headers - a.transport - kTcpHeader);
}

}  // namespace

std::optional<FlowPacket> parse_flow_packet(MutableBytes ip) {
  const auto protocol = plain_network(ip);
  if (!protocol) return std::nullopt;
  const bool v4 = ip[0] >> 4 == 4;
  FlowPacket out{ip, Kind::kUdp, v4 ? kIpv4Header : kIpv6Header, 0};
  const Bytes transport = ip.subspan(out.transport);
  if (*protocol == kUdp && transport.size() > kUdpHeader &&
      load_be16(transport.data() + 4) == transport.size()) {
    out.headers = out.transport + kUdpHeader;
    return out;
  }
  if (*protocol != kTcp || transport.size() <= kTcpHeader) return std::nullopt;
  const std::size_t header = (transport[12] >> 4) * 4U;
  const bool plain = (transport[12] & 0x0f) == 0 && (transport[13] & ~kPsh) == kAck;
  if (!plain || header < kTcpHeader || header >= transport.size()) return std::nullopt;
  out.kind = v4 ? Kind::kTcp4 : Kind::kTcp6;
  out.headers = out.transport + header;
  return out;
}

void Coalescer::clear() {
  packets_.clear();
  runs_.clear();
  slots_.fill(kNone);
}

void Coalescer::add(MutableBytes ip) {
  const auto index = static_cast<std::uint16_t>(packets_.size());
  auto flow = parse_flow_packet(ip);
  if (flow && flow->kind == Kind::kUdp && !udp_) flow.reset();
  packets_.push_back({flow.value_or(FlowPacket{ip, Kind::kNone, 0, 0})});
  const auto run = static_cast<std::uint16_t>(runs_.size());
  if (!flow) {
    close_flow(ip);
    runs_.push_back({.first = index, .last = index, .closed = true});
    return;
  }
  std::uint16_t& slot = slots_[slot_of(ip, flow->transport)];
  if (slot != kNone && join(runs_[slot], index)) return;
  const bool pushed = flow->kind != Kind::kUdp && (ip[flow->transport + 13] & kPsh) != 0;
  runs_.push_back({.first = index, .last = index, .bytes = ip.size(), .closed = pushed});
  slot = run;
}

/// An acknowledgement, a SYN, a FIN: what its flow sends later must not overtake it. Nor may anything that
/// cannot be told.
void Coalescer::close_flow(Bytes ip) {
  const bool plain = plain_network(ip).has_value();
  const std::size_t transport = plain && ip[0] >> 4 == 6 ? kIpv6Header : kIpv4Header;
  if (!plain || transport + 4 > ip.size()) return slots_.fill(kNone);
  slots_[slot_of(ip, transport)] = kNone;
}

/// RFC 6864 §4.1: the identification of a packet that must not be fragmented says nothing.
bool Coalescer::continues(const Run& run, const FlowPacket& packet) const {
  const FlowPacket& first = packets_[run.first].flow;
  const FlowPacket& last = packets_[run.last].flow;
  if (run.closed || run.count == kMaxSegments || run.bytes + packet.payload() > kMaxBytes) return false;
  // Each as long as the first; a shorter one is the last.
  if (last.payload() != first.payload() || packet.payload() > first.payload()) return false;
  if (!same_flow(first, packet)) return false;
  const std::uint8_t* ip = packet.packet.data();
  const std::uint8_t* begin = first.packet.data();
  if (ip[0] >> 4 == 4 && (load_be16(ip + 6) & kDontFragment) == 0 &&
      load_be16(ip + 4) != static_cast<std::uint16_t>(load_be16(begin + 4) + run.count)) {
    return false;
  }
  if (packet.kind == Kind::kUdp) return true;
  const auto expected = load_be32(begin + first.transport + 4) + run.bytes - first.headers;
  return load_be32(ip + packet.transport + 4) == static_cast<std::uint32_t>(expected);
}

bool Coalescer::join(Run& run, std::uint16_t index) {
  Held& held = packets_[index];
  if (!continues(run, held.flow)) return false;
  // The kernel writes new checksums, which would make a damaged packet look whole.
  if (!run.verified && !checksums_right(packets_[run.first].flow)) {
    run.closed = true;
    return false;
  }
  run.verified = true;
  if (!checksums_right(held.flow)) return false;
  packets_[run.last].next = index;
  run.last = index;
  run.bytes += held.flow.payload();
  ++run.count;
  if (held.flow.kind != Kind::kUdp && (held.flow.packet[held.flow.transport + 13] & kPsh) != 0)
    run.closed = true;
  return true;
}

void Coalescer::prepare(const Run& run) {
  scratch_.pieces.clear();
  scratch_.packets = run.count;
  const OffloadHeader header = run.count > 1 ? rewrite(run) : OffloadHeader{};
  header.write(scratch_.header);
  scratch_.pieces.push_back(scratch_.header);
  scratch_.pieces.push_back(packets_[run.first].flow.packet);
  for (std::uint16_t at = packets_[run.first].next; at != kNone; at = packets_[at].next) {
    const FlowPacket& flow = packets_[at].flow;
    scratch_.pieces.push_back(flow.packet.subspan(flow.headers));
  }
}

/// Makes the first packet's headers those of the whole run.
OffloadHeader Coalescer::rewrite(const Run& run) {
  const FlowPacket& first = packets_[run.first].flow;
  const FlowPacket& last = packets_[run.last].flow;
  const MutableBytes ip = first.packet;
  const MutableBytes transport = ip.subspan(first.transport);
  const std::size_t transport_size = run.bytes - first.transport;
  if (ip[0] >> 4 == 4) {
    store_be16(ip.data() + 2, static_cast<std::uint16_t>(run.bytes));
    store_be16(ip.data() + 10, 0);
    store_be16(ip.data() + 10, static_cast<std::uint16_t>(~fold_sum(add_to_sum(0, ip.first(kIpv4Header)))));
  } else {
    store_be16(ip.data() + 4, static_cast<std::uint16_t>(run.bytes - kIpv6Header));
  }
  std::uint16_t checksum_at = 16;
  if (first.kind == Kind::kUdp) {
    checksum_at = 6;
    store_be16(transport.data() + 4, static_cast<std::uint16_t>(transport_size));
  } else {
    transport[13] = static_cast<std::uint8_t>(transport[13] | (last.packet[last.transport + 13] & kPsh));
  }
  store_be16(transport.data() + checksum_at,
             fold_sum(pseudo_sum(ip, protocol_of(first.kind), transport_size)));
  return {true,
          first.kind,
          static_cast<std::uint16_t>(first.headers),
          static_cast<std::uint16_t>(first.payload()),
          static_cast<std::uint16_t>(first.transport),
          checksum_at};
}

}  // namespace sluice::agent
