#include "lab/swarm/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::swarm {

std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < kSteps) return static_cast<std::size_t>(value);
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - kStepBits - 1;
  return kSteps * shift + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::middle_of(std::size_t bucket) {
  if (bucket < 2 * kSteps) return bucket;
  const auto shift = bucket / kSteps - 1;
  const std::uint64_t first = std::uint64_t{bucket % kSteps + kSteps} << shift;
  return first + (std::uint64_t{1} << shift) / 2;
}

void Histogram::add(Duration time) {
  const std::int64_t value = std::max<std::int64_t>(0, time.count());
  ++buckets_[bucket_of(static_cast<std::uint64_t>(value))];
  ++count_;
  longest_ = std::max(longest_, value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  longest_ = std::max(longest_, other.longest_);
}

Duration Histogram::quantile(double part) const {
  if (count_ == 0) return {};
  const auto rank =
      static_cast<std::uint64_t>(std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= std::max<std::uint64_t>(1, rank)) {
      return Duration(std::min<std::int64_t>(longest_, static_cast<std::int64_t>(middle_of(i))));
    }
  }
  return Duration(longest_);
}

}  // namespace sluice::swarm
