#include "lab/swarm/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sluice::swarm {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), Duration{});
  EXPECT_EQ(histogram.longest(), Duration{});
}

TEST(Histogram, OneTimeIsEveryQuantile) {
  Histogram histogram;
  histogram.add(1234567ns);
  for (const double part : {0.0, 0.5, 0.99, 1.0}) {
    EXPECT_NEAR(static_cast<double>(histogram.quantile(part).count()), 1234567.0, 1234567.0 * 0.016);
  }
  EXPECT_EQ(histogram.longest(), 1234567ns);
}

TEST(Histogram, QuantilesAgreeWithSortedTimes) {
  std::mt19937_64 random(20261121);
  std::lognormal_distribution<double> times(16.0, 2.0);
  Histogram histogram;
  std::vector<std::int64_t> all;
  for (int i = 0; i < 20000; ++i) {
    const auto time = static_cast<std::int64_t>(times(random));
    all.push_back(time);
    histogram.add(Duration(time));
  }
  std::ranges::sort(all);
  for (const double part : {0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999}) {
    const auto exact = static_cast<double>(all[static_cast<std::size_t>(part * 20000) - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.quantile(part).count()), exact, exact * 0.017) << part;
  }
  EXPECT_LE(histogram.quantile(1.0), histogram.longest());
  EXPECT_EQ(histogram.longest().count(), all.back());
}

TEST(Histogram, TakesTheLongestAndTheNegative) {
  Histogram histogram;
  histogram.add(Duration::max());
  histogram.add(-5ns);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.quantile(0.1), 0ns);
  EXPECT_EQ(histogram.longest(), Duration::max());
}

TEST(Histogram, MergedIsAsIfAllHadBeenAddedToOne) {
  Histogram one, other, both;
  for (int i = 1; i <= 100; ++i) {
    (i % 3 == 0 ? one : other).add(i * 1ms);
    both.add(i * 1ms);
  }
  one.merge(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.quantile(0.95), both.quantile(0.95));
  EXPECT_EQ(one.longest(), both.longest());
}

}  // namespace
}  // namespace sluice::swarm
