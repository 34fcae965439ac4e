#pragma once
// The replay window said naively: a set of numbers and the text of RFC 4303.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>

namespace sluice::esp {

class ReplayModel {
 public:
  explicit ReplayModel(std::uint64_t size) : size_(size) {}

  bool acceptable(std::uint64_t sequence) const {
    if (sequence == 0) return false;
    if (sequence + size_ <= top_) return false;
    return !seen_.contains(sequence);
  }
  void accept(std::uint64_t sequence) {
    seen_.insert(sequence);
    top_ = std::max(top_, sequence);
    while (!seen_.empty() && *seen_.begin() + size_ <= top_) seen_.erase(seen_.begin());
  }
  /// Of all numbers with that low half, the smallest that is not left of the window.
  std::optional<std::uint64_t> recover(std::uint32_t low) const {
    const std::uint64_t bottom = top_ >= size_ ? top_ - size_ + 1 : 0;
    const std::uint64_t cycle = bottom >> 32;
    const std::uint64_t here = (cycle << 32) | low;
    return here >= bottom ? here : here + (std::uint64_t{1} << 32);
  }
  std::uint64_t top() const { return top_; }

 private:
  std::uint64_t size_;
  std::uint64_t top_ = 0;
  std::set<std::uint64_t> seen_;
};

}  // namespace sluice::esp
