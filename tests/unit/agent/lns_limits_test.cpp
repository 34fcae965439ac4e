// Rates and timeouts of a session in an Lns.
#include <gtest/gtest.h>

#include "tests/unit/agent/lns_world.hpp"

namespace sluice::agent {
namespace {

using test::Dialler;
using test::kInside;
using test::LnsWorld;

/// Packets of 1000 octets each way in a second, one a millisecond; how many passed.
std::pair<unsigned, unsigned> passed_in_a_second(LnsWorld& world, Dialler& client) {
  const IpAddress mine = client.up->addresses.local;
  unsigned up = 0, down = 0;
  for (int i = 0; i < 1000; ++i) {
    world.now += std::chrono::milliseconds(1);
    world.tun.clear();
    world.deliver(client.key, client.ip(test::ipv4(mine, kInside, 1000)));
    up += static_cast<unsigned>(world.tun.size());
    const auto packet = test::ipv4(kInside, mine, 1000);
    down += world.from_inside(packet) ? 1 : 0;
  }
  return {up, down};
}

TEST(Lns, RatesOfAPolicyHoldAndMayBeChangedWhileTheSessionLasts) {
  LnsWorld world;
  world.policy.rate_up = 800'000;      // 100 packets a second
  world.policy.rate_down = 4'000'000;  // 500
  Dialler& client = world.dial(1);
  world.settle();
  auto [up, down] = passed_in_a_second(world, client);
  EXPECT_NEAR(up, 100 + 24, 2);  // a full bucket to begin with
  EXPECT_NEAR(down, 500 + 50, 2);
  EXPECT_EQ(world.lns->drops().read(LnsDrop::kRateUp), 1000U - up);
  EXPECT_EQ(world.lns->drops().read(LnsDrop::kRateDown), 1000U - down);

  world.lns->change_policy({world.opened[0].session, {.rate_up = 1'600'000}}, world.now);
  std::tie(up, down) = passed_in_a_second(world, client);
  EXPECT_NEAR(up, 200, 26);
  EXPECT_EQ(down, 1000U);
  world.lns->tell_counters({world.opened[0].session});
  const auto& told = std::get<CountersTold>(world.events.back());
  EXPECT_GE(told.packets_in, 300U);
  EXPECT_EQ(told.bytes_out, told.packets_out * 1000);
}

TEST(Lns, SessionEndsWhenItHasLastedAsLongAsItMay) {
  LnsWorld world;
  world.policy.session_timeout = std::chrono::seconds(100);
  Dialler& client = world.dial(1);
  world.run(std::chrono::seconds(99));
  EXPECT_TRUE(world.gone.empty());
  world.run(std::chrono::seconds(2));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "session-timeout");
  EXPECT_TRUE(client.down);
}

TEST(Lns, ClientIsToldHowMuchTimeIsLeft) {  // RFC 1570 §2.2
  LnsWorld world;
  world.policy.session_timeout = std::chrono::seconds(100);
  Dialler& client = world.dial(1);
  world.settle();
  ASSERT_EQ(client.said.size(), 1U);
  EXPECT_EQ(client.said[0], "100 s of this session are left");
  world.now += std::chrono::seconds(30);
  world.lns->change_policy({world.opened[0].session, {.session_timeout = std::chrono::seconds(600)}},
                           world.now);
  world.settle();
  ASSERT_EQ(client.said.size(), 2U);
  EXPECT_EQ(client.said[1], "570 s of this session are left");
}

TEST(Lns, SessionWithoutTrafficEndsAfterItsIdleTimeAndTrafficPutsThatOff) {
  LnsWorld world;
  world.policy.idle_timeout = std::chrono::seconds(60);
  Dialler& client = world.dial(1);
  world.settle();
  for (int i = 0; i < 3; ++i) {
    world.run(std::chrono::seconds(40));
    world.deliver(client.key, client.ip(test::ipv4(client.up->addresses.local, kInside)));
  }
  EXPECT_TRUE(world.gone.empty());
  world.run(std::chrono::seconds(61));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "idle-timeout");
}

TEST(Lns, ShorterTimeoutGivenLaterCountsFromTheSessionsBeginning) {
  LnsWorld world;
  world.dial(1);
  world.run(std::chrono::seconds(50));
  world.lns->change_policy({world.opened[0].session, {.session_timeout = std::chrono::seconds(55)}},
                           world.now);
  world.run(std::chrono::seconds(6));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "session-timeout");
}

}  // namespace
}  // namespace sluice::agent
