#pragma once
// A data worker: one thread, its sockets, its pipeline, and the two queues that join it to the control
// thread.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/app/unique_fd.hpp"
#include "base/spsc_queue.hpp"
#include "edge/dataplane/packet_loop.hpp"
#include "proto/transport/frame_exchange.hpp"

namespace sluice::edge {

/// How a worker uses its core.
struct WorkerTuning {
  bool pin = false;                        ///< to the core with its index
  std::chrono::microseconds busy_poll{0};  ///< keep looking so long after the last packet before sleeping
};

/// Thread: constructed, used and destroyed by the control thread; run() is its own thread.
class Worker {
 public:
  /// `woken` is an eventfd that the worker writes when there are events to take.
  Worker(std::uint32_t index, WorkerPorts ports, std::unique_ptr<esp::Engine> engine,
         std::uint32_t replay_window, int woken, PipelineLimits limits = {}, WorkerTuning tuning = {});
  /// Stops and joins.
  ~Worker();

  /// Queues a command. One that does not fit waits and is sent with the next post() or flush().
  void post(Command command);
  void flush();
  /// The next thing the worker has to say.
  std::optional<Event> next_event() { return events_.pop(); }

  /// Data frames that came by an agent's TLS data link; false: the worker does not keep up, they are dropped.
  bool give_frames(Bytes records);
  /// The next batch towards an agent's; `peer` is its BackendId.
  std::optional<transport::FrameExchange::Batch> next_frames() { return exchange_.next(); }
  const transport::FrameExchange& exchange() const { return exchange_; }

  std::uint32_t index() const { return index_; }
  /// CPU time the thread has used so far; zero where the system does not tell.
  std::chrono::nanoseconds cpu_time() const;
  const Pipeline& pipeline() const { return loop_.pipeline(); }
  const WorkerPorts& ports() const { return loop_.ports(); }
  /// Datagrams that are neither: counted while reading.
  const Counter& bursts() const { return loop_.bursts(); }

 private:
  void run();
  void pin();
  void wait();
  void drain_commands(Instant now);
  void emit(Event event);

  std::uint32_t index_;
  int woken_;
  app::UniqueFd wake_;  // written by the control thread
  SpscQueue<Command> commands_;
  SpscQueue<Event> events_;
  std::vector<Command> waiting_;  // control thread's
  transport::FrameExchange exchange_;
  PacketLoop loop_;
  WorkerTuning tuning_;
  Instant last_packet_{};
  bool emitted_ = false;
  bool stopping_ = false;
  Counter lost_events_;
  std::thread thread_;
};

}  // namespace sluice::edge
