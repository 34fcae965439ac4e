// The lists' own filters, which the daemon applies: each one lets its row pass and keeps others back.
#include "tests/unit/edge_admin/sluicectl_bench.hpp"

namespace sluice::ctl {
namespace {

using Filters = Sluicectl;

TEST_F(Filters, OfEachListAreAppliedByTheDaemon) {
  struct Case {
    std::vector<std::string> words;
    std::string good, bad;
    std::size_t left;
  };
  const std::vector<Case> cases{
      {{"sessions", "--user"}, "alice", "bob", 1},
      {{"sessions", "--agent"}, "agent2", "agent3", 1},
      {{"sessions", "--client"}, "198.51.100.7", "198.51.100.8", 1},
      {{"sessions", "--peer"}, "7", "8", 1},
      {{"sessions", "--correlation"}, "c-2", "c-3", 1},
      {{"tunnels", "--agent"}, "agent2", "agent3", 1},
      {{"tunnels", "--client"}, "198.51.100.7", "198.51.100.8", 1},
      {{"tunnels", "--peer"}, "7", "8", 1},
      {{"tunnels", "--correlation"}, "c-2", "c-3", 1},
      {{"peers", "--id"}, "7", "8", 1},
      {{"peers", "--identity"}, edge::kHostileIdentity, "alice", 1},
      {{"peers", "--remote"}, "198.51.100.7", "198.51.100.8", 1},
      {{"peers", "--correlation"}, "c-1", "c-3", 1},
      {{"drops", "--all", "--stage"}, "esp", "ike", 2},
  };
  for (const auto& [words, good, bad, left] : cases) {
    const auto rows = [&](const std::string& value) {
      auto given = words;
      given.insert(given.end(), {value, "--json"});
      EXPECT_EQ(ctl(given), kOk) << error.str();
      return parsed()[words.front()].size();
    };
    EXPECT_EQ(rows(good), left) << words.front() << " " << words.back();
    EXPECT_EQ(rows(bad), 0u) << words.front() << " " << words.back();
  }
}

}  // namespace
}  // namespace sluice::ctl
