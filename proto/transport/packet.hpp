#pragma once
// Packets as the sockets of a data worker give and take them.

#include <cstdint>

#include "base/bytes.hpp"
#include "base/ip.hpp"

namespace sluice::transport {

/// Room before and after each received packet, so that it can be opened, given new headers and sealed where
/// it lies.
inline constexpr std::size_t kHeadRoom = 128;
inline constexpr std::size_t kTailRoom = 64;
/// Packets up to this size get a buffer with room around it; a larger one (an IKE message with certificates)
/// is given as it is, with no room.
inline constexpr std::size_t kMaxInPlace = 2048;

/// One received datagram. All views live until the port's next recv_burst().
struct RxPacket {
  MutableBytes room;  ///< the whole buffer that `data` lies in; writable by whoever holds the packet
  MutableBytes data;
  Endpoint remote;
  IpAddress local;  ///< the address it was sent to

  std::size_t head_room() const { return static_cast<std::size_t>(data.data() - room.data()); }
  std::size_t tail_room() const { return room.size() - head_room() - data.size(); }
};

/// One datagram to send. The bytes must stay until send_burst() returns.
struct TxPacket {
  Bytes data;
  Endpoint remote;
  IpAddress local;  ///< source address; unspecified leaves it to the kernel
};

}  // namespace sluice::transport
