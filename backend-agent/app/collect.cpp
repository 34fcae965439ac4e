// What /metrics and /readyz say of the agent. Thread: control.
#include <stdexcept>

#include "backend-agent/app/agent.hpp"
#include "backend-agent/app/metrics_catalogue.hpp"
#include "base/app/clock.hpp"
#include "base/metrics/common_catalogue.hpp"
#include "base/metrics/process_figures.hpp"
#include "base/metrics/worker_figures.hpp"

namespace sluice::agent {
namespace {

using metrics::common;
using metrics::Page;

double number(auto count) {
  return static_cast<double>(count);
}

void add_worker(Page& page, const std::string& name, Worker& worker, const esp::TimedEngine& engine) {
  metrics::add_worker(page, name, worker.cpu_time(), Duration(engine.busy().read()));
  metrics::add_sockets(page, name, "channel", metrics::socket_figures(worker.port().counts()));
  const auto& stats = worker.stats();
  page.add(family("sluice_agent_ip_packets_total"), {name, "up"}, number(stats.packets_up.read()));
  page.add(family("sluice_agent_ip_packets_total"), {name, "down"}, number(stats.packets_down.read()));
  page.add(family("sluice_agent_ip_bytes_total"), {name, "up"}, number(stats.bytes_up.read()));
  page.add(family("sluice_agent_ip_bytes_total"), {name, "down"}, number(stats.bytes_down.read()));
}

void add_logins(Page& page, const Authentication& authentication) {
  const auto& logins = authentication.logins();
  page.add(family("sluice_agent_logins_total"), {"accepted"}, number(logins.accepted()));
  page.add(family("sluice_agent_logins_total"), {"refused"}, number(logins.refused()));
  page.add(family("sluice_agent_logins_total"), {"challenged"}, number(logins.challenged()));
  page.add(family("sluice_agent_login_refusals_total"), logins.causes());
  page.add(family("sluice_agent_login_seconds"), {}, logins.seconds());
  const auto& throttled = authentication.throttle().refused();
  for (std::size_t i = 0; i < CounterArray<ThrottleKey>::kSize; ++i) {
    const auto key = static_cast<ThrottleKey>(i);
    page.add(family("sluice_agent_logins_throttled_total"), {to_string(key)}, number(throttled.read(key)));
  }
}

void add_pools(Page& page, const Pools& pools) {
  for (const auto& use : pools.use()) {
    page.add(family("sluice_agent_pool_addresses"), {use.pool, "used"}, number(use.used));
    page.add(family("sluice_agent_pool_addresses"), {use.pool, "free"}, number(use.free));
  }
  page.add(family("sluice_agent_pool_prefixes_used"), {"link"}, number(pools.prefixes_used()));
  page.add(family("sluice_agent_pool_prefixes_used"), {"delegated"}, number(pools.delegations_used()));
}

void add_radius(Page& page, std::string_view service, const RadiusPort& port) {
  const auto& client = port.client();
  for (std::size_t i = 0; i < client.servers(); ++i)
    page.add(family("sluice_agent_radius_up"), {service, port.server_name(i)}, client.alive(i) ? 1 : 0);
  const auto& figures = port.figures();
  for (std::size_t i = 0; i < CounterArray<RadiusOutcome>::kSize; ++i) {
    const auto outcome = static_cast<RadiusOutcome>(i);
    page.add(family("sluice_agent_radius_requests_total"), {service, to_string(outcome)},
             number(figures.outcomes.read(outcome)));
  }
  page.add(family("sluice_agent_radius_seconds"), {service}, figures.seconds);
  page.add(family("sluice_agent_radius_pending"), {service}, number(port.pending()));
  for (std::size_t i = 0; i < CounterArray<radius::ReplyDrop>::kSize; ++i) {
    const auto reason = static_cast<radius::ReplyDrop>(i);
    page.add(family("sluice_agent_radius_drops_total"), {service, radius::to_string(reason)},
             number(client.drops().read(reason)));
  }
}

}  // namespace

void Agent::serve_metrics() {
  if (std::holds_alternative<std::monostate>(config_.metrics_listen)) return;
  auto made = metrics::MetricsServer::open({.io = io_,
                                            .now = app::now,
                                            .collect = [this](Page& page) { collect(page); },
                                            .unready = [this] { return unready(); }},
                                           config_.metrics_listen);
  if (!made) throw std::runtime_error(made.error());
  metrics_ = std::move(*made);
}

std::optional<std::string> Agent::unready() const {
  if (auto why = refusal()) return why;
  if (uplink_->up() == 0) return "no edge is connected";
  return std::nullopt;
}

std::string Agent::status() const {
  const auto why = unready();
  return std::to_string(workers_->sessions()) + " sessions, " + std::to_string(uplink_->up()) + " of " +
         std::to_string(config_.edges.size()) + " edges, " + (why ? "takes no tunnels: " + *why : "ready");
}

void Agent::collect(Page& page) const {
  page.add(common("sluice_build_info"), {"sluice-agent", SLUICE_VERSION, config_.name}, 1);
  page.add(common("sluice_draining"), stopping_ || draining_ ? 1 : 0);
  page.add(common("sluice_workers"), number(workers_->size()));
  for (std::uint32_t i = 0; i < workers_->size(); ++i)
    add_worker(page, std::to_string(i), *workers_->each()[i], *engines_[i]);
  for (const auto& [name, count] : all_drops(*workers_)) {
    const std::string_view whole = name;
    const auto dot = whole.find('.');
    page.add(common("sluice_drops_total"), {whole.substr(0, dot), whole.substr(dot + 1)}, number(count));
  }
  if (identity_) {
    page.add(common("sluice_certificate_expiry_timestamp_seconds"), {"certificate"},
             number(identity_->self().expires_at));
    if (const auto next = identity_->crl_next_update(); next != 0)
      page.add(common("sluice_certificate_expiry_timestamp_seconds"), {"crl"}, number(next));
  }
  metrics::add_process(page, started_at_);
  page.add(family("sluice_agent_edges_connected"), number(uplink_->up()));
  page.add(family("sluice_agent_edges_configured"), number(config_.edges.size()));
  std::uint64_t expected = 0, received = 0;
  for (const auto& worker : workers_->each()) {
    received += worker->carrier().counts().read(CarrierCount::kReceived);
    expected += worker->carrier().counts().read(CarrierCount::kExpected);
  }
  page.add(family("sluice_agent_channel_frames_expected_total"), number(expected));
  page.add(family("sluice_agent_channel_frames_received_total"), number(received));
  page.add(family("sluice_agent_tunnels"), number(workers_->tunnels()));
  page.add(family("sluice_agent_sessions"), number(workers_->sessions()));
  if (config_.max_sessions != 0) page.add(family("sluice_agent_max_sessions"), number(config_.max_sessions));
  page.add(family("sluice_agent_sessions_started_total"), number(sessions_started_));
  page.add(family("sluice_agent_sessions_ended_total"), sessions_ended_);
  if (config_.hands_off()) return;
  add_logins(page, *authentication_);
  add_pools(page, *pools_);
  collect_radius(page);
}

void Agent::collect_radius(Page& page) const {
  const Authentication& authentication = *authentication_;
  if (const auto* port = authentication.auth_port()) add_radius(page, "authentication", *port);
  if (const auto* port = authentication.acct_port()) add_radius(page, "accounting", *port);
  if (const auto* accounting = authentication.accounting()) {
    page.add(family("sluice_agent_accounting_queue"), number(accounting->kept()));
    page.add(family("sluice_agent_accounting_lost_total"), number(accounting->lost()));
  }
}

}  // namespace sluice::agent
