#pragma once
// One queue of the TUN device: packets in and out in bunches (IFF_VNET_HDR with TSO and USO). Thread: the one
// worker that owns it; counters may be read from anywhere.

#include <array>
#include <memory>
#include <optional>

#include "backend-agent/tun/coalescer.hpp"
#include "backend-agent/tun/offload.hpp"
#include "base/app/unique_fd.hpp"
#include "base/counters.hpp"

namespace sluice::agent {

/// One queue as TunDevice gives it.
struct TunPort {
  app::UniqueFd fd;  ///< non-blocking, with an offload header in front of each packet
  bool udp = true;   ///< UDP may be written in bunches (Linux 6.2)
};

class TunQueue {
 public:
  explicit TunQueue(TunPort port);
  ~TunQueue();

  /// For epoll; level triggered. While pending() there are packets that epoll does not know of.
  int fd() const { return fd_.get(); }

  /// Takes an IP packet towards the machine; it must stay until flush(), and its headers may be changed.
  void put(MutableBytes ip);
  /// Writes all that was put, runs of one flow in one call. What the device does not take is dropped and
  /// counted.
  void flush();

  /// The next packet from the machine, at the start of `slot`, its checksums complete; its size, or 0 when
  /// there is none just now. Never blocks. A packet larger than the slot is dropped and counted.
  std::size_t read(MutableBytes slot);
  bool pending() const;

  /// Calls and drops.
  const Counter& writes() const { return writes_; }
  const Counter& reads() const { return reads_; }
  const CounterArray<TunDrop>& drops() const { return drops_; }

 private:
  struct Large;  ///< a bunch that is being handed out
  void write(const Coalescer::Write& write);

  app::UniqueFd fd_;
  Coalescer coalescer_;
  std::unique_ptr<Large> large_;
  Counter writes_, reads_;
  CounterArray<TunDrop> drops_;
};

}  // namespace sluice::agent
