#pragma once
// A bounded queue between exactly two threads. Neither side blocks or takes a lock.

#include <atomic>
#include <bit>
#include <cstddef>
#include <optional>
#include <vector>

namespace sluice {

/// push() from one thread, pop() from one other. T must be movable and default constructible.
template <class T>
class SpscQueue {
 public:
  /// Capacity is rounded up to a power of two.
  explicit SpscQueue(std::size_t capacity) : slots_(std::bit_ceil(capacity)), mask_(slots_.size() - 1) {}

  /// False (and `item` untouched) when the queue is full.
  bool push(T&& item) {
    const auto tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == slots_.size()) return false;
    slots_[tail & mask_] = std::move(item);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  std::optional<T> pop() {
    const auto head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    std::optional<T> item(std::move(slots_[head & mask_]));
    slots_[head & mask_] = T{};
    head_.store(head + 1, std::memory_order_release);
    return item;
  }
  bool empty() const {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  static constexpr std::size_t kCacheLine = 64;
  std::vector<T> slots_;
  std::size_t mask_;
  alignas(kCacheLine) std::atomic<std::size_t> head_{0};
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
};

}  // namespace sluice
