#pragma once
// Probes of all agents: on a timer, on command, and what they mean for placement. Thread: control.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "edge/backends/backends.hpp"
#include "edge/probe/l2tp_probe.hpp"

namespace sluice::edge {

/// What came of one probe.
struct ProbeReport {
  std::string agent;
  L2tpHealth health =
      L2tpHealth::kUnknown;  ///< kUnknown: the agent took no tunnel, which says nothing of its L2TP
  std::string text;          ///< unless it passed: why; printable
  std::chrono::milliseconds took{};
};

struct ProbesContext {
  RandomSource& random;
  Backends& backends;
  std::function<Instant()> now;
  std::function<std::int64_t()> unix_seconds;
  std::function<void(std::uint32_t worker, Command)> post;
  /// A relay number that no tunnel has.
  std::function<RelayId()> take_id;
  /// An agent's health is another than before.
  std::function<void(const Backend&, const ProbeReport&)> changed;
  std::uint32_t workers = 1;
  /// With it probes log in, too; the role is a client's.
  std::shared_ptr<const ppp::PppConfig> ppp = {};
  std::string host_name = "sluice-probe";
  Duration interval{};                          ///< between probes of one agent; 0: on command only
  Duration patience = std::chrono::seconds(5);  ///< for a whole probe: two resends fit in
};

class Probes {
 public:
  using Done = std::function<void(const ProbeReport&)>;

  explicit Probes(ProbesContext context) : context_(std::move(context)) {}

  /// `done` is called once, from a later call into this object or from this one.
  void probe(const Backend& backend, Done done = {});
  /// True when the event is about a probe's tunnel and nobody else's.
  bool on_agent_event(const Backend& backend, const channel::EdgeEvent& event);
  void on_packet(const ProbeArrived& event);
  void on_backend_down(const Backend& backend);
  /// Due probes and resends. Call each 100 ms or so.
  void tick();

  /// For probes from now on; as in the context.
  void set(std::shared_ptr<const ppp::PppConfig> ppp, Duration interval);

  std::size_t running() const { return running_.size(); }

 private:
  struct Running {
    BackendId backend;
    std::string agent;
    std::uint32_t worker = 0, agent_worker = 0;
    TunnelId tunnel;
    bool accepted = false;
    bool logs_in = false;  ///< speaks PPP
    Instant started{};
    std::unique_ptr<L2tpProbe> probe;
    std::vector<Done> done;
  };

  Running* of(BackendId backend);
  void begin(const Backend& backend, Done done);
  void send(RelayId id, Running& running);
  void check(RelayId id);
  void finish(RelayId id, L2tpHealth health, std::string text);
  void record(const ProbeReport& report, BackendId id);

  ProbesContext context_;
  std::map<RelayId, Running> running_;
  std::map<BackendId, Instant> due_;
  std::uint32_t turn_ = 0;  ///< so that every pair of workers has its turn
};

}  // namespace sluice::edge
