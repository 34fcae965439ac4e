#pragma once
// How many lines of one kind are written: a token bucket for each message id, so that nobody who makes the
// daemon say the same thing again and again fills a disk or hides what else is said. Time is handed in.

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"

namespace sluice::app {

/// Not for several threads at once.
class LogLimit {
 public:
  struct LeftOut {
    std::string_view message;
    std::uint64_t count = 0;
  };

  /// Lines a second in the long run, and at once. A rate of 0: no limit.
  void set(std::uint32_t rate, std::uint32_t burst);
  /// Whether a line of that id is written; else it is counted. `message` lives as long as this does.
  bool admit(std::string_view message, Instant now, double cost = 1);
  /// What was left out, at the earliest kTellAfter after the first of it, and then counts anew.
  std::vector<LeftOut> take_left_out(Instant now);

  static constexpr double kDebugCost = 1.0 / 50;
  static constexpr Duration kTellAfter = std::chrono::seconds(10);

 private:
  struct Bucket {
    double tokens = 0;
    Instant filled;
    std::uint64_t left_out = 0;
    Instant first_left_out;
  };

  std::unordered_map<std::string_view, Bucket> buckets_;
  double rate_ = 0;
  double burst_ = 0;
};

}  // namespace sluice::app
