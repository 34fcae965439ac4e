#pragma once
// PPP frames as L2TP data messages carry them: no flags, no FCS (RFC 2661 §3.1); Address and Control may be
// left out (ACFC, RFC 1661 §6.6), Protocol may be one octet (PFC, §6.5). A receiver here takes every form at
// any time.

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "ppp/protocol.hpp"

namespace sluice::ppp {

inline constexpr std::uint8_t kAllStations = 0xff;
inline constexpr std::uint8_t kUnnumbered = 0x03;
/// Address, Control and a two-octet protocol.
inline constexpr std::size_t kMaxHeader = 4;

struct FrameView {
  Protocol protocol = 0;
  std::size_t header_size = 0;  ///< where the payload starts within the frame
};

/// The header of a frame; the payload is the rest. Errors: kEmptyFrame, kBadProtocolField.
Result<FrameView, Drop> parse_frame(Bytes frame);

/// The header's length for these options.
std::size_t header_size(Protocol protocol, bool compress_address, bool compress_protocol);
/// Writes a header; compression applies as negotiated, and never to a protocol above 0x00ff.
void write_header(ByteWriter& out, Protocol protocol, bool compress_address, bool compress_protocol);

}  // namespace sluice::ppp
