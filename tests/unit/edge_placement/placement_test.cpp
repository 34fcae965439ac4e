#include "edge/placement/placement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/edge_placement/support.hpp"

namespace sluice::edge {
namespace {

using testing::agent;
using testing::Fleet;

constexpr Policy kAll[] = {Policy::kLeastLoaded, Policy::kTwoChoices, Policy::kRoundRobin,
                           Policy::kIdentityHash};

std::optional<Out> out_of(const Decision& decision, std::uint32_t id) {
  const auto found = std::ranges::find(decision.verdicts, BackendId(id), &Verdict::id);
  return found == decision.verdicts.end() ? std::nullopt : found->out;
}

Decision decide(Fleet& fleet, const PlacementRequest& request = {}) {
  return edge::decide(fleet.rules, request, fleet.agents, fleet.turns, fleet.random);
}

class EachPolicy : public ::testing::TestWithParam<Policy> {
 protected:
  Fleet fleet(std::vector<Candidate> agents) const {
    Fleet out{.rules = {.policy = GetParam()}, .agents = std::move(agents)};
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Placement, EachPolicy, ::testing::ValuesIn(kAll), [](const auto& each) {
  std::string name(name_of(each.param));
  std::erase(name, '-');
  return name;
});

TEST_P(EachPolicy, SharesFollowTheWeights) {
  auto f = fleet({agent(1, 1), agent(2, 1), agent(3, 2)});
  f.place_many(4000);
  // A hash knows nothing of what others got: it is as even as chance is.
  EXPECT_NEAR(f.tunnels(1), 1000, GetParam() == Policy::kIdentityHash ? 100 : 50);
  EXPECT_NEAR(f.tunnels(2), 1000, GetParam() == Policy::kIdentityHash ? 100 : 50);
  EXPECT_NEAR(f.tunnels(3), 2000, GetParam() == Policy::kIdentityHash ? 120 : 100);
}

TEST_P(EachPolicy, NeverGoesBeyondALimitAndGivesUpWhenAllAreFull) {
  auto f = fleet({agent(1), agent(2), agent(3)});
  f.agents[0].max_tunnels = 5;
  f.agents[1].max_tunnels = 7;
  f.agents[2].max_tunnels = 11;
  f.place_many(1000);
  EXPECT_EQ(f.tunnels(1), 5U);
  EXPECT_EQ(f.tunnels(2), 7U);
  EXPECT_EQ(f.tunnels(3), 11U);
  EXPECT_FALSE(decide(f).chosen);
  EXPECT_EQ(out_of(decide(f), 2), Out::kFull);
}

TEST_P(EachPolicy, TakesNobodyWhoMayNotTakeTunnels) {
  auto f = fleet({agent(1), agent(2), agent(3), agent(4), agent(5), agent(6)});
  f.agents[0].alive = false;
  f.agents[1].draining = true;
  f.agents[2].speaks_l2tp = false;
  f.agents[3].free_addresses = 0;
  PlacementRequest request{.identity = "x", .tried = {BackendId(5)}};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(decide(f, request).chosen, BackendId(6));
  const auto decision = decide(f, request);
  EXPECT_EQ(out_of(decision, 1), Out::kDown);
  EXPECT_EQ(out_of(decision, 2), Out::kDraining);
  EXPECT_EQ(out_of(decision, 3), Out::kNoL2tp);
  EXPECT_EQ(out_of(decision, 4), Out::kNoAddress);
  EXPECT_EQ(out_of(decision, 5), Out::kTried);
  EXPECT_EQ(out_of(decision, 6), std::nullopt);
  f.agents.pop_back();
  EXPECT_FALSE(decide(f, request).chosen);
}

TEST_P(EachPolicy, AsksThoseOutOfRotationOnlyWhenNobodyElseIsLeft) {
  auto f = fleet({agent(1), agent(2), agent(3), agent(4, 1, 1000)});
  f.agents[0].late = true;
  f.agents[1].ejected = true;
  f.agents[2].damped = true;
  for (int i = 0; i < 100; ++i) {
    const auto decision = decide(f, {.identity = std::to_string(i)});
    EXPECT_EQ(decision.chosen, BackendId(4));
    EXPECT_FALSE(decision.last_resort);
  }
  f.agents.pop_back();
  std::set<std::uint32_t> chosen;
  for (int i = 0; i < 100; ++i) {
    const auto decision = decide(f, {.identity = std::to_string(i)});
    ASSERT_TRUE(decision.chosen);
    EXPECT_TRUE(decision.last_resort);
    chosen.insert(decision.chosen->value());
  }
  EXPECT_FALSE(chosen.empty());
}

TEST_P(EachPolicy, TheOrderOfAgentsDoesNotMatter) {
  auto one = fleet({agent(1, 3, 2), agent(2, 1, 9), agent(3, 2, 5), agent(4, 3, 2)});
  auto other = one;
  std::ranges::reverse(other.agents);
  if (GetParam() == Policy::kTwoChoices) return;  // who is drawn depends on it
  for (int i = 0; i < 200; ++i) {
    const PlacementRequest request{.identity = std::to_string(i)};
    EXPECT_EQ(one.place(request), other.place(request)) << i;
  }
}

TEST_P(EachPolicy, TheSameStateAndRandomNumbersGiveTheSameAnswer) {
  auto one = fleet({agent(1, 3), agent(2, 1), agent(3, 2)});
  auto other = one;
  for (int i = 0; i < 200; ++i) {
    const PlacementRequest request{.identity = std::to_string(i)};
    EXPECT_EQ(one.place(request), other.place(request));
  }
}

TEST_P(EachPolicy, NobodyThereIsNoAnswer) {
  auto f = fleet({});
  const auto decision = decide(f);
  EXPECT_FALSE(decision.chosen);
  EXPECT_EQ(decision.because, Because::kNobody);
}

TEST_P(EachPolicy, HasANameThatLeadsBackToIt) {
  EXPECT_EQ(policy_of(name_of(GetParam())), GetParam());
}

TEST(Placement, UnknownPolicyHasNoValue) {
  EXPECT_FALSE(policy_of("best"));
}

TEST(LeastLoaded, DoesNotOverflowAtTheLimitsOfItsNumbers) {
  Fleet f{.agents = {agent(1, 1, UINT32_MAX), agent(2, UINT32_MAX, UINT32_MAX)}};
  EXPECT_EQ(f.place({}), 2U);
}

TEST(LeastLoaded, ABusyAgentGetsLess) {
  Fleet f{.agents = {agent(1), agent(2), agent(3)}};
  f.agents[1].busy_permille = 1000;
  f.place_many(900);
  EXPECT_NEAR(f.tunnels(1), 400, 2);
  EXPECT_NEAR(f.tunnels(2), 100, 2) << "four times the score";
  EXPECT_NEAR(f.tunnels(3), 400, 2);
}

TEST(LeastLoaded, EachFigureCountsByItsWeight) {
  const LoadWeights weights;
  const auto idle = score(agent(1, 1, 9), weights);
  const auto with = [&](auto change) {
    auto each = agent(1, 1, 9);
    change(each);
    return score(each, weights) / idle;
  };
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.busy_permille = 500; }), 1.0) << "half busy is not busy";
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.busy_permille = 1000; }), 4.0);
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.packets_per_second = 100'000; }), 1.5);
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.packets_per_second = UINT64_MAX; }), 2.0);
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.radius_ms = 100; }), 1.0);
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.radius_ms = 1050; }), 1.5);
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.free_addresses = 100; }), 1.0);
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.free_addresses = 0; }), 2.0);
  EXPECT_GT(with([](auto& a) { a.free_addresses = 1; }), 1.0);
  EXPECT_DOUBLE_EQ(with([](auto& a) { a.handicap = 10; }), 2.0);
  LoadWeights none{.sessions = 0, .cpu = 0, .packets = 0, .radius = 0, .addresses = 0};
  auto loaded = agent(1, 2, 500);
  loaded.busy_permille = 1000;
  loaded.radius_ms = 5000;
  EXPECT_DOUBLE_EQ(score(loaded, none), 0.5) << "what counts nothing changes nothing";
}

