// Tunnels that outlive a channel: those of an agent that was cut off for a moment, and those of the time
// before this process, which agents offer and restored peers own.
#include <algorithm>

#include "base/app/log.hpp"
#include "edge/relay/relays.hpp"

namespace sluice::edge {
namespace {

using app::LogField;

// An agent that lives redials within half a second; with one that is dead the client should not wait longer
// than it must.
constexpr auto kComeBack = std::chrono::milliseconds(1500);
// Once it is back, it offers its tunnels at once.
constexpr auto kOfferTime = std::chrono::seconds(2);
// How long an offer waits for its peer after all SAs are back, and before we know whether they come.
constexpr auto kPeerTime = std::chrono::seconds(2), kRestoreTime = std::chrono::seconds(10);
// A restored peer whose tunnel no agent has offered by then has none.
constexpr auto kClaimTime = std::chrono::seconds(15);

/// The peer's part of a tunnel's correlation id.
std::string peer_part(const std::string& correlation_id) {
  return correlation_id.substr(0, correlation_id.rfind('-'));
}

std::vector<l2tp::ObservedSession> observed(const channel::TunnelResume& offer) {
  std::vector<l2tp::ObservedSession> out;
  for (const auto& session : offer.sessions) {
    out.push_back({.client = session.client,
                   .agent = session.agent,
                   .state = session.up ? l2tp::ObservedState::kEstablished : l2tp::ObservedState::kOpening});
  }
  return out;
}

}  // namespace

Relays::Ids Relays::bound_to(BackendId backend) const {
  Ids out;
  for (const auto& [id, relay] : relays_) {
    if (relay.backend == backend && relay.stage == RelayStage::kBound) out.push_back(id);
  }
  return out;
}

void Relays::wait_for_agent(const Backend& backend, const std::string& cause, std::size_t tunnels) {
  app::log_warning("channel.agent-cut-off", "agent cut off, its tunnels wait for it",
                   {LogField("agent", backend.name), LogField("remote", backend.remote.to_string()),
                    LogField("cause", cause), LogField("tunnels", tunnels)});
  cut_off_[backend.id] = {backend.name, backend.hello.boot_id, backend.remote, cause,
                          context_.now() + kComeBack};
}

void Relays::on_backend_up(const Backend& backend) {
  for (auto& [id, cut] : cut_off_) {
    if (cut.name != backend.name) continue;
    // Another life of the agent knows nothing of the tunnels of the one before.
    cut.until = context_.now() + (cut.boot == backend.hello.boot_id ? kOfferTime : Duration::zero());
  }
}

void Relays::on_offer(const Backend& backend, const channel::TunnelResume& offer) {
  if (answer(backend, offer)) return;
  const bool complete = context_.peers.restored_at().has_value();
  waiting_.push_back({backend.id, offer, context_.now() + (complete ? kPeerTime : kRestoreTime)});
}

bool Relays::answer(const Backend& backend, const channel::TunnelResume& offer) {
  if (Relay* relay = cut_off_relay(backend, offer)) return take_over(*relay, backend, offer);
  const auto* peer = context_.peers.find_restored(peer_part(offer.correlation_id));
  return peer != nullptr && !peer->children.empty() && resume_for(*peer, backend, offer);
}

/// The relay of this very tunnel, from before its agent was cut off.
Relay* Relays::cut_off_relay(const Backend& backend, const channel::TunnelResume& offer) {
  Relay* relay = find(offer.relay);
  if (relay == nullptr || relay->stage != RelayStage::kBound) return nullptr;
  const bool same = relay->correlation_id == offer.correlation_id && relay->backend_name == backend.name &&
                    relay->agent_boot == backend.hello.boot_id && relay->agent_tunnel == offer.agent_tunnel &&
                    relay->backend != backend.id;
  return same ? relay : nullptr;
}

bool Relays::resume_for(const Peer& peer, const Backend& backend, const channel::TunnelResume& offer) {
  for (const auto id : of(peer.id)) {
    const auto& other = relays_.at(id);
    if (other.agent_tunnel == offer.agent_tunnel && other.client_port == offer.l2tp_port) {
      lose_offer(backend, offer, "another tunnel has its place");
      return true;
    }
  }
  next_id_ = std::max(next_id_, offer.relay.value() + 1);
  const auto id = take_id();
  Relay& relay = relays_[id];
  relay.id = id;
  relay.peer = peer.id;
  relay.identity = peer.identity;
  relay.worker = peer.worker;
  relay.stage = RelayStage::kBound;
  relay.client_port = offer.l2tp_port;
  relay.agent_tunnel = offer.agent_tunnel;
  relay.correlation_id = offer.correlation_id;
  relay.opened_at = context_.unix_seconds();
  relay.opened = context_.now();
  relay.stats = std::make_shared<RelayStats>();
  relay.client_key = client_key(request_for(relay));
  by_peer_[relay.peer].push_back(id);
  ++by_identity_[relay.identity];
  return take_over(relay, backend, offer);
}

bool Relays::take_over(Relay& relay, const Backend& backend, const channel::TunnelResume& offer) {
  if (relay.backend) take_back(relay);
  relay.backend = backend.id;
  relay.backend_name = backend.name;
  relay.agent_boot = backend.hello.boot_id;
  relay.agent_worker = offer.agent_worker;
  relay.client_tunnel = offer.client_tunnel;
  relay.established |= offer.established;
  relay.sessions = observed(offer);
  const auto known = std::exchange(relay.agent_sessions, {});
  for (const auto& session : offer.sessions) {
    if (!session.up) continue;
    relay.agent_sessions[session.agent] = {session.agent, session.user, session.auth_method,
                                           session.client_ip, static_cast<std::int64_t>(session.started_at)};
  }
  for (const auto& [id, session] : known) {
    if (!relay.agent_sessions.contains(id))
      tell_down(relay, session, "unknown", "it ended while its agent was cut off");
  }
  if (auto* counted = context_.backends.find(backend.id)) ++counted->placed;
  // The worker knows the relay before the agent sends on it.
  context_.post(relay.worker, ResumeRelay{.relay = relay.id,
                                          .peer = relay.peer,
                                          .backend = backend.id,
                                          .agent_worker = relay.agent_worker,
                                          .client_tunnel = relay.client_tunnel,
                                          .agent_tunnel = relay.agent_tunnel,
                                          .client_port = relay.client_port,
                                          .ns = offer.ns,
                                          .nr = offer.nr,
                                          .established = relay.established,
                                          .sessions = relay.sessions,
                                          .stats = relay.stats});
  backend.channel->resume_tunnel({offer.resume, relay.id, relay.worker});
  note_resumed(relay);
  const auto* peer = context_.peers.find(relay.peer);
  app::log_info("tunnel.resumed", "tunnel resumed",
                {LogField("id", relay.correlation_id), LogField("client", peer->remote.to_string()),
                 LogField("identity", peer->identity), LogField("agent", backend.name),
                 LogField("sessions", relay.agent_sessions.size())});
  return true;
}

/// What a journal that began after the tunnel needs to know of it, too.
void Relays::note_resumed(const Relay& relay) const {
  std::vector<JournalEntry::Detail> details{{"agent", relay.backend_name},
                                            {"sessions", std::to_string(relay.agent_sessions.size())}};
  if (const auto* peer = context_.peers.find(relay.peer)) {
    details.emplace_back("client", peer->remote.to_string());
    details.emplace_back("identity", peer->identity);
  }
  for (const auto& [id, session] : relay.agent_sessions) {
    details.emplace_back("user", session.user);
    if (session.client_ip) details.emplace_back("address", session.client_ip->to_string());
  }
  note(relay, JournalKind::kResumed, {.details = std::move(details)});
}

void Relays::lose_offer(const Backend& backend, const channel::TunnelResume& offer, const std::string& text) {
  app::log_warning("tunnel.not-resumed", "tunnel not resumed",
                   {LogField("id", offer.correlation_id), LogField("client", offer.client.to_string()),
                    LogField("agent", backend.name), LogField("cause", text)});
  backend.channel->refuse_resume({offer.resume, channel::CloseCause::kPeerGone, text});
}

void Relays::tick_resumption(Instant now) {
  auto waiting = std::exchange(waiting_, {});
  for (auto& offer : waiting) {
    const auto* backend = context_.backends.find(offer.backend);
    if (backend == nullptr || backend->channel == nullptr) continue;  // it will offer again
    if (answer(*backend, offer.offer)) continue;
    if (offer.until > now) {
      waiting_.push_back(std::move(offer));
    } else {
      lose_offer(*backend, offer.offer, "its client is not here");
    }
  }
  for (auto at = cut_off_.begin(); at != cut_off_.end();) {
    const Ids orphans = bound_to(at->first);
    if (!orphans.empty() && at->second.until > now) {
      ++at;
      continue;
    }
    const CutOff cut = at->second;
    at = cut_off_.erase(at);
    if (!orphans.empty()) agent_lost(cut.name, cut.remote, cut.cause, orphans, false);
  }
  end_unclaimed(now);
}

/// Restored peers without a tunnel: their client has one that nobody has any more. It is to redial at once.
void Relays::end_unclaimed(Instant now) {
  const auto since = context_.peers.restored_at();
  if (unclaimed_ended_ || !since || now - *since < kClaimTime) return;
  unclaimed_ended_ = true;
  std::vector<PeerId> unclaimed;
  for (const auto& [id, peer] : context_.peers.all()) {
    if (peer.restored && of(id).empty()) unclaimed.push_back(id);
  }
  for (const auto id : unclaimed) {
    const auto* peer = context_.peers.find(id);
    app::log_warning("tunnel.forgotten", "no agent has the client's tunnel, its SAs end",
                     {LogField("id", peer->correlation_id), LogField("client", peer->remote.to_string()),
                      LogField("identity", peer->identity)});
    context_.end_peer(id);
  }
}

}  // namespace sluice::edge
