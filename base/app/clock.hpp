#pragma once
#include <chrono>
#include <cstdint>

#include "base/time.hpp"

namespace sluice::app {

/// The machine's monotonic clock. Any thread.
inline Instant now() {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

/// Seconds since the epoch, UTC. Any thread.
inline std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace sluice::app
