#pragma once
// Joins L2TP and PPP: every tunnel the edges handed over, its sessions, and the addresses behind them. No
// socket and no clock: packets, time and commands go in; packets and events come out. Thread: the data
// worker.

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend-agent/filter/filter.hpp"
#include "backend-agent/lns/limits.hpp"
#include "backend-agent/lns/messages.hpp"
#include "backend-agent/lns/profile.hpp"
#include "backend-agent/lns/routes.hpp"
#include "backend-agent/lns/session_value.hpp"
#include "base/counters.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "l2tp/lns.hpp"
#include "ppp/outbox.hpp"
#include "ppp/session.hpp"

namespace sluice::agent {

struct LnsSettings : LnsProfile {
  std::uint32_t worker = 0;  ///< part of each session's serial
  std::string host_name = "sluice";
  Duration hello_interval = std::chrono::seconds(60);
  /// A tunnel without a session is closed after so long.
  Duration empty_tunnel_timeout = std::chrono::seconds(30);
  std::size_t sessions_per_tunnel = 4;
};

enum class LnsDrop : std::uint8_t {
  kUnknownTunnel,   ///< a frame for a relay that is not open
  kBadL2tp,         ///< refused by the L2TP core; l2tp_drops() says why
  kUnknownSession,  ///< data for a session that is not up
  kNoRoute,         ///< from the TUN device: no session has that address
  kNotIp,           ///< from the TUN device
  kRateUp,          ///< beyond the session's rate, from the client
  kRateDown,        ///< likewise, to it
  kFilterUp,        ///< its filter does not let it pass, from the client
  kFilterDown,      ///< likewise, to it
  kCount
};
std::string_view to_string(LnsDrop reason);

/// Why a tunnel's value cannot go on here.
enum class RestoreFault : std::uint8_t {
  kRelayInUse,    ///< another tunnel has the key
  kTunnelHere,    ///< the same client's tunnel of that id is here already
  kBadL2tp,       ///< refused by the L2TP core, or the tunnel's own words contradict it
  kBadSessions,   ///< not exactly one PPP session for each established L2TP session
  kBadPpp,        ///< refused by the PPP core
  kBadState,      ///< what a session says of itself contradicts its PPP link
  kNoFilter,      ///< a session's filter is not known here
  kAddressInUse,  ///< another session has an address of it, or two of its own the same
};
std::string_view to_string(RestoreFault fault);

class Lns {
 public:
  using Emit = std::function<void(Event)>;
  /// `random` outlives it. `emit` must not call back.
  Lns(LnsSettings settings, RandomSource& random, Emit emit);
  ~Lns();

  // Commands
  void open_tunnel(const TunnelSpec& spec, Instant now);
  void close_tunnel(const TunnelKey& key, std::string_view text);
  /// Farewell to its client; TunnelGone once that is acknowledged or given up.
  void end_tunnel(const TunnelKey& key, std::string_view text, Instant now);
  void close_channel(ChannelId channel, std::string_view text);
  /// Its tunnels wait: no timer runs out for them until they are bound anew.
  void hold_channel(ChannelId channel);
  TunnelsDescribed describe_tunnels(ChannelId channel) const;
  /// Nothing happens when `from` is gone.
  void rebind(const RebindTunnel& rebind, Instant now);
  void decide(const AuthDecided& decided, Instant now);
  void change_policy(const ChangePolicy& change, Instant now);
  void tell_counters(const AskCounters& ask);
  void end_session(const EndSession& end, Instant now);
  /// The whole state of a tunnel and its sessions; nothing when the relay is not open. Accounting facts are
  /// not in it: the control thread has them. What poll_transmit() holds is not either: send it first.
  std::optional<TunnelValue> snapshot(const TunnelKey& key, Instant now) const;
  /// Goes on with a tunnel that was another Lns's, without telling again what that one has told. Gives the
  /// serials of its sessions in the order of the value. A refused value changes nothing.
  Result<std::vector<SessionSerial>, RestoreFault> restore(const TunnelKey& key, std::uint32_t edge_worker,
                                                           const TunnelValue& value, Instant now);
  /// For sessions from now on; those that are up go on with what they have.
  void set_profile(LnsProfile profile);
  /// Farewell to all; empty() once they are acknowledged or given up.
  void close_all(std::string_view text, Instant now);

