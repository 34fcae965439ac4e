#pragma once
// The operations socket's commands that a support bundle is made of besides the lists: list-settings and
// list-metrics (docs/operations-socket.md).

#include <functional>
#include <string>

#include "base/app/config_values.hpp"
#include "vici/server.hpp"

namespace sluice::edge {

struct ReportHandlers {
  /// What is in force; names of files that hold secrets, never what they hold.
  std::function<app::ConfigValues()> settings;
  /// The page that /metrics serves.
  std::function<std::string()> metrics;
};

/// `handlers` are called on the control thread.
void add_report_commands(vici::Server& server, ReportHandlers handlers);

}  // namespace sluice::edge
