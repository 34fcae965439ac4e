#pragma once
// The agents that are, or were, connected: their channels, their load, and who gets the next tunnel. Thread:
// control.

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/counters.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "edge/dataplane/messages.hpp"
#include "edge/placement/former_agents.hpp"
#include "edge/placement/settings.hpp"
#include "proto/channel/path_mtu.hpp"
#include "proto/transport/channel_listener.hpp"

namespace sluice::edge {

/// Whether an agent answers L2TP, as far as probes have shown.
enum class L2tpHealth : std::uint8_t {
  kUnknown,  ///< no probe came to an end
  kSpeaks,
  kSilent,  ///< it takes tunnels and does not speak L2TP in them: out of rotation
};

/// The latest probe of an agent.
struct L2tpRecord {
  L2tpHealth health = L2tpHealth::kUnknown;
  std::string text;             ///< why not; printable
  std::int64_t checked_at = 0;  ///< seconds since the epoch; 0: never
  std::chrono::milliseconds took{};
};

/// One connection of one agent; a reconnect is another backend with the same name. Kept for a while after it
/// went.
struct Backend {
  BackendId id;
  std::string name;  ///< from its certificate
  Endpoint remote;
  transport::EdgeChannel* channel = nullptr;  ///< null once it is down
  channel::Hello hello;
  channel::LoadReport load;
  std::optional<Instant> reported_at;
  std::int64_t connected_since = 0;                           ///< seconds since the epoch
  std::uint32_t placed = 0;                                   ///< relays of this edge on it
  channel::CarrierMode carrier = channel::CarrierMode::kUdp;  ///< agreed on
  std::uint32_t paths = 0;                                    ///< pairs of workers
  std::uint32_t stream_paths = 0;  ///< of them, those whose data goes by TLS, as UDP does not work
  std::uint16_t path_mtu = channel::PathMtu::kSizes[0];  ///< largest IP packet that UDP carries whole
  bool data_link = false;                                ///< the TLS data link is up
  std::uint32_t epoch = 1;                               ///< of the data keys
  Instant renewed_at{};                                  ///< when that began
  bool spent = false;                                    ///< its keys have worked enough
  std::uint32_t unreported = 0;                          ///< those of them that came after its latest report
  bool load_known = false;                               ///< it has reported
  bool newcomer = false;                                 ///< not one that was cut off for a moment
  double busy_permille = 0;                              ///< of its busiest worker, smoothed
  bool cut_off = false;  ///< its channel ended without a goodbye: the agent may come back with its tunnels
  L2tpRecord l2tp{};
  std::vector<std::shared_ptr<PathStats>> path_stats{};  ///< by edge worker

  /// By what data goes: "udp", "tls", or "udp+tls" where pairs of workers differ.
  std::string carrier_in_use() const;
};

/// When the keys of data paths are renewed; 0: not for that reason.
struct RekeyLimits {
  std::chrono::seconds time{3600};
  std::uint64_t packets = 0, bytes = 0;  ///< of one pair of workers, one way
};

/// Data frames that did not get by TLS data links.
enum class StreamDrop : std::uint8_t {
  kNoLink,  ///< UDP does not work and the agent has no data link, or does not take data as fast as it comes
  kWorkerFull,  ///< a data worker does not keep up
  kCount
};
std::string_view name_of(StreamDrop drop);

/// What the backends tell the rest of the edge.
struct BackendEvents {
  std::function<void(const Backend&)> up;
  /// Called while the backend can still be found. `orderly`: it, or we, said goodbye first.
  std::function<void(const Backend&, const std::string& cause, bool orderly)> down;
  std::function<void(const Backend&, const channel::EdgeEvent&)> event;
};

struct BackendsContext {
  std::function<Instant()> now;
  std::function<std::int64_t()> unix_seconds;
  std::function<void(std::uint32_t worker, Command)> post;
  std::uint32_t workers = 1;
  RandomSource& random;
  /// Whether an operator has this agent drained.
  std::function<bool(const std::string& agent)> drained = [](const std::string&) { return false; };
  PlacementSettings placement{};
  /// Data frames for a worker; false: it did not take them.
  std::function<bool(std::uint32_t worker, Bytes records)> give_frames{};
  RekeyLimits rekey{};
};

class Backends final : public transport::EdgeChannelHandler {
 public:
  /// `allowed`: certificate names of agents; empty takes every agent of our CA.
  Backends(std::vector<std::string> allowed, BackendsContext context, BackendEvents events);

