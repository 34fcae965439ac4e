#include "proto/channel/path_mtu.hpp"

#include <gtest/gtest.h>

namespace sluice::channel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A path that passes what is no larger than `passes`.
struct Way {
  void run(Duration span) {
    for (const Instant end = now + span; now < end; now += milliseconds(150)) {
      mtu.on_seen(seen, now);
      const auto probe = mtu.poll(now);
      if (!probe) continue;
      ++probes;
      if (probe->size <= passes && probes % lose != 0) seen = probe->number;
    }
  }
  Instant now{seconds(50)};
  PathMtu mtu{now};
  std::uint16_t passes = 1500;
  std::uint32_t seen = 0;
  int probes = 0;
  int lose = 1'000'000;  ///< every so manieth probe
};

TEST(PathMtu, FindsTheLargestOfItsSizesThatPasses) {
  for (const auto& [passes, found] :
       {std::pair{9000, 1500}, {1500, 1500}, {1499, 1480}, {1400, 1380}, {1280, 1280}}) {
    Way way;
    way.passes = static_cast<std::uint16_t>(passes);
    way.run(seconds(20));
    EXPECT_EQ(way.mtu.size(), found) << passes;
  }
}

TEST(PathMtu, AskedNowAndThenOnceKnown) {
  Way way;
  way.run(seconds(100));
  EXPECT_LE(way.probes, 12);
}

TEST(PathMtu, FollowsAPathThatShrinksAndLaterOneThatGrows) {
  Way way;
  way.run(seconds(20));
  way.passes = 1400;
  way.run(seconds(40));
  EXPECT_EQ(way.mtu.size(), 1380);
  way.passes = 1500;
  way.run(seconds(60));
  EXPECT_EQ(way.mtu.size(), 1380) << "not asked for all the time";
  way.run(seconds(700));
  EXPECT_EQ(way.mtu.size(), 1500);
}

TEST(PathMtu, AFewLostProbesAreNoSmallerPath) {
  Way way;
  way.lose = 2;
  way.run(seconds(300));
  EXPECT_EQ(way.mtu.size(), 1500);
}

TEST(PathMtu, APathThatPassesNothingIsNoQuestionOfSize) {
  Way way;
  way.passes = 100;
  way.run(seconds(60));
  EXPECT_EQ(way.mtu.size(), 1500);
}

TEST(PathMtu, OldAndForeignNumbersSayNothing) {
  Way way;
  way.passes = 100;
  const auto first = way.mtu.poll(way.now);
  ASSERT_TRUE(first);
  EXPECT_FALSE(way.mtu.on_seen(0, way.now));
  EXPECT_FALSE(way.mtu.on_seen(first->number + 1, way.now));
  way.now += PathMtu::kRetry;
  ASSERT_TRUE(way.mtu.poll(way.now));
  EXPECT_FALSE(way.mtu.on_seen(first->number, way.now));
}

}  // namespace
}  // namespace sluice::channel
