#pragma once
// Times within a state that is written down: relative to the instant it was taken, for another machine's
// clock starts elsewhere. What comes back is clamped: a value from elsewhere must not overflow the clock.

#include <algorithm>
#include <optional>

#include "base/time.hpp"

namespace sluice {

/// Time left until a timer fires; none: it does not run. Negative when it is overdue.
using TimeLeft = std::optional<Duration>;
inline TimeLeft time_left(std::optional<Instant> timer, Instant now) {
  return timer ? TimeLeft(*timer - now) : std::nullopt;
}
/// No farther away than a year; now when it is overdue.
inline std::optional<Instant> timer_from(TimeLeft left, Instant now) {
  constexpr Duration kYear = std::chrono::hours(24 * 366);
  if (!left) return std::nullopt;
  return now + std::clamp(*left, Duration::zero(), kYear);
}
/// When what is `ago` old was; not before the clock's beginning and not in the future.
inline Instant instant_ago(Duration ago, Instant now) {
  return now - std::clamp(ago, Duration::zero(), Duration(now.time_since_epoch()));
}

}  // namespace sluice
