#pragma once
// `reload` of the operations socket. Thread: control.

#include <functional>
#include <string>
#include <vector>

#include "base/app/config_check.hpp"
#include "vici/server.hpp"

namespace sluice::edge {

/// One setting that is another in the file than in the running edge.
struct ReloadChange {
  app::ConfigChange change;
  std::string whom;  ///< it concerns, in words
};

struct ReloadView {
  app::CheckReport report;
  std::vector<ReloadChange> changes;
  bool dry_run = false;
  bool taken = false;  ///< the configuration is in force, but for what needs a restart
};

/// `reload` does it, or says what it would do.
void add_reload_command(vici::Server& server, std::function<ReloadView(bool dry_run)> reload);

}  // namespace sluice::edge
