#include "edge/relay/relays.hpp"

#include <algorithm>

#include "base/app/log.hpp"
#include "proto/channel/data_frame.hpp"

namespace sluice::edge {
namespace {

using app::LogField;

// A dead agent's clients are told over this time, so that they do not all redial at once.
constexpr auto kFarewellSpread = std::chrono::seconds(2);
// UDP, the largest L2TP data header without sequence numbers, PPP address, control and protocol.
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kPppOverhead = kUdpHeader + 8 + 4;
// How often all tunnels are looked through.
constexpr auto kSweep = std::chrono::seconds(1);

}  // namespace

const Relays::Ids& Relays::of(PeerId peer) const {
  static const Ids kNone;
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? kNone : found->second;
}

Relays::Ids Relays::same_tunnel(const SccrqArrived& event, TunnelId assigned) const {
  Ids out;
  for (const auto id : of(event.peer)) {
    const auto& relay = relays_.at(id);
    const bool same = relay.client_tunnel == assigned && relay.client_port == event.client_port;
    if (same && relay.stage != RelayStage::kFarewell) out.push_back(id);
  }
  return out;
}

void Relays::on_sccrq(const SccrqArrived& event) {
  const auto* peer = context_.peers.find(event.peer);
  const auto sccrq = l2tp::read_sccrq(event.packet);
  if (peer == nullptr || !sccrq) return;
  for (const auto id : same_tunnel(event, sccrq->assigned_tunnel)) {
    auto& old = *find(id);
    if (old.stage == RelayStage::kPlacing) return;  // a resend while the agent has not answered
    if (auto* backend = context_.backends.find(old.backend);
        backend != nullptr && backend->channel != nullptr) {
      backend->channel->close_tunnel(id, channel::CloseCause::kByClient, "the client started anew");
    }
    end_sessions(old, "client-restarted", "the client opened the same tunnel anew");
    note_closed(old, kByClient, "client-restarted", "the client opened the same tunnel anew");
    context_.post(old.worker, UnbindRelay{id});
    remove(id);
  }
  auto& relay = add(*peer, event, *sccrq);
  if (const auto why = beyond_limits(relay); !why.empty()) return refuse(relay, "limit", why);
  if (const auto why = context_.closed(); !why.empty()) return refuse(relay, "out-of-service", why);
  place(relay);
}

Relay& Relays::add(const Peer& peer, const SccrqArrived& event, const l2tp::SccrqInfo& sccrq) {
  const auto id = take_id();
  Relay& relay = relays_[id];
  relay.id = id;
  relay.peer = peer.id;
  relay.identity = peer.identity;
  relay.worker = peer.worker;
  relay.client_tunnel = sccrq.assigned_tunnel;
  relay.client_port = event.client_port;
  relay.client_host = sccrq.host_name;
  relay.correlation_id = peer.correlation_id + "-" + std::to_string(id.value());
  relay.opened_at = context_.unix_seconds();
  relay.opened = context_.now();
  relay.agent_tunnel = free_tunnel_id(peer.id);
  relay.first_packet = event.packet;
  relay.stats = std::make_shared<RelayStats>();
  relay.client_key = client_key(request_for(relay));
  by_peer_[relay.peer].push_back(id);
  ++by_identity_[relay.identity];
  return relay;
}

PlacementRequest Relays::request_for(const Relay& relay) const {
  const auto& peer = *context_.peers.find(relay.peer);
  return {.identity = peer.identity,
          .listener = context_.listener_of(peer.local.address),
          .host = relay.client_host,
          .address = peer.remote.address,
          .tried = relay.tried};
}

std::string_view Relays::beyond_limits(const Relay& relay) const {
  const auto& limits = context_.limits;
  const auto& ids = of(relay.peer);
  const auto count = std::count_if(ids.begin(), ids.end(),
                                   [&](RelayId id) { return relays_.at(id).stage != RelayStage::kFarewell; });
  if (limits.tunnels_per_peer != 0 && count > std::int64_t{limits.tunnels_per_peer}) {
    return "too many tunnels from this client";
  }
  if (limits.tunnels_per_identity != 0 && by_identity_.at(relay.identity) > limits.tunnels_per_identity) {
    return "too many tunnels of this identity";
  }
  return {};
}

TunnelId Relays::free_tunnel_id(PeerId peer) const {
  const auto& ids = of(peer);
  for (;;) {
    const TunnelId id(context_.random.u16());
    const bool taken =
        std::any_of(ids.begin(), ids.end(), [&](RelayId r) { return relays_.at(r).agent_tunnel == id; });
    if (id && !taken) return id;
  }
}

std::uint16_t Relays::ppp_mtu(const Peer& peer, const Backend& backend) const {
  if (peer.children.empty()) return 0;
  const auto& child = peer.children.back();
  auto payload = esp::max_payload(
      esp::suite(child.suite),
      {.mtu = context_.mtu, .ipv6 = peer.remote.address.is_v6(), .udp = child.udp_encapsulated});
  // A way to the agent that is narrower than usual: a relay id stands there where UDP's header does here.
  if (backend.path_mtu < channel::PathMtu::kSizes[0]) {
    const auto relayed =
        esp::max_payload(esp::suite(esp::SuiteId::kAesGcm128),
                         {.mtu = backend.path_mtu, .ipv6 = backend.remote.address.is_v6(), .udp = true});
    payload = std::min(payload, relayed + kUdpHeader - channel::kRelayHeader);
  }
  return payload <= kPppOverhead ? std::uint16_t{0}
                                 : narrow<std::uint16_t>(payload - kPppOverhead).value_or(0);
}

void Relays::place(Relay& relay) {
  const auto& peer = *context_.peers.find(relay.peer);
  for (;;) {
    const auto decision = context_.backends.place(request_for(relay));
    const auto& id = decision.chosen;
    if (!id) break;
    auto& backend = *context_.backends.find(*id);
    relay.tried.push_back(*id);
    relay.backend = *id;
    relay.backend_name = backend.name;
    relay.placed_because = because_text(decision);
    relay.agent_boot = backend.hello.boot_id;
    relay.agent_worker = relay.id.value() % backend.hello.workers;
    channel::TunnelOpen open;
    open.relay = relay.id;
    open.edge_worker = relay.worker;
    open.agent_worker = relay.agent_worker;
    open.assigned_tunnel = relay.agent_tunnel;
    open.client = peer.remote;
    open.edge_address = peer.local.address;
    open.peer_identity = peer.identity;
    if (!peer.children.empty()) open.cipher = esp::suite(peer.children.back().suite).name;
    open.correlation_id = relay.correlation_id;
    open.l2tp_port = relay.client_port;
    open.ppp_mtu = ppp_mtu(peer, backend);
    if (backend.channel->open_tunnel(open)) {
      ++backend.placed;
      ++backend.unreported;
      app::log_debug("tunnel.offered", "a tunnel is offered to an agent",
                     {LogField("id", relay.correlation_id), LogField("agent", backend.name),
                      LogField("because", relay.placed_because), LogField("ppp_mtu", open.ppp_mtu)});
      return;
    }
    relay.backend = BackendId();
  }
  refuse(relay, "no-agent",
         context_.backends.alive() == 0 ? "no PPP server is connected" : "no PPP server can take the tunnel");
}

void Relays::refuse(Relay& relay, std::string_view cause, std::string_view why) {
  const auto* peer = context_.peers.find(relay.peer);
  app::log_warning("tunnel.refused", "tunnel refused",
                   {LogField("id", relay.correlation_id), LogField("client", peer->remote.to_string()),
                    LogField("identity", peer->identity), LogField("cause", why)});
  note(relay, JournalKind::kRefused, {.cause = cause, .text = why, .details = {{"host", relay.client_host}}});
  if (const auto sccrq = l2tp::read_sccrq(relay.first_packet)) {
    context_.post(relay.worker, SendL2tp{relay.peer, relay.client_port, l2tp::refuse_sccrq(*sccrq, why)});
  }
  remove(relay.id);
}

void Relays::on_agent_event(const Backend& backend, const channel::EdgeEvent& event) {
  if (const auto* accept = std::get_if<channel::TunnelAccept>(&event)) accepted(backend, accept->relay);
  if (const auto* no = std::get_if<channel::TunnelRefuse>(&event)) refused(backend, *no);
  if (const auto* close = std::get_if<channel::TunnelClose>(&event)) closed_by_agent(backend, *close);
  if (const auto* up = std::get_if<channel::SessionUp>(&event)) session_up(backend, *up);
  if (const auto* down = std::get_if<channel::SessionDown>(&event)) session_down(backend, *down);
  if (const auto* offer = std::get_if<channel::TunnelResume>(&event)) on_offer(backend, *offer);
}

void Relays::accepted(const Backend& backend, RelayId id) {
  auto* relay = find(backend, id);
  if (relay == nullptr || relay->stage != RelayStage::kPlacing) return;
  relay->stage = RelayStage::kBound;
  context_.backends.accepted(backend, relay->client_key);
  const auto* peer = context_.peers.find(relay->peer);
  app::log_info("tunnel.placed", "tunnel placed",
                {LogField("id", relay->correlation_id), LogField("client", peer->remote.to_string()),
                 LogField("identity", peer->identity), LogField("host", relay->client_host),
                 LogField("agent", backend.name)});
  note(*relay, JournalKind::kPlaced,
       {.text = relay->placed_because, .details = {{"agent", backend.name}, {"host", relay->client_host}}});
  context_.post(relay->worker, BindRelay{.relay = id,
                                         .peer = relay->peer,
                                         .backend = backend.id,
                                         .agent_worker = relay->agent_worker,
                                         .client_tunnel = relay->client_tunnel,
                                         .agent_tunnel = relay->agent_tunnel,
                                         .client_port = relay->client_port,
                                         .stats = relay->stats,
                                         .first_packet = relay->first_packet});
}

void Relays::refused(const Backend& backend, const channel::TunnelRefuse& no) {
  auto* relay = find(backend, no.relay);
  if (relay == nullptr || relay->stage != RelayStage::kPlacing) return;
  app::log_warning(
      "tunnel.agent-refused", "agent refused a tunnel",
      {LogField("id", relay->correlation_id), LogField("agent", backend.name), LogField("cause", no.reason)});
  note(*relay, JournalKind::kAgentRefused, {.text = no.reason, .details = {{"agent", backend.name}}});
  context_.backends.refused(backend, no.reason);
  take_back(*relay);
  place(*relay);
}

void Relays::closed_by_agent(const Backend& backend, const channel::TunnelClose& close) {
  auto* relay = find(backend, close.relay);
  if (relay == nullptr || relay->stage == RelayStage::kFarewell) return;
  app::log_info("tunnel.closed-by-agent", "tunnel closed",
                {LogField("id", relay->correlation_id), LogField("agent", backend.name),
                 LogField("by", channel::to_string(close.cause)), LogField("cause", close.text)});
  const bool asked = relay->ending_until.has_value();
  end_sessions(*relay, asked ? relay->ending_cause : "tunnel-closed", close.text);
  note_closed(*relay,
              asked                                           ? kByOperator
              : close.cause == channel::CloseCause::kByClient ? kByClient
                                                              : kByAgent,
              asked ? std::string_view(relay->ending_cause) : "tunnel-closed", close.text);
  if (relay->ending_until) peers_due_.emplace(context_.now() + relay->come_back, relay->peer);
  context_.post(relay->worker, UnbindRelay{close.relay});
  remove(close.relay);
}

void Relays::session_up(const Backend& backend, const channel::SessionUp& up) {
  auto* relay = find(backend, up.relay);
  if (relay == nullptr) return;
  AgentSession session{up.session, up.user, up.auth_method, up.client_ip,
                       static_cast<std::int64_t>(up.started_at)};
  const auto* peer = context_.peers.find(relay->peer);
  app::log_info("session.up", "session up",
                {LogField("id", relay->correlation_id), LogField("client", peer->remote.to_string()),
                 LogField("identity", peer->identity), LogField("user", up.user),
                 LogField("address", up.client_ip ? up.client_ip->to_string() : "none"),
                 LogField("auth", up.auth_method), LogField("agent", backend.name)});
  note(*relay, JournalKind::kSessionUp,
       {.details = {{"user", up.user},
                    {"address", up.client_ip ? up.client_ip->to_string() : ""},
                    {"auth", up.auth_method},
                    {"agent", backend.name}}});
  context_.session_up(*relay, session);
  relay->agent_sessions[up.session] = std::move(session);
  std::size_t sessions = 0;
  for (const auto id : of(relay->peer)) sessions += relays_.at(id).agent_sessions.size();
  const auto limit = context_.limits.sessions_per_peer;
  if (limit != 0 && sessions > limit) end(*relay, "too-many-sessions", "too many sessions of this client");
}

void Relays::end(Relay& relay, const std::string& cause, const std::string& text) {
  app::log_warning(
      "tunnel.ended", "tunnel ended",
      {LogField("id", relay.correlation_id), LogField("agent", relay.backend_name), LogField("cause", text)});
  if (auto* backend = context_.backends.find(relay.backend);
      backend != nullptr && backend->channel != nullptr) {
    backend->channel->close_tunnel(relay.id, channel::CloseCause::kAdmin, text);
  }
  relay.ending_cause = cause;
  note(relay, JournalKind::kEnding,
       {.cause = cause, .text = text, .details = {{"by", std::string(kByEdge)}}});
  end_sessions(relay, cause, text);
  relay.stage = RelayStage::kFarewell;
  context_.post(relay.worker, Farewell{relay.id, l2tp::StopResult::kGeneral, text});
}

void Relays::session_down(const Backend& backend, const channel::SessionDown& down) {
  auto* relay = find(backend, down.relay);
  if (relay == nullptr) return;
  const auto* peer = context_.peers.find(relay->peer);
  const auto level = down.cause == "user-request" ? app::LogLevel::kInfo : app::LogLevel::kWarning;
  app::log(level, "session.ended", "session ended",
           {LogField("id", relay->correlation_id), LogField("client", peer->remote.to_string()),
            LogField("identity", peer->identity), LogField("user", down.user),
            LogField("agent", backend.name), LogField("cause", down.cause), LogField("text", down.text)});
  AgentSession session{down.session, down.user, {}, {}, 0};
  if (const auto known = relay->agent_sessions.find(down.session); known != relay->agent_sessions.end()) {
    session = known->second;
    relay->agent_sessions.erase(known);
  }
  // The agent ends in one way what an operator wants ended for several reasons.
  const bool ours = relay->ending_until && down.cause == "draining";
  tell_down(*relay, session, ours ? relay->ending_cause : down.cause, down.text);
}

void Relays::end_sessions(Relay& relay, const std::string& cause, const std::string& text) {
  for (const auto& [id, session] : relay.agent_sessions) tell_down(relay, session, cause, text);
  relay.agent_sessions.clear();
}

void Relays::tell_down(const Relay& relay, const AgentSession& session, const std::string& cause,
                       const std::string& text) {
  note(relay, JournalKind::kSessionDown,
       {.cause = cause, .text = text, .details = {{"user", session.user}, {"agent", relay.backend_name}}});
  context_.session_down(relay, session, cause, text);
}

void Relays::note(const Relay& relay, JournalKind kind, Told told) const {
  JournalEntry entry;
  entry.kind = kind;
  entry.correlation = relay.correlation_id;
  entry.cause = told.cause;
  entry.text = told.text;
  entry.details = std::move(told.details);
  context_.note(std::move(entry));
}

void Relays::note_closed(const Relay& relay, std::string_view by, std::string_view cause,
                         std::string_view text) const {
  note(relay, JournalKind::kClosed,
       {.cause = cause, .text = text, .details = {{"by", std::string(by)}, {"agent", relay.backend_name}}});
}

void Relays::on_observed(TunnelObserved event) {
  auto* relay = find(event.relay);
  if (relay == nullptr) return;
  using l2tp::Observation;
  if (event.what == Observation::kTunnelUp && !relay->established)
    note(*relay, JournalKind::kTunnelUp, {.details = {{"host", event.client_host}}});
  if (event.what == Observation::kSessionUp) note(*relay, JournalKind::kSessionOpen, {});
  relay->sessions = std::move(event.sessions);
  if (event.what == Observation::kTunnelUp) relay->established = true;
  if (!event.client_host.empty()) relay->client_host = event.client_host;
  if (event.what == Observation::kTunnelUp || event.what == Observation::kSessionUp) {
    const std::initializer_list<LogField> fields{LogField("id", relay->correlation_id),
                                                 LogField("host", relay->client_host)};
    event.what == Observation::kTunnelUp ? app::log_debug("tunnel.up", "L2TP tunnel up", fields)
                                         : app::log_debug("session.open", "L2TP session open", fields);
  }
  if (event.what == Observation::kTunnelClosed || event.what == Observation::kSessionClosed) {
    note(*relay, JournalKind::kClosing,
         {.text = event.close_text,
          .details = {{"by", std::string(event.closed_by_client ? kByClient : kByAgent)},
                      {"what", event.what == Observation::kTunnelClosed ? "tunnel" : "session"}}});
    const std::initializer_list<LogField> fields{LogField("id", relay->correlation_id),
                                                 LogField("cause", event.close_text)};
    event.what == Observation::kTunnelClosed ? app::log_info("tunnel.closing", "tunnel closing", fields)
                                             : app::log_info("session.closing", "session closing", fields);
  }
}

void Relays::on_backend_down(const Backend& backend, const std::string& cause, bool orderly) {
  Ids waiting;
  for (const auto& [id, relay] : relays_) {
    if (relay.backend == backend.id && relay.stage == RelayStage::kPlacing) waiting.push_back(id);
  }
  const Ids orphans = bound_to(backend.id);
  if (backend.cut_off && !orphans.empty()) {
    wait_for_agent(backend, cause, orphans.size());
  } else {
    agent_lost(backend.name, backend.remote, cause, orphans, orderly);
  }
  for (const auto id : waiting) {
    take_back(*find(id));
    place(*find(id));
  }
}

void Relays::agent_lost(const std::string& name, const Endpoint& remote, const std::string& cause,
                        const Ids& orphans, bool orderly) {
  const std::initializer_list<LogField> fields{LogField("agent", name),
                                               LogField("remote", remote.to_string()),
                                               LogField("cause", cause), LogField("tunnels", orphans.size())};
  orderly ? app::log_info("channel.agent-left", "agent left", fields)
          : app::log_error("channel.agent-lost", "agent lost", fields);
  const auto now = context_.now();
  for (std::size_t i = 0; i < orphans.size(); ++i) {
    auto& relay = *find(orphans[i]);
    relay.stage = RelayStage::kFarewell;
    relay.ending_cause = "agent-lost";
    end_sessions(relay, "agent-lost", "the PPP server " + name + " is gone: " + cause);
    farewells_due_.emplace(now + kFarewellSpread * i / orphans.size(), orphans[i]);
  }
}

void Relays::on_farewell_done(const FarewellDone& event) {
  auto* relay = find(event.relay);
  if (relay == nullptr) return;
  note_closed(*relay, kByEdge, relay->ending_cause,
              event.acknowledged ? "the edge told the client"
                                 : "the edge told the client, which did not acknowledge");
  app::log_info("tunnel.farewell", "client told that its tunnel is over",
                {LogField("id", relay->correlation_id), LogField("acknowledged", event.acknowledged)});
  peers_due_.emplace(context_.now() + relay->come_back, relay->peer);
  remove(event.relay);
}

void Relays::on_peer_gone(const Peer& peer) {
  const Ids ids = of(peer.id);
  for (const auto id : ids) let_go(*find(id));
}

void Relays::let_go(Relay& relay) {
  const auto id = relay.id;
  auto* backend = context_.backends.find(relay.backend);
  if (backend != nullptr && backend->channel != nullptr) {
    backend->channel->close_tunnel(id, channel::CloseCause::kPeerGone, "the client's IPsec SAs are gone");
  }
  app::log_info("tunnel.closed-by-client", "tunnel closed",
                {LogField("id", relay.correlation_id), LogField("agent", relay.backend_name),
                 LogField("by", "client"), LogField("cause", "its IPsec SAs are gone")});
  end_sessions(relay, "peer-gone", "the client's IPsec SAs are gone");
  note_closed(relay, kByClient, "peer-gone", "the client's IPsec SAs are gone");
  context_.post(relay.worker, UnbindRelay{id});
  remove(id);
}

void Relays::tick(Duration peer_grace) {
  const auto now = context_.now();
  while (!farewells_due_.empty() && farewells_due_.begin()->first <= now) {
    const auto id = farewells_due_.begin()->second;
    farewells_due_.erase(farewells_due_.begin());
    if (auto* relay = find(id)) {
      context_.post(relay->worker, Farewell{id, l2tp::StopResult::kShuttingDown, "the PPP server is gone"});
    }
  }
  while (!peers_due_.empty() && peers_due_.begin()->first <= now) {
    const auto peer = peers_due_.begin()->second;
    peers_due_.erase(peers_due_.begin());
    if (of(peer).empty()) context_.end_peer(peer);
  }
  tick_resumption(now);
  tick_drain(now);
  if (swept_ && now - *swept_ < kSweep) return;
  swept_ = now;
  sweep(now, peer_grace);
}

void Relays::sweep(Instant now, Duration peer_grace) {
  std::vector<PeerId> bare;
  for (const auto& [id, ids] : by_peer_) {
    const auto* peer = context_.peers.find(id);
    if (peer != nullptr && peer->bare_since && now - *peer->bare_since >= peer_grace) bare.push_back(id);
  }
  for (const auto id : bare) {
    if (const auto* peer = context_.peers.find(id)) on_peer_gone(*peer);
  }
  const auto limit = context_.limits.half_open;
  Ids late;
  for (const auto& [id, relay] : relays_) {
    const bool half_open = relay.stage == RelayStage::kBound && !relay.established;
    if (half_open && limit > Duration::zero() && now - relay.opened >= limit) late.push_back(id);
  }
  for (const auto id : late) end(*find(id), "half-open", "the tunnel was not established in time");
}

void Relays::close_all(channel::CloseCause cause, const std::string& text) {
  for (auto& [id, relay] : relays_) {
    auto* backend = context_.backends.find(relay.backend);
    if (backend != nullptr && backend->channel != nullptr) backend->channel->close_tunnel(id, cause, text);
    end_sessions(relay, "edge-stopping", text);
  }
}

std::size_t Relays::session_count() const {
  std::size_t count = 0;
  for (const auto& [id, relay] : relays_) count += relay.agent_sessions.size();
  return count;
}

Relay* Relays::find(RelayId id) {
  const auto found = relays_.find(id);
  return found == relays_.end() ? nullptr : &found->second;
}

Relay* Relays::find(const Backend& backend, RelayId id) {
  auto* relay = find(id);
  return relay != nullptr && relay->backend == backend.id ? relay : nullptr;
}

// The relay no longer counts among its agent's.
void Relays::take_back(Relay& relay) {
  if (auto* backend = context_.backends.find(relay.backend)) --backend->placed;
  relay.backend = BackendId();
}

void Relays::remove(RelayId id) {
  auto* relay = find(id);
  if (relay == nullptr) return;
  if (relay->stage != RelayStage::kPlacing) context_.backends.left(relay->backend_name, relay->client_key);
  take_back(*relay);
  auto& ids = by_peer_[relay->peer];
  std::erase(ids, id);
  if (ids.empty()) by_peer_.erase(relay->peer);
  if (--by_identity_[relay->identity] == 0) by_identity_.erase(relay->identity);
  relays_.erase(id);
}

}  // namespace sluice::edge
