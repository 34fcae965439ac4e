#include "edge/dataplane/rate_budget.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sluice::edge {
namespace {

using namespace std::chrono_literals;

TEST(RateBudget, GivesABurstThenTheRate) {
  RateBudget budget;
  Instant now{1h};
  const auto taken = [&](int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += budget.take(now, 10) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(taken(100), 10);
  now += 99ms;
  EXPECT_EQ(taken(100), 0);
  now += 1ms;
  EXPECT_EQ(taken(100), 1);
  now += 500ms;
  EXPECT_EQ(taken(100), 5);
  now += 1h;
  EXPECT_EQ(taken(100), 10) << "a long pause saves up no more than one burst";
}

TEST(RateBudget, NeverGivesMoreThanTwoBurstsInAnySecond) {
  std::mt19937 dice(1);
  RateBudget budget;
  Instant now{1h};
  std::vector<Instant> taken;
  for (int i = 0; i < 20'000; ++i) {
    now += std::chrono::microseconds(dice() % 4000);
    if (budget.take(now, 50)) taken.push_back(now);
  }
  for (std::size_t i = 0; i + 100 < taken.size(); ++i) ASSERT_GT(taken[i + 100] - taken[i], 1s);
  const auto seconds = std::chrono::duration<double>(taken.back() - taken.front()).count();
  EXPECT_NEAR(static_cast<double>(taken.size()) / seconds, 50, 5);
}

TEST(RateBudget, SavesUpAsManySecondsAsItIsTold) {
  RateBudget budget;
  Instant now{1h};
  const auto taken = [&] {
    int count = 0;
    for (int i = 0; i < 100; ++i) count += budget.take(now, 10, 4) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(taken(), 40);
  now += 1s;
  EXPECT_EQ(taken(), 10);
}

TEST(RateBudget, ZeroIsNoLimit) {
  RateBudget budget;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(budget.take(Instant{}, 0));
}

TEST(RateBudget, WorksAtTheBeginningOfTime) {
  RateBudget budget;
  EXPECT_TRUE(budget.take(Instant{}, 1));
  EXPECT_FALSE(budget.take(Instant{}, 1));
  EXPECT_TRUE(budget.take(Instant{} + 1s, 1));
}

}  // namespace
}  // namespace sluice::edge
