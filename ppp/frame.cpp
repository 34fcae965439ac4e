#include "ppp/frame.hpp"

namespace sluice::ppp {

Result<FrameView, Drop> parse_frame(Bytes frame) {
  std::size_t at = 0;
  // 0xff is never the first octet of a protocol: its low bit is set in the first of two (RFC 1661 §2).
  if (frame.size() >= 2 && frame[0] == kAllStations && frame[1] == kUnnumbered) at = 2;
  if (at >= frame.size()) return Failure{Drop::kEmptyFrame};
  const std::uint8_t first = frame[at];
  if ((first & 1U) != 0) return FrameView{first, at + 1};
  if (at + 1 >= frame.size() || (frame[at + 1] & 1U) == 0) return Failure{Drop::kBadProtocolField};
  return FrameView{load_be16(frame.data() + at), at + 2};
}

std::size_t header_size(Protocol protocol, bool compress_address, bool compress_protocol) {
  return (compress_address ? 0U : 2U) + (compress_protocol && protocol <= 0xff ? 1U : 2U);
}

void write_header(ByteWriter& out, Protocol protocol, bool compress_address, bool compress_protocol) {
  if (!compress_address) {
    out.u8(kAllStations);
    out.u8(kUnnumbered);
  }
  if (compress_protocol && protocol <= 0xff) {
    out.u8(static_cast<std::uint8_t>(protocol));
  } else {
    out.u16(protocol);
  }
}

}  // namespace sluice::ppp
