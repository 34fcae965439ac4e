#pragma once
// What the control thread and the data worker tell each other. Values only; they travel through queues.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "backend-agent/lns/profile.hpp"
#include "base/ids.hpp"
#include "base/ip.hpp"
#include "ppp/ipcp.hpp"
#include "ppp/verify.hpp"
#include "proto/channel/data_keys.hpp"

namespace sluice::agent {

/// One life of one channel, never reused: a channel that comes back gets another. 0 means none.
using ChannelId = StrongId<struct ChannelIdTag, std::uint32_t>;
/// One PPP session, never reused. 0 means none. Its upper 16 bits name the worker that made it and serves it.
using SessionSerial = StrongId<struct SessionSerialTag, std::uint64_t>;
inline SessionSerial serial_of(std::uint32_t worker, std::uint64_t number) {
  return SessionSerial((std::uint64_t{worker} << 48) | number);
}
inline std::uint32_t worker_of(SessionSerial session) {
  return static_cast<std::uint32_t>(session.value() >> 48);
}

/// A tunnel: relay ids are unique within a channel's life only.
struct TunnelKey {
  ChannelId channel;
  RelayId relay;
  auto operator<=>(const TunnelKey&) const = default;
  std::uint64_t packed() const { return (std::uint64_t{channel.value()} << 32) | relay.value(); }
};

/// What the edge told of a tunnel.
struct TunnelSpec {
  TunnelKey key;
  std::uint32_t edge_worker = 0, agent_worker = 0;
  TunnelId assigned;
  Endpoint client;            ///< the client's true address
  std::string peer_identity;  ///< escape before printing
  std::string correlation_id;
  std::uint16_t ppp_mtu = 0;  ///< 0: not known
  bool probe = false;  ///< the edge itself, to see whether L2TP is spoken here: not worth a line in the log
};

/// What a user may have, beside the addresses and prefixes in ppp::Addresses. "up" is from the client, "down"
/// to it.
struct SessionPolicy {
  std::uint64_t rate_up = 0, rate_down = 0;  ///< bit/s of IP; 0: no limit
  /// From the moment the session is up; it ends with cause "session-timeout". 0: none.
  std::chrono::seconds session_timeout{0};
  /// Without an IP packet either way; it ends with cause "idle-timeout". 0: none.
  std::chrono::seconds idle_timeout{0};
  std::vector<Prefix> routes{};  ///< networks behind the client, either family
  std::string filter{};          ///< name of the packets' filter; empty: none
  bool operator==(const SessionPolicy&) const = default;
};

// ---- control to worker (dispatch.hpp says to which)

/// Keys for all pairs of workers of a channel; a second one for the same channel is a new epoch.
struct InstallPaths {
  ChannelId channel;
  Endpoint edge;    ///< where its first worker takes data frames; the others' ports follow
  IpAddress local;  ///< our address towards it
  std::vector<channel::PathKeys> keys;
  channel::CarrierMode carrier = channel::CarrierMode::kUdp;  ///< agreed on
};
/// The channel is gone: its tunnels and keys go too.
struct RemoveChannel {
  ChannelId channel;
  std::string text;
};
/// The channel was cut off: its keys go; its tunnels wait, their timers stopped, for RebindTunnel or
/// RemoveChannel.
struct HoldChannel {
  ChannelId channel;
};
/// Asks for TunnelsDescribed.
struct DescribeTunnels {
  ChannelId channel;
};
/// A tunnel that waited goes on under another key.
struct RebindTunnel {
  TunnelKey from, to;
  std::uint32_t edge_worker = 0;
};
struct OpenTunnel {
  TunnelSpec spec;
};
/// The edge ended a tunnel: no farewell, the peer has had one or is gone.
struct CloseTunnel {
  TunnelKey key;
  std::string text;
};
/// A tunnel ends in good order: its client is told, TunnelGone follows.
struct EndTunnel {
  TunnelKey key;
  std::string text;
};
/// Answers AuthAsked; nothing happens when the session waits for another attempt's verdict by now. Addresses
/// with an accepted verdict only.
struct AuthDecided {
  SessionSerial session;
  ppp::AttemptId attempt;
  ppp::AuthVerdict verdict;
  std::optional<ppp::Addresses> addresses;
  SessionPolicy policy{};
};
/// From now on these rates and timeouts; addresses, prefixes and routes stay as they are.
struct ChangePolicy {
  SessionSerial session;
  SessionPolicy policy;
};
/// Answered by CountersTold, unless the session is gone.
struct AskCounters {
  SessionSerial session;
};
struct EndSession {
  SessionSerial session;
  std::string cause, text;
};
/// A farewell to every client; AllClosed follows.
struct CloseAll {
  std::string text;
};
/// For sessions from now on.
struct SetProfile {
  LnsProfile profile;
};
struct StopWorker {};

using Command = std::variant<StopWorker, SetProfile, InstallPaths, RemoveChannel, HoldChannel,
                             DescribeTunnels, RebindTunnel, OpenTunnel, CloseTunnel, EndTunnel, AuthDecided,
                             ChangePolicy, AskCounters, EndSession, CloseAll>;

// ---- worker to control

/// A client wants in. Answer with AuthDecided for request.attempt.
struct AuthAsked {
  SessionSerial session;
  TunnelSpec tunnel;
  ppp::AuthRequest request;
};
struct SessionOpened {
  SessionSerial session{};
  TunnelKey tunnel{};
  SessionId id{};
  Endpoint client{};
  std::string correlation_id{};
  std::string user{};  ///< empty when the tunnel was handed off
  ppp::AuthMethod method = ppp::AuthMethod::kNone;
  ppp::Addresses addresses{};
  std::uint16_t mtu = 0;
};
/// IPv6 flows: the session's addresses as agreed. Comes again after a renegotiation.
struct Ipv6Opened {
  SessionSerial session;
  ppp::Ipv6Addresses addresses;
};
struct CountersTold {
  SessionSerial session;
  std::uint64_t packets_in = 0, packets_out = 0, bytes_in = 0, bytes_out = 0;
};
/// The end of every session that began, once.
struct SessionGone {
  SessionSerial session;
  TunnelKey tunnel;
  SessionId id;
  Endpoint client;
  std::string correlation_id;
  std::string user;
  bool was_up = false;
  std::string cause, text;
  std::uint64_t packets_in = 0, packets_out = 0, bytes_in = 0, bytes_out = 0;
  bool probe = false;
};
/// The tunnel is over and its farewell acknowledged, or nobody acknowledges any more.
struct TunnelGone {
  TunnelKey key;
  bool by_client = false;
  std::string text;
};
/// What a client said of itself (LCP Identification, Time-Remaining). Escape before printing.
struct ClientSays {
  Endpoint client;
  std::string correlation_id, text;
};
/// The keys of a channel cannot be used.
struct ChannelFailed {
  ChannelId channel;
  std::string text;
};
/// Data towards an edge's worker goes by TLS from now on, or by UDP again.
struct LaneCarrier {
  ChannelId channel;
  bool stream = false;
};
struct AllClosed {};
/// What only the worker knows of a tunnel: the peer's ids and where the control connection stands.
struct TunnelNumbers {
  TunnelKey key;
  TunnelId client;
  std::uint16_t ns = 0;  ///< next to send
  std::uint16_t nr = 0;  ///< next expected
  bool established = false;
  struct SessionIds {
    SessionId agent, client;
  };
  std::vector<SessionIds> sessions;
};
/// The tunnels of a channel that are worth resuming.
struct TunnelsDescribed {
  ChannelId channel;
  std::vector<TunnelNumbers> tunnels;
};

using Event = std::variant<AllClosed, ChannelFailed, LaneCarrier, TunnelsDescribed, AuthAsked, SessionOpened,
                           Ipv6Opened, CountersTold, SessionGone, TunnelGone, ClientSays>;

}  // namespace sluice::agent

template <>
struct std::hash<sluice::agent::TunnelKey> {
  std::size_t operator()(const sluice::agent::TunnelKey& key) const noexcept {
    return std::hash<std::uint64_t>{}(key.packed() * 0x9e3779b97f4a7c15ULL);
  }
};
