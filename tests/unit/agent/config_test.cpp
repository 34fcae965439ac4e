#include "backend-agent/config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/unit/agent/temp_files.hpp"

namespace sluice::agent {
namespace {

using testing::HasSubstr;

struct Files : test::TempFolder {
  Files() {
    write("agent.key", "key");
    write("users.toml", "[alice]\npassword = \"x\"\n");
  }
  Result<Config, app::ConfigErrors> parse(std::string_view text) const {
    return parse_config(text, (path() / "agent.toml").string());
  }
  /// The errors as text, without the folder's name.
  std::string errors(std::string_view text) const {
    const auto result = parse(text);
    std::string out;
    if (result) return "good";
    for (const auto& error : result.error()) {
      out += error.to_string().substr(path().string().size() + 1) + "\n";
    }
    return out;
  }
};

const std::string kMinimal = R"([agent]
name = "agent1"
[[edge]]
address = "10.0.0.1:4600"
name = "edge1"
[tls]
ca = "ca.crt"
certificate = "agent.crt"
key = "agent.key"
[ppp]
local_address = "10.99.0.1"
[pool]
ranges = ["10.99.0.2-10.99.3.254"]
[users]
file = "users.toml"
)";

TEST(AgentConfig, MinimalFileIsGoodAndRelativeToItsFolder) {
  const Files files;
  const auto config = files.parse(kMinimal);
  ASSERT_TRUE(config) << files.errors(kMinimal);
  EXPECT_EQ(config.value().edges.at(0).address.to_string(), "10.0.0.1:4600");
  EXPECT_EQ(config.value().users_file, files.path() / "users.toml");
  EXPECT_EQ(config.value().ranges.at(0).size(), 1021U);
}

TEST(AgentConfig, ExampleNamesEveryKeyWithItsDefault) {
  const Files files;
  std::ifstream in(SLUICE_SOURCE "/docs/examples/agent.toml");
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto replace = [&](const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  };
  replace("/etc/sluice/agent1.key", "agent.key");
  replace("/etc/sluice/users.toml", "users.toml");
  const auto example = files.parse(text);
  ASSERT_TRUE(example) << files.errors(text);
  const auto minimal = files.parse(kMinimal);
  const Config& a = example.value();
  const Config& b = minimal.value();
  EXPECT_EQ(a.weight, b.weight);
  EXPECT_EQ(a.data_port, b.data_port);
  EXPECT_EQ(a.data_address, b.data_address);
  EXPECT_EQ(a.max_sessions, b.max_sessions);
  EXPECT_EQ(a.host_name, b.host_name);
  EXPECT_EQ(a.hello_interval, b.hello_interval);
  EXPECT_EQ(a.auth, b.auth);
  EXPECT_EQ(a.mru, b.mru);
  EXPECT_EQ(a.mtu, b.mtu);
  EXPECT_EQ(a.dns, b.dns);
  EXPECT_EQ(a.nbns, b.nbns);
  EXPECT_EQ(a.clamp_mss, b.clamp_mss);
  EXPECT_EQ(a.echo_interval, b.echo_interval);
  EXPECT_EQ(a.echo_failures, b.echo_failures);
  EXPECT_EQ(a.auth_timeout, b.auth_timeout);
  EXPECT_EQ(a.ranges, b.ranges);
  EXPECT_EQ(a.quarantine, b.quarantine);
  EXPECT_EQ(a.tun_name, b.tun_name);
  EXPECT_EQ(a.log_level, b.log_level);
}

TEST(AgentConfig, UnknownKeyIsNamedWithPlaceAndNeighbour) {
  const Files files;
  const std::string text = kMinimal + "[tun]\nnmae = \"tun7\"\n";
  EXPECT_EQ(files.errors(text), "agent.toml:17:1: unknown key tun.nmae. Did you mean tun.name?\n");
}

TEST(AgentConfig, EveryErrorIsToldAtOnce) {
  const Files files;
  const std::string text = R"([agent]
name = 7
weight = 5000
[ppp]
auth = ["mschapv2", "md4"]
local_address = "::1"
[pool]
ranges = ["10.0.0.9-10.0.0.2"]
)";
  const std::string errors = files.errors(text);
  EXPECT_THAT(errors, HasSubstr("agent.toml:2:8: agent.name must be a text in quotes"));
  EXPECT_THAT(errors, HasSubstr("agent.toml:3:10: agent.weight must be a whole number from 1 to 1000"));
  EXPECT_THAT(errors, HasSubstr("agent.toml:5:8: ppp.auth: \"md4\" is none of"));
  EXPECT_THAT(errors, HasSubstr("ppp.local_address: must be an IPv4 address"));
  EXPECT_THAT(errors, HasSubstr("agent.toml:8:10: pool.ranges: \"10.0.0.9-10.0.0.2\" is no range"));
  EXPECT_THAT(errors, HasSubstr("users.file is missing"));
}

TEST(AgentConfig, NobodyGetsInUnproven) {
  const Files files;
  std::string text = kMinimal;
  text.replace(text.find("[ppp]\n"), 6, "[ppp]\nauth = []\n");
  EXPECT_THAT(files.errors(text), HasSubstr("ppp.auth: must name at least one protocol"));
}

TEST(AgentConfig, OverlappingRangesAreAnError) {
  const Files files;
  std::string text = kMinimal;
  const std::string before = "[\"10.99.0.2-10.99.3.254\"]";
  text.replace(text.find(before), before.size(), "[\"10.99.0.0/24\", \"10.99.0.200\"]");
  EXPECT_THAT(files.errors(text), HasSubstr("\"10.99.0.200\" overlaps another range"));
}

TEST(AgentConfig, FilesOpenToOthersAreRefused) {
  const Files files;
  files.write("users.toml", "", 0644);
  EXPECT_THAT(files.errors(kMinimal), HasSubstr("users.file"));
  files.write("users.toml", "", 0640);
  EXPECT_EQ(files.errors(kMinimal), "good");
}

TEST(AgentConfig, SyntaxErrorHasItsPlace) {
  const Files files;
  EXPECT_THAT(files.errors("[agent]\nname = \n"), HasSubstr("agent.toml:2:"));
}

}  // namespace
}  // namespace sluice::agent
