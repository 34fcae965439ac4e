#include "backend-agent/tun/offload.hpp"

#include <algorithm>

#include "backend-agent/tun/checksum.hpp"

namespace sluice::agent {
namespace {

// linux/virtio_net.h; the header is little-endian because the device is told so.
constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kEcn = 0x80;

constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40, kTcpHeader = 20, kUdpHeader = 8;
constexpr std::uint8_t kTcp = 6, kUdp = 17;
constexpr std::uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80;

std::uint16_t load_le16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] | (at[1] << 8));
}
void store_le16(std::uint8_t* at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value);
  at[1] = static_cast<std::uint8_t>(value >> 8);
}

bool is_udp(OffloadHeader::Kind kind) {
  return kind == OffloadHeader::Kind::kUdp;
}

/// Octets of the transport header at `at`; 0 when it does not fit.
std::size_t transport_header(OffloadHeader::Kind kind, Bytes packet, std::size_t at) {
  const std::size_t least = is_udp(kind) ? kUdpHeader : kTcpHeader;
  if (at + least > packet.size()) return 0;
  if (is_udp(kind)) return kUdpHeader;
  const std::size_t size = (packet[at + 12] >> 4) * 4U;
  return size >= kTcpHeader && at + size <= packet.size() ? size : 0;
}

}  // namespace

std::string_view to_string(TunDrop reason) {
  switch (reason) {
    case TunDrop::kWriteFull:
      return "full";
    case TunDrop::kBadOffload:
      return "bad-offload";
    case TunDrop::kTooLarge:
      return "too-large";
    case TunDrop::kReadFailed:
      return "read-failed";
    case TunDrop::kCount:
      break;
  }
  return "unknown";
}

std::optional<OffloadHeader> OffloadHeader::parse(Bytes bytes) {
  if (bytes.size() < kSize) return std::nullopt;
  const auto kind = static_cast<Kind>(bytes[1] & ~kEcn);
  if (kind != Kind::kNone && kind != Kind::kTcp4 && kind != Kind::kTcp6 && kind != Kind::kUdp)
    return std::nullopt;
  return OffloadHeader{(bytes[0] & kNeedsChecksum) != 0, kind,
                       load_le16(bytes.data() + 2),      load_le16(bytes.data() + 4),
                       load_le16(bytes.data() + 6),      load_le16(bytes.data() + 8)};
}

void OffloadHeader::write(std::span<std::uint8_t, kSize> out) const {
  out[0] = needs_checksum ? kNeedsChecksum : 0;
  out[1] = static_cast<std::uint8_t>(kind);
  store_le16(out.data() + 2, header_size);
  store_le16(out.data() + 4, segment_size);
  store_le16(out.data() + 6, checksum_start);
  store_le16(out.data() + 8, checksum_offset);
}

bool finish_checksum(const OffloadHeader& header, MutableBytes packet) {
  if (!header.needs_checksum) return true;
  const std::size_t at = std::size_t{header.checksum_start} + header.checksum_offset;
  if (header.checksum_start >= packet.size() || at + 2 > packet.size()) return false;
  // The field holds the pseudo header's sum, so the whole sum is taken with it in place.
  const auto sum = fold_sum(add_to_sum(0, packet.subspan(header.checksum_start)));
  const auto checksum = static_cast<std::uint16_t>(~sum);
  // RFC 768: 0 would mean that there is none; for TCP the two zeros are the same.
  store_be16(packet.data() + at, checksum == 0 ? 0xffff : checksum);
  return true;
}

std::optional<Segmenter> Segmenter::make(const OffloadHeader& header, Bytes packet) {
  if (header.kind == OffloadHeader::Kind::kNone || header.segment_size == 0 || packet.empty())
    return std::nullopt;
  const unsigned version = packet[0] >> 4;
  const std::size_t network = version == 4 ? kIpv4Header : kIpv6Header;
  if (version != 4 && version != 6) return std::nullopt;
  if (header.kind == OffloadHeader::Kind::kTcp4 && version != 4) return std::nullopt;
  if (header.kind == OffloadHeader::Kind::kTcp6 && version != 6) return std::nullopt;
  if (packet.size() < network || header.checksum_start < network) return std::nullopt;
  if (version == 4 && (packet[0] & 0x0fU) * 4U != header.checksum_start) return std::nullopt;
  const std::size_t transport = transport_header(header.kind, packet, header.checksum_start);
  if (transport == 0) return std::nullopt;
  Segmenter out;
  out.kind_ = header.kind;
  out.transport_ = header.checksum_start;
  out.headers_ = packet.first(header.checksum_start + transport);
  out.payload_ = packet.subspan(out.headers_.size());
  out.segment_ = header.segment_size;
  if (out.payload_.empty()) return std::nullopt;
  return out;
}

std::size_t Segmenter::next_size() const {
  return headers_.size() + std::min(segment_, payload_.size() - at_);
}

void Segmenter::next(MutableBytes out) {
  const Bytes part = payload_.subspan(at_, std::min(segment_, payload_.size() - at_));
  out = out.first(headers_.size() + part.size());
  std::copy(headers_.begin(), headers_.end(), out.begin());
  std::copy(part.begin(), part.end(), out.begin() + static_cast<std::ptrdiff_t>(headers_.size()));
  write_network(out);
  write_transport(out, at_ + part.size() == payload_.size());
  at_ += part.size();
  ++number_;
}

void Segmenter::write_network(MutableBytes out) const {
  if (out[0] >> 4 == 6)
    return store_be16(out.data() + 4, static_cast<std::uint16_t>(out.size() - kIpv6Header));
  store_be16(out.data() + 2, static_cast<std::uint16_t>(out.size()));
  store_be16(out.data() + 4, static_cast<std::uint16_t>(load_be16(out.data() + 4) + number_));
  store_be16(out.data() + 10, 0);
  store_be16(out.data() + 10, static_cast<std::uint16_t>(~fold_sum(add_to_sum(0, out.first(transport_)))));
}

void Segmenter::write_transport(MutableBytes out, bool last) const {
  const MutableBytes transport = out.subspan(transport_);
  std::size_t checksum_at = 6;
  if (is_udp(kind_)) {
    store_be16(transport.data() + 4, static_cast<std::uint16_t>(transport.size()));
  } else {
    checksum_at = 16;
    store_be32(transport.data() + 4, load_be32(transport.data() + 4) + static_cast<std::uint32_t>(at_));
    // FIN and PSH belong to the last octet, CWR to the first packet (RFC 3168 §6.1.2).
    if (!last) transport[13] &= static_cast<std::uint8_t>(~(kFin | kPsh));
    if (number_ > 0) transport[13] &= static_cast<std::uint8_t>(~kCwr);
  }
  store_be16(transport.data() + checksum_at, 0);
  const auto sum =
      fold_sum(add_to_sum(pseudo_sum(out, is_udp(kind_) ? kUdp : kTcp, transport.size()), transport));
  const auto checksum = static_cast<std::uint16_t>(~sum);
  store_be16(transport.data() + checksum_at, checksum == 0 ? 0xffff : checksum);
}

}  // namespace sluice::agent
