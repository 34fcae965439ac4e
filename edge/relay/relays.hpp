#pragma once
// The tunnels as the control thread knows them: placed, bound, observed, closed. Thread: control.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "edge/backends/backends.hpp"
#include "edge/dataplane/messages.hpp"
#include "edge/journal/entry.hpp"
#include "edge/relay/peers.hpp"
#include "proto/channel/messages.hpp"

namespace sluice::edge {

enum class RelayStage : std::uint8_t {
  kPlacing,   ///< an agent was asked and has not answered
  kBound,     ///< relayed
  kFarewell,  ///< its agent is gone and the client is being told
};

/// What the agent said of one session.
struct AgentSession {
  SessionId session;
  std::string user, auth_method;
  std::optional<IpAddress> client_ip;
  std::int64_t since = 0;  ///< seconds since the epoch
};

/// What one client may hold. 0: no limit.
struct TunnelLimits {
  std::uint32_t tunnels_per_peer = 8;
  std::uint32_t tunnels_per_identity = 0;  ///< with a pre-shared key many clients have the same identity
  std::uint32_t sessions_per_peer = 16;
  Duration half_open = std::chrono::seconds(90);  ///< longest time without SCCCN; the agent's own is shorter
};

struct Relay {
  RelayId id;
  PeerId peer;
  std::string identity;  ///< of the peer
  std::uint32_t worker = 0;
  RelayStage stage = RelayStage::kPlacing;
  BackendId backend;
  std::string backend_name;
  std::string placed_because;    ///< why that agent
  std::uint64_t agent_boot = 0;  ///< which life of the agent has it
  std::uint32_t agent_worker = 0;
  TunnelId client_tunnel, agent_tunnel;
  std::uint16_t client_port = 0;
  std::string client_host;
  std::string client_key;  ///< what the client is recognised by when it comes back
  std::string correlation_id;
  std::int64_t opened_at = 0;  ///< seconds since the epoch
  Instant opened{};
  bool established = false;  ///< SCCCN passed
  std::vector<BackendId> tried;
  /// What a client that was told farewell has until its SAs are ended: most redial on the same SA or end it
  /// themselves.
  Duration come_back = std::chrono::seconds(10);
  std::optional<Instant> ending_until;  ///< its agent is ending it and has time until then
  std::string ending_cause;             ///< why, in a word
  ByteVector first_packet;
  std::vector<l2tp::ObservedSession> sessions;
  std::map<SessionId, AgentSession> agent_sessions;
  std::shared_ptr<RelayStats> stats;
};

struct RelaysContext {
  RandomSource& random;
  Peers& peers;
  Backends& backends;
  std::function<Instant()> now;
  std::function<std::int64_t()> unix_seconds;
  std::function<void(std::uint32_t worker, Command)> post;
  /// Ends the peer's IKE SAs: it has been told farewell and has not come back.
  std::function<void(PeerId)> end_peer;
  std::function<void(const Relay&, const AgentSession&)> session_up;
  std::function<void(const Relay&, const AgentSession&, const std::string& cause, const std::string& text)>
      session_down;
  std::uint32_t mtu = 1500;
  TunnelLimits limits{};
  /// The name of the listener at an address of ours.
  std::function<std::string(const IpAddress&)> listener_of = [](const IpAddress&) { return std::string(); };
  /// Why no tunnel is taken any more; empty: they are.
  std::function<std::string()> closed = [] { return std::string(); };
  /// For the journal; the time is not set.
  std::function<void(JournalEntry)> note = [](JournalEntry) {};
};

class Relays {
 public:
  explicit Relays(RelaysContext context) : context_(std::move(context)) {}

  // From the workers.
  void on_sccrq(const SccrqArrived& event);
  void on_observed(TunnelObserved event);
  void on_farewell_done(const FarewellDone& event);
  // From the agents.
  void on_agent_event(const Backend& backend, const channel::EdgeEvent& event);
  /// Clients of a dead agent are told, spread over some seconds.
  void on_backend_down(const Backend& backend, const std::string& cause, bool orderly);
  void on_backend_up(const Backend& backend);
  // From the peers.
  void on_peer_gone(const Peer& peer);
  /// Ends tunnels whose peer has had no SA for the grace time, says due farewells. Call each 100 ms or so.
  void tick(Duration peer_grace);
  /// Tells every client and every agent that the edge goes.
  void close_all(channel::CloseCause cause, const std::string& text);

  /// Ends a tunnel in good order: its agent tells the client (CDN, StopCCN), and what is left of the client's
  /// SAs goes after that. Does nothing to one that is ending already.
  void drain(RelayId id, const std::string& why, Duration come_back);
  /// The same for an operator who wants this client gone.
  void kick(RelayId id, const std::string& why);

