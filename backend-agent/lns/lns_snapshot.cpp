// A tunnel of an Lns as a value, and back. What comes back may have been written by anybody: a value that
// contradicts itself, or claims what is another session's, is refused as a whole.

#include <set>

#include "backend-agent/lns/lns_state.hpp"

namespace sluice::agent {
namespace {

bool is_over(l2tp::TunnelState state) {
  return state == l2tp::TunnelState::kClosing || state == l2tp::TunnelState::kClosed;
}

/// All that packets may be led to the session by.
std::set<Prefix> claims_of(const SessionValue& value) {
  std::set<Prefix> out(value.policy.routes.begin(), value.policy.routes.end());
  if (!value.assigned.remote.is_unspecified()) out.insert({value.assigned.remote, 32});
  if (value.assigned.v6) {
    for (const auto& own : {value.assigned.v6->prefix, value.assigned.v6->delegated}) {
      if (own) out.insert(*own);
    }
  }
  return out;
}

/// The link was set up with the addresses that the session says it was given.
bool same_addresses(const ppp::Addresses& given, const std::optional<ppp::Addresses>& link) {
  if (!link || given.remote != link->remote || given.v6.has_value() != link->v6.has_value()) return false;
  return !given.v6 || (given.v6->prefix == link->v6->prefix && given.v6->delegated == link->v6->delegated);
}

bool plausible(const SessionValue& value) {
  const bool began = value.began_ago.has_value();
  if (value.was_up != began || began != value.last_packet_ago.has_value()) return false;
  if (!value.was_up) return value.owned.empty() && !value.ppp.up && !value.ppp.ipv6_up;
  if (value.assigned.remote.is_v6() || !same_addresses(value.assigned, value.ppp.addresses)) return false;
  const auto claims = claims_of(value);
  return std::all_of(claims.begin(), claims.end(), [](const Prefix& p) { return p.length > 0; }) &&
         std::all_of(value.owned.begin(), value.owned.end(),
                     [&](const Prefix& prefix) { return claims.contains(prefix); });
}

/// One PPP session for each established L2TP session, and no other.
bool matched(const TunnelValue& value) {
  std::set<SessionId> established, linked;
  for (const auto& session : value.l2tp.sessions) {
    constexpr std::uint8_t kEstablished = 2;
    if (session.state == kEstablished) established.insert(session.local);
  }
  for (const auto& session : value.sessions) {
    if (!linked.insert(session.id).second) return false;
  }
  return established == linked;
}

}  // namespace

std::string_view to_string(RestoreFault fault) {
  switch (fault) {
    case RestoreFault::kRelayInUse:
      return "relay-in-use";
    case RestoreFault::kTunnelHere:
      return "tunnel-here";
    case RestoreFault::kBadL2tp:
      return "bad-l2tp";
    case RestoreFault::kBadSessions:
      return "bad-sessions";
    case RestoreFault::kBadPpp:
      return "bad-ppp";
    case RestoreFault::kBadState:
      return "bad-state";
    case RestoreFault::kNoFilter:
      return "no-filter";
    case RestoreFault::kAddressInUse:
      return "address-in-use";
  }
  return "unknown";
}

std::optional<TunnelValue> Lns::snapshot(const TunnelKey& key, Instant now) const {
  const auto found = tunnels_.find(key);
  if (found == tunnels_.end()) return std::nullopt;
  const Tunnel& tunnel = *found->second;
  TunnelValue out;
  out.client = tunnel.spec.client.address;
  out.client_port = tunnel.spec.client.port;
  out.peer_identity = tunnel.spec.peer_identity;
  out.correlation_id = tunnel.spec.correlation_id;
  out.ppp_mtu = tunnel.spec.ppp_mtu;
  out.probe = tunnel.spec.probe;
  out.l2tp = tunnel.l2tp.snapshot(now);
  if (tunnel.empty_since) out.empty_ago = now - *tunnel.empty_since;
  out.down = tunnel.down;
  out.by_client = tunnel.by_client;
  out.down_text = tunnel.down_text;
  for (const auto& session : tunnel.sessions) {
    SessionValue& written = out.sessions.emplace_back();
    written.id = session->id;
    written.ppp = session->ppp.snapshot(now);
    written.was_up = session->was_up;
    written.ending = session->ending;
    written.assigned = session->assigned;
    written.owned = session->owned;
    written.policy = session->limits.policy();
    if (const auto began = session->limits.began()) written.began_ago = now - *began;
    if (const auto last = session->limits.last_packet()) written.last_packet_ago = now - *last;
    written.packets_in = session->packets_in;
    written.packets_out = session->packets_out;
    written.bytes_in = session->bytes_in;
    written.bytes_out = session->bytes_out;
  }
  return out;
}

/// Whether there is room for it beside the tunnels that are here.
std::optional<RestoreFault> Lns::check_place(const TunnelKey& key, const TunnelValue& value) const {
  if (tunnels_.contains(key)) return RestoreFault::kRelayInUse;
  for (const auto& [other, tunnel] : tunnels_) {
    const TunnelSpec& spec = tunnel->spec;
    if (spec.assigned == value.l2tp.peer.local && spec.correlation_id == value.correlation_id &&
        spec.client == Endpoint{value.client, value.client_port}) {
      return RestoreFault::kTunnelHere;
    }
  }
  std::set<Prefix> taken;
  for (const auto& session : value.sessions) {
    for (const Prefix& prefix : claims_of(session)) {
      if (routes_.owner(prefix) != nullptr || !taken.insert(prefix).second)
        return RestoreFault::kAddressInUse;
    }
  }
  return std::nullopt;
}

Result<std::vector<SessionSerial>, RestoreFault> Lns::restore(const TunnelKey& key, std::uint32_t edge_worker,
                                                              const TunnelValue& value, Instant now) {
  if (!matched(value)) return Failure{RestoreFault::kBadSessions};
  if (!value.l2tp.peer.local || value.down != is_over(value.l2tp.state))
    return Failure{RestoreFault::kBadL2tp};
  if (const auto fault = check_place(key, value)) return Failure{*fault};
  TunnelSpec spec;
  spec.key = key;
  spec.edge_worker = edge_worker;
  spec.agent_worker = settings_.worker;
  spec.assigned = value.l2tp.peer.local;
  spec.client = {value.client, value.client_port};
  spec.peer_identity = value.peer_identity;
  spec.correlation_id = value.correlation_id;
  spec.ppp_mtu = value.ppp_mtu;
  spec.probe = value.probe;
  auto made = make_tunnel(spec);
  if (const auto fault = revive(*made, value, now)) {
    forget_all(*made);
    return Failure{*fault};
  }
  Tunnel& tunnel = *tunnels_.emplace(key, std::move(made)).first->second;
  std::vector<SessionSerial> serials;
  for (const auto& session : tunnel.sessions) {
    serials.push_back(session->serial);
    if (session->was_up) ++sessions_up_;
    for (const Prefix& prefix : session->owned) routes_.add(prefix, session.get());
  }
  service(tunnel, now);  // the tunnel may be gone afterwards
  return serials;
}

std::optional<RestoreFault> Lns::revive(Tunnel& tunnel, const TunnelValue& value, Instant now) {
  if (!tunnel.l2tp.restore(value.l2tp, now)) return RestoreFault::kBadL2tp;
  tunnel.down = value.down;
  tunnel.by_client = value.by_client;
  tunnel.down_text = value.down_text;
  tunnel.empty_since = instant_ago(value.empty_ago.value_or(Duration::zero()), now);
  for (const auto& from : value.sessions) {
    if (!plausible(from)) return RestoreFault::kBadState;
    if (!from.policy.filter.empty() && find_filter(from.policy.filter) == nullptr)
      return RestoreFault::kNoFilter;
    if (!revive(add_session(tunnel, from.id), from, now)) return RestoreFault::kBadPpp;
  }
  return std::nullopt;
}

bool Lns::revive(Session& session, const SessionValue& value, Instant now) {
  if (!session.ppp.restore(value.ppp, now)) return false;
  session.was_up = value.was_up;
  session.ending = value.ending;
  session.assigned = value.assigned;
  session.owned = value.owned;
  apply(session, value.policy, now);
  if (value.was_up)
    session.limits.resume(instant_ago(*value.began_ago, now), instant_ago(*value.last_packet_ago, now));
  session.packets_in = value.packets_in;
  session.packets_out = value.packets_out;
  session.bytes_in = value.bytes_in;
  session.bytes_out = value.bytes_out;
  return true;
}

/// Of a tunnel that never was among the others.
void Lns::forget_all(Tunnel& tunnel) {
  for (const auto& session : tunnel.sessions) sessions_.erase(session->serial);
}

}  // namespace sluice::agent
