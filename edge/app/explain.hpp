#pragma once
// A placement decision in an operator's words.

#include "edge/admin/placement_view.hpp"
#include "edge/backends/backends.hpp"

namespace sluice::edge {

PlacementView explain_placement(const Backends& backends, const PlacementQuestion& question, Instant now);

}  // namespace sluice::edge
