#pragma once
// The two ends of the control stream as state machines without I/O (docs/channel.md):
//   agent -> Hello, edge -> Welcome (with the SPIs it receives on), agent -> DataPaths (with its own), then
//   both are established. The agent reports its load each second, the edge sends keepalives; each times the
//   other.
// Thread: one; no call comes back from within a call, events wait in a queue.

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/random.hpp"
#include "proto/channel/control_core.hpp"
#include "proto/channel/spi_source.hpp"

namespace sluice::channel {

// ---- edge
// ---------------------------------------------------------------------------------------------------------

/// The agent may be given tunnels. From here on the SPIs are the receiver's to release.
struct AgentReady {
  Hello agent;
  std::uint32_t version = 0;
  DataPaths paths;
  CarrierMode carrier = CarrierMode::kUdp;  ///< what holds
};
/// A new key epoch is agreed: install its SAs, then send on them; the old ones may be removed after a grace
/// time.
struct PathsRenewed {
  DataPaths paths;
};
/// In TunnelRefuse, besides what the agent says, the reason once open_timeout went by.
inline constexpr std::string_view kNoAnswer = "no answer";
using EdgeEvent = std::variant<AgentReady, PathsRenewed, LoadReport, TunnelAccept, TunnelRefuse, TunnelClose,
                               SessionUp, SessionDown, TunnelResume, Dead>;

struct EdgeControlConfig {
  std::string edge_name;
  std::uint64_t boot_id = 0;
  std::uint32_t workers = 1;
  std::uint16_t data_port = 0;
  CarrierMode carrier = CarrierMode::kAuto;
  ControlTimes times;
};

class EdgeControl final : public ControlCore {
 public:
  /// Offers that may wait for an answer at once: as many as an agent can have tunnels of one client's ids.
  static constexpr std::size_t kMaxOffers = 65'536;

  /// `spis` outlives the core.
  EdgeControl(EdgeControlConfig config, SpiSource& spis, Instant now);
  ~EdgeControl() override;

  void on_timeout(Instant now) override;
  std::optional<Instant> next_timeout() const override;
  std::optional<EdgeEvent> poll_event();

  /// False when not established, when the relay id is in use, or when a worker does not exist.
  bool open_tunnel(const TunnelOpen& open, Instant now);
  /// False for a relay that is not open. No event follows.
  bool close_tunnel(RelayId relay, CloseCause cause, const std::string& text);
  /// Asks the agent to end a tunnel in good order; TunnelClose follows. False unless it was accepted.
  bool end_tunnel(RelayId relay, const std::string& text);
  /// Answers a TunnelResume: the tunnel is open and accepted under `relay`. False when the offer is not known
  /// or answered, the relay id is in use, or the worker does not exist.
  bool resume_tunnel(const TunnelResumed& resumed);
  /// Answers it the other way. False when the offer is not known or answered.
  bool refuse_resume(const TunnelLost& lost);
  /// Offers a new key epoch; PathsRenewed follows, or the end of an agent that does not answer. False while
  /// not established or while one is under way.
  bool renew_paths(Instant now);

  std::size_t open_relays() const { return relays_.size(); }

 private:
  enum class State { kAwaitHello, kAwaitPaths, kEstablished };

  void on_message(Message message, Instant now) override;
  void push_dead(Dead dead) override;
  void on_hello(const Hello& hello, Instant now);
  void on_paths(const DataPaths& paths, Instant now);
  void on_established(Message& message, Instant now);
  DataPaths offer_paths(std::uint32_t epoch);
  void release_offer();
  bool accepted(RelayId relay);
  void refuse_unanswered(Instant now);
  /// Drops answered entries from the front of unanswered_.
  void forget_answered();

  EdgeControlConfig config_;
  SpiSource& spis_;
  State state_ = State::kAwaitHello;
  Hello agent_;
  std::uint32_t version_ = 0;
  std::uint32_t epoch_ = 0;
  CarrierMode carrier_ = CarrierMode::kUdp;
  std::optional<DataPaths> offer_;
  Instant offer_due_;  ///< when the answer to offer_ is, once established
  Instant deadline_;   ///< of the handshake, then of the next load report
  Instant next_keepalive_;
  std::uint64_t keepalives_ = 0;
  std::unordered_map<RelayId, std::optional<Instant>> relays_;  ///< when the answer is due, until accepted
  std::deque<std::pair<Instant, RelayId>> unanswered_;  ///< in order; entries answered since are passed over
  std::set<std::uint32_t> offered_;                     ///< TunnelResumes not answered yet
  std::deque<EdgeEvent> events_;
};

// ---- agent
// --------------------------------------------------------------------------------------------------------

/// The edge took us; tunnels may be opened from now on. From here on the SPIs are the receiver's to release.
struct EdgeReady {
  Welcome edge;
  DataPaths paths;
};
using AgentEvent = std::variant<EdgeReady, PathsRenewed, TunnelOpen, TunnelClose, TunnelEnd, TunnelResumed,
                                TunnelLost, Dead>;

struct AgentControlConfig {
  Hello hello;
  ControlTimes times;
};

class AgentControl final : public ControlCore {
 public:
  /// Says Hello at once. `spis` outlives the core.
  AgentControl(AgentControlConfig config, SpiSource& spis, Instant now);

  void on_timeout(Instant now) override;
  std::optional<Instant> next_timeout() const override;
  std::optional<AgentEvent> poll_event();

  /// What the next load report says; reports go out by themselves.
  void set_load(const LoadReport& load) { load_ = load; }
  /// Sends a report now, out of turn (for example on beginning to drain).
  void report_now();
  /// Each false for a relay that is not open (or, for accept and refuse, was answered already).
  bool accept(RelayId relay);
  bool refuse(RelayId relay, const std::string& reason);
  bool close_tunnel(RelayId relay, CloseCause cause, const std::string& text);
  bool session_up(const SessionUp& up);
  bool session_down(const SessionDown& down);
  /// Offers a tunnel of the connection before; TunnelResumed, which opens its relay, or TunnelLost follows.
  /// False while not established, or for a number used before.
  bool resume_tunnel(const TunnelResume& resume);

  std::size_t open_relays() const { return relays_.size(); }

 private:
  enum class State { kAwaitWelcome, kEstablished };

  void on_message(Message message, Instant now) override;
  void push_dead(Dead dead) override;
  void on_welcome(const Welcome& welcome, Instant now);
  void on_established(Message& message, Instant now);
  /// Fills in our SPIs; nothing, and dead, when the offer is not one path for each pair of workers.
  std::optional<DataPaths> answer_paths(const DataPaths& offer);

  AgentControlConfig config_;
  SpiSource& spis_;
  State state_ = State::kAwaitWelcome;
  Welcome edge_;
  std::uint32_t epoch_ = 0;
  LoadReport load_;
  Instant deadline_;
  Instant next_report_;
  std::unordered_map<RelayId, bool> relays_;  ///< true once accepted
  std::set<std::uint32_t> offered_;           ///< resumptions not answered yet
  std::uint32_t last_offer_ = 0;
  std::deque<AgentEvent> events_;
};

}  // namespace sluice::channel
