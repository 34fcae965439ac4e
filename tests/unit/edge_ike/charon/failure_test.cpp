#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "world.hpp"

namespace sluice::edge::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const auto kNat = Endpoint::parse("198.51.100.9:40000");

/// Dials, waits for the first failure, then for a while in case of more.
void fail_to_connect(World& world, Client& client) {
  world.start();
  client.dial();
  ASSERT_TRUE(world.wait([&] { return !world.events.failures.empty(); }));
  world.wait([&] { return client.outcome.has_value() || world.events.failures.size() > 1; }, 3s);
  EXPECT_NE(client.outcome, "");
  EXPECT_EQ(world.events.failures.size(), 1u) << world.events.failures.back().text;
  EXPECT_TRUE(world.events.up.empty());
  EXPECT_TRUE(world.plane.sas.empty());
}

TEST(Failure, WrongPskInMainModeIsOneLineAndTheClientIsTold) {
  World world;
  Client& client = world.add_client({.psk = "battery staple"}, kNat);
  fail_to_connect(world, client);
  const auto& failure = world.events.failures.at(0);
  EXPECT_EQ(failure.cause, "wrong_psk");
  EXPECT_THAT(failure.text, HasSubstr("789"));
  EXPECT_EQ(failure.remote.address, kNat->address);
  // The client is told, to the port it uses now, and in the clear because it has other keys (RFC 2409
  // section 5.7). strongSwan's own client sees that and waits on.
  const auto refusal =
      std::find_if(world.sent.begin(), world.sent.end(), [](const World::Datagram& datagram) {
        return datagram.remote == *Endpoint::parse("198.51.100.9:40001");
      });
  ASSERT_NE(refusal, world.sent.end());
  const Bytes header = refusal->bytes;
  ASSERT_EQ(header.size(), 56u);
  EXPECT_TRUE(equal(header.first(16), Bytes(world.sent.at(0).bytes).first(16))) << "not this IKE SA";
  EXPECT_EQ(header[18], 5) << "not an Informational exchange";
  EXPECT_EQ(header[19], 0) << "not in the clear";
  EXPECT_EQ(load_be32(&header[24]), header.size());
  EXPECT_EQ(load_be16(&header[38]), 24) << "not AUTHENTICATION_FAILED";
  EXPECT_FALSE(client.notified.empty() && client.alerts.empty());
}

TEST(Failure, WrongPskInIkev2NamesThePeerAndEndsTheClientsAttempt) {
  World world;
  Client& client =
      world.add_client({.psk = "battery staple", .version = 2, .ike_proposal = "aes256-sha256-ecp256"}, kNat);
  fail_to_connect(world, client);
  const auto& failure = world.events.failures.at(0);
  EXPECT_EQ(failure.cause, "wrong_psk");
  EXPECT_EQ(failure.identity, "192.168.7.2");
  EXPECT_TRUE(client.outcome.has_value()) << "the client hangs";
}

TEST(Failure, NoCommonIkeAlgorithms) {
  World world([](IkeConfig& config) { config.listeners.at(0).ike_proposals = {"aes256-sha256-ecp521"}; });
  Client& client = world.add_client({}, kNat);
  fail_to_connect(world, client);
  EXPECT_EQ(world.events.failures.at(0).cause, "ike_proposal");
  EXPECT_TRUE(client.outcome.has_value()) << "the client hangs";
}

TEST(Failure, NoCommonEspAlgorithms) {
  World world([](IkeConfig& config) { config.listeners.at(0).esp_proposals = {"aes256gcm16"}; });
  Client& client = world.add_client({}, kNat);
  world.start();
  client.dial();
  ASSERT_TRUE(world.wait([&] { return client.outcome.has_value() && !world.events.failures.empty(); }));
  EXPECT_NE(client.outcome, "");
  ASSERT_EQ(world.events.failures.size(), 1u) << world.events.failures.back().cause;
  EXPECT_EQ(world.events.failures.at(0).cause, "esp_proposal");
  EXPECT_EQ(world.events.failures.at(0).identity, "192.168.7.2");
}

TEST(Failure, TrafficOtherThanL2tpIsRefused) {
  World world;
  Client& client = world.add_client({.remote_port = "53"}, kNat);
  world.start();
  client.dial();
  ASSERT_TRUE(world.wait([&] { return client.outcome.has_value() && !world.events.failures.empty(); }));
  EXPECT_NE(client.outcome, "");
  ASSERT_EQ(world.events.failures.size(), 1u) << world.events.failures.back().cause;
  EXPECT_EQ(world.events.failures.at(0).cause, "selectors");
  EXPECT_TRUE(world.plane.sas.empty());
}

TEST(Failure, NoPskForTheClient) {
  World world([](IkeConfig& config) { config.psks.at(0).identities = {"192.0.2.77"}; });
  Client& client = world.add_client({}, kNat);
  fail_to_connect(world, client);
  EXPECT_EQ(world.events.failures.at(0).cause, "no_psk");
}

TEST(Failure, HandshakeLeftHalfOpen) {
  World world([](IkeConfig& config) { config.half_open_timeout = 1s; });
  Client& client = world.add_client({}, kNat);
  unsigned sent = 0;
  world.start();
  const auto pass = client.on_send;
  client.on_send = [&](const feed::IkeOut& ike) {
    if (++sent == 1) pass(ike);  // the rest is lost on the way
  };
  client.dial();
  ASSERT_TRUE(world.wait([&] { return !world.events.failures.empty(); }));
  EXPECT_EQ(world.events.failures.at(0).cause, "timeout");
  EXPECT_THAT(world.events.failures.at(0).text, HasSubstr("809"));
}

TEST(Failure, DataPlaneThatRefuses) {
  World world;
  Client& client = world.add_client({}, kNat);
  world.plane.refuse = true;
  world.start();
  client.dial();
  ASSERT_TRUE(world.wait([&] { return !world.events.failures.empty(); }));
  EXPECT_EQ(world.events.failures.at(0).cause, "install");
  // The client thought it was done; it is told by a DELETE.
  EXPECT_TRUE(world.wait([&] { return client.plane.removed.size() == 2; }));
  EXPECT_EQ(world.events.failures.size(), 1u);
  EXPECT_TRUE(world.events.children_up.empty());
}

}  // namespace
}  // namespace sluice::edge::test
