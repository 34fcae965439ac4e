#include "l2tp/header.hpp"

namespace sluice::l2tp {
namespace {

Failure<DropReason> fail(DropReason reason) {
  return {reason};
}

}  // namespace

Result<Header, DropReason> parse_header(Bytes datagram) {
  ByteReader in(datagram);
  const std::uint16_t flags = in.u16();
  if (!in.ok()) return fail(DropReason::kTruncated);
  const unsigned version = flags & kVersionMask;
  if (version != kVersion2) return fail(version == 3 ? DropReason::kVersion3 : DropReason::kVersionUnknown);
  // The Length field and the offsets handed on are 16 bits wide; no UDP payload is longer.
  if (datagram.size() > 0xffff) return fail(DropReason::kLengthField);

  Header h;
  h.control = (flags & kFlagControl) != 0;
  h.has_length = (flags & kFlagLength) != 0;
  h.has_sequence = (flags & kFlagSequence) != 0;
  h.has_offset = (flags & kFlagOffset) != 0;
  h.priority = (flags & kFlagPriority) != 0;
  // §3.1: control messages MUST have L and S set, O and P clear. The other bits are reserved and ignored.
  if (h.control && (!h.has_length || !h.has_sequence || h.has_offset || h.priority)) {
    return fail(DropReason::kControlFlags);
  }

  const std::size_t length = h.has_length ? in.u16() : datagram.size();
  h.tunnel = TunnelId{in.u16()};
  h.session = SessionId{in.u16()};
  if (h.has_sequence) {
    h.ns = in.u16();
    h.nr = in.u16();
  }
  if (h.has_offset) h.offset_size = in.u16();
  if (!in.ok()) return fail(DropReason::kTruncated);
  if (length > datagram.size() || length < in.consumed()) return fail(DropReason::kLengthField);
  const std::size_t start = in.consumed() + h.offset_size;
  if (start > length) return fail(DropReason::kOffset);
  h.payload = datagram.subspan(start, length - start);
  return h;
}

void write_header(const Header& h, std::size_t payload_size, ByteWriter& out) {
  const std::size_t size =
      6u + (h.has_length ? 2u : 0u) + (h.has_sequence ? 4u : 0u) + (h.has_offset ? 2u + h.offset_size : 0u);
  const auto length = narrow<std::uint16_t>(size + payload_size);
  if (!length || size > out.room()) {
    out.zeros(out.room() + 1);  // does not fit: turns ok() false without a write
    return;
  }
  unsigned flags = kVersion2;
  if (h.control) flags |= kFlagControl;
  if (h.has_length) flags |= kFlagLength;
  if (h.has_sequence) flags |= kFlagSequence;
  if (h.has_offset) flags |= kFlagOffset;
  if (h.priority) flags |= kFlagPriority;
  out.u16(static_cast<std::uint16_t>(flags));
  if (h.has_length) out.u16(*length);
  out.u16(h.tunnel.value());
  out.u16(h.session.value());
  if (h.has_sequence) {
    out.u16(h.ns);
    out.u16(h.nr);
  }
  if (h.has_offset) {
    out.u16(h.offset_size);
    out.zeros(h.offset_size);
  }
}

namespace detail {

Classified classify_slow(Bytes datagram) {
  const auto parsed = parse_header(datagram);
  if (!parsed) return {.kind = PacketKind::kBad, .reason = parsed.error(), .tunnel = {}};
  const Header& h = *parsed;
  // parse_header() has bounded the datagram by 65535 bytes.
  const auto offset = static_cast<std::uint16_t>(h.payload.data() - datagram.data());
  return {h.control ? PacketKind::kControl : PacketKind::kData, DropReason::kNone, offset,
          static_cast<std::uint16_t>(h.payload.size()),         h.tunnel,          h.session};
}

}  // namespace detail
}  // namespace sluice::l2tp
