#pragma once
// The command line that both daemons have: run, or look at a configuration, or list the settings. Thread:
// main, before there is any other.

#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "base/app/config_check.hpp"
#include "base/app/config_values.hpp"
#include "base/app/log.hpp"
#include "base/app/log_control.hpp"

namespace sluice::app {

inline constexpr int kExitOk = 0, kExitFailed = 1, kExitUsage = 2;

struct Daemon {
  std::string name;  ///< "sluice-edge"
  std::string purpose;
  std::string version;
  std::string file;  ///< its configuration, unless told
};

/// What is wanted of it.
struct DaemonLine {
  std::string file;
  std::string to_check;  ///< another one, with `check`
  bool check = false, json = false, settings = false;
};

/// Nothing: `exit_code` is to be returned, and all is said.
std::optional<DaemonLine> parse_daemon_line(const Daemon& daemon, int argc, char** argv, int& exit_code);

/// Does what the line wants. `check` makes of a file what has `report` and, where that is good, `config`;
/// `run` takes that configuration and its file. The exit code.
template <class Check, class Run>
int conduct(const Daemon& daemon, const DaemonLine& line, const ConfigValues& settings, Check check,
            Run run) {
  if (line.settings) {
    std::cout << settings_page(daemon.name, settings);
    return kExitOk;
  }
  auto checked = check(line.to_check.empty() ? line.file : line.to_check);
  if (line.check && line.json) return print_json(checked.report, std::cout);
  std::ostringstream unsaid;
  const int code = print(checked.report, line.check ? std::cout : unsaid, std::cerr);
  if (line.check || code != kExitOk) return code;
  start_log(daemon.name);
  configure_log(checked.config->log);
  return run(std::move(*checked.config), line.file);
}

}  // namespace sluice::app