TEST(RoundRobin, NobodyWaitsLongerThanHisTurn) {
  Fleet f{.rules = {.policy = Policy::kRoundRobin}, .agents = {agent(1, 5), agent(2, 1), agent(3, 1)}};
  std::vector<std::uint32_t> order;
  for (int i = 0; i < 7; ++i) order.push_back(*f.place({}));
  EXPECT_EQ(order, (std::vector<std::uint32_t>{1, 1, 2, 1, 3, 1, 1}));
}

TEST(IdentityHash, OnlyTheClientsOfAnAgentThatGoesMove) {
  Fleet before{.rules = {.policy = Policy::kIdentityHash}, .agents = {agent(1, 1), agent(2, 2), agent(3, 1)}};
  auto after = before;
  after.agents[1].alive = false;
  int moved = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementRequest request{.identity = "user" + std::to_string(i)};
    const auto was = before.place(request), is = after.place(request);
    if (was == 2U) ++moved;
    EXPECT_TRUE(was == 2U || was == is);
    EXPECT_NE(is, 2U);
  }
  EXPECT_GT(moved, 400);
}

TEST(IdentityHash, TellsClientsWithTheSamePrivateAddressApart) {
  const auto address = IpAddress::parse("203.0.113.10");
  const PlacementRequest one{.identity = "192.168.1.10", .host = "laptop", .address = address};
  auto other = one;
  EXPECT_EQ(client_key(one), client_key(other));
  other.host = "phone";
  EXPECT_NE(client_key(one), client_key(other));
  other = one;
  other.address = IpAddress::parse("203.0.113.11");
  EXPECT_NE(client_key(one), client_key(other));
  const PlacementRequest named{.identity = "bob@example.net", .host = "laptop", .address = address};
  auto elsewhere = named;
  elsewhere.address = IpAddress::parse("203.0.113.11");
  EXPECT_EQ(client_key(named), client_key(elsewhere)) << "whoever has a name of his own may roam";
}

