#pragma once
// So many a second, with as many at once after a pause: the generic cell rate algorithm, one time stamp a
// budget.

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace sluice::edge {

class RateBudget {
 public:
  /// True when one more fits into `per_second` (0: everything fits).
  bool take(Instant now, std::uint32_t per_second) {
    if (per_second == 0) return true;
    const Duration interval = Duration(std::chrono::seconds(1)) / per_second;
    const Instant due = std::max(due_, now);
    if (due - now > interval * (per_second - 1)) return false;
    due_ = due + interval;
    return true;
  }

 private:
  Instant due_{};  ///< when the budget would be whole again
};

}  // namespace sluice::edge
