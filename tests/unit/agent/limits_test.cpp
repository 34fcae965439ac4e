#include "backend-agent/lns/limits.hpp"

#include <gtest/gtest.h>

namespace sluice::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

/// Packets of 1000 octets that pass at one instant.
unsigned burst(RateLimit& rate, Instant now) {
  unsigned out = 0;
  while (out < 100'000 && rate.take(1000, now)) ++out;
  return out;
}

TEST(RateLimit, RaisedRateHoldsAtOnce) {
  RateLimit rate;
  rate.set(8'000, kStart);  // a packet a second
  EXPECT_EQ(burst(rate, kStart), 24U);
  rate.set(8'000'000, kStart);  // a packet a millisecond: 24 of them are owed, of 100
  EXPECT_EQ(burst(rate, kStart), 76U);
  EXPECT_EQ(burst(rate, kStart + milliseconds(10)), 10U);
}

TEST(RateLimit, LoweredRateOwesNoMoreThanItsBurst) {
  RateLimit rate;
  rate.set(8'000'000, kStart);
  EXPECT_EQ(burst(rate, kStart), 100U);
  rate.set(8'000, kStart);
  EXPECT_EQ(burst(rate, kStart), 0U);
  EXPECT_EQ(burst(rate, kStart + seconds(2)), 2U);
}

TEST(RateLimit, NoLimitBetweenTwoLeavesNoDebt) {
  RateLimit rate;
  rate.set(8'000, kStart);
  burst(rate, kStart);
  rate.set(0, kStart);
  EXPECT_EQ(burst(rate, kStart), 100'000U);
  rate.set(8'000, kStart);
  EXPECT_EQ(burst(rate, kStart), 24U);
}

}  // namespace
}  // namespace sluice::agent
