#include "esp/replay.hpp"

#include "replay_model.hpp"
#include "support.hpp"

namespace sluice::esp {
namespace {

constexpr std::uint64_t kCycle = std::uint64_t{1} << 32;

bool take(ReplayWindow& window, std::uint64_t sequence) {
  const auto ticket = window.check(sequence);
  return ticket && window.commit(ticket);
}

TEST(ReplayWindow, RoundsItsSizeToAPowerOfTwoWithinLimits) {
  for (const auto& [asked, given] : {std::pair{0U, 64U},
                                     {32U, 64U},
                                     {65U, 128U},
                                     {1024U, 1024U},
                                     {1500U, 2048U},
                                     {4096U, 4096U},
                                     {1000000U, 4096U}}) {
    EXPECT_EQ(ReplayWindow(asked).size(), given);
  }
}

TEST(ReplayWindow, RejectsZeroRepeatsAndWhatFellBehind) {
  ReplayWindow window(64);
  EXPECT_EQ(window.check(0).verdict(), ReplayVerdict::kBehind);
  EXPECT_TRUE(take(window, 100));
  EXPECT_EQ(window.check(100).verdict(), ReplayVerdict::kSeen);
  EXPECT_EQ(window.check(36).verdict(), ReplayVerdict::kBehind);
  EXPECT_TRUE(take(window, 37));
  EXPECT_EQ(window.check(37).verdict(), ReplayVerdict::kSeen);
}

TEST(ReplayWindow, CheckChangesNothing) {
  ReplayWindow window(64);
  EXPECT_TRUE(window.check(500));
  EXPECT_EQ(window.top(), 0U);
  EXPECT_TRUE(window.check(500));
}

TEST(ReplayWindow, CommitsOneOfTwoTicketsForOneNumber) {
  ReplayWindow window(64);
  const auto first = window.check(5);
  const auto second = window.check(5);
  EXPECT_TRUE(window.commit(first));
  EXPECT_FALSE(window.commit(second));
}

TEST(ReplayWindow, RefusesATicketThatFellBehindSinceItsCheck) {
  ReplayWindow window(64);
  const auto early = window.check(5);
  EXPECT_TRUE(take(window, 69));
  EXPECT_FALSE(window.commit(early));
}

TEST(ReplayWindow, StartsWhereItIsTold) {
  const ReplayWindow window(128, 5 * kCycle);
  EXPECT_EQ(window.check(5 * kCycle - 3).verdict(), ReplayVerdict::kSeen);
  EXPECT_TRUE(window.check(5 * kCycle + 1));
}

// RFC 4303 appendix A2.2, both cases with their edges.
TEST(ReplayWindow, RecoversTheHighHalf) {
  const ReplayWindow within(64, 3 * kCycle + 1000);  // case A
  EXPECT_EQ(within.recover(1000), 3 * kCycle + 1000);
  EXPECT_EQ(within.recover(937), 3 * kCycle + 937);
  EXPECT_EQ(within.recover(936), 4 * kCycle + 936);
  EXPECT_EQ(within.recover(0xffffffff), 3 * kCycle + 0xffffffff);
  const ReplayWindow across(64, 3 * kCycle + 10);  // case B
  EXPECT_EQ(across.recover(10), 3 * kCycle + 10);
  EXPECT_EQ(across.recover(0xffffffff), 3 * kCycle - 1);
  EXPECT_EQ(across.recover(0xffffffcb), 3 * kCycle - 53);
  EXPECT_EQ(across.recover(0xffffffca), 3 * kCycle + 0xffffffca);
  EXPECT_EQ(ReplayWindow(64).recover(0xffffffff), std::nullopt) << "before the first cycle";
  EXPECT_EQ(ReplayWindow(64, UINT64_MAX).recover(5), std::nullopt) << "after the last";
}

class ReplayAgainstModel : public testing::TestWithParam<std::uint32_t> {};

TEST_P(ReplayAgainstModel, AgreesOnAMillionPackets) {
  SeededRandom random(GetParam());
  ReplayWindow window(GetParam());
  ReplayModel model(window.size());
  std::uint64_t taken = 0;
  for (int i = 0; i < 1000000; ++i) {
    // Mostly near the top, sometimes a leap of any size, sometimes far behind.
    const std::uint64_t top = model.top();
    std::uint64_t sequence = top + random.below(8);
    const auto kind = random.below(100);
    if (kind < 60) {
      const std::uint64_t back = random.below(window.size() + 8);
      sequence = top > back ? top - back : random.below(4);
    } else if (kind == 60) {
      sequence = top + random.below(3 * window.size());
    }
    const bool fresh = take(window, sequence);
    ASSERT_EQ(fresh, model.acceptable(sequence)) << "number " << sequence << " top " << top << " step " << i;
    if (fresh) {
      model.accept(sequence);
      ++taken;
    }
    ASSERT_EQ(window.top(), model.top());
  }
  EXPECT_GT(taken, 100000U);
}

TEST_P(ReplayAgainstModel, RecoversTheSameHighHalfAcrossCycles) {
  SeededRandom random(GetParam());
  ReplayWindow window(GetParam());
  ReplayModel model(window.size());
  std::uint64_t sent = 1;
  while (sent < 5 * kCycle) {
    const auto low =
        static_cast<std::uint32_t>(sent - random.below(std::min<std::uint64_t>(sent, window.size())));
    const auto mine = window.recover(low);
    const auto wanted = model.recover(low);
    // The model knows no "before the first cycle": there it gives a number a whole cycle ahead.
    if (mine) {
      ASSERT_EQ(mine, wanted) << "low " << low << " top " << model.top();
      if (take(window, *mine)) model.accept(*mine);
    }
    ASSERT_EQ(window.top(), model.top());
    const bool near_edge = (sent & 0xffffffff) > kCycle - 50000 || (sent & 0xffffffff) < 50000;
    sent += near_edge ? 1 + random.below(40) : 1 + random.below(50000000);
  }
  EXPECT_GT(window.top(), 4 * kCycle);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ReplayAgainstModel, testing::Values(64U, 128U, 1024U, 2048U, 4096U));

}  // namespace
}  // namespace sluice::esp
