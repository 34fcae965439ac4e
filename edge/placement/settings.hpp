#pragma once
// Everything of placement that an operator may set.

#include "edge/placement/agent_health.hpp"
#include "edge/placement/placement.hpp"

namespace sluice::edge {

struct PlacementSettings {
  PlacementRules rules{};
  HealthSettings health{};
  std::chrono::seconds sticky{300};  ///< how long a client's former agent is preferred; 0: never
  bool operator==(const PlacementSettings&) const = default;
};

}  // namespace sluice::edge
