#pragma once
// A pipeline joined with its sockets: receives bursts, has them worked, and sends what comes of them. A
// worker runs it; so does the benchmark. Thread: the one that calls it.

#include <sys/epoll.h>

#include <memory>
#include <vector>

#include "base/app/unique_fd.hpp"
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

class PacketLoop {
 public:
  /// `wake` ends a wait(); the loop does not read it. Throws std::runtime_error when the system refuses.
  PacketLoop(WorkerPorts ports, std::unique_ptr<Pipeline> pipeline, int wake);

  /// Waits for packets or `wake`, at most so long; not at all while a port has packets left. True: `wake` is
  /// readable.
  bool wait(int timeout_ms);
  /// One burst of each port that has something. False: no port had any.
  bool receive(Instant now);
  /// Data frames that came by a TLS data link. At most Pipeline::kMaxBurst.
  void from_stream(std::span<transport::RxPacket> packets, Instant now);
  /// Who takes what goes by one; without it such packets are lost.
  using StreamSink = std::function<void(BackendId backend, Bytes packet)>;
  void on_stream(StreamSink sink) { stream_ = std::move(sink); }
  void apply(Command command, Instant now);
  void on_timeout(Instant now);

  const Pipeline& pipeline() const { return *pipeline_; }
  const WorkerPorts& ports() const { return ports_; }
  const Counter& bursts() const { return bursts_; }

 private:
  template <class Port, class Work>
  void receive_from(std::vector<Port>& ports, std::size_t first, Work work);
  void send();
  void send_run(Exit exit, std::span<const transport::TxPacket> run);

  WorkerPorts ports_;
  std::unique_ptr<Pipeline> pipeline_;
  app::UniqueFd epoll_;
  std::vector<epoll_event> events_;
  std::vector<std::uint8_t> ready_;  // a flag for each port: ike, natt, raw, channel in that order
  bool backlog_ = false;             // a flag is still set
  bool received_ = false;
  OutgoingBatch out_;
  StreamSink stream_;
  std::vector<transport::TxPacket> run_;
  Counter bursts_;
};

}  // namespace sluice::edge
