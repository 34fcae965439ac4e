#pragma once
// Which of the data workers a command is for. A tunnel is the worker's that the edge named in TunnelOpen,
// with its sessions and for its whole life; sessions carry their worker in their serial. No I/O.

#include <cstdint>
#include <functional>

#include "backend-agent/lns/messages.hpp"

namespace sluice::agent {

/// Calls `to` for each worker, below `workers`, that the command concerns, with that worker's part of it.
void dispatch(Command command, std::uint32_t workers,
              const std::function<void(std::uint32_t worker, Command)>& to);

}  // namespace sluice::agent
