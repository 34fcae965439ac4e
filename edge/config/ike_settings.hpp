#pragma once
// The part of the edge's configuration that says who may connect, and how. Thread: control.

#include "base/app/config_table.hpp"
#include "edge/config/config.hpp"

namespace sluice::edge {

/// Reads [listen], [[listener]], [[psk]], [[radius]] and the users' file into `config`. Errors and warnings
/// go to `file`.
void read_ike(app::ConfigFile& file, Config& config);

}  // namespace sluice::edge
