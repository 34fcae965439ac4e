#pragma once
// The L2TPv2 header (RFC 2661 §3.1), read in place.
//
//   T L x x S x O P x x x x Ver(4) | Length (L) | Tunnel ID | Session ID | Ns, Nr (S) | Offset Size, pad (O)
//   | payload

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "l2tp/drop_reason.hpp"

namespace sluice::l2tp {

inline constexpr std::uint16_t kFlagControl = 0x8000;
inline constexpr std::uint16_t kFlagLength = 0x4000;
inline constexpr std::uint16_t kFlagSequence = 0x0800;
inline constexpr std::uint16_t kFlagOffset = 0x0200;
inline constexpr std::uint16_t kFlagPriority = 0x0100;
inline constexpr std::uint16_t kVersionMask = 0x000f;
inline constexpr std::uint16_t kVersion2 = 2;

/// Size of every control header.
inline constexpr std::size_t kControlHeaderSize = 12;
/// Size of the plainest data header: no L, no S, no O.
inline constexpr std::size_t kPlainDataHeaderSize = 6;
/// Room in front of a PPP frame that any data header this library writes fits in.
inline constexpr std::size_t kDataHeadroom = 14;

/// A header and its payload, as views into the datagram.
struct Header {
  bool control = false;
  bool has_length = false;
  bool has_sequence = false;
  bool has_offset = false;
  bool priority = false;
  TunnelId tunnel{};
  SessionId session{};
  std::uint16_t ns = 0;           ///< with has_sequence
  std::uint16_t nr = 0;           ///< with has_sequence
  std::uint16_t offset_size = 0;  ///< with has_offset: pad bytes in front of the payload
  Bytes payload{};                ///< AVPs or PPP frame; what lies beyond Length is not part of it

  /// A control message without AVPs: a bare acknowledgement (§5.8).
  bool zlb() const { return control && payload.empty(); }
};

/// Reads the header of a whole UDP payload. Bytes behind Length are passed over; Length behind the end is an
/// error.
Result<Header, DropReason> parse_header(Bytes datagram);

/// Writes a header with all its flags and, with has_length, the Length of header + `payload_size`. Nothing is
/// written (and out.ok() turns false) when it does not fit. `header.payload` is not looked at.
void write_header(const Header& header, std::size_t payload_size, ByteWriter& out);

enum class PacketKind : std::uint8_t { kData, kControl, kBad };

/// What the data path needs to know of a packet.
struct Classified {
  PacketKind kind = PacketKind::kBad;
  DropReason reason = DropReason::kNone;  ///< with kBad
  std::uint16_t payload_offset = 0;       ///< start of the PPP frame or of the AVPs
  std::uint16_t payload_size = 0;         ///< its size, honouring Length
  TunnelId tunnel{};
  SessionId session{};

  bool is_control() const { return kind == PacketKind::kControl; }
};

namespace detail {
/// Every combination of flags that the table in classify() does not settle.
Classified classify_slow(Bytes datagram);
}  // namespace detail

/// The same checks as parse_header(), without Ns, Nr and with the commonest data headers in a few
/// instructions.
inline Classified classify(Bytes datagram) {
  if (datagram.size() >= kControlHeaderSize && datagram.size() <= 0xffff) [[likely]] {
    const auto* p = datagram.data();
    const std::uint16_t flags = load_be16(p);
    const auto size = static_cast<std::uint16_t>(datagram.size());
    if (flags == kVersion2) {
      return {PacketKind::kData,          DropReason::kNone,
              kPlainDataHeaderSize,       static_cast<std::uint16_t>(size - kPlainDataHeaderSize),
              TunnelId{load_be16(p + 2)}, SessionId{load_be16(p + 4)}};
    }
    if (flags == (kFlagLength | kVersion2) && load_be16(p + 2) == size) {
      return {PacketKind::kData,          DropReason::kNone,          8, static_cast<std::uint16_t>(size - 8),
              TunnelId{load_be16(p + 4)}, SessionId{load_be16(p + 6)}};
    }
  }
  return detail::classify_slow(datagram);
}

}  // namespace sluice::l2tp