  bool authorise(const transport::PeerName& agent) override;
  void channel_up(transport::EdgeChannel& channel, const channel::AgentReady& ready,
                  std::vector<channel::PathKeys> keys) override;
  void paths_renewed(transport::EdgeChannel& channel, const channel::DataPaths& paths,
                     std::vector<channel::PathKeys> keys) override;
  void channel_event(transport::EdgeChannel& channel, const channel::EdgeEvent& event) override;
  void channel_down(transport::EdgeChannel& channel, const channel::Dead& dead) override;
  void connection_failed(const Endpoint& remote, const std::string& name, const std::string& cause) override;
  void data_link(transport::EdgeChannel& channel, bool up, const std::string& cause) override;
  void data_frames(transport::EdgeChannel& channel, Bytes records) override;

  /// A data worker's frames for an agent's TLS data link.
  void send_frames(BackendId id, Bytes records, std::size_t frames);
  void on_path_carrier(const PathCarrier& event);
  void on_path_mtu(const PathMtuFound& event);
  void on_path_spent(const PathSpent& event);
  /// Now and then: renews keys.
  void tick();
  const CounterArray<StreamDrop>& stream_drops() const { return stream_drops_; }

  /// The agent for a new tunnel.
  Decision place(PlacementRequest request);
  /// An agent as placement sees it.
  Candidate candidate(const Backend& backend) const;
  /// What place() would say, and nothing changes.
  Decision explain(PlacementRequest request) const;
  /// Whether anybody takes tunnels just now.
  bool takes_tunnels() const;
  /// As in the constructor; channels of agents that are none of these end.
  void set_allowed(const std::vector<std::string>& allowed);
  void set_rekey(RekeyLimits limits) { context_.rekey = limits; }
  void set_placement(PlacementSettings settings) { context_.placement = std::move(settings); }
  const PlacementSettings& placement() const { return context_.placement; }
  /// How an agent is remembered; null where none of that name was ever here.
  const AgentHealth* health(const std::string& name) const;

  // What came of it. A client of the key gets the agent that it left back for a while.
  void accepted(const Backend& backend, const std::string& client);
  void refused(const Backend& backend, const std::string& reason);
  /// A probe found it silent.
  void failed(const Backend& backend);
  void left(const std::string& agent, const std::string& client);
  Backend* find(BackendId id);
  const std::map<BackendId, Backend>& all() const { return backends_; }
  std::size_t alive() const;

 private:
  void install(const Backend& backend, const transport::EdgeChannel& channel,
               std::vector<channel::PathKeys> keys);
  Backend* find(const transport::EdgeChannel& channel);
  std::vector<Candidate> candidates() const;
  double behind_the_others(const Backend& newcomer) const;
  void note_load(Backend& backend, const channel::LoadReport& load);
  void tell_ejection(const Backend& backend, std::string_view why);

  std::set<std::string> allowed_;
  BackendsContext context_;
  BackendEvents events_;
  std::uint32_t next_id_ = 1;
  std::map<BackendId, Backend> backends_;
  std::vector<ByteVector> sorted_;  ///< frames of one read, by worker
  CounterArray<StreamDrop> stream_drops_;
  std::map<std::string, AgentHealth> health_;  ///< by name
  FormerAgents former_;
  Turns turns_;
};

}  // namespace sluice::edge
