#pragma once
// A changed configuration file, taken over as a whole or not at all. Thread: control.

#include <filesystem>

#include "backend-agent/app/agent.hpp"

namespace sluice::agent {

/// Reads `file` and all that it names again and has `agent` take it over; a fault changes nothing. The log
/// says what came of it. Whether it was taken.
bool reload(Agent& agent, const std::filesystem::path& file);

}  // namespace sluice::agent
