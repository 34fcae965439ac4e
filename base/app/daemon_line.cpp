#include "base/app/daemon_line.hpp"

#include <CLI/CLI.hpp>

namespace sluice::app {

std::optional<DaemonLine> parse_daemon_line(const Daemon& daemon, int argc, char** argv, int& exit_code) {
  CLI::App cli{daemon.purpose};
  DaemonLine line;
  line.file = daemon.file;
  cli.add_option("-c,--config", line.file, "configuration file")->capture_default_str();
  auto* check = cli.add_option(
      "--check", line.to_check,
      "only check this file, or that of --config, and all that it names: exit code 0 if it is good");
  check->expected(0, 1);
  cli.add_flag("--json", line.json, "what --check found, as JSON")->needs(check);
  cli.add_flag("--settings", line.settings, "print every setting with its default and meaning, and end");
  cli.set_version_flag("--version", daemon.name + " " + daemon.version);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_code = cli.exit(error) == 0 ? kExitOk : kExitUsage;
    return std::nullopt;
  }
  line.check = check->count() > 0;
  return line;
}

}  // namespace sluice::app
