#pragma once
// Counts of durations by upper bound, as Prometheus' histograms want them. One thread.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <span>

#include "base/time.hpp"

namespace sluice::metrics {

/// Seconds. From a lookup in memory to a client that has given up.
inline constexpr std::array<double, 14> kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                0.25,  0.5,    1,     2.5,  5,     10,   30};

class Histogram {
 public:
  void observe(Duration duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    const auto at = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
    ++counts_[static_cast<std::size_t>(at - kBounds.begin())];
    sum_ += seconds;
    ++count_;
  }
  /// Of each bound, not cumulated; the last is what is beyond them all.
  std::span<const std::uint64_t> counts() const { return counts_; }
  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace sluice::metrics
