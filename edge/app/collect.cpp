// What /metrics and /readyz say of the edge, taken from the tables. Thread: control.
#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "base/app/clock.hpp"
#include "base/metrics/common_catalogue.hpp"
#include "base/metrics/process_figures.hpp"
#include "base/metrics/worker_figures.hpp"
#include "edge/app/edge.hpp"
#include "edge/app/version.hpp"
#include "edge/metrics/catalogue.hpp"

namespace sluice::edge {
namespace {

using metrics::common;
using metrics::Page;

double number(auto count) {
  return static_cast<double>(count);
}
double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

template <class Port>
void add_ports(Page& page, std::string_view worker, std::string_view name, const std::vector<Port>& ports) {
  if (ports.empty()) return;
  metrics::SocketFigures sum;
  for (const auto& port : ports) sum += metrics::socket_figures(port.counts());
  metrics::add_sockets(page, worker, name, sum);
}

void add_worker(Page& page, const Worker& worker, const esp::TimedEngine& engine) {
  const auto name = std::to_string(worker.index());
  metrics::add_worker(page, name, worker.cpu_time(), Duration(engine.busy().read()));
  const auto& ports = worker.ports();
  add_ports(page, name, "ike", ports.ike);
  add_ports(page, name, "natt", ports.natt);
  add_ports(page, name, "esp", ports.raw);
  add_ports(page, name, "channel", ports.channel);
}

void add_ike(Page& page, const StatsView& stats, const Peers& peers, const EdgeCounts& counts) {
  std::size_t ike_sas = 0, children = 0;
  for (const auto& [id, peer] : peers.all()) {
    ike_sas += peer.ike_sas.size();
    children += peer.children.size();
  }
  page.add(family("sluice_edge_ike_ready"), stats.ike_ready ? 1 : 0);
  page.add(family("sluice_edge_peers"), number(peers.all().size()));
  page.add(family("sluice_edge_ike_sas"), number(ike_sas));
  page.add(family("sluice_edge_child_sas"), number(children));
  page.add(family("sluice_edge_ike_established_total"), number(counts.ike_established));
  page.add(family("sluice_edge_ike_rekeys_total"), number(counts.ike_rekeys));
  page.add(family("sluice_edge_child_established_total"), number(counts.child_established));
  page.add(family("sluice_edge_child_rekeys_total"), number(counts.child_rekeys));
  page.add(family("sluice_edge_ike_failures_total"), counts.ike_failures);
  if (stats.ike_probe.checked_at == 0) return;
  page.add(family("sluice_edge_ike_probe_success"), stats.ike_probe.state == "answers" ? 1 : 0);
  page.add(family("sluice_edge_ike_probe_duration_seconds"), seconds(stats.ike_probe.took));
  page.add(family("sluice_edge_ike_probe_timestamp_seconds"), number(stats.ike_probe.checked_at));
}

void add_set_up(Page& page, const EdgeCounts& counts) {
  page.add(family("sluice_edge_setup_seconds"), {"ike"}, counts.set_up.ike());
  page.add(family("sluice_edge_setup_seconds"), {"l2tp"}, counts.set_up.l2tp());
  page.add(family("sluice_edge_setup_seconds"), {"ppp"}, counts.set_up.ppp());
  page.add(family("sluice_edge_sessions_started_total"), number(counts.sessions_started));
  page.add(family("sluice_edge_sessions_ended_total"), counts.sessions_ended);
}

/// What the edge has on an agent.
struct Share {
  std::size_t tunnels = 0, sessions = 0;
};

void add_agent(Page& page, const Backend& backend, const BackendView& view, const Share& share) {
  const std::string_view name = backend.name;
  const auto add = [&](const metrics::Family& of, double value) { page.add(of, {name}, value); };
  for (const auto state : {BackendState::kUp, BackendState::kDraining, BackendState::kSuspect,
                           BackendState::kNoL2tp, BackendState::kDown})
    page.add(family("sluice_edge_agent_state"), {name, name_of(state)}, view.state == state ? 1 : 0);
  add(family("sluice_edge_tunnels"), number(share.tunnels));
  add(family("sluice_edge_sessions"), number(share.sessions));
  if (backend.channel == nullptr) return;
  add(family("sluice_edge_agent_sessions"), number(view.sessions));
  if (view.max_sessions != 0) add(family("sluice_edge_agent_max_sessions"), number(view.max_sessions));
  if (view.free_addresses) add(family("sluice_edge_agent_free_addresses"), number(*view.free_addresses));
  add(family("sluice_edge_agent_cpu_ratio"), number(view.cpu_permille) / 1000);
  add(family("sluice_edge_agent_cpu_wait_ratio"), number(backend.load.cpu_wait_permille) / 1000);
  if (backend.load.radius_ms != 0)
    add(family("sluice_edge_agent_radius_seconds"), number(backend.load.radius_ms) / 1000);
  if (view.report_age) add(family("sluice_edge_agent_report_age_seconds"), seconds(*view.report_age));
  if (backend.l2tp.checked_at == 0) return;
  add(family("sluice_edge_agent_l2tp_probe_success"), backend.l2tp.health == L2tpHealth::kSpeaks ? 1 : 0);
  add(family("sluice_edge_agent_l2tp_probe_duration_seconds"), seconds(backend.l2tp.took));
}

void add_channel(Page& page, const Backend& backend) {
  if (backend.channel == nullptr) return;
  const std::string_view name = backend.name;
  const bool all = backend.carrier == channel::CarrierMode::kTls;
  const auto streamed = all ? backend.paths : std::min(backend.stream_paths, backend.paths);
  page.add(family("sluice_edge_channel_paths"), {name, "tls"}, number(streamed));
  page.add(family("sluice_edge_channel_paths"), {name, "udp"}, number(backend.paths - streamed));
  if (const auto tcp = backend.channel->tcp_figures()) {
    page.add(family("sluice_edge_channel_rtt_seconds"), {name}, seconds(tcp->rtt));
    page.add(family("sluice_edge_channel_retransmits_total"), {name}, number(tcp->retransmits));
  }
  std::uint64_t expected = 0, received = 0;
  for (const auto& stats : backend.path_stats) {
    received += stats->received.read();
    expected += stats->expected.read();
  }
  page.add(family("sluice_edge_channel_frames_expected_total"), {name}, number(expected));
  page.add(family("sluice_edge_channel_frames_received_total"), {name}, number(received));
}

}  // namespace

void Edge::serve_metrics() {
  if (std::holds_alternative<std::monostate>(config_.metrics_listen)) return;
  auto made = metrics::MetricsServer::open({.io = io_,
                                            .now = app::now,
                                            .collect = [this](Page& page) { collect(page); },
                                            .unready = [this] { return unready(); }},
                                           config_.metrics_listen);
  if (!made) throw std::runtime_error(made.error());
  metrics_ = std::move(*made);
}

void Edge::count_observed(const TunnelObserved& observed) {
  if (observed.what == l2tp::Observation::kTunnelClosed) return counts_.set_up.tunnel_gone(observed.relay);
  if (observed.what != l2tp::Observation::kSessionUp) return;
  const auto relay = relays_->all().find(observed.relay);
  // A second session of a tunnel has no SCCRQ of its own.
  if (relay != relays_->all().end() && observed.sessions.size() == 1)
    counts_.set_up.l2tp_up(observed.relay, relay->second.opened, app::now());
}

void Edge::count_agent_down(const Backend& backend, bool orderly) {
  if (stopping_) return;
  auto* known = counts_.agent(backend.name);
  if (known == nullptr) return;
  known->missed = !orderly;
  if (!orderly) ++known->lost;
}

std::optional<std::string> Edge::unready() const {
  if (stopping_) return "the edge is stopping";
  if (draining_->drains_edge()) return "draining";
  if (!ike_ready_) return "the IKE daemon is not up";
  if (ike_probe_->latest().health == IkeHealth::kSilent)
    return "IKE does not answer: " + ike_probe_->latest().text;
  if (agents_ready() == 0 || !backends_->takes_tunnels()) return "no agent takes tunnels";
  return std::nullopt;
}

std::size_t Edge::agents_ready() const {
  const auto& all = backends_->all();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [this](const auto& row) {
    const auto state = backend_view(row.second).state;
    return state == BackendState::kUp || state == BackendState::kSuspect;
  }));
}

