#include "backend-agent/radius/login_gate.hpp"

#include <algorithm>
#include <array>

#include "base/app/log.hpp"

namespace sluice::agent {
namespace {

using app::LogField;

/// Refusals that say nothing of whether somebody guesses: they do not count.
constexpr std::array<std::string_view, 4> kNotTheirFault{"radius-timeout", "radius-bad-reply", "busy",
                                                         "no-plain-password"};

}  // namespace

/// EAP passed through is for RADIUS alone: nobody here speaks its methods.
Authenticator& LoginGate::judge_of(const AuthAttempt& attempt) {
  if (radius_ == nullptr) return *users_;
  if (users_ == nullptr || attempt.request.method == ppp::AuthMethod::kEap) return *radius_;
  return users_->knows(attempt.request.user) ? static_cast<Authenticator&>(*users_) : *radius_;
}

void LoginGate::authenticate(AuthAttempt attempt, Done done) {
  const LoginNames who = login_names(attempt);
  const SessionSerial session = attempt.caller.session;
  // Who is in already and shows it again is not held up by what others try in that name.
  const auto known = proven_.find(session);
  const bool again = known != proven_.end() && known->second == attempt.request.user;
  if (const auto blocked = again ? std::nullopt : throttle_.check(who, now_())) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(blocked->wait).count();
    if (blocked->first) {
      app::log_warning("session.throttled", "logins slowed down",
                       {LogField("by", to_string(blocked->key)), LogField("user", attempt.request.user),
                        LogField("client", attempt.caller.client.address.to_string()),
                        LogField("seconds", seconds), LogField("text", "too many failures")});
    }
    return done(refused("throttled",
                        "too many failed logins of this " + std::string(to_string(blocked->key)) +
                            "; again in " + std::to_string(seconds) + " s",
                        "Too many failed logins, try again later"));
  }
  auto after = [this, who, session, user = attempt.request.user,
                finish = std::move(done)](AuthDecision decision) {
    const auto& verdict = decision.verdict;
    const bool counts =
        std::find(kNotTheirFault.begin(), kNotTheirFault.end(), verdict.cause) == kNotTheirFault.end();
    if (verdict.accepted) {
      throttle_.succeeded(who);
      proven_[session] = user;
    } else if (!verdict.more && counts) {
      throttle_.failed(who, now_());
    }
    finish(std::move(decision));
  };
  judge_of(attempt).authenticate(std::move(attempt), std::move(after));
}

void LoginGate::forget(SessionSerial session) {
  proven_.erase(session);
  if (users_ != nullptr) users_->forget(session);
  if (radius_ != nullptr) radius_->forget(session);
}

}  // namespace sluice::agent
