#pragma once
// The operations socket's commands for placement and draining (docs/operations-socket.md).

#include "edge/admin/placement_view.hpp"
#include "vici/server.hpp"

namespace sluice::edge {

/// Adds explain-placement, drain, undrain and list-drains. `handlers` are called on the control thread.
void add_placement_commands(vici::Server& server, PlacementHandlers handlers);

}  // namespace sluice::edge
