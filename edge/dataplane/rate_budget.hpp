#pragma once
// So many a second, with as many at once after a pause: the generic cell rate algorithm, one time stamp a
// budget.

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace sluice::edge {

class RateBudget {
 public:
  /// True when one more fits into `per_second` (0: everything fits), of which `burst_seconds`' worth may come
  /// at once.
  bool take(Instant now, std::uint32_t per_second, std::uint32_t burst_seconds = 1) {
    if (per_second == 0) return true;
    const Duration interval = Duration(std::chrono::seconds(1)) / per_second;
    const Instant due = std::max(due_, now);
    if (due - now > interval * (std::int64_t{per_second} * burst_seconds - 1)) return false;
    due_ = due + interval;
    return true;
  }

 private:
  Instant due_{};  ///< when the budget would be whole again
};

}  // namespace sluice::edge
