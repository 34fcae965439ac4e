#pragma once
// Counts what another judge says, and how long it takes. Thread: control.

#include <array>
#include <functional>

#include "backend-agent/radius/authenticator.hpp"
#include "base/metrics/cause_counts.hpp"
#include "base/metrics/histogram.hpp"
#include "base/time.hpp"

namespace sluice::agent {

class CountedAuthenticator final : public Authenticator {
 public:
  /// `judge` outlives it, and it outlives the answers.
  CountedAuthenticator(Authenticator& judge, std::function<Instant()> now)
      : judge_(judge), now_(std::move(now)) {}

  void authenticate(AuthAttempt attempt, Done done) override {
    judge_.authenticate(std::move(attempt),
                        [this, begun = now_(), then = std::move(done)](AuthDecision decision) {
                          count(decision, now_() - begun);
                          then(std::move(decision));
                        });
  }
  void forget(SessionSerial session) override { judge_.forget(session); }

  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t challenged() const { return challenged_; }
  const metrics::CauseCounts& causes() const { return causes_; }
  const metrics::Histogram& seconds() const { return seconds_; }

 private:
  void count(const AuthDecision& decision, Duration took) {
    seconds_.observe(took);
    if (decision.verdict.more) return void(++challenged_);
    if (decision.verdict.accepted) return void(++accepted_);
    ++refused_;
    causes_.add(decision.verdict.cause);
  }

  Authenticator& judge_;
  std::function<Instant()> now_;
  std::uint64_t accepted_ = 0, refused_ = 0, challenged_ = 0;
  metrics::CauseCounts causes_;
  metrics::Histogram seconds_;
};

}  // namespace sluice::agent
