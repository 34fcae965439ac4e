#include "backend-agent/app/sessions.hpp"

#include <gtest/gtest.h>

namespace sluice::agent {
namespace {

/// Answers when the test says so.
class SlowAuthenticator final : public Authenticator {
 public:
  void authenticate(AuthAttempt attempt, Done done) override {
    attempts.push_back(std::move(attempt));
    waiting.push_back(std::move(done));
  }
  void answer(std::size_t which, bool accepted, std::optional<IpAddress> address = std::nullopt) {
    AuthDecision decision;
    decision.verdict.accepted = accepted;
    decision.verdict.cause = accepted ? "" : "wrong-password";
    decision.address = address;
    waiting.at(which)(std::move(decision));
  }
  std::vector<AuthAttempt> attempts;
  std::vector<Done> waiting;
};

struct World {
  World() {
    const Endpoint client = *Endpoint::parse("203.0.113.9:4500");
    tunnel.key = {ChannelId(1), RelayId(2)};
    tunnel.client = client;
  }
  void ask(std::uint64_t serial, std::string user) {
    AuthAsked asked;
    asked.session = SessionSerial(serial);
    asked.tunnel = tunnel;
    asked.request.user = std::move(user);
    sessions.on_auth(std::move(asked));
  }
  void end(std::uint64_t serial, std::string cause = "user-request") {
    SessionGone gone;
    gone.session = SessionSerial(serial);
    gone.tunnel = tunnel.key;
    gone.cause = std::move(cause);
    gone.was_up = true;
    sessions.on_gone(gone);
  }
  const AuthDecided& decided(std::size_t which) const { return std::get<AuthDecided>(posted.at(which)); }

  TunnelSpec tunnel;
  SlowAuthenticator authenticator;
  AddressPool pool{{*parse_range("10.99.0.2-10.99.0.3")}, {}, std::chrono::seconds(30)};
  Instant now{std::chrono::hours(1)};
  std::vector<Command> posted;
  std::vector<channel::SessionUp> ups;
  std::vector<channel::SessionDown> downs;
  std::vector<std::pair<std::string, bool>> fixed;
  Sessions sessions{SessionsContext{
      .authenticator = authenticator,
      .pool = pool,
      .common = {IpAddress::v4(0x0a630001), {}, {}, {}},
      .now = [this] { return now; },
      .unix_seconds = [] { return std::int64_t{1700000000}; },
      .post = [this](Command command) { posted.push_back(std::move(command)); },
      .session_up = [this](ChannelId, const channel::SessionUp& up) { ups.push_back(up); },
      .session_down = [this](ChannelId, const channel::SessionDown& down) { downs.push_back(down); },
      .fixed_address = [this](const IpAddress& a,
                              bool in_use) { fixed.emplace_back(a.to_string(), in_use); }}};
};

TEST(Sessions, AcceptedClientGetsAnAddressThatComesBackAtTheEnd) {
  World world;
  world.ask(1, "alice");
  EXPECT_EQ(world.authenticator.attempts.at(0).client, world.tunnel.client);
  EXPECT_TRUE(world.posted.empty());
  world.authenticator.answer(0, true);
  ASSERT_TRUE(world.decided(0).addresses);
  EXPECT_EQ(world.decided(0).addresses->local.to_string(), "10.99.0.1");
  EXPECT_EQ(world.pool.used(), 1U);
  world.end(1);
  EXPECT_EQ(world.pool.used(), 0U);
  ASSERT_EQ(world.downs.size(), 1U);
  EXPECT_EQ(world.downs[0].cause, "user-request");
}

TEST(Sessions, RefusedClientGetsNone) {
  World world;
  world.ask(1, "alice");
  world.authenticator.answer(0, false);
  EXPECT_FALSE(world.decided(0).verdict.accepted);
  EXPECT_FALSE(world.decided(0).addresses);
  EXPECT_EQ(world.pool.used(), 0U);
}

TEST(Sessions, ExhaustedPoolIsARefusalWithItsOwnCause) {
  World world;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    world.ask(i, "user" + std::to_string(i));
    world.authenticator.answer(i - 1, true);
  }
  EXPECT_TRUE(world.decided(1).verdict.accepted);
  EXPECT_FALSE(world.decided(2).verdict.accepted);
  EXPECT_EQ(world.decided(2).verdict.cause, "no-address");
  EXPECT_EQ(world.decided(2).verdict.error, 649U);
}

TEST(Sessions, VerdictForASessionThatIsGoneTakesNoAddress) {
  World world;
  world.ask(1, "alice");
  world.end(1);
  world.authenticator.answer(0, true);
  EXPECT_TRUE(world.posted.empty());
  EXPECT_EQ(world.pool.used(), 0U);
}

TEST(Sessions, UserWithAFixedAddressTakesItOverFromItsOldSession) {
  World world;
  const IpAddress own = *IpAddress::parse("10.200.0.5");
  world.ask(1, "bob");
  world.authenticator.answer(0, true, own);
  world.ask(2, "bob");
  world.authenticator.answer(1, true, own);
  ASSERT_EQ(world.posted.size(), 3U);
  EXPECT_EQ(std::get<EndSession>(world.posted[1]).session, SessionSerial(1));
  EXPECT_EQ(world.decided(2).addresses->remote, own);
  world.end(1, "replaced");
  EXPECT_EQ(world.fixed.back(), (std::pair<std::string, bool>{"10.200.0.5", true}));  // the new one keeps it
  world.end(2);
  EXPECT_EQ(world.fixed.back(), (std::pair<std::string, bool>{"10.200.0.5", false}));
  EXPECT_EQ(world.pool.used(), 0U);
}

TEST(Sessions, SessionUpIsToldToItsEdge) {
  World world;
  SessionOpened opened;
  opened.tunnel = world.tunnel.key;
  opened.id = SessionId(9);
  opened.user = "alice";
  opened.method = ppp::AuthMethod::kMsChapV2;
  opened.addresses.remote = *IpAddress::parse("10.99.0.2");
  world.sessions.on_opened(opened);
  ASSERT_EQ(world.ups.size(), 1U);
  EXPECT_EQ(world.ups[0].relay, RelayId(2));
  EXPECT_EQ(world.ups[0].auth_method, "mschapv2");
  EXPECT_EQ(world.ups[0].started_at, 1700000000U);
}

}  // namespace
}  // namespace sluice::agent
