#include "edge/placement/drains.hpp"

#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

DrainOrder order(const std::string& agent, std::uint32_t in_seconds, std::uint32_t rate) {
  return {.agent = agent,
          .since = std::uint32_t{kNow},
          .deadline = in_seconds == 0 ? 0 : static_cast<std::uint32_t>(kNow) + in_seconds,
          .kick_rate = rate,
          .began_with = 40};
}

/// Ends what is due, every 100 ms; how many were left at each full second.
std::vector<std::uint32_t> run(Drains& drains, std::uint32_t left, int seconds) {
  std::vector<std::uint32_t> out;
  for (int tick = 0; tick < seconds * 10; ++tick) {
    const auto due = drains.due("a", left, kNow * 1000 + tick * 100);
    EXPECT_LE(due, left);
    left -= due;
    if (tick % 10 == 9) out.push_back(left);
  }
  return out;
}

TEST(Drains, WithoutADeadlineNobodyIsMadeToGo) {
  Drains drains;
  drains.begin(order("a", 0, 10));
  EXPECT_EQ(run(drains, 40, 100).back(), 40U);
}

TEST(Drains, EndsTunnelsAtTheirRateSoThatNoneIsLeftAtTheDeadline) {
  Drains drains;
  drains.begin(order("a", 20, 10));
  const auto left = run(drains, 40, 20);
  // Four seconds' work, and three for the last farewells: it begins after 13 s.
  EXPECT_EQ(left[12], 40U);
  for (std::size_t i = 13; i < 20; ++i) EXPECT_LE(left[i - 1] - left[i], 11U) << "gently";
  EXPECT_EQ(left[16], 0U);
}

TEST(Drains, ADeadlineTooCloseForTheRateKeepsTheRate) {
  Drains drains;
  drains.begin(order("a", 5, 4));
  const auto left = run(drains, 40, 5);
  EXPECT_NEAR(left[0], 36, 1);
  EXPECT_NEAR(left[4], 20, 1);
}

TEST(Drains, AClockThatIsSetBackOrForthEndsNoMoreThanASecondsWorthAtOnce) {
  Drains drains;
  drains.begin(order("a", 1, 10));
  EXPECT_EQ(drains.due("a", 100, kNow * 1000), 1U);
  EXPECT_EQ(drains.due("a", 100, (kNow - 500) * 1000), 0U);
  EXPECT_LE(drains.due("a", 100, (kNow + 86400) * 1000), 10U);
}

TEST(Drains, AnUndoneOneEndsNothing) {
  Drains drains;
  drains.begin(order("a", 1, 10));
  EXPECT_GT(drains.due("a", 5, (kNow + 1) * 1000), 0U);
  EXPECT_TRUE(drains.ending("a"));
  EXPECT_TRUE(drains.undo("a"));
  EXPECT_FALSE(drains.undo("a"));
  EXPECT_FALSE(drains.ending("a"));
  EXPECT_EQ(drains.due("a", 5, (kNow + 2) * 1000), 0U);
}

TEST(Drains, AreReadAsTheyWereWritten) {
  Drains drains;
  drains.begin(order("agent-1.example_net", 60, 5));
  drains.begin(order("", 0, 1000));
  EXPECT_TRUE(drains.drains_edge());
  EXPECT_EQ(drains.to_text(),
            "sluice-drains 1\n* 1800000000 0 1000 40\nagent-1.example_net 1800000000 1800000060 5 40\n");
  EXPECT_EQ(orders_of(drains.to_text()), drains.all());
  EXPECT_EQ(orders_of(Drains().to_text()), std::vector<DrainOrder>());
}

TEST(Drains, WhatIsNoListOfThemIsRefused) {
  const std::string head = "sluice-drains 1\n";
  for (const auto* line :
       {"a 1 2 3\n", "a 1 2 0 4\n", "a 1 2 1001 4\n", "a 1 2 3 4 5\n", "a  1 2 3 4\n", "a 1 2 3 4",
        "a 1 2 3 4294967296\n", "a 1 2 3 -4\n", "a\"b 1 2 3 4\n", " 1 2 3 4\n", "\n"}) {
    EXPECT_FALSE(orders_of(head + line)) << line;
  }
  EXPECT_FALSE(orders_of(""));
  EXPECT_FALSE(orders_of("sluice-drains 2\n"));
}

TEST(Drains, EveryTruncationAndBitFlipIsReadOrRefused) {
  Drains drains;
  drains.begin(order("agent1", 60, 5));
  drains.begin(order("", 0, 10));
  const auto text = drains.to_text();
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto read = orders_of(text.substr(0, size));
    EXPECT_TRUE(!read || read->size() < 2) << size;
  }
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    auto flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto read = orders_of(flipped);
    if (!read) continue;
    for (const auto& each : *read) {
      EXPECT_TRUE(each.agent.empty() || is_agent_name(each.agent));
      EXPECT_LE(each.kick_rate, kMaxKickRate);
    }
  }
}

TEST(AgentNames, AreWhatCertificatesMaySay) {
  EXPECT_TRUE(is_agent_name("agent-1.Example_net"));
  EXPECT_FALSE(is_agent_name(""));
  EXPECT_FALSE(is_agent_name("a b"));
  EXPECT_FALSE(is_agent_name("a\"b"));
  EXPECT_FALSE(is_agent_name(std::string(256, 'a')));
}

}  // namespace
}  // namespace sluice::edge
