#pragma once
// Counters that one thread writes and any thread may read: relaxed atomics without a locked instruction.

#include <array>
#include <atomic>
#include <cstdint>

namespace sluice {

/// One counter. add() from its one writer only; read() from anywhere.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A counter for each enumerator of E, whose last enumerator is kCount.
template <class E>
class CounterArray {
 public:
  static constexpr std::size_t kSize = static_cast<std::size_t>(E::kCount);
  void add(E which, std::uint64_t n = 1) { counters_[static_cast<std::size_t>(which)].add(n); }
  std::uint64_t read(E which) const { return counters_[static_cast<std::size_t>(which)].read(); }

 private:
  std::array<Counter, kSize> counters_{};
};

}  // namespace sluice
