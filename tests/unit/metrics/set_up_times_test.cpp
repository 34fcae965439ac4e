#include "edge/metrics/set_up_times.hpp"

#include <gtest/gtest.h>

#include "edge/metrics/edge_counts.hpp"

namespace sluice::edge {
namespace {

using std::chrono::milliseconds;
constexpr Instant kStart{};

TEST(SetUpTimes, CountIkeFromItsFirstPacket) {
  SetUpTimes times;
  times.ike_packet("a", kStart);
  times.ike_packet("a", kStart + milliseconds(50));
  times.ike_up("a", kStart + milliseconds(80));
  times.ike_up("b", kStart + milliseconds(90));  // its first packet was another edge's
  EXPECT_EQ(1U, times.ike().count());
  EXPECT_NEAR(0.08, times.ike().sum(), 1e-9);
}

TEST(SetUpTimes, CountAReauthenticationAnew) {
  SetUpTimes times;
  times.ike_packet("a", kStart);
  times.ike_up("a", kStart + milliseconds(10));
  times.ike_packet("a", kStart + std::chrono::hours(1));
  times.ike_up("a", kStart + std::chrono::hours(1) + milliseconds(30));
  EXPECT_EQ(2U, times.ike().count());
  EXPECT_NEAR(0.04, times.ike().sum(), 1e-9);
}

TEST(SetUpTimes, CountPppFromIccnToTheAddress) {
  SetUpTimes times;
  const RelayId one(1), two(2);
  times.l2tp_up(one, kStart, kStart + milliseconds(5));
  times.l2tp_up(two, kStart, kStart + milliseconds(6));
  times.tunnel_gone(two);
  times.ppp_up(one, kStart + milliseconds(105));
  times.ppp_up(two, kStart + milliseconds(200));
  EXPECT_EQ(2U, times.l2tp().count());
  EXPECT_NEAR(0.011, times.l2tp().sum(), 1e-9);
  EXPECT_EQ(1U, times.ppp().count());
  EXPECT_NEAR(0.1, times.ppp().sum(), 1e-9);
}

TEST(Begun, ForgetsTheOldestBeyondItsBound) {
  Begun<std::string> begun;
  const auto extra = 100;
  for (int i = 0; i < static_cast<int>(begun.kMax) + extra; ++i)
    begun.begin(std::to_string(i), kStart + milliseconds(i));
  EXPECT_EQ(begun.kMax, begun.size());
  EXPECT_FALSE(begun.end("0", kStart));
  EXPECT_FALSE(begun.end(std::to_string(extra - 1), kStart));
  EXPECT_TRUE(begun.end(std::to_string(extra), kStart + std::chrono::hours(1)));
}

TEST(Begun, StaysSmallWhereAllEnd) {
  Begun<std::string> begun;
  for (int i = 0; i < 5 * static_cast<int>(begun.kMax); ++i) {
    begun.begin("same", kStart + milliseconds(i));
    EXPECT_TRUE(begun.end("same", kStart + milliseconds(i)));
  }
  begun.begin("same", kStart);
  EXPECT_EQ(1U, begun.size());
}

TEST(EdgeCounts, RememberNoMoreAgentsThanTheyMay) {
  EdgeCounts counts;
  for (std::size_t i = 0; i < EdgeCounts::kMaxAgents; ++i)
    ASSERT_NE(nullptr, counts.agent(std::to_string(i)));
  EXPECT_EQ(nullptr, counts.agent("one more"));
  EXPECT_NE(nullptr, counts.agent("7"));
}

}  // namespace
}  // namespace sluice::edge
