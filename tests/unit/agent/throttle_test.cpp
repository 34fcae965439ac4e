#include "backend-agent/radius/throttle.hpp"

#include <gtest/gtest.h>

#include "backend-agent/radius/login_gate.hpp"

namespace sluice::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

LoginNames who(std::string user, std::string source = "192.0.2.1", std::string identity = "id") {
  AuthAttempt attempt;
  attempt.request.user = std::move(user);
  attempt.caller.client.address = *IpAddress::parse(source);
  attempt.caller.identity = std::move(identity);
  return login_names(attempt);
}
ThrottleSettings only(ThrottleKey key, std::uint32_t free) {
  ThrottleSettings out;
  out.free_failures = {0, 0, 0};
  out.free_failures[static_cast<std::size_t>(key)] = free;
  return out;
}

TEST(LoginThrottle, DelayDoublesUpToItsLimit) {
  LoginThrottle throttle(only(ThrottleKey::kUser, 3));
  Instant now = kStart;
  for (int i = 0; i < 2; ++i) throttle.failed(who("alice"), now);
  EXPECT_FALSE(throttle.check(who("alice"), now));
  for (const int delay : {2, 4, 8, 16, 32, 64, 128, 256, 300, 300}) {
    throttle.failed(who("alice"), now);
    ASSERT_TRUE(throttle.check(who("alice"), now));
    EXPECT_EQ(throttle.check(who("alice"), now)->wait, seconds(delay));
    now += seconds(delay);
    EXPECT_FALSE(throttle.check(who("alice"), now));
  }
}

TEST(LoginThrottle, OthersAreNotSlowedDown) {
  LoginThrottle throttle(only(ThrottleKey::kUser, 1));
  throttle.failed(who("alice"), kStart);
  EXPECT_TRUE(throttle.check(who("alice", "192.0.2.9"), kStart));
  EXPECT_FALSE(throttle.check(who("bob"), kStart));
}

TEST(LoginThrottle, SourceAndPeerCountAcrossUsers) {
  for (const auto key : {ThrottleKey::kSource, ThrottleKey::kPeer}) {
    LoginThrottle throttle(only(key, 2));
    throttle.failed(who("alice"), kStart);
    throttle.failed(who("bob"), kStart);
    ASSERT_TRUE(throttle.check(who("carol"), kStart));
    EXPECT_EQ(throttle.check(who("carol"), kStart)->key, key);
    EXPECT_FALSE(throttle.check(who("carol", "192.0.2.2"), kStart));
    EXPECT_EQ(throttle.check(who("carol", "192.0.2.1", "other"), kStart).has_value(),
              key == ThrottleKey::kSource);
  }
}

TEST(LoginThrottle, SuccessForgivesUserAndPeerButNotTheSource) {
  ThrottleSettings settings;
  settings.free_failures = {1, 1, 1};
  LoginThrottle throttle(settings);
  throttle.failed(who("alice"), kStart);
  throttle.succeeded(who("alice"));
  EXPECT_EQ(throttle.entries(ThrottleKey::kUser), 0U);
  EXPECT_EQ(throttle.entries(ThrottleKey::kPeer), 0U);
  EXPECT_EQ(throttle.check(who("alice"), kStart)->key, ThrottleKey::kSource);
}

TEST(LoginThrottle, OneRouterThatRedialsForADayLeavesItsNeighboursAlone) {
  LoginThrottle throttle(ThrottleSettings{});
  Instant now = kStart;
  std::size_t judged = 0;
  for (; now < kStart + std::chrono::hours(24); now += seconds(10)) {
    EXPECT_FALSE(throttle.check(who("neighbour", "192.0.2.1", "other"), now));
    if (throttle.check(who("router"), now)) continue;
    throttle.failed(who("router"), now);
    ++judged;
  }
  EXPECT_GT(judged, 250U);  // more than the source's share by far
  EXPECT_LT(judged, 330U);  // about one in five minutes
}

TEST(LoginThrottle, SourceForgetsByHalves) {
  LoginThrottle throttle(only(ThrottleKey::kSource, 4));
  for (int i = 0; i < 6; ++i) throttle.failed(who("user" + std::to_string(i)), kStart);
  throttle.failed(who("late"), kStart + minutes(14));  // seven, then three and one more
  EXPECT_TRUE(throttle.check(who("carol"), kStart + minutes(14)));
  throttle.failed(who("later"), kStart + minutes(15));
  EXPECT_EQ(throttle.check(who("carol"), kStart + minutes(15))->wait, seconds(2));
}

TEST(LoginThrottle, SuccessTakesOneOffTheSource) {
  LoginThrottle throttle(only(ThrottleKey::kSource, 2));
  throttle.failed(who("alice"), kStart);
  throttle.succeeded(who("bob"));
  throttle.failed(who("carol"), kStart);
  EXPECT_FALSE(throttle.check(who("dave"), kStart));
  throttle.failed(who("carol"), kStart);
  EXPECT_TRUE(throttle.check(who("dave"), kStart));
}

TEST(LoginThrottle, FailuresAreForgottenInTime) {
  LoginThrottle throttle(only(ThrottleKey::kUser, 2));
  throttle.failed(who("alice"), kStart);
  throttle.failed(who("alice"), kStart + minutes(15));
  EXPECT_FALSE(throttle.check(who("alice"), kStart + minutes(15)));
}

