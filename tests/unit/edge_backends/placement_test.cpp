#include "edge/backends/placement.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace sluice::edge {
namespace {

Candidate view(std::uint32_t id, std::uint32_t weight, std::uint32_t sessions) {
  return {.id = BackendId(id), .weight = weight, .sessions = sessions, .alive = true};
}

TEST(PickLeastLoaded, GivesNothingWhenNobodyMayTake) {
  EXPECT_EQ(pick_least_loaded({}, {}), std::nullopt);
  auto dead = view(1, 1, 0);
  dead.alive = false;
  auto draining = view(2, 1, 0);
  draining.draining = true;
  auto full = view(3, 1, 5);
  full.max_sessions = 5;
  const std::vector<Candidate> views{dead, draining, full};
  EXPECT_EQ(pick_least_loaded(views, {}), std::nullopt);
}

TEST(PickLeastLoaded, PassesOverThoseThatDoNotSpeakL2tp) {
  const std::vector<Candidate> views{{.id = BackendId(1), .weight = 100, .alive = true, .speaks_l2tp = false},
                                     {.id = BackendId(2), .weight = 1, .sessions = 50, .alive = true}};
  EXPECT_EQ(pick_least_loaded(views, {}), BackendId(2));
  EXPECT_FALSE(pick_least_loaded(std::span(views).first(1), {}));
}

TEST(PickLeastLoaded, PassesOverThoseAlreadyTried) {
  const std::vector<Candidate> views{view(1, 1, 0), view(2, 1, 9)};
  const std::array tried{BackendId(1)};
  EXPECT_EQ(pick_least_loaded(views, tried), BackendId(2));
}

TEST(PickLeastLoaded, SharesFollowTheWeights) {
  std::vector<Candidate> views{view(1, 1, 0), view(2, 1, 0), view(3, 2, 0)};
  for (int i = 0; i < 400; ++i) {
    const auto chosen = pick_least_loaded(views, {});
    ASSERT_TRUE(chosen);
    ++views[chosen->value() - 1].sessions;
  }
  EXPECT_EQ(views[0].sessions, 100U);
  EXPECT_EQ(views[1].sessions, 100U);
  EXPECT_EQ(views[2].sessions, 200U);
}

TEST(PickLeastLoaded, DoesNotOverflowAtTheLimitsOfItsNumbers) {
  const std::vector<Candidate> views{view(1, 1, UINT32_MAX), view(2, UINT32_MAX, UINT32_MAX)};
  EXPECT_EQ(pick_least_loaded(views, {}), BackendId(2));
}

}  // namespace
}  // namespace sluice::edge
