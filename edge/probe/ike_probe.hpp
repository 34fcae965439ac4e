#pragma once
// Does the edge answer IKE? An IKE_SA_INIT to each of its own listening addresses from an ordinary socket, as
// a client would send it: through the kernel, the data worker with its budgets, the control thread, the IKE
// daemon, and back. On a timer and on command. Thread: control.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "edge/probe/ike_message.hpp"

namespace sluice::edge {

enum class IkeHealth : std::uint8_t { kUnknown, kAnswers, kSilent };

/// What came of one probe, or of the latest.
struct IkeProbeReport {
  IkeHealth health = IkeHealth::kUnknown;
  std::string text;  ///< a sentence: what was answered, or what was not
  std::chrono::milliseconds took{};
  std::int64_t checked_at = 0;  ///< seconds since the epoch
};

struct IkeProbeContext {
  RandomSource& random;
  std::function<Instant()> now;
  std::function<std::int64_t()> unix_seconds;
  /// The health is another than before.
  std::function<void(const IkeProbeReport&)> changed;
  std::vector<Endpoint> targets;  ///< where clients send IKE, without non-ESP marker
  Duration interval{};            ///< 0: on command only
  Duration resend = std::chrono::milliseconds(500);
  Duration patience = std::chrono::seconds(3);
};

class IkeProbe {
 public:
  using Done = std::function<void(const IkeProbeReport&)>;

  /// Sockets are opened by the first probe.
  IkeProbe(boost::asio::io_context& io, IkeProbeContext context);
  ~IkeProbe();

  /// `done` is called once: from tick(), from the event loop, or from this call when no socket can be had.
  void probe(Done done = {});
  /// Due probes and resends. Call each 100 ms or so.
  void tick();
  void set_interval(Duration interval) {
    due_ = std::min(due_, context_.now() + interval);
    context_.interval = interval;
  }
  /// Closes the sockets; what is under way is not reported.
  void stop();

  const IkeProbeReport& latest() const { return latest_; }
  /// A probe sends from there.
  bool is_ours(const Endpoint& from) const;

 private:
  struct Line;
  void begin();
  void receive(const std::shared_ptr<Line>& line);
  void take(Line& line, Bytes datagram);
  void send(Line& line);
  void finish(IkeHealth health, std::string text);

  boost::asio::io_context& io_;
  IkeProbeContext context_;
  std::vector<std::shared_ptr<Line>> lines_;  // one for each target, kept for their ports
  bool running_ = false;
  Instant started_{}, due_{}, resend_at_{};
  std::vector<Done> done_;
  IkeProbeReport latest_;
};

}  // namespace sluice::edge
