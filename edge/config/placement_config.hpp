#pragma once
// The part of the edge's configuration that says who gets which clients. Thread: control.

#include "base/app/config_table.hpp"
#include "edge/config/config.hpp"

namespace sluice::edge {

/// Reads [placement], [[pool]] and [[pool_rule]] into `config.placement`. After the listeners. Errors go to
/// `file`.
void read_placement(app::ConfigFile& file, Config& config);

}  // namespace sluice::edge
