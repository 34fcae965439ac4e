#pragma once
// The largest datagram that gets through a data path whole, found by probes (in the manner of RFC 8899):
// hellos padded to a size, sent so that nobody fragments them, whose numbers the peer says back. Sizes are
// those of IP packets. No I/O, no clock; one thread.

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace sluice::channel {

class PathMtu {
 public:
  /// What is tried, largest first. What a path that passes not even the last does is not looked for.
  static constexpr std::array<std::uint16_t, 7> kSizes{1500, 1480, 1450, 1420, 1380, 1330, 1280};
  /// Between two tries of one size, and how many there are: other reasons for loss are to be ruled out.
  static constexpr Duration kRetry = std::chrono::milliseconds(600);
  static constexpr int kTries = 3;
  /// How often it is shown that the known size still holds, and how often the largest is tried again.
  static constexpr Duration kConfirm = std::chrono::seconds(10), kRaise = std::chrono::seconds(600);

  explicit PathMtu(Instant now) : next_(now), raise_at_(now + kRaise) {}

  struct Probe {
    std::uint32_t number = 0;  ///< never 0
    std::uint16_t size = 0;
  };
  /// A probe to send now. Not to be asked while UDP does not work at all: pause() then.
  std::optional<Probe> poll(Instant now);
  void pause() { tries_ = 0; }
  /// The last of our probes that the peer has seen. True: size() changed.
  bool on_seen(std::uint32_t number, Instant now);

  /// The largest that is known to get through; before anything is known the largest of all.
  std::uint16_t size() const { return known_; }

 private:
  std::uint16_t known_ = kSizes[0];
  std::size_t trying_ = 0;    ///< index of the size that is tried
  int tries_ = 0;             ///< of it, not answered
  std::uint32_t number_ = 0;  ///< of the last probe; answered or given up: seen_
  std::uint32_t seen_ = 0;
  Instant next_, raise_at_;
};

}  // namespace sluice::channel
