#pragma once
// How many things may begin now, at so many a second.

#include <algorithm>
#include <cstddef>

#include "base/time.hpp"

namespace sluice::swarm {

/// Time that nobody asked in is not made up for beyond a tenth of a second's worth, so that a swarm that was
/// held up does not storm afterwards.
class Pacer {
 public:
  /// `rate` a second; 0: no limit.
  explicit Pacer(double rate) : rate_(rate) {}

  /// At most `wanted`; what is given counts as begun.
  std::size_t take(std::size_t wanted, Instant now) {
    if (rate_ <= 0) return wanted;
    if (!started_) {
      started_ = true;
      last_ = now;
      saved_ = 1;
    }
    saved_ += rate_ * std::chrono::duration<double>(now - last_).count();
    saved_ = std::min(saved_, std::max(1.0, rate_ * kMostSeconds));
    last_ = now;
    const auto given = std::min(wanted, static_cast<std::size_t>(saved_));
    saved_ -= static_cast<double>(given);
    return given;
  }

 private:
  static constexpr double kMostSeconds = 0.1;
  double rate_;
  bool started_ = false;
  Instant last_{};
  double saved_ = 0;
};

}  // namespace sluice::swarm