TEST(Former, IsTakenUnlessItIsMuchMoreLoadedOrOut) {
  Fleet f{.agents = {agent(1, 1, 10), agent(2, 1, 15)}};
  EXPECT_EQ(decide(f, {.former = "agent2"}).chosen, BackendId(2));
  EXPECT_EQ(decide(f, {.former = "agent2"}).because, Because::kFormer);
  EXPECT_EQ(decide(f, {.former = "agent9"}).because, Because::kPolicy);
  f.agents[1].tunnels = 40;
  EXPECT_EQ(decide(f, {.former = "agent2"}).chosen, BackendId(1));
  f.agents[1] = agent(2, 1, 0);
  f.agents[1].ejected = true;
  EXPECT_EQ(decide(f, {.former = "agent2"}).chosen, BackendId(1));
}

TEST(Newcomer, WithAHandicapGetsItsFairShareAtOnceAndNoMore) {
  Fleet f{.agents = {agent(1, 1, 100), agent(2, 1, 100), agent(3, 1, 0)}};
  f.agents[2].handicap = 100;
  f.place_many(30);
  EXPECT_EQ(f.tunnels(3), 10U);
}

struct Pools : ::testing::Test {
  Fleet f{.rules = {.pools = {{.name = "staff", .agents = {"agent1", "agent2"}, .spare = "reserve"},
                              {.name = "reserve", .agents = {"agent3"}}},
                    .rules = {{.listener = "main", .realm = "staff.example.net", .pool = "staff"},
                              {.identity = "192.168.*", .pool = "reserve"}}},
          .agents = {agent(1, 1, 5), agent(2, 1, 6), agent(3), agent(4, 1, 50)}};
};

