#pragma once
// Time as the protocol cores see it: handed in, never asked for. base/app/clock.hpp reads the clock.

#include <chrono>

namespace sluice {

/// Nanoseconds of the machine's monotonic clock.
struct MonotonicTag {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicTag>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicTag::time_point;
using Duration = MonotonicTag::duration;

}  // namespace sluice
