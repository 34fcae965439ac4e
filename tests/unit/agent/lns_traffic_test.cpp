// Packets through an Lns: each to its session and no other.
#include <gtest/gtest.h>

#include "tests/unit/agent/lns_world.hpp"

namespace sluice::agent {
namespace {

using test::Dialler;
using test::kInside;
using test::LnsWorld;

TEST(Lns, TunnelsWithEqualIdsInTwoPeersDoNotMeet) {
  LnsWorld world;
  for (std::uint32_t relay = 1; relay <= 4; ++relay) world.dial(relay, "user" + std::to_string(relay));
  world.settle();
  ASSERT_EQ(world.opened.size(), 4U);
  EXPECT_EQ(world.lns->sessions_up(), 4U);
  for (const auto& client : world.clients) {
    const auto down = test::ipv4(kInside, client->up->addresses.local);
    const auto packet = world.from_inside(down);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->key, client->key);
  }
  world.clients[0]->ppp->stop("test", "bye", world.now);
  world.settle();
  EXPECT_EQ(world.lns->sessions_up(), 3U);
}

TEST(Lns, PathMtuLimitsWhatIsSent) {
  LnsWorld world(1300);
  Dialler& client = world.dial(1);
  world.settle();
  ASSERT_TRUE(client.up);
  EXPECT_EQ(world.opened.at(0).mtu, 1300);
  const auto large = test::ipv4(kInside, client.up->addresses.local, 1301);
  EXPECT_FALSE(world.from_inside(large));
  EXPECT_EQ(world.lns->ppp_drops().read(ppp::Drop::kTooLarge), 1U);
}

TEST(Lns, StrayPacketsAreCounted) {
  LnsWorld world;
  world.deliver({ChannelId(9), RelayId(9)}, ByteVector(20, 0));
  EXPECT_EQ(world.lns->drops().read(LnsDrop::kUnknownTunnel), 1U);
  auto packet = test::ipv4(kInside, kInside);
  packet.insert(packet.begin(), 64, 0);
  EXPECT_FALSE(world.lns->from_tun(packet, 64, 60, world.now));
  EXPECT_EQ(world.lns->drops().read(LnsDrop::kNoRoute), 1U);
  packet[64] = 0x50;
  EXPECT_FALSE(world.lns->from_tun(packet, 64, 60, world.now));
  EXPECT_EQ(world.lns->drops().read(LnsDrop::kNotIp), 1U);
}

TEST(Lns, Ipv6OfTheLinkAndOfTheDelegatedPrefixReachesItsSessionAndNoOther) {
  LnsWorld world;
  world.v6 = ppp::Ipv6Addresses{.prefix = Prefix::parse("fd00:1:2:3::/64"),
                                .delegated = Prefix::parse("fd00:9::/48")};
  world.policy.routes = {*Prefix::parse("10.7.0.0/16")};
  Dialler& client = world.dial(1);
  auto config = ppp::test::client_config();
  config.want_ipv6 = true;
  client.config = std::make_shared<const ppp::PppConfig>(std::move(config));
  world.settle();
  world.v6.reset();
  world.policy = {};
  world.dial(2);
  world.settle();
  ASSERT_EQ(world.opened.size(), 2U);
  const auto sent_to = [&](const ByteVector& packet) {
    const auto out = world.from_inside(packet);
    return out ? out->key : TunnelKey{};
  };
  EXPECT_EQ(sent_to(test::ipv6("fd00::1", "fd00:1:2:3::77")), client.key);
  EXPECT_EQ(sent_to(test::ipv6("fd00::1", "fd00:9:0:5::1")), client.key);
  EXPECT_EQ(sent_to(test::ipv4(kInside, *IpAddress::parse("10.7.3.4"))), client.key);
  EXPECT_EQ(sent_to(test::ipv6("fd00::1", "fd00:1:2:4::77")), TunnelKey{});
  EXPECT_EQ(world.lns->drops().read(LnsDrop::kNoRoute), 1U);
  const auto up = test::ipv6("fd00:1:2:3::77", "fd00::1");
  world.deliver(client.key, client.ip(up));
  ASSERT_EQ(world.tun.size(), 1U);
  EXPECT_EQ(world.tun[0], up);
  client.ppp->stop("test", "bye", world.now);
  world.settle();
  EXPECT_EQ(sent_to(test::ipv6("fd00::1", "fd00:1:2:3::77")), TunnelKey{});
}

TEST(Lns, LatestSessionOfAnAddressHasItAndKeepsItWhenTheOlderEnds) {
  LnsWorld world;
  Dialler& first = world.dial(1);
  world.settle();
  world.next_address = 10;
  Dialler& second = world.dial(2);
  world.settle();
  ASSERT_EQ(first.up->addresses.local, second.up->addresses.local);
  world.lns->end_session({world.opened[0].session, "replaced", "dialled in again"}, world.now);
  world.settle();
  const auto down = test::ipv4(kInside, second.up->addresses.local);
  const auto packet = world.from_inside(down);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->key, second.key);
}

TEST(Lns, GarbageOnALiveTunnelHarmsNobody) {
  LnsWorld world;
  Dialler& client = world.dial(1);
  world.settle();
  std::mt19937 dice(11);
  const auto good = client.ip(test::ipv4(client.up->addresses.local, kInside));
  for (int i = 0; i < 5000; ++i) {
    ByteVector packet = good;
    packet.resize(dice() % (good.size() + 1));
    for (auto flips = dice() % 6; flips > 0 && packet.size() > 14; --flips) {
      packet[14 + dice() % (packet.size() - 14)] = static_cast<std::uint8_t>(dice());
    }
    world.deliver(client.key, std::move(packet));
  }
  world.deliver(client.key, good);
  EXPECT_FALSE(world.tun.empty());
  EXPECT_EQ(world.lns->sessions_up(), 1U);
}

}  // namespace
}  // namespace sluice::agent
