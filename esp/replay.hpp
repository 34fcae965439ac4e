#pragma once
// Anti-replay window and sequence number recovery (RFC 4303 §3.4.3, appendix A).

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>

namespace sluice::esp {

enum class ReplayVerdict : std::uint8_t { kFresh, kSeen, kBehind };

/// Leave to commit one sequence number, given by ReplayWindow::check and by nobody else.
class ReplayTicket {
 public:
  ReplayTicket() = default;
  explicit operator bool() const { return verdict_ == ReplayVerdict::kFresh; }
  ReplayVerdict verdict() const { return verdict_; }
  std::uint64_t sequence() const { return sequence_; }

 private:
  friend class ReplayWindow;
  ReplayTicket(std::uint64_t sequence, ReplayVerdict verdict) : sequence_(sequence), verdict_(verdict) {}
  std::uint64_t sequence_ = 0;
  ReplayVerdict verdict_ = ReplayVerdict::kBehind;
};

/// Which of the last `size` sequence numbers were seen. Two steps: check() before the packet is authenticated
/// changes nothing; commit() after it was. The size is rounded up to a power of two between 64 and 4096; up
/// to 1024 it lies within the object, so that an SA's state is one piece of memory. Not thread safe.
class ReplayWindow {
 public:
  static constexpr std::uint32_t kMinSize = 64, kDefaultSize = 1024, kMaxSize = 4096;

  /// Numbers up to `top` count as seen.
  explicit ReplayWindow(std::uint32_t size = kDefaultSize, std::uint64_t top = 0)
      : top_(top), mask_(round(size) - 1) {
    if (mask_ >= kInlineSize) more_ = std::make_unique<std::uint64_t[]>((mask_ + 1) / 64);
    if (top > 0) std::fill_n(words(), this->size() / 64, ~std::uint64_t{0});
  }

  std::uint32_t size() const { return mask_ + 1; }
  /// The highest number committed; 0 before the first.
  std::uint64_t top() const { return top_; }

  ReplayTicket check(std::uint64_t sequence) const { return {sequence, verdict(sequence)}; }

  /// False if the number has been seen, or fallen behind, since its check: two copies of one packet in a
  /// burst.
  bool commit(const ReplayTicket& ticket) {
    assert(ticket);
    if (!ticket) return false;
    const std::uint64_t sequence = ticket.sequence();
    if (sequence > top_) {
      forget(top_ + 1, sequence);
      top_ = sequence;
    } else if (verdict(sequence) != ReplayVerdict::kFresh) {
      return false;
    }
    word(sequence) |= bit(sequence);
    return true;
  }

  /// The full number of a packet whose header carries only the low half (RFC 4303 appendix A2.2). Nothing
  /// where it would lie before the first cycle.
  std::optional<std::uint64_t> recover(std::uint32_t low) const {
    const auto top_low = static_cast<std::uint32_t>(top_);
    std::uint64_t high = top_ >> 32;
    const std::uint32_t bottom = top_low - mask_;  // modulo 2^32, as in the RFC
    if (top_low >= mask_) {
      if (low < bottom) ++high;  // case A: the window lies within one cycle
    } else if (low >= bottom) {  // case B: it spans two
      if (high == 0) return std::nullopt;
      --high;
    }
    if (high > UINT32_MAX) return std::nullopt;
    return (high << 32) | low;
  }

  /// Where the bit of a number lies in a window of the default size; found without reading the window, for
  /// prefetches.
  const void* place_of(std::uint32_t low) const { return &inline_[(low & (kInlineSize - 1)) / 64]; }

 private:
  static constexpr std::uint32_t kInlineSize = 1024;

  static std::uint32_t round(std::uint32_t size) {
    if (size <= kMinSize) return kMinSize;
    return size >= kMaxSize ? kMaxSize : std::bit_ceil(size);
  }
  static std::uint64_t bit(std::uint64_t sequence) { return std::uint64_t{1} << (sequence % 64); }
  std::uint64_t* words() { return more_ ? more_.get() : inline_.data(); }
  const std::uint64_t* words() const { return more_ ? more_.get() : inline_.data(); }
  std::uint64_t& word(std::uint64_t sequence) { return words()[(sequence & mask_) / 64]; }

  ReplayVerdict verdict(std::uint64_t sequence) const {
    if (sequence == 0) return ReplayVerdict::kBehind;  // RFC 4303 §3.3.3: the first packet carries 1
    if (sequence > top_) return ReplayVerdict::kFresh;
    if (top_ - sequence > mask_) return ReplayVerdict::kBehind;
    const bool seen = (words()[(sequence & mask_) / 64] & bit(sequence)) != 0;
    return seen ? ReplayVerdict::kSeen : ReplayVerdict::kFresh;
  }

  /// Clears the bits of first..last, which now enter the window in place of those that leave it.
  void forget(std::uint64_t first, std::uint64_t last) {
    if (last - first >= mask_) {
      std::fill_n(words(), size() / 64, std::uint64_t{0});
      return;
    }
    for (std::uint64_t at = first; at <= last && at != 0;) {
      const std::uint64_t in_word = at % 64;
      const std::uint64_t count = std::min<std::uint64_t>(64 - in_word, last - at + 1);
      const std::uint64_t ones = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
      word(at) &= ~(ones << in_word);
      at += count;
    }
  }

  std::uint64_t top_;
  std::unique_ptr<std::uint64_t[]> more_;
  std::uint32_t mask_;
  std::array<std::uint64_t, kInlineSize / 64> inline_{};
};

}  // namespace sluice::esp
