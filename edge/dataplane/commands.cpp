// What the control thread tells a worker. Thread: the worker, between bursts.
#include <algorithm>

#include "edge/dataplane/state.hpp"

namespace sluice::edge {
namespace {

// RFC 2661 §5.8: a StopCCN is retransmitted after 1, 2, 4 and 8 s.
constexpr std::array<std::chrono::seconds, 5> kFarewellIntervals{
    std::chrono::seconds(1), std::chrono::seconds(2), std::chrono::seconds(4), std::chrono::seconds(8),
    std::chrono::seconds(8)};

}  // namespace

Pipeline::Pipeline(std::unique_ptr<esp::Engine> engine, std::uint32_t replay_window, Emit emit,
                   PipelineLimits limits)
    : engine_(std::move(engine)),
      replay_window_(replay_window),
      emit_(std::move(emit)),
      limits_(limits),
      guard_(limits.ike),
      work_(std::make_unique<Workspace>()) {}

Pipeline::~Pipeline() = default;

void Pipeline::apply(Command command, Instant now, OutgoingBatch& out) {
  early_memory_.clear();
  burst_at_ = now;
  std::visit(
      [&]<class T>(T& value) {
        if constexpr (!std::is_same_v<T, std::monostate> && !std::is_same_v<T, StopWorker>)
          apply_one(value, now, out);
      },
      command);
}

Pipeline::PeerState& Pipeline::peer_for(const AddSa& command) {
  auto& slot = peers_[command.peer];
  if (!slot) {
    slot = std::make_unique<PeerState>();
    slot->id = command.peer;
  }
  const auto& spec = command.spec;
  slot->local = spec.inbound ? spec.destination : spec.source;
  slot->remote = spec.inbound ? spec.source : spec.destination;
  slot->udp_encapsulated = spec.udp_encapsulated;
  return *slot;
}

void Pipeline::apply_one(ExpectIke& command, Instant, OutgoingBatch&) {
  guard_.expect(command.source, command.token);
}

void Pipeline::apply_one(LiveSource& command, Instant, OutgoingBatch&) {
  command.live ? guard_.add_live(command.source) : guard_.remove_live(command.source);
}

void Pipeline::apply_one(SetRates& command, Instant, OutgoingBatch&) {
  limits_.control_per_second = command.control_per_second;
  guard_.set_rates(command.ike_per_source, command.ike_per_prefix, command.ike_new_sources);
}

void Pipeline::apply_one(ExpectSpi& command, Instant, OutgoingBatch&) {
  early_.expect(command.spi);
}

void Pipeline::apply_one(AddSa& command, Instant now, OutgoingBatch& out) {
  auto& peer = peer_for(command);
  const auto& spec = command.spec;
  const esp::SaParameters parameters{.spi = spec.spi,
                                     .suite = &esp::suite(command.suite),
                                     .encryption_key = spec.encryption_key.bytes(),
                                     .integrity_key = spec.integrity_key.bytes(),
                                     .extended_sequence = spec.extended_sequence,
                                     .replay_window = std::max(spec.replay_window, replay_window_),
                                     .last_sequence = spec.last_sequence,
                                     .reserved = spec.reserved,
                                     .limits = {spec.lifetime.soft_bytes, spec.lifetime.hard_bytes,
                                                spec.lifetime.soft_packets, spec.lifetime.hard_packets}};
  if (spec.inbound) {
    auto sa = engine_->make_inbound(parameters);
    if (!sa) return client_esp_drops_.add(esp::DropReason::kEngineFailure);
    remove_inbound(spec.spi);
    auto entry = std::make_unique<InboundEntry>();
    entry->spi = spec.spi;
    entry->peer = &peer;
    entry->sa = std::move(*sa);
    entry->stats = command.stats;
    entry->sa->set_user(entry.get());
    entry->stats->top.add(entry->sa->replay().top());
    limit_by_time(*entry, spec.lifetime, now);
    inbound_.insert(spec.spi.value(), entry.get());
    peer.inbound.push_back(spec.spi);
    inbound_owned_[spec.spi] = std::move(entry);
    // A first packet that is taken before there is an SA to answer with costs its sender a retransmission.
    if (!peer.outbound.empty()) replay_early(spec.spi, now, out);
  } else {
    auto sa = engine_->make_outbound(parameters);
    if (!sa) return client_esp_drops_.add(esp::DropReason::kEngineFailure);
    (*sa)->set_user(&peer);
    peer.outbound.push_back({spec.spi, command.paired_inbound, std::move(*sa), command.stats});
    if (inbound_owned_.contains(command.paired_inbound)) replay_early(command.paired_inbound, now, out);
  }
}

void Pipeline::apply_one(RemoveSa& command, Instant now, OutgoingBatch&) {
  if (command.inbound) {
    const auto found = inbound_owned_.find(command.spi);
    if (found == inbound_owned_.end()) early_.take(command.spi, now);
    if (found == inbound_owned_.end() || found->second->remove_at) return;
    found->second->remove_at = now + command.grace;
    lingering_.emplace(*found->second->remove_at, command.spi);
    return;
  }
  const auto peer = peers_.find(command.peer);
  if (peer == peers_.end()) return;
  auto& outbound = peer->second->outbound;
  const auto at =
      std::find_if(outbound.begin(), outbound.end(), [&](const auto& o) { return o.spi == command.spi; });
  if (at == outbound.end()) return;
  const auto index = static_cast<std::size_t>(at - outbound.begin());
  auto& current = peer->second->current;
  outbound.erase(at);
  // With the one in use gone, the newest is the one the peer wants, proven or not.
  if (index == current) current = outbound.empty() ? 0 : outbound.size() - 1;
  if (index < current) --current;
}

void Pipeline::limit_by_time(InboundEntry& entry, const SaLifetime& lifetime, Instant now) {
  const auto limit = [&](std::uint64_t seconds, bool hard) -> std::optional<Instant> {
    if (seconds == 0) return std::nullopt;
    // Longer is as good as none, and would not fit a Duration.
    constexpr std::uint64_t kLongest = std::uint64_t{365} * 24 * 3600;
    const auto at = now + std::chrono::seconds(std::min(seconds, kLongest));
    time_limits_.insert({at, entry.spi, hard});
    return at;
  };
  entry.soft_at = limit(lifetime.soft_seconds, false);
  entry.hard_at = limit(lifetime.hard_seconds, true);
}

void Pipeline::expire_by_time(Instant now) {
  while (!time_limits_.empty() && time_limits_.begin()->at <= now) {
    const auto limit = *time_limits_.begin();
    time_limits_.erase(time_limits_.begin());
    auto& entry = *inbound_owned_.at(limit.spi);
    (limit.hard ? entry.hard_at : entry.soft_at).reset();
    if (limit.hard) {
      entry.sa->expire();
      for (auto& outbound : entry.peer->outbound) {
        if (outbound.paired_inbound == limit.spi) outbound.sa->expire();
      }
    }
    // One that only lingers after its DELETE has been replaced already.
    if (!entry.remove_at) emit_(SaExpired{entry.peer->id, entry.spi, entry.peer->local, limit.hard});
  }
}

void Pipeline::remove_inbound(Spi spi) {
  const auto found = inbound_owned_.find(spi);
  if (found == inbound_owned_.end()) return;
  inbound_.erase(spi.value());
  std::erase(found->second->peer->inbound, spi);
  const auto& entry = *found->second;
  if (entry.remove_at) lingering_.erase({*entry.remove_at, spi});
  if (entry.soft_at) time_limits_.erase({*entry.soft_at, spi, false});
  if (entry.hard_at) time_limits_.erase({*entry.hard_at, spi, true});
  inbound_owned_.erase(found);
}

void Pipeline::apply_one(ExtendSa& command, Instant, OutgoingBatch&) {
  const auto peer = peers_.find(command.peer);
  if (peer == peers_.end()) return;
  for (auto& outbound : peer->second->outbound) {
    if (outbound.spi == command.spi) outbound.sa->reserve(command.last);
  }
}

void Pipeline::apply_one(MovePeer& command, Instant, OutgoingBatch&) {
  const auto found = peers_.find(command.peer);
  if (found == peers_.end()) return;
  found->second->local = command.local;
  found->second->remote = command.remote;
  found->second->udp_encapsulated = command.udp_encapsulated;
}

void Pipeline::apply_one(RemovePeer& command, Instant, OutgoingBatch&) {
  const auto found = peers_.find(command.peer);
  if (found == peers_.end()) return;
  auto& peer = *found->second;
  while (!peer.relays.empty()) remove_relay(peer.relays.likeliest()->id);
  while (!peer.inbound.empty()) remove_inbound(peer.inbound.back());
  peers_.erase(found);
}

/// The part that BindRelay and ResumeRelay share. Null: the peer is gone.
template <class Binding>
Pipeline::RelayState* Pipeline::bind(const Binding& command) {
  const auto peer = peers_.find(command.peer);
  if (peer == peers_.end()) return drop(Drop::kUnknownTunnel), nullptr;
  auto& relay = add_relay(command.relay, {command.backend, command.agent_worker});
  relay.peer = peer->second.get();
  relay.client_tunnel = command.client_tunnel;
  relay.agent_tunnel = command.agent_tunnel;
  relay.client_port = command.client_port;
  relay.stats = command.stats;
  relay.peer->relays.add(relay.agent_tunnel, relay.client_port, &relay);
  return &relay;
}

void Pipeline::apply_one(BindRelay& command, Instant, OutgoingBatch& out) {
  auto* relay = bind(command);
  if (relay == nullptr) return;
  control_from_client(*relay, command.first_packet);
  send_to_agent(*relay, command.first_packet, out);
}

void Pipeline::apply_one(ResumeRelay& command, Instant, OutgoingBatch&) {
  auto* relay = bind(command);
  if (relay == nullptr) return;
  relay->observer = l2tp::Observer({.client = command.client_tunnel,
                                    .agent = command.agent_tunnel,
                                    .agent_ns = command.ns,
                                    .agent_nr = command.nr,
                                    .established = command.established,
                                    .sessions = std::move(command.sessions)});
}

Pipeline::RelayState& Pipeline::add_relay(RelayId id, PathKey key) {
  remove_relay(id);
  auto& slot = relays_[id];
  slot = std::make_unique<RelayState>();
  slot->id = id;
  slot->path_key = key;
  const auto path = paths_.find(key);
  slot->path = path == paths_.end() ? nullptr : path->second.get();
  relay_table_.insert(id.value(), slot.get());
  return *slot;
}

void Pipeline::apply_one(BindProbe& command, Instant, OutgoingBatch&) {
  auto& relay = add_relay(command.relay, {command.backend, command.agent_worker});
  relay.client_tunnel = command.tunnel;
  relay.probe_ppp = command.ppp;
  relay.stats = std::make_shared<RelayStats>();
}

void Pipeline::apply_one(SendProbe& command, Instant, OutgoingBatch& out) {
  const auto found = relays_.find(command.relay);
  if (found != relays_.end()) send_to_agent(*found->second, command.packet, out);
}

void Pipeline::apply_one(UnbindRelay& command, Instant, OutgoingBatch&) {
  remove_relay(command.relay);
}

void Pipeline::remove_relay(RelayId id) {
  const auto found = relays_.find(id);
  if (found == relays_.end()) return;
  if (auto* peer = found->second->peer) peer->relays.remove(found->second.get());
  std::erase(farewells_, id);
  relay_table_.erase(id.value());
  relays_.erase(found);
}

void Pipeline::apply_one(SendL2tp& command, Instant, OutgoingBatch& out) {
  const auto peer = peers_.find(command.peer);
  if (peer != peers_.end()) send_to_client(*peer->second, command.client_port, command.packet, out);
}

l2tp::Observation Pipeline::observe(RelayState& relay, l2tp::Side from, Bytes control) {
  auto& observer = relay.observer;
  const auto resent = observer.resent(from);
  const auto what =
      from == l2tp::Side::kClient ? observer.from_client(control) : observer.from_agent(control);
  auto& stats = from == l2tp::Side::kClient ? relay.stats->client : relay.stats->agent;
  stats.resent.add(observer.resent(from) - resent);
  if (const std::uint64_t window = observer.receive_window(from); window != 0)
    stats.window.add(window - stats.window.read());
  return what;
}

void Pipeline::report(const RelayState& relay, l2tp::Observation what) {
  const auto& observer = relay.observer;
  TunnelObserved event{.relay = relay.id,
                       .what = what,
                       .sessions = observer.sessions(),
                       .client_host = observer.client_host(),
                       .close_text = {},
                       .closed_by_client = false};
  const auto& close =
      what == l2tp::Observation::kTunnelClosed ? observer.closed() : observer.last_session_close();
  if (close) {
    event.close_text = l2tp::Observer::describe(*close);
    event.closed_by_client = close->by == l2tp::Side::kClient;
  }
  emit_(std::move(event));
}

void Pipeline::apply_one(Farewell& command, Instant now, OutgoingBatch& out) {
  const auto found = relays_.find(command.relay);
  if (found == relays_.end()) return emit_(FarewellDone{command.relay, false});
  auto& relay = *found->second;
  if (relay.farewell || relay.peer == nullptr) return;
  relay.farewell = FarewellState{command.result, std::move(command.text), 0, now};
  farewells_.push_back(relay.id);
  say_farewell(relay, now, out);
}

void Pipeline::say_farewell(RelayState& relay, Instant now, OutgoingBatch& out) {
  auto& state = *relay.farewell;
  const auto packet = relay.observer.farewell(state.result, state.text);
  if (!packet || state.sent == static_cast<int>(kFarewellIntervals.size()))
    return finish_farewell(relay, false);
  send_to_client(*relay.peer, relay.client_port, *packet, out);
  state.next = now + kFarewellIntervals[static_cast<std::size_t>(state.sent++)];
}

void Pipeline::finish_farewell(RelayState& relay, bool acknowledged) {
  const auto id = relay.id;
  remove_relay(id);
  emit_(FarewellDone{id, acknowledged});
}

void Pipeline::on_timeout(Instant now, OutgoingBatch& out) {
  burst_at_ = now;
  if (path_tick_ && *path_tick_ <= now) tick_paths(now, out);
  while (!lingering_.empty() && lingering_.begin()->first <= now) remove_inbound(lingering_.begin()->second);
  expire_by_time(now);
  const auto farewells = farewells_;
  for (const auto id : farewells) {
    auto& relay = *relays_.at(id);
    if (relay.farewell->next <= now) say_farewell(relay, now, out);
  }
}

std::optional<Instant> Pipeline::next_timeout() const {
  std::optional<Instant> next = path_tick_;
  const auto consider = [&](Instant at) { next = next ? std::min(*next, at) : at; };
  if (!lingering_.empty()) consider(lingering_.begin()->first);
  if (!time_limits_.empty()) consider(time_limits_.begin()->at);
  for (const auto id : farewells_) consider(relays_.at(id)->farewell->next);
  return next;
}

}  // namespace sluice::edge
