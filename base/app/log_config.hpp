#pragma once
// [log] of a daemon's configuration file. The same for all daemons.

#include "base/app/config_table.hpp"
#include "base/app/log_control.hpp"

namespace sluice::app {

/// Reads log.level, log.to, log.rate, log.burst and [log.modules]. `out` is what holds where the file is
/// silent.
void read_log_settings(ConfigFile& file, LogSettings& out);

}  // namespace sluice::app