TEST_F(Pools, TheFirstRuleThatMatchesHolds) {
  const auto staff = decide(f, {.identity = "bob@vpn.staff.example.net", .listener = "main"});
  EXPECT_EQ(staff.chosen, BackendId(1));
  EXPECT_EQ(staff.pool, "staff");
  EXPECT_EQ(staff.rule, 0U);
  EXPECT_EQ(out_of(staff, 4), Out::kNotInPool);
  EXPECT_EQ(decide(f, {.identity = "192.168.1.10", .listener = "main"}).chosen, BackendId(3));
  EXPECT_EQ(decide(f, {.identity = "bob@staff.example.net", .listener = "other"}).chosen, BackendId(4))
      << "whom no rule matches gets the agents that no pool names";
}

TEST_F(Pools, TheSpareIsAskedWhenThePoolCanTakeNothing) {
  const PlacementRequest bob{.identity = "bob@staff.example.net", .listener = "main"};
  f.agents[0].draining = true;
  EXPECT_FALSE(decide(f, bob).from_spare);
  f.agents[1].ejected = true;
  const auto decision = decide(f, bob);
  EXPECT_EQ(decision.chosen, BackendId(3)) << "a spare in rotation before a last resort";
  EXPECT_TRUE(decision.from_spare);
  f.agents[2].alive = false;
  EXPECT_EQ(decide(f, bob).chosen, BackendId(2));
  EXPECT_TRUE(decide(f, bob).last_resort);
  f.agents[1].alive = false;
  EXPECT_FALSE(decide(f, bob).chosen) << "never those of other pools";
}

TEST_F(Pools, TellWhoTakesTheSameClients) {
  EXPECT_TRUE(share_pool(f.rules, "agent1", "agent2"));
  EXPECT_FALSE(share_pool(f.rules, "agent1", "agent3"));
  EXPECT_FALSE(share_pool(f.rules, "agent3", "agent4"));
  EXPECT_TRUE(share_pool(f.rules, "agent4", "agent5")) << "no pool names either";
}

TEST_F(Pools, ADefaultPoolTakesTheOthers) {
  f.rules.default_pool = "staff";
  EXPECT_EQ(decide(f, {.identity = "anybody"}).chosen, BackendId(1));
}

TEST_F(Pools, MayHaveAPolicyOfTheirOwn) {
  f.rules.pools[0].policy = Policy::kRoundRobin;
  EXPECT_EQ(decide(f, {.identity = "a@staff.example.net", .listener = "main"}).policy, Policy::kRoundRobin);
  EXPECT_EQ(decide(f, {.identity = "a"}).policy, Policy::kLeastLoaded);
}

TEST(Wildcards, MatchAsTheySay) {
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("agent?", "agent7"));
  EXPECT_FALSE(matches("agent?", "agent"));
  EXPECT_TRUE(matches("*@Example.NET", "bob@example.net"));
  EXPECT_TRUE(matches("a*b*c", "aXbbYc"));
  EXPECT_FALSE(matches("a*b*c", "acb"));
  EXPECT_TRUE(matches("**x", "x"));
  EXPECT_FALSE(matches("x*", "y"));
}

TEST(Wildcards, TakeNoTimeToFail) {
  const std::string text(100'000, 'a');
  EXPECT_FALSE(matches("*a*a*a*a*a*a*b", text));
}

TEST(Realms, AreWhatFollowsTheAtSignOrTheLastLabelsOfAName) {
  EXPECT_TRUE(in_realm("bob@example.net", "EXAMPLE.net"));
  EXPECT_TRUE(in_realm("bob@vpn.example.net", "example.net"));
  EXPECT_TRUE(in_realm("laptop.example.net", "example.net"));
  EXPECT_FALSE(in_realm("bob@badexample.net", "example.net"));
  EXPECT_FALSE(in_realm("example.net@evil.org", "example.net"));
  EXPECT_FALSE(in_realm("192.168.1.10", "example.net"));
  EXPECT_FALSE(in_realm("", "example.net"));
}

}  // namespace
}  // namespace sluice::edge
