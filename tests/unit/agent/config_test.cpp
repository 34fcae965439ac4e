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
  EXPECT_EQ(config.value().pools.ranges.at(0).size(), 1021U);
}

TEST(AgentConfig, HandOffNeedsNeitherUsersNorAddressesAndItsOwnEndNeedsBoth) {
  const Files files;
  const std::string bare = kMinimal.substr(0, kMinimal.find("[ppp]"));
  const auto good = files.parse(bare + "[handoff]\nserver = \"127.0.0.1:1701\"\n");
  ASSERT_TRUE(good) << files.errors(bare);
  EXPECT_TRUE(good.value().hands_off());
  EXPECT_EQ(good.value().handoff_sources.first, 0x7f400001U);
  for (const char* lacking : {"ppp.local_address", "pool.ranges", "users"}) {
    EXPECT_THAT(files.errors(bare), HasSubstr(lacking));
  }
  EXPECT_THAT(files.errors(bare + "[handoff]\nserver = \"[::1]:1701\"\n"),
              HasSubstr("handoff.server: must be"));
  EXPECT_THAT(files.errors(bare + "[handoff]\nserver = \"127.0.0.1:1701\"\nsources = \"any\"\n"),
              HasSubstr("handoff.sources: is no range"));
  const std::string one = "[handoff]\nserver = \"127.0.0.1:1701\"\nsources = \"127.64.0.1-127.64.0.1\"\n";
  EXPECT_EQ(files.errors(bare + one), "good");
}

TEST(AgentConfig, EachWorkerNeedsAPortAndAddressesToHandOffFrom) {
  const Files files;
  const auto with = [](std::string keys) {
    return "[agent]\n" + keys + kMinimal.substr(kMinimal.find("name"));
  };
  EXPECT_EQ(files.errors(with("workers = 4\ndata_port = 65532\n")), "good");
  EXPECT_THAT(files.errors(with("workers = 5\ndata_port = 65532\n")),
              HasSubstr("agent.data_port: leaves no room"));
  EXPECT_THAT(files.errors(with("workers = 2\n") +
                           "[handoff]\nserver = \"127.0.0.1:1701\"\nsources = \"127.64.0.1-127.64.0.1\"\n"),
              HasSubstr("handoff.sources: has fewer addresses"));
}

TEST(AgentConfig, SplitRoutesAreIpv4Networks) {
  const Files files;
  const auto with = [&](const std::string& routes) {
    std::string text = kMinimal;
    return text.replace(text.find("[ppp]\n"), 6, "[ppp]\nsplit_routes = " + routes + "\n");
  };
  const auto good = files.parse(with("[\"10.0.0.0/8\", \"192.0.2.7\"]"));
  ASSERT_TRUE(good);
  EXPECT_EQ(good.value().split_routes.at(0).to_string(), "10.0.0.0/8");
  EXPECT_EQ(good.value().split_routes.at(1).length, 32);
  for (const char* bad : {"[\"10.0.0.1/8\"]", "[\"2001:db8::/32\"]", "[\"home\"]"}) {
    EXPECT_THAT(files.errors(with(bad)), HasSubstr("ppp.split_routes[0]: ")) << bad;
  }
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
  EXPECT_EQ(a.workers, b.workers);
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
  EXPECT_EQ(a.pools.ranges, b.pools.ranges);
  EXPECT_EQ(a.pools.quarantine, b.pools.quarantine);
  EXPECT_EQ(a.tun_name, b.tun_name);
  EXPECT_EQ(a.metrics_listen, b.metrics_listen);
  EXPECT_EQ(a.log.level, b.log.level);
}

