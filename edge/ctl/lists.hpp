#pragma once
// The commands that show a list of the daemon's: sessions, backends, peers, drops, drains.

#include <memory>
#include <vector>

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

void add_list_commands(std::vector<std::unique_ptr<Command>>& to);

}  // namespace sluice::ctl
