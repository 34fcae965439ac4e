#pragma once
// A hash table from a 32-bit number to a pointer, for lookups on the packet path: open addressing, linear
// probing, one cache line for a hit. Not thread safe. Grows on insertion, never on the packet path.

#include <bit>
#include <cstdint>
#include <vector>

namespace sluice::edge {

template <class T>
class FlatTable {
 public:
  explicit FlatTable(std::size_t capacity = 64) : slots_(std::bit_ceil(capacity)) {}

  T* find(std::uint32_t key) const {
    for (std::size_t at = home(key);; at = next(at)) {
      const Slot& slot = slots_[at];
      if (slot.value == nullptr) return nullptr;
      if (slot.key == key) return slot.value;
    }
  }
  void prefetch(std::uint32_t key) const { __builtin_prefetch(&slots_[home(key)]); }

  /// `value` is not null. Replaces what was there.
  void insert(std::uint32_t key, T* value) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    std::size_t at = home(key);
    while (slots_[at].value != nullptr && slots_[at].key != key) at = next(at);
    if (slots_[at].value == nullptr) ++size_;
    slots_[at] = {key, value};
  }
  bool erase(std::uint32_t key) {
    std::size_t at = home(key);
    while (slots_[at].value != nullptr && slots_[at].key != key) at = next(at);
    if (slots_[at].value == nullptr) return false;
    --size_;
    // Closes the gap, so that no probe sequence is cut (no tombstones to clean up later).
    for (std::size_t follow = next(at); slots_[follow].value != nullptr; follow = next(follow)) {
      const std::size_t wanted = home(slots_[follow].key);
      const bool reachable = ((follow - wanted) & mask()) >= ((follow - at) & mask());
      if (!reachable) continue;
      slots_[at] = slots_[follow];
      at = follow;
    }
    slots_[at] = {};
    return true;
  }
  std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint32_t key = 0;
    T* value = nullptr;
  };
  std::size_t mask() const { return slots_.size() - 1; }
  std::size_t next(std::size_t at) const { return (at + 1) & mask(); }
  // SPIs are random but for their low bits, relay ids count up: one multiplication spreads both.
  std::size_t home(std::uint32_t key) const {
    return static_cast<std::size_t>((std::uint64_t{key} * 0x9e3779b97f4a7c15ULL) >> 32) & mask();
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.value != nullptr) insert(slot.key, slot.value);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace sluice::edge