  /// For tunnels and sessions from now on; for half-open ones at once.
  void set_limits(TunnelLimits limits) { context_.limits = limits; }

  const std::map<RelayId, Relay>& all() const { return relays_; }
  std::size_t session_count() const;
  /// A relay number that nobody has, for a tunnel of the edge's own.
  RelayId take_id() { return RelayId(next_id_++); }

 private:
  using Ids = std::vector<RelayId>;

  /// Tunnels of the client under the id of this SCCRQ, to be replaced by it.
  Ids same_tunnel(const SccrqArrived& event, TunnelId assigned) const;
  Relay& add(const Peer& peer, const SccrqArrived& event, const l2tp::SccrqInfo& sccrq);
  std::string_view beyond_limits(const Relay& relay) const;
  const Ids& of(PeerId peer) const;
  PlacementRequest request_for(const Relay& relay) const;
  /// Ends a tunnel from here: the agent forgets it and the client is told.
  void end(Relay& relay, const std::string& cause, const std::string& text);
  void sweep(Instant now, Duration peer_grace);
  /// Its client has no SAs any more.
  void let_go(Relay& relay);
  void place(Relay& relay);
  void refuse(Relay& relay, std::string_view cause, std::string_view why);
  void accepted(const Backend& backend, RelayId id);
  void refused(const Backend& backend, const channel::TunnelRefuse& refuse);
  void closed_by_agent(const Backend& backend, const channel::TunnelClose& close);
  void session_up(const Backend& backend, const channel::SessionUp& up);
  void session_down(const Backend& backend, const channel::SessionDown& down);
  void end_sessions(Relay& relay, const std::string& cause, const std::string& text);
  void tell_down(const Relay& relay, const AgentSession& session, const std::string& cause,
                 const std::string& text);
  void end_in_order(RelayId id, std::string_view cause, const std::string& why, Duration come_back);
  struct Told {
    std::string_view cause = {}, text = {};
    std::vector<JournalEntry::Detail> details = {};
  };
  void note(const Relay& relay, JournalKind kind, Told told) const;
  void note_resumed(const Relay& relay) const;
  void note_closed(const Relay& relay, std::string_view by, std::string_view cause,
                   std::string_view text) const;
  void take_back(Relay& relay);
  void remove(RelayId id);
  // Resumption (resume.cpp)
  struct CutOff {
    std::string name;
    std::uint64_t boot = 0;
    Endpoint remote;
    std::string cause;
    Instant until;  ///< how long its tunnels wait for it
  };
  struct WaitingOffer {
    BackendId backend;
    channel::TunnelResume offer;
    Instant until;
  };
  void on_offer(const Backend& backend, const channel::TunnelResume& offer);
  /// True when the offer was answered.
  bool answer(const Backend& backend, const channel::TunnelResume& offer);
  Relay* cut_off_relay(const Backend& backend, const channel::TunnelResume& offer);
  bool take_over(Relay& relay, const Backend& backend, const channel::TunnelResume& offer);
  bool resume_for(const Peer& peer, const Backend& backend, const channel::TunnelResume& offer);
  void lose_offer(const Backend& backend, const channel::TunnelResume& offer, const std::string& text);
  void wait_for_agent(const Backend& backend, const std::string& cause, std::size_t tunnels);
  void agent_lost(const std::string& name, const Endpoint& remote, const std::string& cause,
                  const Ids& orphans, bool orderly);
  Ids bound_to(BackendId backend) const;
  void tick_resumption(Instant now);
  void tick_drain(Instant now);
  void end_unclaimed(Instant now);
  Relay* find(RelayId id);
  Relay* find(const Backend& backend, RelayId id);
  TunnelId free_tunnel_id(PeerId peer) const;
  std::uint16_t ppp_mtu(const Peer& peer, const Backend& backend) const;

  RelaysContext context_;
  std::uint32_t next_id_ = 1;
  std::map<RelayId, Relay> relays_;
  std::map<PeerId, Ids> by_peer_;
  std::map<std::string, std::uint32_t> by_identity_;  ///< tunnels
  std::optional<Instant> swept_;
  std::map<BackendId, CutOff> cut_off_;  ///< agents that may come back
  std::vector<WaitingOffer> waiting_;    ///< offers whose peer is not known yet
  bool unclaimed_ended_ = false;
  std::multimap<Instant, RelayId> farewells_due_;
  std::multimap<Instant, PeerId> peers_due_;  // told farewell, given time to come back
  std::multimap<Instant, RelayId> ending_;    // when patience with their agents is over
};

}  // namespace sluice::edge
