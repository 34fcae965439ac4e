#pragma once
// A data worker's UDP socket: bursts in, bursts out, segmentation offload both ways, no allocation after
// open(). Thread: the one worker that owns it; counters may be read from anywhere.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/app/unique_fd.hpp"
#include "base/counters.hpp"
#include "base/result.hpp"
#include "proto/transport/packet.hpp"

namespace sluice::transport {

struct UdpPortOptions {
  Endpoint bind;               ///< an unspecified address takes all of its family (IPv6: only IPv6)
  bool reuse_port = true;      ///< several workers on one port
  bool segmentation = true;    ///< UDP_GRO and UDP_SEGMENT where the kernel has them
  bool dont_fragment = false;  ///< false: the kernel may fragment and never sets DF
  std::size_t buffer_bytes = 8 * 1024 * 1024;  ///< each way; forced past the sysctl limit when privileged
};

enum class PortCount : std::uint8_t {
  kPacketsIn,
  kBytesIn,
  kPacketsOut,
  kBytesOut,
  kReceiveCalls,
  kSendCalls,
  kKernelDrops,      ///< the socket's receive queue was full (SO_RXQ_OVFL)
  kTruncated,        ///< longer than any datagram we take
  kReceiveErrors,    ///< recvmmsg failed for another reason than an empty queue
  kSendFull,         ///< dropped: the socket's send queue was full
  kSendTooBig,       ///< dropped: EMSGSIZE
  kSendUnreachable,  ///< dropped: no route, or an ICMP error came back
  kSendErrors,       ///< dropped for another reason
  kSegmentFallback,  ///< bursts sent singly because the kernel refused to segment
  kCount,
};
std::string_view to_string(PortCount which);

class UdpPort {
 public:
  /// Errors name the address, the cause and what to do.
  static Result<UdpPort, std::string> open(const UdpPortOptions& options);
  UdpPort(UdpPort&&) noexcept;
  UdpPort& operator=(UdpPort&&) noexcept;
  ~UdpPort();

  /// For epoll; level triggered. While backlog() is true the port has packets that epoll does not know of.
  int fd() const;
  /// Address and port as bound.
  Endpoint local() const;

  /// Never blocks. Up to kMaxBurst packets, in order of arrival; empty when there is none.
  static constexpr std::size_t kMaxBurst = 256;
  std::span<RxPacket> recv_burst();
  /// The last recv_burst() stopped for lack of room: call it again before waiting.
  bool backlog() const;

  /// Never blocks. Runs of equal destination, source, SPI and size (a shorter one ends a run) go out as one
  /// segmented datagram; order is kept. Gives the number sent; the others are dropped and counted.
  std::size_t send_burst(std::span<const TxPacket> packets);

  /// One packet that nobody may fragment, for probes: a few system calls. False: it is larger than the link
  /// takes, or could not be sent; not counted.
  bool send_whole(const TxPacket& packet);

  const CounterArray<PortCount>& counts() const;
  /// The kernel segments what we send.
  bool segmenting() const;

 private:
  struct State;
  explicit UdpPort(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// For clients (UDP 4500): one port for each worker on the same address and port (0: any) and datagrams
/// steered by SPI (steering.hpp), in worker order. Needs all SAs of one remote address and port on one
/// worker, for the kernel joins datagrams of one flow before it steers them.
Result<std::vector<UdpPort>, std::string> open_worker_ports(const UdpPortOptions& options,
                                                            std::uint32_t workers);

/// For the channel: worker n gets the n-th of `workers` consecutive ports from options.bind.port on (0: any
/// such run), so that each pair of workers is a flow of its own.
Result<std::vector<UdpPort>, std::string> open_channel_ports(const UdpPortOptions& options,
                                                             std::uint32_t workers);

}  // namespace sluice::transport