TEST(AgentConfig, MetricsAreServedWhereItSays) {
  const Files files;
  const auto good = files.parse(kMinimal + "[metrics]\nlisten = \"/run/sluice/agent.metrics\"\n");
  ASSERT_TRUE(good);
  EXPECT_EQ(http::to_string(good.value().metrics_listen), "/run/sluice/agent.metrics");
  EXPECT_THAT(files.errors(kMinimal + "[metrics]\nlisten = \"9464\"\n"),
              HasSubstr("metrics.listen: \"9464\" is neither address:port"));
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
  EXPECT_THAT(errors, HasSubstr("agent.toml:5:21: ppp.auth[1]: \"md4\" is none of"));
  EXPECT_THAT(errors, HasSubstr("ppp.local_address: must be an IPv4 address"));
  EXPECT_THAT(errors,
              HasSubstr("agent.toml:8:11: pool.ranges[0]: \"10.0.0.9-10.0.0.2\" ends before it begins"));
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

TEST(AgentConfig, SomebodyMustJudge) {
  Files files;
  std::string text = kMinimal;
  text.erase(text.find("[users]"));
  EXPECT_THAT(files.errors(text), HasSubstr("nobody can dial in"));
  files.write("radius.secret", "secret\n");
  text += "[[radius_server]]\naddress = \"10.0.0.5\"\nsecret_file = \"radius.secret\"\npriority = 2\n";
  const auto config = parse_config(text, (files.path() / "agent.toml").string());
  ASSERT_TRUE(config) << config.error().at(0).to_string();
  ASSERT_EQ(config.value().radius.servers.size(), 1U);
  EXPECT_EQ(config.value().radius.servers[0].address.to_string(), "10.0.0.5");
  EXPECT_EQ(config.value().radius.servers[0].auth_port, 1812U);
  EXPECT_EQ(config.value().radius.servers[0].priority, 2U);
}

TEST(AgentConfig, RadiusErrorsSayWhatToDo) {
  Files files;
  files.write("open.secret", "secret\n", 0644);
  const std::string base = kMinimal;
  EXPECT_THAT(
      files.errors(base + "[[radius_server]]\naddress = \"10.0.0.5\"\nsecret_file = \"open.secret\"\n"),
      HasSubstr("chmod 0600"));
  EXPECT_THAT(files.errors(base + "[[radius_server]]\nadress = \"10.0.0.5\"\n"), HasSubstr("Did you mean"));
  EXPECT_THAT(files.errors(base + "[radius]\ndynamic_listen = \"0.0.0.0:3799\"\n"),
              HasSubstr("add a [[radius_dynamic]]"));
}

TEST(AgentConfig, PoolsHaveNamesRealmsAndIpv6) {
  Files files;
  std::string text = kMinimal;
  const std::string more = "ipv6 = [\"2001:db8:1::/48\"]\ndelegated = [\"2001:db8:8000::/33\"]\n";
  text.insert(text.find("[users]"), more);
  text += "[[named_pool]]\nname = \"staff\"\nranges = [\"10.98.0.0/24\"]\nrealms = [\"example.net\"]\n";
  const auto config = parse_config(text, (files.path() / "agent.toml").string());
  ASSERT_TRUE(config) << config.error().at(0).to_string();
  const auto& pools = config.value().pools;
  EXPECT_EQ(pools.named.at(0).name, "staff");
  EXPECT_EQ(pools.named.at(0).realms.at(0), "example.net");
  EXPECT_EQ(pools.ipv6.at(0).to_string(), "2001:db8:1::/48");
  for (const std::string delegated : {"2001:db8:1:8000::/49", "2001:db8::/32"}) {
    std::string overlapping = text;
    overlapping.replace(overlapping.find("2001:db8:8000::/33"), 18, delegated);
    EXPECT_THAT(files.errors(overlapping), HasSubstr("overlaps another network of a pool's ipv6"));
  }
  EXPECT_THAT(files.errors(text + "[[named_pool]]\nname = \"other\"\nranges = [\"10.98.0.7\"]\n"),
              HasSubstr("overlaps another range"));
  EXPECT_THAT(files.errors(text + "[[named_pool]]\nname = \"other\"\n"),
              HasSubstr("\"other\" holds nothing"));
  const std::string six = "[[named_pool]]\nname = \"other\"\nipv6 = [\"2001:db8:2::/56\"]\n";
  const auto more_pools = parse_config(text + six, (files.path() / "agent.toml").string());
  ASSERT_TRUE(more_pools);
  EXPECT_EQ(more_pools.value().pools.named.at(1).ipv6.at(0).to_string(), "2001:db8:2::/56");
  EXPECT_THAT(files.errors(text + six + "delegated = [\"2001:db8:1:7::/64\"]\n"),
              HasSubstr("is no IPv6 network of at most 56 bits"));
  EXPECT_THAT(files.errors(text + six + "delegated = [\"2001:db8:1::/56\"]\n"),
              HasSubstr("overlaps another network"));
}

TEST(AgentConfig, FiltersHaveNamesAndRules) {
  Files files;
  const std::string one =
      kMinimal + std::string("[[filter]]\nname = \"guests\"\nrules = [\"allow tcp any 443\"]\n");
  const auto config = parse_config(one, (files.path() / "agent.toml").string());
  ASSERT_TRUE(config) << config.error().at(0).to_string();
  EXPECT_TRUE(config.value().filters.contains("guests"));
  EXPECT_THAT(files.errors(one + "[[filter]]\nname = \"guests\"\nrules = [\"allow any\"]\n"),
              HasSubstr("there twice"));
  EXPECT_THAT(files.errors(one + "[[filter]]\nname = \"x\"\nrules = [\"permit any\"]\n"),
              HasSubstr("\"permit any\" must begin with"));
}

}  // namespace
}  // namespace sluice::agent
