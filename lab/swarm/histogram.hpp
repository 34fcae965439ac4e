#pragma once
// Times counted by size: memory that does not grow with their number, quantiles within 1.6 %.

#include <array>
#include <bit>
#include <cstdint>

#include "base/time.hpp"

namespace sluice::swarm {

/// Each power of two is cut into 32 steps. Times below zero count as zero. Not thread safe.
class Histogram {
 public:
  void add(Duration time);
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  Duration longest() const { return Duration(longest_); }
  /// The time that `part` (0 to 1) of all did not exceed, as the middle of its step; 0 without any.
  Duration quantile(double part) const;

 private:
  static constexpr unsigned kStepBits = 5;
  static constexpr std::size_t kSteps = std::size_t{1} << kStepBits;
  static constexpr std::size_t kBuckets = kSteps * (64 - kStepBits);

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t middle_of(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::int64_t longest_ = 0;
};

}  // namespace sluice::swarm
