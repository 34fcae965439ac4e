#include "edge/placement/former_agents.hpp"

#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

using std::chrono::seconds;

TEST(FormerAgents, AreRememberedForAWhile) {
  FormerAgents former;
  const Instant now{std::chrono::hours(1)};
  former.remember("bob", "agent1", now);
  EXPECT_EQ(former.of("bob", seconds(10), now + seconds(9)), "agent1");
  EXPECT_FALSE(former.of("bob", seconds(10), now + seconds(10)));
  EXPECT_FALSE(former.of("eve", seconds(10), now));
  EXPECT_FALSE(former.of("bob", seconds(0), now)) << "never";
  former.remember("bob", "agent2", now + seconds(5));
  EXPECT_EQ(former.of("bob", seconds(10), now + seconds(12)), "agent2");
  former.forget("bob");
  EXPECT_FALSE(former.of("bob", seconds(10), now));
  EXPECT_EQ(former.size(), 0U);
}

TEST(FormerAgents, TheOldestGoWhenThereAreTooMany) {
  FormerAgents former;
  const Instant now{};
  for (std::size_t i = 0; i <= FormerAgents::kMax; ++i) former.remember(std::to_string(i), "a", now);
  EXPECT_EQ(former.size(), FormerAgents::kMax);
  EXPECT_FALSE(former.of("0", seconds(10), now));
  EXPECT_TRUE(former.of("1", seconds(10), now));
}

}  // namespace
}  // namespace sluice::edge
