// Tunnels whose channel is lost or cut off.
#include <gtest/gtest.h>

#include "tests/unit/agent/lns_world.hpp"

namespace sluice::agent {
namespace {

using test::Dialler;
using test::kInside;
using test::LnsWorld;
using test::spec;

TEST(Lns, ChannelThatIsLostTakesItsTunnelsOnly) {
  LnsWorld world;
  world.dial(1);
  world.dial(2);
  auto other = spec(1);
  other.key.channel = ChannelId(2);
  world.lns->open_tunnel(other, world.now);
  world.settle();
  world.lns->close_channel(ChannelId(1), "the channel to the edge is down");
  world.settle();
  EXPECT_EQ(world.lns->tunnels(), 1U);
  ASSERT_EQ(world.gone.size(), 2U);
  EXPECT_EQ(world.gone[0].cause, "channel-lost");
}

TEST(Lns, TunnelsOfACutChannelOutlastEveryTimerAndGoOnUnderAnotherKey) {
  LnsWorld world;
  Dialler& client = world.dial(1);
  Dialler& other = world.dial(2);
  other.key.channel = ChannelId(1);
  world.settle();
  ASSERT_EQ(world.opened.size(), 2U);
  world.lns->hold_channel(ChannelId(1));
  world.cut = true;
  // Far longer than hellos, echoes and their retransmissions take to give up.
  for (int i = 0; i < 600; ++i) {
    world.now += std::chrono::seconds(1);
    world.lns->on_timeout(world.now);
    world.settle();
  }
  EXPECT_EQ(world.lns->sessions_up(), 2U);
  EXPECT_TRUE(world.gone.empty());

  const auto described = world.lns->describe_tunnels(ChannelId(1));
  ASSERT_EQ(described.tunnels.size(), 2U);
  const auto& numbers = described.tunnels[0].key == client.key ? described.tunnels[0] : described.tunnels[1];
  EXPECT_TRUE(numbers.established);
  EXPECT_EQ(numbers.client, client.l2tp.local_id());
  EXPECT_EQ(numbers.nr, client.l2tp.control().next_ns());
  ASSERT_EQ(numbers.sessions.size(), 1U);
  EXPECT_TRUE(numbers.sessions[0].agent);
  EXPECT_TRUE(numbers.sessions[0].client);

  // The second has the number that the first had: they must not be taken for each other.
  const TunnelKey first{ChannelId(2), RelayId(2)}, second{ChannelId(2), RelayId(1)};
  world.lns->rebind({client.key, first, 1}, world.now);
  world.lns->rebind({other.key, second, 1}, world.now);
  client.key = first;
  other.key = second;
  world.cut = false;
  world.edge_worker = 1;
  world.run(std::chrono::minutes(5));
  EXPECT_TRUE(world.gone.empty()) << world.gone[0].cause << ": " << world.gone[0].text;
  EXPECT_TRUE(world.tunnels_gone.empty());
  ASSERT_TRUE(client.up && other.up);
  for (Dialler* each : {&client, &other}) {
    const auto down = test::ipv4(kInside, each->up->addresses.local, 200);
    const auto packet = world.from_inside(down);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->key, each->key);
    EXPECT_EQ(each->take(packet->l2tp, world.now), down);
  }
}

}  // namespace
}  // namespace sluice::agent
