#pragma once
// The judge that sessions ask: slows down whoever guesses, then asks the users file for those it names and
// RADIUS for everybody else. Thread: control.

#include <functional>
#include <string>
#include <unordered_map>

#include "backend-agent/radius/throttle.hpp"
#include "backend-agent/radius/users_file.hpp"

namespace sluice::agent {

class LoginGate final : public Authenticator {
 public:
  /// `users` and `radius` outlive it; either may be null, not both.
  LoginGate(UsersFile* users, Authenticator* radius, ThrottleSettings throttle, std::function<Instant()> now)
      : users_(users), radius_(radius), throttle_(throttle), now_(std::move(now)) {}

  void authenticate(AuthAttempt attempt, Done done) override;
  void forget(SessionSerial session) override;
  /// From the next login on; as in the constructor.
  void set(Authenticator* radius, ThrottleSettings throttle) {
    radius_ = radius;
    throttle_.set(throttle);
  }
  const LoginThrottle& throttle() const { return throttle_; }

 private:
  Authenticator& judge_of(const AuthAttempt& attempt);

  UsersFile* users_;
  Authenticator* radius_;
  LoginThrottle throttle_;
  std::function<Instant()> now_;
  std::unordered_map<SessionSerial, std::string> proven_;  // whom each session has shown to be
};

}  // namespace sluice::agent
