#pragma once
// Who gets the next tunnel: pure functions over views of the agents.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/ids.hpp"

namespace sluice::edge {

/// What placement knows of one agent.
struct Candidate {
  BackendId id;
  std::uint32_t weight = 1;  ///< share of the tunnels, at least 1
  std::uint32_t sessions =
      0;  ///< as reported, or tunnels placed here and not yet reported, whichever is more
  std::uint32_t max_sessions = 0;  ///< 0: no limit
  bool alive = false;
  bool draining = false;
  bool speaks_l2tp = true;  ///< false: a probe has shown that it does not
};

/// The agent with the fewest sessions for its weight among those that may take a tunnel and are not in
/// `tried`. Ties go to the greater weight, then to the lower id, so that the answer does not depend on the
/// order of views.
std::optional<BackendId> pick_least_loaded(std::span<const Candidate> views,
                                           std::span<const BackendId> tried);

}  // namespace sluice::edge
