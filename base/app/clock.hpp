#pragma once
#include "base/time.hpp"

namespace sluice::app {

/// The machine's monotonic clock. Any thread.
inline Instant now() {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace sluice::app