void Edge::collect(Page& page) const {
  page.add(common("sluice_build_info"), {"sluice-edge", kVersion, config_.name}, 1);
  page.add(common("sluice_draining"), draining_->drains_edge() ? 1 : 0);
  page.add(common("sluice_workers"), number(worker_count_));
  for (std::size_t i = 0; i < workers_.size(); ++i) add_worker(page, *workers_[i], *engines_[i]);
  for (const auto& drop : all_drops())
    page.add(common("sluice_drops_total"), {drop.stage, drop.reason}, number(drop.count));
  if (identity_) {
    page.add(common("sluice_certificate_expiry_timestamp_seconds"), {"certificate"},
             number(identity_->self().expires_at));
    if (const auto next = identity_->crl_next_update(); next != 0)
      page.add(common("sluice_certificate_expiry_timestamp_seconds"), {"crl"}, number(next));
  }
  metrics::add_process(page, started_at_);
  add_ike(page, stats(), *peers_, counts_);
  add_set_up(page, counts_);
  collect_agents(page);
}

void Edge::collect_agents(Page& page) const {
  std::map<std::string, Share> shares;
  for (const auto& [id, relay] : relays_->all()) {
    auto& share = shares[relay.backend_name];
    ++share.tunnels;
    share.sessions += relay.agent_sessions.size();
  }
  // A connection that is up stands for its agent, else its latest.
  std::map<std::string, const Backend*> by_name;
  for (const auto& [id, backend] : backends_->all()) {
    auto& chosen = by_name[backend.name];
    if (chosen == nullptr || chosen->channel == nullptr) chosen = &backend;
  }
  for (const auto& [name, backend] : by_name) {
    add_agent(page, *backend, backend_view(*backend), shares[name]);
    add_channel(page, *backend);
  }
  page.add(family("sluice_edge_agents_ready"), number(agents_ready()));

  std::set<std::string> missed(config_.agents.begin(), config_.agents.end());
  for (const auto& [name, agent] : counts_.agents) {
    page.add(family("sluice_edge_agents_lost_total"), {name}, number(agent.lost));
    if (agent.missed) missed.insert(name);
  }
  for (const auto& [name, backend] : by_name) {
    if (backend->channel == nullptr) continue;
    page.add(family("sluice_edge_agent_connected"), {name}, 1);
    missed.erase(name);
  }
  for (const auto& name : missed) page.add(family("sluice_edge_agent_connected"), {name}, 0);
}

}  // namespace sluice::edge
