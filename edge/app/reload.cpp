#include "edge/app/reload.hpp"

#include <algorithm>
#include <array>

#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "base/text.hpp"

namespace sluice::edge {
namespace {

using app::ConfigChange;
using app::Takes;

struct Effect {
  std::string_view table;
  std::string_view whom;
};
/// Whom a change of a table's settings concerns; of several that fit the first holds.
constexpr std::array kEffects{
    Effect{"listen", "new IKE handshakes; clients that are connected stay"},
    Effect{"psk", "new IKE handshakes; clients that are connected stay"},
    Effect{"ike.users", "new IKE handshakes; clients that are connected stay"},
    Effect{"limits.half_open", "tunnels that are being established"},
    Effect{"limits.sessions", "new sessions"},
    Effect{"limits.control", "L2TP control messages from now on"},
    Effect{"limits.ike", "IKE handshakes from now on"},
    Effect{"limits", "new tunnels"},
    Effect{"placement", "new tunnels"},
    Effect{"pool", "new tunnels"},
    Effect{"tls", "new connections of agents; those whose certificates are revoked end"},
    Effect{"channel.rekey", "the next keys of agents' data"},
    Effect{"probe", "the next probes"},
    Effect{"log", "the log"},
};

/// "agent2 is no longer allowed: 34 sessions end and their clients dial in anew".
std::string whom_agents_hit(const Edge& edge, const Config& fresh) {
  std::string out;
  for (const auto& name : edge.connected_agents()) {
    if (fresh.agents.empty() || std::ranges::find(fresh.agents, name) != fresh.agents.end()) continue;
    out += (out.empty() ? "" : "; ") + escaped(name) +
           " is no longer allowed: " + std::to_string(edge.sessions_on(name)) +
           " sessions end and their clients dial in anew";
  }
  return out.empty() ? "no agent that is connected" : out;
}

std::string whom(const ConfigChange& change, const Edge& edge, const Config& fresh) {
  if (change.takes == Takes::kRestart) return "nobody until the edge is restarted";
  if (change.key == "channel.agents") return whom_agents_hit(edge, fresh);
  const auto* effect =
      std::ranges::find_if(kEffects, [&](const Effect& one) { return change.key.starts_with(one.table); });
  return effect == kEffects.end() ? std::string() : std::string(effect->whom);
}

/// What is fixed, and without which the rest makes no sense.
void refuse_fixed(const Config& running, const Config& fresh, app::CheckReport& report) {
  const auto refuse = [&](std::string_view key) {
    report.errors.push_back(at_setting(fresh.values, report.file, key,
                                       "takes effect at a restart only, and so does all else in this file"));
  };
  if (fresh.name != running.name) refuse("edge.name");
  if (fresh.listen_addresses != running.listen_addresses) refuse("listen.addresses");
}

void log_errors(const app::CheckReport& report) {
  for (const auto& error : report.errors)
    app::log_error("config.faulty", "configuration not reloaded", {{"why", error.to_string()}});
}

void log_taken(const ReloadView& view) {
  for (const auto& warning : view.report.warnings)
    app::log_warning("config.warning", "configuration", {{"warning", warning.to_string()}});
  for (const auto& [change, concerned] : view.changes) {
    if (change.takes == Takes::kRestart) {
      app::log_warning("config.needs-restart", "a changed setting waits for a restart",
                       {{"change", change.to_string()}});
    } else {
      app::log_info("config.changed", "setting changed",
                    {{"change", change.to_string()}, {"concerns", concerned}});
    }
  }
  app::log_info("config.reloaded", "configuration reloaded",
                {{"file", view.report.file}, {"changes", view.changes.size()}});
}

}  // namespace

ReloadView reload(Edge& edge, const std::filesystem::path& file, bool dry_run) {
  ReloadView out;
  out.dry_run = dry_run;
  auto fresh = check_config_file(file);
  out.report = std::move(fresh.report);
  if (out.report.good()) {
    for (auto& change : app::changes_between(edge.config().values, fresh.config->values))
      out.changes.push_back({change, whom(change, edge, *fresh.config)});
    refuse_fixed(edge.config(), *fresh.config, out.report);
  }
  if (dry_run) return out;
  if (out.report.good()) {
    const auto log = fresh.config->log;
    if (const auto fault = edge.reload(std::move(*fresh.config), std::move(*fresh.identity)))
      out.report.errors.push_back({out.report.file, 0, 0, *fault});
    else
      app::configure_log(log);
  }
  out.taken = out.report.good();
  out.taken ? log_taken(out) : log_errors(out.report);
  return out;
}

}  // namespace sluice::edge
