#pragma once
// Turns charon's alerts into what an operator reads: one line for each failure, however often the peer
// repeats itself. No I/O; thread: control.

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/time.hpp"
#include "edge/ike/feed_codec.hpp"
#include "edge/ike/provider.hpp"

namespace sluice::edge {

class FailureBook {
 public:
  /// Lines in a burst, and how long until one more is allowed: handshakes cost an attacker nothing.
  static constexpr unsigned kBurst = 100;
  static constexpr Duration kRefill = std::chrono::milliseconds(100);

  /// Nothing if this failure was told already, or too many were told just now.
  std::optional<IkeFailure> on_alert(const feed::Alert& alert, Instant now);
  /// charon started anew and counts its IKE SAs from one again.
  void clear();
  /// Failures kept back since the last one that was told.
  std::uint64_t suppressed() const { return suppressed_; }

 private:
  using Key = std::pair<std::uint32_t, int>;  // IKE SA, and cause where it was established
  bool first_time(const feed::Alert& alert);
  bool take_token(Instant now);

  std::set<Key> told_;
  std::deque<Key> order_;
  unsigned tokens_ = kBurst;
  Instant refilled_{};
  std::uint64_t suppressed_ = 0;
};

}  // namespace sluice::edge
