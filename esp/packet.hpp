#pragma once
// A packet in a buffer with room around it, and the ESP header (RFC 4303 §2).

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace sluice::esp {

/// A view, never an owner. [0, offset) is head room, [offset, offset + length) the packet, the rest tail
/// room. Headers come off and go on by moving the edges; the bytes stay where they are.
struct PacketBuffer {
  std::uint8_t* base = nullptr;
  std::uint32_t capacity = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;

  /// A whole buffer with a packet of `length` bytes at `offset`; offset + length must not exceed its size.
  static PacketBuffer within(MutableBytes buffer, std::size_t offset, std::size_t length) {
    return {buffer.data(), static_cast<std::uint32_t>(buffer.size()), static_cast<std::uint32_t>(offset),
            static_cast<std::uint32_t>(length)};
  }

  std::uint8_t* data() const { return base + offset; }
  Bytes bytes() const { return {data(), length}; }
  MutableBytes mutable_bytes() const { return {data(), length}; }
  std::uint32_t headroom() const { return offset; }
  std::uint32_t tailroom() const { return capacity - offset - length; }

  /// Each is refused (false, nothing changed) where there is not that much room or packet.
  bool prepend(std::uint32_t count) {
    if (count > headroom()) return false;
    offset -= count;
    length += count;
    return true;
  }
  bool append(std::uint32_t count) {
    if (count > tailroom()) return false;
    length += count;
    return true;
  }
  bool drop_front(std::uint32_t count) {
    if (count > length) return false;
    offset += count;
    length -= count;
    return true;
  }
  bool drop_back(std::uint32_t count) {
    if (count > length) return false;
    length -= count;
    return true;
  }
};

inline constexpr std::uint32_t kEspHeaderSize = 8;
/// What seal() may need before and after a payload, for any suite: header and IV; padding, trailer and ICV.
inline constexpr std::uint32_t kMaxHeadroom = kEspHeaderSize + 16;
inline constexpr std::uint32_t kMaxTailroom = 15 + 2 + 32;

struct EspHeader {
  Spi spi;
  std::uint32_t sequence = 0;  ///< the low 32 bits
};

/// The header at the start of an ESP packet. SPIs 0 to 255 are reserved (RFC 4303 §2.1) and never given out.
inline std::optional<EspHeader> parse_esp_header(Bytes packet) {
  if (packet.size() < kEspHeaderSize) return std::nullopt;
  return EspHeader{Spi(load_be32(packet.data())), load_be32(packet.data() + 4)};
}

}  // namespace sluice::esp
