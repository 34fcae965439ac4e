#pragma once
// What the kernel tells of this process and of connection tracking. Thread: control; reads a few files of
// /proc.

#include <cstdint>
#include <optional>

#include "base/metrics/page.hpp"

namespace sluice::metrics {

struct Conntrack {
  std::uint64_t entries = 0, limit = 0;
};
/// Nothing where this network namespace has no connection tracking.
std::optional<Conntrack> read_conntrack();

/// process_* and sluice_conntrack_*. `started_at`: seconds since 1970.
void add_process(Page& page, std::int64_t started_at);

}  // namespace sluice::metrics
