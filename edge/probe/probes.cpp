#include "edge/probe/probes.hpp"

#include <algorithm>

#include "base/app/log.hpp"
#include "base/text.hpp"

namespace sluice::edge {
namespace {

using app::LogField;

TunnelId some_tunnel_id(RandomSource& random) {
  for (;;) {
    if (const TunnelId id(random.u16()); id) return id;
  }
}

}  // namespace

Probes::Running* Probes::of(BackendId backend) {
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [&](const auto& row) { return row.second.backend == backend; });
  return found == running_.end() ? nullptr : &found->second;
}

void Probes::probe(const Backend& backend, Done done) {
  if (auto* running = of(backend.id)) {
    if (done) running->done.push_back(std::move(done));
    return;
  }
  begin(backend, std::move(done));
}

void Probes::begin(const Backend& backend, Done done) {
  const auto id = context_.take_id();
  auto& running = running_[id];
  running.backend = backend.id;
  running.agent = backend.name;
  running.worker = turn_ % context_.workers;
  running.agent_worker = turn_ / context_.workers % std::max(backend.hello.workers, 1U);
  ++turn_;
  running.tunnel = some_tunnel_id(context_.random);
  running.started = context_.now();
  running.logs_in = context_.ppp != nullptr;
  running.probe =
      std::make_unique<L2tpProbe>(running.tunnel, context_.host_name, context_.random, context_.ppp);
  if (done) running.done.push_back(std::move(done));
  if (backend.channel == nullptr) return finish(id, L2tpHealth::kUnknown, "the agent is not connected");
  channel::TunnelOpen open;
  open.relay = id;
  open.edge_worker = running.worker;
  open.agent_worker = running.agent_worker;
  open.assigned_tunnel = some_tunnel_id(context_.random);
  open.client = {backend.channel->local_address(), 1701};
  open.edge_address = backend.channel->local_address();
  open.peer_identity = context_.host_name;
  open.correlation_id = "probe-" + std::to_string(id.value());
  open.probe = true;
  if (!backend.channel->open_tunnel(open))
    finish(id, L2tpHealth::kUnknown, "the channel to the agent is not up");
}

bool Probes::on_agent_event(const Backend& backend, const channel::EdgeEvent& event) {
  const auto ours = [&](RelayId id) {
    const auto found = running_.find(id);
    return found != running_.end() && found->second.backend == backend.id;
  };
  if (const auto* accept = std::get_if<channel::TunnelAccept>(&event)) {
    if (!ours(accept->relay)) return false;
    auto& running = running_.at(accept->relay);
    if (std::exchange(running.accepted, true)) return true;
    context_.post(running.worker, BindProbe{accept->relay, backend.id, running.agent_worker, running.tunnel,
                                            running.logs_in});
    running.probe->start(context_.now());
    send(accept->relay, running);
    return true;
  }
  if (const auto* no = std::get_if<channel::TunnelRefuse>(&event)) {
    if (!ours(no->relay)) return false;
    finish(no->relay, L2tpHealth::kUnknown, "the agent refused the tunnel: " + escaped(no->reason));
    return true;
  }
  if (const auto* close = std::get_if<channel::TunnelClose>(&event)) {
    if (!ours(close->relay)) return false;
    finish(close->relay, L2tpHealth::kSilent, "the agent closed the tunnel: " + escaped(close->text));
    return true;
  }
  if (const auto* up = std::get_if<channel::SessionUp>(&event)) return ours(up->relay);
  if (const auto* down = std::get_if<channel::SessionDown>(&event)) return ours(down->relay);
  return false;
}

void Probes::on_packet(const ProbeArrived& event) {
  const auto found = running_.find(event.relay);
  if (found == running_.end()) return;
  found->second.probe->on_packet(event.packet, context_.now());
  send(event.relay, found->second);
  check(event.relay);
}

void Probes::send(RelayId id, Running& running) {
  while (auto packet = running.probe->poll_transmit()) {
    context_.post(running.worker, SendProbe{id, std::move(*packet)});
  }
}

void Probes::check(RelayId id) {
  const auto& result = running_.at(id).probe->result();
  if (!result) return;
  finish(id, result->passed ? L2tpHealth::kSpeaks : L2tpHealth::kSilent, result->text);
}

void Probes::finish(RelayId id, L2tpHealth health, std::string text) {
  auto node = running_.extract(id);
  auto& running = node.mapped();
  if (running.accepted) context_.post(running.worker, UnbindRelay{id});
  const auto* backend = context_.backends.find(running.backend);
  if (backend != nullptr && backend->channel != nullptr) {
    backend->channel->close_tunnel(id, channel::CloseCause::kByClient, "the probe is over");
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(context_.now() - running.started);
  const ProbeReport report{running.agent, health, std::move(text), took};
  record(report, running.backend);
  for (const auto& done : running.done) done(report);
}

void Probes::record(const ProbeReport& report, BackendId id) {
  auto* backend = context_.backends.find(id);
  if (backend == nullptr || report.health == L2tpHealth::kUnknown) return;
  if (report.health == L2tpHealth::kSilent) context_.backends.failed(*backend);
  const auto before = backend->l2tp.health;
  backend->l2tp = {report.health, report.text, context_.unix_seconds(), report.took};
  if (report.health == before) return;
  if (report.health == L2tpHealth::kSilent) {
    app::log_error("probe.agent-silent", "agent does not speak L2TP: it gets no tunnels until it does",
                   {LogField("agent", report.agent), LogField("cause", report.text)});
  } else {
    app::log_info("probe.agent-answers", "agent speaks L2TP",
                  {LogField("agent", report.agent), LogField("again", before == L2tpHealth::kSilent),
                   LogField("ms", report.took.count())});
  }
  if (context_.changed) context_.changed(*backend, report);
}

void Probes::on_backend_down(const Backend& backend) {
  due_.erase(backend.id);
  for (auto at = running_.begin(); at != running_.end();) {
    const auto id = (at++)->first;
    if (running_.at(id).backend == backend.id)
      finish(id, L2tpHealth::kUnknown, "the channel to the agent went down");
  }
}

void Probes::set(std::shared_ptr<const ppp::PppConfig> ppp, Duration interval) {
  if (interval != context_.interval) due_.clear();
  context_.ppp = std::move(ppp);
  context_.interval = interval;
}

void Probes::tick() {
  const auto now = context_.now();
  if (context_.interval > Duration::zero()) {
    for (const auto& [id, backend] : context_.backends.all()) {
      if (backend.channel == nullptr) continue;
      const auto [due, fresh] = due_.try_emplace(id, now);
      if (due->second > now) continue;
      due->second = now + context_.interval;
      probe(backend);
    }
  }
  std::vector<RelayId> ids;
  for (const auto& [id, running] : running_) ids.push_back(id);
  for (const auto id : ids) {
    const auto found = running_.find(id);
    if (found == running_.end()) continue;
    auto& running = found->second;
    if (const auto at = running.probe->next_timeout(); at && *at <= now) running.probe->on_timeout(now);
    if (now - running.started >= context_.patience) {
      if (!running.accepted) {
        finish(id, L2tpHealth::kUnknown, "the agent did not say whether it takes a tunnel");
        continue;
      }
      running.probe->give_up();
    }
    send(id, running);
    check(id);
  }
}

}  // namespace sluice::edge