TEST(LoginThrottle, TablesAreBounded) {
  auto settings = only(ThrottleKey::kUser, 1);
  settings.max_entries = 100;
  LoginThrottle throttle(settings);
  for (int i = 0; i < 1000; ++i) throttle.failed(who("user" + std::to_string(i)), kStart);
  EXPECT_EQ(throttle.entries(ThrottleKey::kUser), 100U);
  EXPECT_TRUE(throttle.check(who("user999"), kStart));
  EXPECT_FALSE(throttle.check(who("user1"), kStart));
}

TEST(LoginThrottle, OneLineForEachTimeSomebodyIsSlowedDown) {
  LoginThrottle throttle(only(ThrottleKey::kUser, 1));
  throttle.failed(who("alice"), kStart);
  EXPECT_TRUE(throttle.check(who("alice"), kStart)->first);
  EXPECT_FALSE(throttle.check(who("alice"), kStart)->first);
  EXPECT_EQ(throttle.refused().read(ThrottleKey::kUser), 2U);
}

/// Accepts everybody, and remembers whom.
class Lenient final : public Authenticator {
 public:
  void authenticate(AuthAttempt attempt, Done done) override {
    asked.push_back(attempt.request.user);
    AuthDecision decision;
    decision.verdict.accepted = cause.empty();
    decision.verdict.cause = cause;
    done(std::move(decision));
  }
  void forget(SessionSerial) override {}
  std::vector<std::string> asked;
  std::string cause;
};

struct Gate {
  std::string ask(std::string user, ppp::AuthMethod method = ppp::AuthMethod::kPap,
                  std::uint64_t session = 1) {
    AuthAttempt attempt;
    attempt.caller.session = SessionSerial(session);
    attempt.request.user = std::move(user);
    attempt.request.method = method;
    attempt.request.password = Secret(std::string_view("x"));
    std::string out = "none";
    gate.authenticate(std::move(attempt),
                      [&](const AuthDecision& d) { out = d.verdict.accepted ? "in" : d.verdict.cause; });
    return out;
  }
  UsersFile users{
      parse_users("[alice]\npassword = \"x\"\n[bob]\npassword = \"y\"\n", "u").value().empty()
          ? Users{}
          : std::move(parse_users("[alice]\npassword = \"x\"\n[bob]\npassword = \"y\"\n", "u")).value()};
  Lenient radius;
  Instant now = kStart;
  LoginGate gate{&users, &radius, only(ThrottleKey::kUser, 1), [this] { return now; }};
};

TEST(LoginGate, UsersOfTheFileAreJudgedThereAndOthersByRadius) {
  Gate gate;
  EXPECT_EQ(gate.ask("alice"), "in");
  EXPECT_EQ(gate.ask("bob"), "wrong-password");
  EXPECT_TRUE(gate.radius.asked.empty());
  EXPECT_EQ(gate.ask("carol"), "in");
  EXPECT_EQ(gate.ask("alice", ppp::AuthMethod::kEap), "in");
  EXPECT_EQ(gate.radius.asked, (std::vector<std::string>{"carol", "alice"}));
}

TEST(LoginGate, WhoIsSlowedDownIsNotJudged) {
  Gate gate;
  EXPECT_EQ(gate.ask("bob"), "wrong-password");
  EXPECT_EQ(gate.ask("bob"), "throttled");
  gate.now += seconds(2);
  EXPECT_EQ(gate.ask("bob"), "wrong-password");
}

TEST(LoginGate, WhoIsInAlreadyIsNotHeldUpByWhatOthersTry) {
  Gate gate;
  EXPECT_EQ(gate.ask("carol", ppp::AuthMethod::kPap, 1), "in");
  gate.radius.cause = "authentication-failed";
  EXPECT_EQ(gate.ask("carol", ppp::AuthMethod::kPap, 2), "authentication-failed");
  gate.radius.cause.clear();
  EXPECT_EQ(gate.ask("carol", ppp::AuthMethod::kPap, 2), "throttled");
  EXPECT_EQ(gate.ask("carol", ppp::AuthMethod::kPap, 1), "in") << "the session is hers";
  EXPECT_EQ(gate.ask("bob", ppp::AuthMethod::kPap, 1), "wrong-password");
  EXPECT_EQ(gate.ask("bob", ppp::AuthMethod::kPap, 1), "throttled") << "and nobody else's";
}

TEST(LoginGate, NameOutsideAnEapDialogueSlowsNobodyDown) {
  Gate gate;
  gate.radius.cause = "authentication-failed";
  EXPECT_EQ(gate.ask("anonymous", ppp::AuthMethod::kEap), "authentication-failed");
  EXPECT_EQ(gate.ask("anonymous", ppp::AuthMethod::kEap), "authentication-failed");
  EXPECT_EQ(gate.gate.throttle().entries(ThrottleKey::kUser), 0U);
  EXPECT_EQ(gate.ask("carol"), "authentication-failed");
  EXPECT_EQ(gate.ask("carol"), "throttled");
}

TEST(LoginGate, SilentServersAreNobodysFault) {
  Gate gate;
  gate.radius.cause = "radius-timeout";
  EXPECT_EQ(gate.ask("carol"), "radius-timeout");
  EXPECT_EQ(gate.ask("carol"), "radius-timeout");
  EXPECT_EQ(gate.gate.throttle().entries(ThrottleKey::kUser), 0U);
}

}  // namespace
}  // namespace sluice::agent
