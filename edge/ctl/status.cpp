#include "edge/ctl/status.hpp"

#include <chrono>

#include "base/text.hpp"
#include "edge/ctl/json.hpp"
#include "edge/ctl/views.hpp"

namespace sluice::ctl {

using nlohmann::ordered_json;

CLI::App* StatsCommand::add_to(CLI::App& app) {
  auto* command =
      app.add_subcommand("stats", "the edge as a whole: readiness, counts, its certificate's dates");
  examples(*command, {"stats"});
  return command;
}

int StatsCommand::run(const Conversation& with) {
  const auto answer = with.ask("stats");
  if (answer.error) return with.complain(*answer.error);
  if (with.json) {
    with.print("sluice.stats/1", {{"stats", to_json(answer.last)}});
  } else {
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    with.to.out << stats_text(answer.last, static_cast<std::uint64_t>(now));
  }
  return kOk;
}

CLI::App* VersionCommand::add_to(CLI::App& app) {
  auto* command = app.add_subcommand("version", "versions of this program and of the running edge");
  examples(*command, {"version"});
  return command;
}

int VersionCommand::run(const Conversation& with) {
  const auto answer = with.ask("version");
  if (with.json) {
    const auto daemon = answer.error ? ordered_json(nullptr) : to_json(answer.last);
    with.print("sluice.version/1", {{"sluicectl", SLUICE_VERSION}, {"daemon", daemon}});
  } else {
    with.to.out << "sluicectl " SLUICE_VERSION "\n";
    if (!answer.error) {
      const auto part = [&](std::string_view name) { return escaped(answer.last.get(name, "unknown")); };
      with.to.out << part("daemon") << " " << part("version") << " '" << part("edge-name") << "' with "
                  << part("ike-provider") << " on " << part("sysname") << " " << part("release") << " "
                  << part("machine") << "\n";
    }
  }
  return answer.error ? with.complain(*answer.error) : kOk;
}

}  // namespace sluice::ctl
