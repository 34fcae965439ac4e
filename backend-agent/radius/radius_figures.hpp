#pragma once
// How requests to RADIUS end, and how long they take. Thread: control.

#include "backend-agent/radius/core/client.hpp"
#include "base/counters.hpp"
#include "base/metrics/histogram.hpp"

namespace sluice::agent {

enum class RadiusOutcome : std::uint8_t {
  kAccept,
  kReject,
  kChallenge,
  kAccounted,
  kTimeout,   ///< no server gave an answer to be trusted
  kTooLong,   ///< never sent: it does not fit a packet
  kOverload,  ///< never sent: too many wait
  kCount
};
constexpr std::string_view to_string(RadiusOutcome outcome) {
  switch (outcome) {
    case RadiusOutcome::kAccept:
      return "accept";
    case RadiusOutcome::kReject:
      return "reject";
    case RadiusOutcome::kChallenge:
      return "challenge";
    case RadiusOutcome::kAccounted:
      return "accounted";
    case RadiusOutcome::kTimeout:
      return "timeout";
    case RadiusOutcome::kTooLong:
      return "too-long";
    case RadiusOutcome::kOverload:
      return "overload";
    case RadiusOutcome::kCount:
      break;
  }
  return "?";
}

struct RadiusFigures {
  CounterArray<RadiusOutcome> outcomes;
  metrics::Histogram seconds;  ///< of those that were answered

  void answered(radius::Code code, Duration took) {
    seconds.observe(took);
    outcomes.add(outcome_of(code));
  }
  void unanswered(radius::Unanswered why) {
    switch (why) {
      case radius::Unanswered::kTimeout:
        return outcomes.add(RadiusOutcome::kTimeout);
      case radius::Unanswered::kTooLong:
        return outcomes.add(RadiusOutcome::kTooLong);
      case radius::Unanswered::kOverload:
        return outcomes.add(RadiusOutcome::kOverload);
    }
  }

 private:
  /// The client hands out answers of these codes only.
  static RadiusOutcome outcome_of(radius::Code code) {
    if (code == radius::Code::kAccessAccept) return RadiusOutcome::kAccept;
    if (code == radius::Code::kAccessReject) return RadiusOutcome::kReject;
    return code == radius::Code::kAccessChallenge ? RadiusOutcome::kChallenge : RadiusOutcome::kAccounted;
  }
};

}  // namespace sluice::agent
