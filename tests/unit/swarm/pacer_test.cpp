#include "lab/swarm/pacer.hpp"

#include <gtest/gtest.h>

namespace sluice::swarm {
namespace {

using namespace std::chrono_literals;

TEST(Pacer, GivesTheRateOverTime) {
  Pacer pacer(50);
  std::size_t given = 0;
  for (auto now = Instant{}; now <= Instant{} + 10s; now += 5ms) given += pacer.take(1000, now);
  EXPECT_NEAR(static_cast<double>(given), 500.0, 2.0);
}

TEST(Pacer, GivesOneAtOnceHoweverSlow) {
  Pacer pacer(0.01);
  EXPECT_EQ(pacer.take(10, Instant{} + 1s), 1U);
  EXPECT_EQ(pacer.take(10, Instant{} + 50s), 0U);
  EXPECT_EQ(pacer.take(10, Instant{} + 102s), 1U);
}

TEST(Pacer, DoesNotStormAfterAPause) {
  Pacer pacer(100);
  EXPECT_EQ(pacer.take(1, Instant{}), 1U);
  EXPECT_EQ(pacer.take(1000, Instant{} + 60s), 10U);
}

TEST(Pacer, WithoutARateGivesWhatIsWanted) {
  Pacer pacer(0);
  EXPECT_EQ(pacer.take(12345, Instant{}), 12345U);
}

TEST(Pacer, GivesNoMoreThanWanted) {
  Pacer pacer(1000);
  EXPECT_EQ(pacer.take(0, Instant{}), 0U);
  EXPECT_EQ(pacer.take(3, Instant{} + 1s), 3U);
}

}  // namespace
}  // namespace sluice::swarm
