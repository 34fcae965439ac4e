#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "edge/ctl/init_plan.hpp"
#include "edge/ctl/machine.hpp"

namespace sluice::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

InitPlan good() {
  InitPlan plan;
  plan.addresses = {ip("203.0.113.1")};
  plan.agents = {{"agent1", "192.0.2.11"}, {"agent2", "host.example"}};
  plan.channel = {ip("192.0.2.1"), kChannelPort};
  plan.pool = *Prefix::parse("10.99.0.0/16");
  plan.users = {"alice"};
  return plan;
}

TEST(InitPlan, AFaultlessOneHasNone) {
  EXPECT_EQ(fault_of(good()), std::nullopt);
}

struct Case {
  const char* name;
  std::function<void(InitPlan&)> spoil;
  const char* says;
};

class InitPlanFault : public testing::TestWithParam<Case> {};

TEST_P(InitPlanFault, IsNamed) {
  auto plan = good();
  GetParam().spoil(plan);
  const auto fault = fault_of(plan);
  ASSERT_TRUE(fault.has_value());
  EXPECT_THAT(*fault, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, InitPlanFault,
    testing::Values(
        Case{"NoAddress", [](InitPlan& p) { p.addresses.clear(); }, "--public"},
        Case{"AnyAddress", [](InitPlan& p) { p.addresses = {ip("0.0.0.0")}; }, "cannot dial 0.0.0.0"},
        Case{"AddressTwice", [](InitPlan& p) { p.addresses.push_back(p.addresses[0]); }, "twice"},
        Case{"NoAgent", [](InitPlan& p) { p.agents.clear(); }, "no agent"},
        Case{"AgentTwice", [](InitPlan& p) { p.agents[1].name = "agent1"; }, "\"agent1\" is there twice"},
        Case{"AgentLikeEdge", [](InitPlan& p) { p.agents[1].name = "edge1"; }, "\"edge1\" is there twice"},
        Case{"AgentLikeCa", [](InitPlan& p) { p.agents[1].name = "ca"; }, "\"ca\" is there twice"},
        Case{"AgentName", [](InitPlan& p) { p.agents[1].name = "a/b"; }, "\"a/b\" is no name for an agent"},
        Case{"AgentHost", [](InitPlan& p) { p.agents[1].host = "-oProxyCommand=x"; }, "neither an address"},
        Case{"AgentHere", [](InitPlan& p) { p.agents[1].host = "127.0.0.1"; }, "--all-in-one"},
        Case{"TwoInOne", [](InitPlan& p) { p.all_in_one = true; }, "one machine for all has one agent"},
        Case{"EdgeName", [](InitPlan& p) { p.edge = "../x"; }, "is no name for an edge"},
        Case{"EdgeLikeCa", [](InitPlan& p) { p.edge = "crl"; }, "is no name for an edge"},
        Case{"NoUser", [](InitPlan& p) { p.users.clear(); }, "no user"},
        Case{"UserTwice",
             [](InitPlan& p) {
               p.users = {"a", "a"};
             },
             "twice"},
        Case{"UserName", [](InitPlan& p) { p.users = {"a\"]"}; }, "is no user name"},
        Case{"NoChannel", [](InitPlan& p) { p.channel = {}; }, "--channel"},
        Case{"ThreeNameServers", [](InitPlan& p) { p.dns.assign(3, ip("192.0.2.53")); }, "two name servers"},
        Case{"NameServerV6", [](InitPlan& p) { p.dns = {ip("2001:db8::53")}; }, "no IPv4 address"},
        Case{"PoolV6", [](InitPlan& p) { p.pool = *Prefix::parse("2001:db8::/32"); }, "IPv4 network"},
        Case{"PoolTooSmall", [](InitPlan& p) { p.pool = *Prefix::parse("10.0.0.0/29"); },
             "too small for 2 agents"},
        Case{"PoolOfAgent", [](InitPlan& p) { p.pool = *Prefix::parse("192.0.2.0/24"); }, "a machine's own"}),
    [](const auto& of) { return of.param.name; });

TEST(InitPlan, AgentsShareThePoolInEqualParts) {
  const auto text = [](std::string_view pool, std::size_t count) {
    std::vector<std::string> out;
    for (const auto& share : shares_of(*Prefix::parse(pool), count)) out.push_back(share.to_string());
    return out;
  };
  EXPECT_THAT(text("10.99.0.0/16", 1), ElementsAre("10.99.0.0/16"));
  EXPECT_THAT(text("10.99.0.0/16", 2), ElementsAre("10.99.0.0/17", "10.99.128.0/17"));
  EXPECT_THAT(text("10.99.0.0/28", 2), ElementsAre("10.99.0.0/29", "10.99.0.8/29"));
  EXPECT_THAT(text("10.99.0.0/16", 3), ElementsAre("10.99.0.0/18", "10.99.64.0/18", "10.99.128.0/18"));
  EXPECT_EQ(text("10.0.0.0/8", 256).back(), "10.255.0.0/16");
}

TEST(InitPlan, AnAgentIsItsNameAndWhereItIs) {
  EXPECT_EQ(parse_agent("agent1")->host, "agent1");
  EXPECT_EQ(parse_agent("agent1=2001:db8::1")->host, "2001:db8::1");
  for (const auto* bad : {"", "=", "=192.0.2.1", "agent1=", "agent1=a b", "a b=192.0.2.1", "agent1=x;y"})
    EXPECT_FALSE(parse_agent(bad).has_value()) << bad;
}

TEST(InitPlan, OnOneMachineTheAgentTakesOtherPorts) {
  auto plan = good();
  EXPECT_THAT(agent_toml(plan, 0), testing::Not(HasSubstr("data_port")));
  plan.agents.resize(1);
  plan.all_in_one = true;
  EXPECT_THAT(agent_toml(plan, 0), HasSubstr("data_port = 4701"));
}

TEST(Machine, KnowsWhatIsPublic) {
  for (const auto* address : {"203.0.113.1", "2001:db8::1", "8.8.8.8"})
    EXPECT_TRUE(is_public(ip(address))) << address;
  for (const auto* address :
       {"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "fd00::1", "fe80::1"})
    EXPECT_FALSE(is_public(ip(address))) << address;
}

TEST(Machine, ProposesNoLoopback) {
  for (const auto& address : this_machine().addresses)
    EXPECT_NE(address.to_v4() >> 24, 127U) << address.to_string();
  EXPECT_EQ(this_machine().leaving_for(ip("127.0.0.9")), ip("127.0.0.1"));
}

}  // namespace
}  // namespace sluice::ctl
