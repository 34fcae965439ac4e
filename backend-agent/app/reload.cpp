#include "backend-agent/app/reload.hpp"

#include <algorithm>

#include "base/app/log.hpp"

namespace sluice::agent {
namespace {

using app::ConfigChange;
using app::Takes;

/// The first RADIUS server and the first users file are the start's: who judges is fixed then.
bool needs_restart(const ConfigChange& change, const Config& running, const Config& fresh) {
  if (change.takes == Takes::kRestart) return true;
  const bool radius = running.radius.servers.empty() != fresh.radius.servers.empty();
  const bool users = running.users_file.empty() != fresh.users_file.empty();
  return (radius && change.key.starts_with("radius")) || (users && change.key == "users.file");
}

void refuse_fixed(const Config& running, const Config& fresh, app::CheckReport& report) {
  if (fresh.name == running.name) return;
  report.errors.push_back(at_setting(fresh.values, report.file, "agent.name",
                                     "takes effect at a restart only, and so does all else in this file"));
}

/// So that it is told of at the next reload, too.
void leave_waiting(Config& fresh, const std::vector<ConfigChange>& waiting) {
  for (auto& value : fresh.values) {
    const auto its = [&](const ConfigChange& change) {
      return change.key == value.key || change.key == value.row;
    };
    if (std::ranges::any_of(waiting, its)) value.takes = Takes::kRestart;
  }
}

bool say_why_not(const app::CheckReport& report) {
  for (const auto& error : report.errors)
    app::log_error("config.agent-faulty", "configuration not reloaded", {{"cause", error.to_string()}});
  return false;
}

}  // namespace

bool reload(Agent& agent, const std::filesystem::path& file) {
  auto fresh = check_config_file(file);
  auto report = fresh.report;
  if (report.good()) refuse_fixed(agent.config(), *fresh.config, report);
  if (!report.good()) return say_why_not(report);
  const auto changes = app::changes_between(agent.config().values, fresh.config->values);
  std::vector<ConfigChange> taken, waiting;
  for (const auto& change : changes)
    (needs_restart(change, agent.config(), *fresh.config) ? waiting : taken).push_back(change);
  leave_waiting(*fresh.config, waiting);
  if (const auto fault = agent.reload(std::move(fresh))) {
    report.errors.push_back({report.file, 0, 0, *fault});
    return say_why_not(report);
  }
  for (const auto& warning : report.warnings)
    app::log_warning("config.agent-warning", "configuration", {{"warning", warning.to_string()}});
  for (const auto& change : waiting)
    app::log_warning("config.agent-needs-restart", "a changed setting waits for a restart",
                     {{"change", change.to_string()}});
  for (const auto& change : taken)
    app::log_info("config.agent-changed", "setting changed", {{"change", change.to_string()}});
  app::log_info("config.agent-reloaded", "configuration reloaded",
                {{"file", report.file}, {"changes", changes.size()}, {"sessions", agent.sessions()}});
  return true;
}

}  // namespace sluice::agent
