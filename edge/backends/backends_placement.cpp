// What placement is told of the agents, and what becomes of what it says.
#include <algorithm>
#include <utility>

#include "base/app/log.hpp"
#include "edge/backends/backends.hpp"

namespace sluice::edge {
namespace {

using app::LogField;

// How much the latest report counts: the figure of a single second says little.
constexpr double kFresh = 0.3;
// Reports come each second.
constexpr auto kLate = std::chrono::milliseconds(1500);

}  // namespace

void Backends::note_load(Backend& backend, const channel::LoadReport& load) {
  const auto busy = static_cast<double>(std::min(load.cpu_permille + load.cpu_wait_permille, 1000U));
  backend.busy_permille = backend.load_known ? backend.busy_permille * (1 - kFresh) + busy * kFresh : busy;
  backend.load = load;
  // Now it is known what it brings along.
  if (!std::exchange(backend.load_known, true) && backend.newcomer)
    health_[backend.name].came(behind_the_others(backend), context_.now());
  backend.reported_at = context_.now();
  backend.unreported = 0;
  if (app::log_enabled(app::LogModule::kPlacement, app::LogLevel::kDebug)) {
    app::log_debug(
        "placement.load", "an agent told its load",
        {LogField("agent", backend.name), LogField("sessions", load.sessions),
         LogField("busy_permille", static_cast<std::uint32_t>(backend.busy_permille)),
         LogField("packets_per_second", load.packets_per_second), LogField("radius_ms", load.radius_ms)});
  }
}

Candidate Backends::candidate(const Backend& backend) const {
  Candidate out{.id = backend.id, .name = backend.name};
  const auto now = context_.now();
  const auto& load = backend.load;
  out.weight = std::max(backend.hello.weight, 1U);
  // Other edges' clients are in its reports; those of our own that it has not reported yet are not. Its
  // tunnels say less than its sessions: those that ended linger.
  out.tunnels = std::max(load.sessions + backend.unreported, backend.placed);
  out.max_tunnels = backend.hello.max_sessions;
  if (backend.load_known && load.free_addresses != channel::kNoAddressLimit)
    out.free_addresses = load.free_addresses - std::min(load.free_addresses, backend.unreported);
  out.busy_permille = static_cast<std::uint32_t>(backend.busy_permille);
  out.packets_per_second = load.packets_per_second;
  out.radius_ms = load.radius_ms;
  out.alive = backend.channel != nullptr;
  out.draining = load.draining || context_.drained(backend.name);
  out.speaks_l2tp = backend.l2tp.health != L2tpHealth::kSilent;
  out.late = backend.reported_at && now - *backend.reported_at > kLate;
  if (const auto* health = this->health(backend.name)) {
    out.handicap = health->handicap(context_.placement.health, now);
    out.ejected = health->ejected_until(now).has_value();
    out.damped = health->damped_until(now).has_value();
  }
  return out;
}

std::vector<Candidate> Backends::candidates() const {
  std::vector<Candidate> out;
  out.reserve(backends_.size());
  for (const auto& [id, backend] : backends_) out.push_back(candidate(backend));
  return out;
}

/// How many tunnels more it takes to stand with the best of the others that take the same clients.
double Backends::behind_the_others(const Backend& newcomer) const {
  const auto& load = context_.placement.rules.load;
  std::optional<double> least;
  for (const auto& each : candidates()) {
    if (each.id == newcomer.id || !each.alive || each.draining || !each.speaks_l2tp) continue;
    if (!share_pool(context_.placement.rules, each.name, newcomer.name)) continue;
    // What their tunnels alone make of it: one that is busy without any, just started for instance, is not
    // ahead.
    auto empty = each;
    empty.tunnels = 0;
    empty.handicap = 0;
    const auto theirs = score(each, load) - score(empty, load);
    least = std::min(least.value_or(theirs), theirs);
  }
  if (!least || load.sessions == 0) return 0;
  const auto own = candidate(newcomer);
  return *least * own.weight * 100 / load.sessions - static_cast<double>(own.tunnels);
}

Decision Backends::place(PlacementRequest request) {
  request.former = former_.of(client_key(request), context_.placement.sticky, context_.now());
  auto decision = decide(context_.placement.rules, request, candidates(), turns_, context_.random);
  if (app::log_enabled(app::LogModule::kPlacement, app::LogLevel::kDebug)) {
    app::log_debug("placement.decided", "a tunnel's agent is chosen",
                   {LogField("identity", request.identity),
                    LogField("agent", decision.chosen ? find(*decision.chosen)->name : "none"),
                    LogField("because", because_text(decision)), LogField("tried", request.tried.size())});
  }
  return decision;
}

Decision Backends::explain(PlacementRequest request) const {
  request.former = former_.of(client_key(request), context_.placement.sticky, context_.now());
  auto turns = turns_;
  return decide(context_.placement.rules, request, candidates(), turns, context_.random);
}

bool Backends::takes_tunnels() const {
  const auto takes = [](const Candidate& agent) {
    const bool full = agent.max_tunnels != 0 && agent.tunnels >= agent.max_tunnels;
    return agent.alive && !agent.draining && agent.speaks_l2tp && !full && agent.free_addresses != 0U;
  };
  return std::ranges::any_of(candidates(), takes);
}

const AgentHealth* Backends::health(const std::string& name) const {
  const auto found = health_.find(name);
  return found == health_.end() ? nullptr : &found->second;
}

void Backends::accepted(const Backend& backend, const std::string& client) {
  health_[backend.name].accepted();
  // Many may share a key: who comes next is somebody else.
  former_.forget(client);
}

void Backends::refused(const Backend& backend, const std::string& reason) {
  auto& health = health_[backend.name];
  const auto now = context_.now();
  const bool was_out = health.ejected_until(now).has_value();
  if (reason == channel::kNoAnswer) {
    health.failed(context_.placement.health, now);
  } else {
    health.refused(context_.placement.health, now);
  }
  if (!was_out) tell_ejection(backend, reason);
}

void Backends::failed(const Backend& backend) {
  auto& health = health_[backend.name];
  const bool was_out = health.ejected_until(context_.now()).has_value();
  health.failed(context_.placement.health, context_.now());
  if (!was_out) tell_ejection(backend, "a probe failed");
}

void Backends::tell_ejection(const Backend& backend, std::string_view why) {
  const auto until = health_[backend.name].ejected_until(context_.now());
  if (!until) return;
  const auto left = std::chrono::ceil<std::chrono::seconds>(*until - context_.now());
  app::log_warning(
      "placement.ejected", "agent ejected: it gets tunnels only if nobody else can take them",
      {LogField("agent", backend.name), LogField("cause", why), LogField("seconds", left.count())});
}

void Backends::left(const std::string& agent, const std::string& client) {
  if (context_.placement.sticky > std::chrono::seconds(0)) former_.remember(client, agent, context_.now());
}

}  // namespace sluice::edge
