// What the operations socket shows, taken from the tables. Thread: control.
#include <algorithm>

#include "base/app/clock.hpp"
#include "edge/app/edge.hpp"
#include "edge/app/version.hpp"

namespace sluice::edge {
namespace {

TrafficView traffic_of(const RelayStats& stats) {
  return {stats.packets_in.read(), stats.bytes_in.read(), stats.packets_out.read(), stats.bytes_out.read()};
}

std::string_view stage_of(const Relay& relay) {
  switch (relay.stage) {
    case RelayStage::kPlacing:
      return "placing";
    case RelayStage::kBound:
      return "bound";
    case RelayStage::kFarewell:
      return "farewell";
  }
  return "unknown";
}

std::string_view state_of(const Relay& relay) {
  if (relay.stage == RelayStage::kFarewell || relay.ending_until) return "closing";
  return relay.established ? "established" : "opening";
}

ControlView control_of(const ControlStats& stats) {
  return {stats.resent.read(), stats.window.read()};
}

constexpr auto kLateReport = std::chrono::milliseconds(1500);

void add_count(std::vector<DropView>& out, std::string_view stage, std::string_view reason,
               std::uint64_t count) {
  const auto known = std::find_if(out.begin(), out.end(), [&](const DropView& row) {
    return row.stage == stage && row.reason == reason;
  });
  if (known != out.end()) return void(known->count += count);
  out.push_back({std::string(stage), std::string(reason), count});
}

template <class E>
void add_drops(std::vector<DropView>& out, const std::string& stage, const CounterArray<E>& counters,
               auto name) {
  for (std::size_t i = 0; i < CounterArray<E>::kSize; ++i) {
    const auto reason = static_cast<E>(i);
    add_count(out, stage, name(reason), counters.read(reason));
  }
}

bool is_loss(transport::PortCount which) {
  using transport::PortCount;
  switch (which) {
    case PortCount::kPacketsIn:
    case PortCount::kBytesIn:
    case PortCount::kPacketsOut:
    case PortCount::kBytesOut:
    case PortCount::kReceiveCalls:
    case PortCount::kSendCalls:
    case PortCount::kSegmentFallback:
    case PortCount::kCount:
      return false;
    case PortCount::kKernelDrops:
    case PortCount::kTruncated:
    case PortCount::kReceiveErrors:
    case PortCount::kSendFull:
    case PortCount::kSendTooBig:
    case PortCount::kSendUnreachable:
    case PortCount::kSendErrors:
      return true;
  }
  return false;
}

void add_port_drops(std::vector<DropView>& out, const std::string& stage,
                    const CounterArray<transport::PortCount>& counters) {
  for (std::size_t i = 0; i < CounterArray<transport::PortCount>::kSize; ++i) {
    const auto which = static_cast<transport::PortCount>(i);
    if (is_loss(which)) add_count(out, stage, transport::to_string(which), counters.read(which));
  }
}

template <class View>
void fill_counts(View& view, const SaTotals& totals) {
  view.traffic = {totals.packets_in, totals.bytes_in, totals.packets_out, totals.bytes_out};
  view.replayed = totals.replayed;
  view.unauthentic = totals.unauthentic;
  view.malformed = totals.malformed;
}

}  // namespace

L2tpState l2tp_state(L2tpHealth health) {
  switch (health) {
    case L2tpHealth::kSpeaks:
      return L2tpState::kSpeaks;
    case L2tpHealth::kSilent:
      return L2tpState::kSilent;
    case L2tpHealth::kUnknown:
      break;
  }
  return L2tpState::kUnknown;
}

IkeProbeView ike_probe_view(const IkeProbeReport& report) {
  const auto state = [&] {
    switch (report.health) {
      case IkeHealth::kAnswers:
        return "answers";
      case IkeHealth::kSilent:
        return "silent";
      case IkeHealth::kUnknown:
        break;
    }
    return "unknown";
  };
  return {state(), report.text, report.took, report.checked_at};
}

std::vector<SessionView> Edge::sessions() const {
  std::vector<SessionView> out;
  for (const auto& [id, relay] : relays_->all()) {
    if (relay.agent_sessions.empty()) out.push_back(session_view(relay, nullptr));
    for (const auto& [session_id, session] : relay.agent_sessions)
      out.push_back(session_view(relay, &session));
  }
  return out;
}

std::vector<TunnelView> Edge::tunnels() const {
  std::vector<TunnelView> out;
  for (const auto& [id, relay] : relays_->all()) {
    auto& view = out.emplace_back();
    view.correlation_id = relay.correlation_id;
    view.stage = stage_of(relay);
    view.state = state_of(relay);
    view.closing = view.state == "closing";
    view.peer = relay.peer;
    view.peer_identity = relay.identity;
    if (const auto* peer = peers_->find(relay.peer)) view.client = peer->remote;
    view.l2tp_port = relay.client_port;
    view.host_name = relay.client_host;
    view.agent = relay.backend_name;
    view.client_tunnel = relay.client_tunnel;
    view.agent_tunnel = relay.agent_tunnel;
    view.relay = relay.id;
    view.worker = relay.worker;
    view.agent_worker = relay.agent_worker;
    view.sessions = static_cast<std::uint32_t>(relay.agent_sessions.size());
    view.opened_at = relay.opened_at;
    view.client_control = control_of(relay.stats->client);
    view.agent_control = control_of(relay.stats->agent);
    view.traffic = traffic_of(*relay.stats);
  }
  return out;
}

SessionView Edge::session_view(const Relay& relay, const AgentSession* session) const {
  SessionView view;
  view.correlation_id = relay.correlation_id;
  view.peer = relay.peer;
  if (const auto* peer = peers_->find(relay.peer)) {
    view.peer_identity = peer->identity;
    view.client = peer->remote;
    view.edge = peer->local;
    view.nat = peer->ike.nat;
    view.ike_sa = peer->ike.ike_sa;
    view.ike_version = peer->ike.version;
    view.ike_proposal = peer->ike.proposal;
    if (!peer->children.empty()) {
      view.spi_in = peer->children.back().in;
      view.spi_out = peer->children.back().out;
      view.cipher = esp::suite(peer->children.back().suite).name;
    }
  }
  view.client_tunnel = relay.client_tunnel;
  view.agent_tunnel = relay.agent_tunnel;
  view.relay = relay.id;
  view.worker = relay.worker;
  view.agent = relay.backend_name;
  view.traffic = traffic_of(*relay.stats);
  view.up_since = relay.opened_at;
  if (!relay.sessions.empty()) {
    view.stage = SessionStage::kSession;
    view.client_session = relay.sessions.back().client;
    view.agent_session = relay.sessions.back().agent;
  }
  if (session == nullptr) return view;
  view.stage = SessionStage::kUp;
  view.agent_session = session->session;
  for (const auto& observed : relay.sessions) {
    if (observed.agent == session->session) view.client_session = observed.client;
  }
  view.user = session->user;
  view.auth_method = session->auth_method;
  view.assigned_ip = session->client_ip;
  view.up_since = session->since;
  return view;
}

BackendView Edge::backend_view(const Backend& backend) const {
  BackendView view;
  view.id = backend.id;
  view.name = backend.name;
  view.address = backend.remote;
  view.weight = backend.hello.weight;
  view.sessions = backend.load.sessions;
  view.tunnels = backend.placed;
  view.max_sessions = backend.hello.max_sessions;
  view.cpu_permille = backend.load.cpu_permille;
  view.packets_per_second = backend.load.packets_per_second;
  if (backend.load.free_addresses != channel::kNoAddressLimit)
    view.free_addresses = backend.load.free_addresses;
  view.draining = backend.load.draining || draining_->drained(backend.name);
  if (backend.channel != nullptr) view.certificate_expires = backend.channel->peer().expires_at;
  view.connected_since = backend.connected_since;
  view.carrier = backend.carrier_in_use();
  view.software = backend.hello.software;
  if (backend.reported_at) {
    view.report_age =
        std::chrono::duration_cast<std::chrono::milliseconds>(app::now() - *backend.reported_at);
  }
  view.l2tp = l2tp_state(backend.l2tp.health);
  view.l2tp_text = backend.l2tp.text;
  view.l2tp_checked = backend.l2tp.checked_at;
  if (backend.channel == nullptr) {
    view.state = BackendState::kDown;
  } else if (view.l2tp == L2tpState::kSilent) {
    view.state = BackendState::kNoL2tp;
  } else if (view.draining) {
    view.state = BackendState::kDraining;
  } else {
    view.state =
        view.report_age && *view.report_age > kLateReport ? BackendState::kSuspect : BackendState::kUp;
  }
  return view;
}

std::vector<BackendView> Edge::backends() const {
  std::vector<BackendView> out;
  for (const auto& [id, backend] : backends_->all()) out.push_back(backend_view(backend));
  return out;
}

SaView Edge::sa_view(const Peer& peer, const ChildSa& child) const {
  SaView view;
  view.spi_in = child.in;
  view.spi_out = child.out;
  view.cipher = esp::suite(child.suite).name;
  view.udp_encapsulated = child.udp_encapsulated;
  view.worker = peer.worker;
  view.installed_at = child.installed_at;
  SaTotals totals;
  totals.add(child);
  fill_counts(view, totals);
  return view;
}

std::vector<PeerView> Edge::peers() const {
  std::map<PeerId, PeerView> views;
  for (const auto& [id, peer] : peers_->all()) {
    auto& view = views[id];
    view.id = id;
    view.correlation_id = peer.correlation_id;
    view.identity = peer.identity;
    view.remote = peer.remote;
    view.local = peer.local;
    view.nat = peer.ike.nat;
    view.ike_sa = peer.ike.ike_sa;
    view.ike_version = peer.ike.version;
    view.ike_proposal = peer.ike.proposal;
    view.up_since = peer.up_since;
    auto totals = peer.past;
    for (const auto& child : peer.children) {
      view.sas.push_back(sa_view(peer, child));
      totals.add(child);
    }
    fill_counts(view, totals);
  }
  for (const auto& [id, relay] : relays_->all()) {
    const auto view = views.find(relay.peer);
    if (view == views.end()) continue;
    ++view->second.tunnels;
    view->second.sessions += static_cast<std::uint32_t>(relay.agent_sessions.size());
  }
  std::vector<PeerView> out;
  for (auto& [id, view] : views) out.push_back(std::move(view));
  return out;
}

std::vector<DropView> Edge::drops() const {
  auto out = all_drops();
  std::erase_if(out, [](const DropView& drop) { return drop.count == 0; });
  return out;
}

std::vector<DropView> Edge::all_drops() const {
  std::vector<DropView> out;
  for (const auto& worker : workers_) {
    const auto& pipeline = worker->pipeline();
    add_drops(out, "relay", pipeline.drops(), [](Drop d) { return name_of(d); });
    add_drops(out, "esp", pipeline.client_esp_drops(),
              [](esp::DropReason d) { return esp::drop_reason_name(d); });
    add_drops(out, "channel", pipeline.channel_esp_drops(),
              [](esp::DropReason d) { return esp::drop_reason_name(d); });
    add_drops(out, "l2tp", pipeline.l2tp_drops(), [](l2tp::DropReason d) { return l2tp::to_string(d); });
    add_drops(out, "ike", pipeline.ike_drops(), [](IkeDrop d) { return name_of(d); });
    add_count(out, "relay", "oversize-fragmented", pipeline.oversize().read());
    add_count(out, "channel", "oversize-fragmented", pipeline.channel_oversize().read());
    add_count(out, "channel", "data-link-queue-full", worker->exchange().dropped_out());
    const auto& ports = worker->ports();
    for (const auto& port : ports.ike) add_port_drops(out, "udp-ike", port.counts());
    for (const auto& port : ports.natt) add_port_drops(out, "udp-natt", port.counts());
    for (const auto& port : ports.raw) add_port_drops(out, "ip-esp", port.counts());
    for (const auto& port : ports.channel) add_port_drops(out, "udp-channel", port.counts());
  }
  add_drops(out, "channel", backends_->stream_drops(), [](StreamDrop d) { return name_of(d); });
  add_count(out, "ike", "answer-larger-than-question", contacts_.too_large().read());
  add_count(out, "ike", "send-failed", ike_sender_.failed().read());
  return out;
}

VersionView Edge::version() const {
  VersionView view;
  view.version = kVersion;
  view.edge_name = config_.name;
  view.ike_provider = "charon";
  return view;
}

StatsView Edge::stats() const {
  StatsView view;
  view.started_at = started_at_;
  view.workers = worker_count_;
  view.ike_ready = ike_ready_;
  view.ike_probe = ike_probe_view(ike_probe_->latest());
  view.peers = peers_->all().size();
  view.sas = peers_->sa_count();
  view.tunnels = relays_->all().size();
  view.sessions = relays_->session_count();
  view.backends_total = static_cast<std::uint32_t>(backends_->all().size());
  view.backends_up = static_cast<std::uint32_t>(backends_->alive());
  view.draining = draining_->drains_edge();
  view.not_ready = unready().value_or("");
  view.ready = view.not_ready.empty();
  for (const auto& drop : drops()) view.drops += drop.count;
  if (identity_) {
    const auto& self = identity_->self();
    view.certificate = {self.name, self.serial, self.expires_at, identity_->crl_next_update()};
  }
  for (const auto& [id, relay] : relays_->all()) {
    const auto traffic = traffic_of(*relay.stats);
    view.traffic.packets_in += traffic.packets_in;
    view.traffic.bytes_in += traffic.bytes_in;
    view.traffic.packets_out += traffic.packets_out;
    view.traffic.bytes_out += traffic.bytes_out;
  }
  return view;
}

}  // namespace sluice::edge
