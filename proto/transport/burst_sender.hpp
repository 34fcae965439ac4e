#pragma once
// The sending half of a datagram socket: sendmmsg, with UDP_SEGMENT for runs of packets to one place.

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/counters.hpp"
#include "proto/transport/packet.hpp"
#include "proto/transport/socket_support.hpp"
#include "proto/transport/udp_port.hpp"

namespace sluice::transport {

class BurstSender {
 public:
  /// `bound`: the socket's own address, which packets from it need not name.
  BurstSender(int fd, bool segmentation, const IpAddress& bound, CounterArray<PortCount>& counts)
      : fd_(fd), segmentation_(segmentation), bound_(bound), counts_(counts) {}

  std::size_t send(std::span<const TxPacket> packets);
  bool segmenting() const { return segmentation_; }

 private:
  static constexpr std::size_t kMessages = 64;
  static constexpr std::size_t kPackets = 256;
  /// The kernel's limits: UDP_MAX_SEGMENTS, and one IP packet before it is cut.
  static constexpr std::size_t kMaxSegments = 64;
  static constexpr std::size_t kMaxSegmentedBytes = 65000;

  /// Lays out messages for a part of `packets`; gives how many packets they hold.
  std::size_t lay_out(std::span<const TxPacket> packets);
  /// How many packets from the front may go as one segmented datagram.
  std::size_t run_length(std::span<const TxPacket> packets) const;
  void add_message(std::span<const TxPacket> run);
  /// Sends the messages laid out; gives the number of packets sent.
  std::size_t transmit(std::span<const TxPacket> packets);
  /// The first message failed with errno: sends it in another way or drops it; gives the number of packets
  /// sent.
  std::size_t recover(std::span<const TxPacket> run, int error);
  std::size_t send_singly(std::span<const TxPacket> run);
  IpAddress source_of(const TxPacket& packet) const {
    return packet.local == bound_ ? IpAddress() : packet.local;
  }
  void count_drop(int error, std::size_t packets);

  int fd_;
  bool segmentation_;
  IpAddress bound_;
  CounterArray<PortCount>& counts_;
  std::size_t messages_ = 0;
  std::size_t laid_ = 0;
  std::array<mmsghdr, kMessages> headers_{};
  std::array<sockaddr_storage, kMessages> names_{};
  std::array<ControlRoom, kMessages> controls_{};
  std::array<std::size_t, kMessages> runs_{};  ///< packets of each message
  std::array<iovec, kPackets> vectors_{};
};

}  // namespace sluice::transport
