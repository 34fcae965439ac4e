#pragma once
// Packets as the sockets of a data worker give and take them.

#include <cstdint>

#include "base/bytes.hpp"
#include "base/ip.hpp"
#include "esp/packet.hpp"

namespace sluice::transport {

/// Room before and after each received packet, so that it can be opened, given new headers and sealed where
/// it lies.
inline constexpr std::size_t kHeadRoom = 128;
inline constexpr std::size_t kTailRoom = 64;
/// Packets up to this size get a buffer with room around it; a larger one (an IKE message with certificates)
/// is given as it is, with no room.
inline constexpr std::size_t kMaxInPlace = 2048;

/// One received datagram in a buffer that belongs to the port; it may be written to, and stays until the
/// port's next recv_burst().
struct RxPacket {
  esp::PacketBuffer packet;
  Endpoint remote;
  IpAddress local;  ///< the address it was sent to
};

/// One datagram to send. The bytes must stay until send_burst() returns.
struct TxPacket {
  Bytes data;
  Endpoint remote;
  IpAddress local;  ///< source address; unspecified leaves it to the kernel
};

}  // namespace sluice::transport