  // Packets
  /// An L2TP packet of a client. The IP packet to forward, within `l2tp`; else empty.
  MutableBytes from_edge(const TunnelKey& key, MutableBytes l2tp, Instant now);
  struct Downlink {
    TunnelKey key;
    std::uint32_t edge_worker = 0;
    MutableBytes l2tp;  ///< within the buffer given
  };
  /// Room in front of an IP packet that from_tun() needs.
  static constexpr std::size_t kHeadroom = l2tp::kDataHeadroom + ppp::kMaxHeader;
  /// The IP packet at buffer[offset, offset + size) as an L2TP packet for whoever has its destination.
  std::optional<Downlink> from_tun(MutableBytes buffer, std::size_t offset, std::size_t size, Instant now);
  struct Outgoing {
    TunnelKey key;
    std::uint32_t edge_worker = 0;
    ByteVector l2tp;
  };
  std::optional<Outgoing> poll_transmit() { return outgoing_.pop(); }

  void on_timeout(Instant now);
  /// May be early, never late.
  std::optional<Instant> next_timeout() const;

  std::size_t tunnels() const { return tunnels_.size(); }
  std::size_t sessions_up() const { return sessions_up_; }
  bool empty() const { return tunnels_.empty(); }
  const CounterArray<LnsDrop>& drops() const { return drops_; }
  const CounterArray<l2tp::DropReason>& l2tp_drops() const { return l2tp_drops_; }
  const ppp::Drops& ppp_drops() const { return ppp_drops_; }

 private:
  struct Session;
  struct Tunnel;
  struct Wake {
    Instant at;
    TunnelKey key;
    bool operator>(const Wake& other) const { return at > other.at; }
  };

  std::unique_ptr<Tunnel> make_tunnel(const TunnelSpec& spec);
  Session& add_session(Tunnel& tunnel, SessionId id);
  std::optional<RestoreFault> check_place(const TunnelKey& key, const TunnelValue& value) const;
  std::optional<RestoreFault> revive(Tunnel& tunnel, const TunnelValue& value, Instant now);
  bool revive(Session& session, const SessionValue& value, Instant now);
  std::shared_ptr<const Filter> find_filter(const std::string& name) const;
  void apply(Session& session, const SessionPolicy& policy, Instant now);
  void forget_all(Tunnel& tunnel);
  void service(Tunnel& tunnel, Instant now);
  bool drain_tunnel(Tunnel& tunnel, Instant now);
  bool drain_session(Tunnel& tunnel, Session& session, Instant now);
  void on_l2tp(Tunnel& tunnel, const l2tp::Event& event, Instant now);
  void on_ppp(Tunnel& tunnel, Session& session, ppp::PppEvent event, Instant now);
  void own(Session& session, const Prefix& prefix);
  template <class Which>
  void disown(Session& session, Which&& which);
  static void tell_time_remaining(Session& session, Instant now);
  void session_up(Tunnel& tunnel, Session& session, SessionOpened opened, Instant now);
  void session_over(Tunnel& tunnel, Session& session, const ppp::Down& down, Instant now);
  void forget_session(Session& session);
  void send_ppp(Tunnel& tunnel, Session& session, Bytes frame);
  void reap(Tunnel& tunnel, Instant now);
  void schedule(Tunnel& tunnel);
  void farewell(Tunnel& tunnel, std::string_view cause, std::string_view text, Instant now);
  void destroy(Tunnel& tunnel, std::string_view cause, std::string_view text);
  Tunnel* find(const TunnelKey& key);

  LnsSettings settings_;
  RandomSource& random_;
  Emit emit_;
  std::unordered_map<TunnelKey, std::unique_ptr<Tunnel>> tunnels_;
  std::unordered_map<SessionSerial, Session*> sessions_;
  Routes<Session> routes_;
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes_;
  ppp::Fifo<Outgoing> outgoing_;
  std::uint64_t last_serial_ = 0;
  std::size_t sessions_up_ = 0;
  CounterArray<LnsDrop> drops_;
  CounterArray<l2tp::DropReason> l2tp_drops_;
  ppp::Drops ppp_drops_;
};

}  // namespace sluice::agent
