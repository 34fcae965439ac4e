#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "edge/config/config.hpp"

namespace sluice::edge {
namespace {

using ::testing::HasSubstr;

class PlacementConfig : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sluice-config-XXXXXX";
    folder_ = mkdtemp(name);
    for (const char* file : {"psk", "edge.key"}) {
      std::ofstream(folder_ / file) << "a-secret-that-is-long-enough\n";
      chmod((folder_ / file).c_str(), 0600);
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  auto parse(const std::string& more) {
    return parse_config(
        "[edge]\nname = \"edge1\"\n[listen]\naddresses = [\"192.0.2.1\"]\n[[psk]]\nfile = \"psk\"\n"
        "[channel]\nlisten = \"10.0.0.1:4600\"\n"
        "[tls]\nca = \"ca.pem\"\ncertificate = \"edge.pem\"\nkey = \"edge.key\"\n" +
            more,
        (folder_ / "edge.toml").string());
  }
  std::string errors(const std::string& more) {
    std::string out;
    if (const auto result = parse(more); !result) {
      for (const auto& error : result.error()) out += error.to_string() + "\n";
    }
    return out;
  }
  std::filesystem::path folder_;
};

TEST_F(PlacementConfig, HasDefaults) {
  const auto result = parse("");
  ASSERT_TRUE(result) << errors("");
  EXPECT_EQ(result->config.placement, PlacementSettings());
  EXPECT_EQ(result->config.state_dir, "/run/sluice");
}

TEST_F(PlacementConfig, ReadsPoliciesWeightsPoolsAndRules) {
  const auto result = parse(R"([placement]
policy = "two-choices"
sticky = 0
cpu = 500
eject_after = 2
slow_start = 60
pool = "all"
[[pool]]
name = "all"
agents = ["agent*"]
spare = "reserve"
[[pool]]
name = "reserve"
agents = ["spare1", "spare2"]
policy = "round-robin"
[[pool_rule]]
listener = "main"
identity = "*@example.net"
realm = "example.net"
pool = "reserve"
)");
  ASSERT_TRUE(result);
  const auto& placement = result->config.placement;
  EXPECT_EQ(placement.rules.policy, Policy::kTwoChoices);
  EXPECT_EQ(placement.sticky, std::chrono::seconds(0));
  EXPECT_EQ(placement.rules.load.cpu, 500U);
  EXPECT_EQ(placement.health.eject_after, 2U);
  EXPECT_EQ(placement.health.slow_start, std::chrono::seconds(60));
  ASSERT_EQ(placement.rules.pools.size(), 2U);
  EXPECT_EQ(placement.rules.pools[0].spare, "reserve");
  EXPECT_FALSE(placement.rules.pools[0].policy);
  EXPECT_EQ(placement.rules.pools[1].policy, Policy::kRoundRobin);
  EXPECT_EQ(
      placement.rules.rules.at(0),
      (PoolRule{.listener = "main", .identity = "*@example.net", .realm = "example.net", .pool = "reserve"}));
}

TEST_F(PlacementConfig, TellsWhatLeadsNowhere) {
  EXPECT_THAT(errors("[placement]\npolicy = \"best\"\n"), HasSubstr("least-loaded"));
  EXPECT_THAT(errors("[placement]\npool = \"staff\"\n"), HasSubstr("there is no pool \"staff\""));
  EXPECT_THAT(errors("[[pool]]\nname = \"staff\"\nagents = [\"a\"]\n[[pool_rule]]\npool = \"staf\"\n"),
              HasSubstr("Did you mean \"staff\""));
  EXPECT_THAT(errors("[[pool]]\nname = \"a\"\nagents = [\"a\"]\nspare = \"a\"\n"),
              HasSubstr("is the pool itself"));
  EXPECT_THAT(errors("[[pool]]\nname = \"a\"\nagents = []\n"), HasSubstr("names nobody"));
  EXPECT_THAT(errors("[[pool]]\nname = \"a\"\nagents = [\"x\"]\n[[pool]]\nname = \"a\"\nagents = [\"y\"]\n"),
              HasSubstr("another pool's"));
  EXPECT_THAT(
      errors("[[pool]]\nname = \"a\"\nagents = [\"x\"]\n[[pool_rule]]\nlistener = \"old\"\npool = \"a\"\n"),
      HasSubstr("there is no listener \"old\""));
  EXPECT_THAT(errors("[placement]\nstickyness = 3\n"), HasSubstr("placement.sticky"));
}

}  // namespace
}  // namespace sluice::edge
