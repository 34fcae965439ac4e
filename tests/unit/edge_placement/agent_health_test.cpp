#include "edge/placement/agent_health.hpp"

#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

using std::chrono::seconds;

struct Health : ::testing::Test {
  AgentHealth agent;
  HealthSettings settings;
  Instant now{std::chrono::hours(5)};
  void refuse(int times) {
    for (int i = 0; i < times; ++i) agent.refused(settings, now);
  }
  Duration out_for() const {
    const auto until = agent.ejected_until(now);
    return until ? *until - now : Duration::zero();
  }
};

TEST_F(Health, RefusalsInARowEject) {
  refuse(2);
  EXPECT_EQ(out_for(), Duration::zero());
  agent.accepted();
  refuse(2);
  EXPECT_EQ(out_for(), Duration::zero()) << "not in a row";
  refuse(1);
  EXPECT_EQ(out_for(), seconds(5));
  now += seconds(5);
  EXPECT_EQ(out_for(), Duration::zero()) << "back";
}

TEST_F(Health, EachEjectionIsTwiceAsLongUpToAnEnd) {
  std::vector<Duration> lasted;
  for (int i = 0; i < 9; ++i) {
    agent.failed(settings, now);
    lasted.push_back(out_for());
    now += out_for();
  }
  EXPECT_EQ(lasted, (std::vector<Duration>{seconds(5), seconds(10), seconds(20), seconds(40), seconds(80),
                                           seconds(160), seconds(300), seconds(300), seconds(300)}));
}

TEST_F(Health, WhatHappensDuringAnEjectionDoesNotLengthenIt) {
  agent.failed(settings, now);
  now += seconds(2);
  refuse(3);
  agent.failed(settings, now);
  EXPECT_EQ(out_for(), seconds(3));
}

TEST_F(Health, QuietTimeIsForgiven) {
  for (int i = 0; i < 4; ++i) {
    agent.failed(settings, now);
    now += out_for();
  }
  now += std::chrono::minutes(4);  // two of the four are forgotten
  agent.failed(settings, now);
  EXPECT_EQ(out_for(), seconds(20));
  now += std::chrono::hours(1);
  agent.failed(settings, now);
  EXPECT_EQ(out_for(), seconds(5));
}

TEST_F(Health, AChannelThatComesAndGoesIsDamped) {
  agent.lost(settings, now);
  now += seconds(1);
  agent.lost(settings, now);
  EXPECT_FALSE(agent.damped_until(now));
  now += seconds(1);
  agent.lost(settings, now);
  const auto until = agent.damped_until(now);
  ASSERT_TRUE(until);
  EXPECT_NEAR(std::chrono::duration<double>(*until - now).count(), 94, 2);
  now = *until;
  EXPECT_FALSE(agent.damped_until(now));
  agent.lost(settings, now);
  EXPECT_FALSE(agent.damped_until(now)) << "calm again: one loss is one loss";
}

TEST_F(Health, LossesFarApartAreNone) {
  for (int i = 0; i < 50; ++i) {
    agent.lost(settings, now);
    EXPECT_FALSE(agent.damped_until(now));
    now += std::chrono::minutes(3);
  }
}

TEST_F(Health, ANewcomersHandicapFades) {
  agent.came(90, now);
  EXPECT_DOUBLE_EQ(agent.handicap(settings, now), 90);
  EXPECT_DOUBLE_EQ(agent.handicap(settings, now + seconds(10)), 60);
  EXPECT_DOUBLE_EQ(agent.handicap(settings, now + seconds(30)), 0);
  agent.came(-5, now);
  EXPECT_DOUBLE_EQ(agent.handicap(settings, now), 0) << "nobody is ahead by coming";
  settings.slow_start = seconds(0);
  agent.came(90, now);
  EXPECT_DOUBLE_EQ(agent.handicap(settings, now), 0);
}

}  // namespace
}  // namespace sluice::edge
