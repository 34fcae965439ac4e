#pragma once
// A changed configuration file: what it changes and whom that concerns; taken over as a whole, or not at all.
// Thread: control.

#include <filesystem>

#include "edge/admin/reload_command.hpp"
#include "edge/app/check.hpp"
#include "edge/app/edge.hpp"

namespace sluice::edge {

/// Reads `file` again, and unless it is a dry run has `edge` take it over. A faulty file changes nothing.
/// What it says it also logs.
ReloadView reload(Edge& edge, const std::filesystem::path& file, bool dry_run);

}  // namespace sluice::edge
