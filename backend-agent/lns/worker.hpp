#pragma once
// The data worker: one thread that owns the data socket, the TUN queue, all tunnels and keys. The control
// thread reaches it by a queue in each direction and an eventfd on each side.

#include <pthread.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "backend-agent/handoff/handoff.hpp"
#include "backend-agent/lns/carrier.hpp"
#include "backend-agent/lns/lns.hpp"
#include "backend-agent/tun/tun_queue.hpp"
#include "base/app/system_random.hpp"
#include "base/app/unique_fd.hpp"
#include "base/spsc_queue.hpp"
#include "proto/transport/frame_exchange.hpp"
#include "proto/transport/udp_port.hpp"

namespace sluice::agent {

/// What the worker counts; any thread may read.
struct WorkerStats {
  Counter packets_up, packets_down;  ///< IP packets to and from the TUN device
  Counter bytes_up, bytes_down;
  Counter slept;                              ///< nanoseconds without anything to do
  std::atomic<std::int64_t> asleep_since{0};  ///< Instant, in nanoseconds; 0: awake
  std::atomic<std::uint32_t> tunnels{0}, sessions{0};
};

struct WorkerParts {
  transport::UdpPort port;
  TunPort tun;  ///< without a descriptor when every tunnel is handed off
  std::unique_ptr<esp::Engine> engine;
  LnsSettings lns;
  int woken = -1;  ///< eventfd of the control thread, signalled when there are events
  std::optional<HandoffSettings> handoff{};  ///< an L2TP server that ends the tunnels instead of us
};

class Worker {
 public:
  /// Starts the thread. Throws std::runtime_error.
  explicit Worker(WorkerParts parts);
  ~Worker();

  // All for the control thread.
  void post(Command command);
  /// Commands that found the queue full; call it now and then.
  void flush();
  std::optional<Event> next_event() { return events_.pop(); }
  /// Data frames that came by an edge's TLS data link; false: the worker does not keep up, they are dropped.
  bool give_frames(Bytes records);
  /// The next batch towards an edge's; `peer` is its ChannelId.
  std::optional<transport::FrameExchange::Batch> next_frames() { return exchange_.next(); }
  const transport::FrameExchange& exchange() const { return exchange_; }
  /// SPIs that are no longer received on.
  std::optional<Spi> next_released() { return released_.pop(); }
  const WorkerStats& stats() const { return stats_; }
  std::string_view engine_name() const { return carrier_.engine_name(); }
  /// Counters of what was dropped; any thread may read them.
  const Lns& lns() const { return lns_; }
  const Carrier& carrier() const { return carrier_; }
  const transport::UdpPort& port() const { return port_; }
  const TunQueue& tun() const { return tun_; }
  /// Null when tunnels end here.
  const Handoff* handoff() const { return handoff_.get(); }
  /// Time without anything to do, up to `now`.
  Duration slept(Instant now) const;
  /// Processor time of the thread.
  Duration cpu_time();

 private:
  struct Buffers;
  void run();
  void wait();
  void drain_commands(Instant now);
  void apply(Command command, Instant now);
  void from_edges(Instant now);
  void take_frames(std::span<transport::RxPacket> packets, Instant now, bool stream);
  void from_tun(Instant now);
  void from_servers(Instant now);
  void apply_to_handoff(const Command& command, Instant now);
  void send_outgoing();
  void queue_copy(const TunnelKey& key, std::uint32_t edge_worker, Bytes l2tp);
  void send();
  void time(Instant now);
  void emit(Event event) { unsent_.push_back(std::move(event)); }
  void hand_out();

  transport::UdpPort port_;
  TunQueue tun_;
  app::SystemRandom random_;
  Carrier carrier_;
  Lns lns_;
  std::unique_ptr<Handoff> handoff_;
  Handoff::ToClient to_client_;
  int woken_;
  app::UniqueFd wake_, epoll_;
  std::unique_ptr<Buffers> buffers_;
  WorkerStats stats_;
  bool closing_ = false;
  bool stopping_ = false;
  bool busy_ = false;  ///< a source may hold more: look again before waiting
  std::deque<Event> unsent_;
  std::deque<Command> waiting_;  ///< control's side
  SpscQueue<Command> commands_;
  SpscQueue<Event> events_;
  SpscQueue<Spi> released_;
  transport::FrameExchange exchange_;
  std::thread thread_;
};

}  // namespace sluice::agent
