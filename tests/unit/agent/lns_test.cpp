// Logins and ends of sessions as the Lns sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/lns_world.hpp"

namespace sluice::agent {
namespace {

using test::Dialler;
using test::kInside;
using test::LnsWorld;
using test::spec;

TEST(Lns, ClientDialsInAndTrafficFlowsBothWays) {
  LnsWorld world;
  Dialler& client = world.dial(1);
  world.settle();
  ASSERT_EQ(world.opened.size(), 1U);
  EXPECT_EQ(world.opened[0].user, "alice");
  EXPECT_EQ(world.opened[0].client.to_string(), "203.0.113.9:4500");
  ASSERT_TRUE(client.up);
  const IpAddress mine = client.up->addresses.local;

  const auto up = test::ipv4(mine, kInside);
  world.deliver(client.key, client.ip(up));
  ASSERT_EQ(world.tun.size(), 1U);
  EXPECT_EQ(world.tun[0], up);

  const auto down = test::ipv4(kInside, mine, 200);
  const auto packet = world.from_inside(down);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->key, client.key);
  EXPECT_EQ(packet->edge_worker, 3U);
  EXPECT_EQ(client.take(packet->l2tp, world.now), down);
}

TEST(Lns, WrongPasswordIsToldByPppAndL2tpAndTheTunnelGoes) {
  LnsWorld world;
  Dialler& client = world.dial(1, "alice", "wrong");
  world.settle();
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "wrong-password");
  EXPECT_EQ(world.gone[0].user, "alice");
  EXPECT_FALSE(world.gone[0].was_up);
  EXPECT_TRUE(world.opened.empty());
  ASSERT_TRUE(client.down);
  EXPECT_EQ(client.down->cause, "authentication-failed");
  EXPECT_THAT(client.cdn, testing::HasSubstr("peer"));
  world.run(std::chrono::minutes(3));
  EXPECT_TRUE(world.lns->empty());
  EXPECT_EQ(world.tunnels_gone.size(), 1U);
  EXPECT_FALSE(client.stop.empty());
}

TEST(Lns, AuthenticatorThatNeverAnswersEndsTheSession) {
  LnsWorld world;
  world.silent = true;
  world.dial(1);
  world.run(std::chrono::minutes(2));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "authentication-timeout");
}

TEST(Lns, LateVerdictOfASessionThatIsGoneIsPassedOver) {
  LnsWorld world;
  world.silent = true;
  world.dial(1);
  world.settle();
  world.lns->close_tunnel(spec(1).key, "peer gone");
  AuthDecided decided;
  decided.session = SessionSerial(1);
  decided.attempt = ppp::AttemptId(1);
  decided.verdict.accepted = true;
  decided.addresses = ppp::test::addresses();
  world.lns->decide(decided, world.now);
  world.settle();
  EXPECT_EQ(world.gone.size(), 1U);
  EXPECT_TRUE(world.opened.empty());
}

TEST(Lns, VerdictOnAnAttemptThatIsNotPendingBringsNothing) {
  LnsWorld world;
  world.silent = true;
  world.dial(1);
  world.settle();
  AuthDecided decided;
  decided.session = SessionSerial(1);
  decided.verdict.accepted = true;
  decided.addresses = ppp::test::addresses();
  for (const std::uint32_t attempt : {0, 2}) {
    decided.attempt = ppp::AttemptId(attempt);
    world.lns->decide(decided, world.now);
    world.settle();
    EXPECT_TRUE(world.opened.empty());
  }
  ppp::Credential credential;
  credential.password = Secret(world.password);
  decided.verdict = ppp::verify(world.unanswered, credential);
  decided.attempt = world.unanswered.attempt;
  decided.addresses->remote = IpAddress::v4(0x0a63004d);
  world.lns->decide(decided, world.now);
  world.settle();
  ASSERT_EQ(world.opened.size(), 1U);
  EXPECT_EQ(world.opened[0].addresses.remote.to_string(), "10.99.0.77");
}

TEST(Lns, AcceptedClientWithoutAddressIsEndedWithACause) {
  LnsWorld world;
  world.silent = true;
  world.dial(1);
  world.settle();
  AuthDecided decided;
  decided.session = SessionSerial(1);
  decided.attempt = ppp::AttemptId(1);
  decided.verdict.accepted = true;
  decided.verdict.message = "S=";
  world.lns->decide(decided, world.now);
  world.run(std::chrono::seconds(30));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_TRUE(world.opened.empty());
}

TEST(Lns, ClientsStopCcnEndsSessionAndTunnel) {
  LnsWorld world;
  Dialler& client = world.dial(1);
  world.settle();
  client.l2tp.close_tunnel(l2tp::StopResult::kGeneral, "", world.now);
  world.run(std::chrono::minutes(2));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_TRUE(world.gone[0].was_up);
  EXPECT_EQ(world.gone[0].cause, "user-request");
  ASSERT_EQ(world.tunnels_gone.size(), 1U);
  EXPECT_TRUE(world.tunnels_gone[0].by_client);
  EXPECT_EQ(world.lns->sessions_up(), 0U);
}

TEST(Lns, CloseAllSaysFarewellToEveryClient) {
  LnsWorld world;
  for (std::uint32_t relay = 1; relay <= 3; ++relay) world.dial(relay);
  world.settle();
  world.lns->close_all("the server is stopping", world.now);
  world.run(std::chrono::minutes(2));
  EXPECT_TRUE(world.lns->empty());
  for (const auto& client : world.clients) {
    EXPECT_THAT(client->stop, testing::HasSubstr("the server is stopping"));
    ASSERT_TRUE(client->down);
  }
  EXPECT_EQ(world.gone.size(), 3U);
}

TEST(Lns, EmptyTunnelIsClosedAfterAWhile) {
  LnsWorld world;
  world.lns->open_tunnel(spec(1), world.now);
  world.run(std::chrono::minutes(3));
  EXPECT_TRUE(world.lns->empty());
}

}  // namespace
}  // namespace sluice::agent
