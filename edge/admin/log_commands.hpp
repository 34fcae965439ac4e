#pragma once
// The operations socket's commands on the edge's log: list-log and set-log (docs/operations-socket.md).

#include <functional>

#include "base/time.hpp"
#include "vici/server.hpp"

namespace sluice::edge {

/// `now` is the clock of tick_log().
void add_log_commands(vici::Server& server, std::function<Instant()> now);

}  // namespace sluice::edge
