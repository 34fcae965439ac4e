#pragma once
// A data worker: one thread, its sockets, its pipeline, and the two queues that join it to the control thread.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/app/unique_fd.hpp"
#include "base/spsc_queue.hpp"
#include "edge/dataplane/pipeline.hpp"
#include "proto/transport/raw_esp_port.hpp"
#include "proto/transport/udp_port.hpp"

namespace sluice::edge {

/// What one worker listens on. The first worker alone has the plain IKE ports.
struct WorkerPorts {
  std::vector<transport::UdpPort> ike;   ///< UDP 500, one for each address
  std::vector<transport::UdpPort> natt;  ///< UDP 4500, one for each address
  std::vector<transport::RawEspPort> raw;
  std::vector<transport::UdpPort> channel;  ///< data frames of agents; one
};

/// Thread: constructed, used and destroyed by the control thread; run() is its own thread.
class Worker {
 public:
  /// `woken` is an eventfd that the worker writes when there are events to take.
  Worker(std::uint32_t index, WorkerPorts ports, std::unique_ptr<esp::Engine> engine, std::uint32_t replay_window,
         int woken);
  /// Stops and joins.
  ~Worker();

  /// Queues a command. One that does not fit waits and is sent with the next post() or flush().
  void post(Command command);
  void flush();
  /// The next thing the worker has to say.
  std::optional<Event> next_event() { return events_.pop(); }

  std::uint32_t index() const { return index_; }
  const Pipeline& pipeline() const { return *pipeline_; }
  const WorkerPorts& ports() const { return ports_; }
  /// Datagrams that are neither: counted while reading.
  const Counter& bursts() const { return bursts_; }

 private:
  void run();
  void wait(bool backlog);
  void drain_commands(Instant now);
  bool receive(Instant now);
  void send();
  void emit(Event event);

  std::uint32_t index_;
  WorkerPorts ports_;
  int woken_;
  app::UniqueFd wake_;   // written by the control thread
  app::UniqueFd epoll_;
  SpscQueue<Command> commands_;
  SpscQueue<Event> events_;
  std::vector<Command> waiting_;  // control thread's
  std::unique_ptr<Pipeline> pipeline_;
  OutgoingBatch out_;
  std::vector<transport::TxPacket> run_;
  bool emitted_ = false;
  bool stopping_ = false;
  Counter bursts_, lost_events_;
  std::thread thread_;
};

}  // namespace sluice::edge
