// Placement by the edge's tables, and tunnels that are ended for an operator.
#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Drain : ::testing::Test {
  Drain() {
    t.dial_in(1, "198.51.100.1:4500");
    t.sccrq(t.peer_of(1), 77);
    relay = agent.opened.at(0).relay;
    t.agent_says(agent, channel::TunnelAccept{relay});
    t.agent_says(agent, channel::SessionUp{relay, SessionId(5), "bob", "pap", IpAddress::v4(1), 1});
  }
  Tables t;
  FakeChannel& agent = t.add_agent("agent1");
  RelayId relay;
};

TEST_F(Drain, TheAgentTellsTheClientThenTheSasAreEnded) {
  t.relays.drain(relay, "out of service", seconds(1));
  EXPECT_EQ(agent.ended.at(relay), "out of service");
  EXPECT_TRUE(agent.closed.empty()) << "the agent closes it once the client knows";
  EXPECT_TRUE(t.downs.empty());
  t.agent_says(agent, channel::SessionDown{relay, SessionId(5), "draining", "out of service", "bob"});
  t.agent_says(agent, channel::TunnelClose{relay, channel::CloseCause::kByAgent, "out of service"});
  EXPECT_EQ(t.downs, std::vector<std::string>{"draining"});
  EXPECT_TRUE(t.relays.all().empty());
  EXPECT_TRUE(t.posted<Farewell>().empty()) << "the agent has said it";
  t.relays.tick(seconds(15));
  EXPECT_TRUE(t.ended.empty());
  t.now += milliseconds(1100);
  t.relays.tick(seconds(15));
  EXPECT_EQ(t.ended, std::vector<PeerId>{t.peer_of(1)});
}

TEST_F(Drain, AClientThatIsBackInTimeKeepsItsSas) {
  auto& other = t.add_agent("agent2");
  t.relays.drain(relay, "out of service", seconds(10));
  t.agent_says(agent, channel::TunnelClose{relay, channel::CloseCause::kByAgent, ""});
  t.sccrq(t.peer_of(1), 78);
  EXPECT_EQ(agent.opened.size() + other.opened.size(), 2U);
  t.now += seconds(11);
  t.relays.tick(seconds(15));
  EXPECT_TRUE(t.ended.empty());
}

TEST_F(Drain, AnAgentThatDoesNotEndItInTimeLosesIt) {
  t.relays.drain(relay, "out of service", seconds(1));
  t.now += seconds(3);
  t.relays.tick(seconds(15));
  EXPECT_TRUE(t.posted<Farewell>().empty());
  t.now += seconds(2);
  t.relays.tick(seconds(15));
  EXPECT_EQ(agent.closed.count(relay), 1U);
  EXPECT_EQ(t.posted<Farewell>().size(), 1U) << "the edge says it in the agent's name";
}

TEST_F(Drain, AClientThatEndsItsSasAtOnceIsWaitedForNoMore) {
  t.relays.drain(relay, "out of service", seconds(1));
  t.peers.ike_down(IkeSaId(1));
  const auto& child = t.peers.all().begin()->second.children.front();
  EXPECT_FALSE(t.peers.remove_sa(child.in, true, *Endpoint::parse("192.0.2.1:4500")));
  EXPECT_FALSE(t.peers.remove_sa(Spi(0xc0000001), false, *Endpoint::parse("198.51.100.1:4500")));
  t.relays.tick(seconds(15));
  EXPECT_TRUE(t.relays.all().empty());
  EXPECT_EQ(agent.closed.at(relay), channel::CloseCause::kPeerGone);
}

TEST_F(Drain, AnAgentThatCannotBeAskedLosesItAtOnce) {
  agent.takes = false;
  t.relays.drain(relay, "out of service", seconds(1));
  EXPECT_EQ(t.posted<Farewell>().size(), 1U);
}

TEST_F(Drain, IsAskedForOnce) {
  t.relays.drain(relay, "first", seconds(1));
  t.relays.drain(relay, "second", seconds(1));
  EXPECT_EQ(agent.ended.at(relay), "first");
  t.relays.drain(RelayId(999), "who?", seconds(1));
}

struct Placed : ::testing::Test {
  /// A new client's SCCRQ; the agent that was asked.
  std::string dial(std::uint32_t number, const std::string& identity) {
    const auto before = counts();
    t.dial_in(number, ("198.51.100." + std::to_string(number % 250 + 1) + ":4500").c_str(), identity);
    t.sccrq(t.peer_of(number), 77);
    for (auto& channel : t.channels) {
      if (before.at(channel.id()) != channel.opened.size()) {
        last = &channel;
        return channel.peer().name;
      }
    }
    return "";
  }
  std::map<std::uint64_t, std::size_t> counts() const {
    std::map<std::uint64_t, std::size_t> out;
    for (const auto& channel : t.channels) out[channel.id()] = channel.opened.size();
    return out;
  }
  void accept() { t.agent_says(*last, channel::TunnelAccept{last->opened.back().relay}); }
  void refuse(const std::string& reason) {
    auto* from = last;
    t.agent_says(*from, channel::TunnelRefuse{from->opened.back().relay, reason});
  }
  Decision ask(const std::string& identity = "x") { return t.backends.explain({.identity = identity}); }
  std::string chosen() {
    const auto decision = ask();
    return decision.chosen ? t.backends.find(*decision.chosen)->name : "";
  }

  Tables t;
  FakeChannel* last = nullptr;
};

TEST_F(Placed, AnAgentThatDoesNotAnswerIsEjectedAndComesBack) {
  t.add_agent("a", 100);
  t.add_agent("b", 1);
  EXPECT_EQ(dial(1, "one"), "a");
  refuse("no answer");
  EXPECT_EQ(chosen(), "b") << "however little it weighs";
  t.now += seconds(6);
  EXPECT_EQ(chosen(), "a");
}

TEST_F(Placed, TheOnlyAgentIsAskedThoughItIsEjected) {
  t.add_agent("a");
  dial(1, "one");
  refuse("no answer");
  EXPECT_EQ(dial(2, "two"), "a");
}

TEST_F(Placed, ANewcomerGetsItsShareAndCatchesUpSlowly) {
  t.add_agent("a");
  for (std::uint32_t i = 1; i <= 60; ++i) {
    dial(i, "client" + std::to_string(i));
    accept();
  }
  t.add_agent("b");
  int got = 0;
  for (std::uint32_t i = 61; i <= 80; ++i) {
    got += dial(i, "client" + std::to_string(i)) == "b" ? 1 : 0;
    accept();
  }
  EXPECT_EQ(got, 10) << "every second one, not all";
  t.now += seconds(15);
  for (std::uint32_t i = 81; i <= 120; ++i) {
    got += dial(i, "client" + std::to_string(i)) == "b" ? 1 : 0;
    accept();
  }
  EXPECT_EQ(got, 45) << "half of what it was behind";
}

TEST_F(Placed, AClientReturnsToItsFormerAgent) {
  t.add_agent("a");
  t.add_agent("b");
  const auto first = dial(1, "bob@example.net");
  accept();
  t.agent_says(*last, channel::TunnelClose{last->opened.back().relay, channel::CloseCause::kByClient, ""});
  const auto key = PlacementRequest{.identity = "bob@example.net", .host = "client"};
  const auto decision = t.backends.explain(key);
  EXPECT_EQ(decision.because, Because::kFormer);
  EXPECT_EQ(t.backends.find(*decision.chosen)->name, first);
  t.now += seconds(301);
  EXPECT_EQ(t.backends.explain(key).because, Because::kPolicy);
}

TEST_F(Placed, ClientsThatLookAlikeAreSpreadAllTheSame) {
  t.add_agent("a");
  t.add_agent("b");
  std::map<std::string, int> got;
  for (std::uint32_t i = 0; i < 10; ++i) {
    t.dial_in(i + 1, ("203.0.113.10:" + std::to_string(5000 + i)).c_str(), "192.168.1.10");
    const auto before = counts();
    t.sccrq(t.peer_of(i + 1), 77);
    for (auto& channel : t.channels) {
      if (before.at(channel.id()) == channel.opened.size()) continue;
      ++got[channel.peer().name];
      t.agent_says(channel, channel::TunnelAccept{channel.opened.back().relay});
    }
  }
  EXPECT_EQ(got["a"], 5);
  EXPECT_EQ(got["b"], 5);
}

TEST_F(Placed, ALimitCountsTunnelsThatAreOnTheirWay) {
  auto& channel = t.channels.emplace_back(1, "a");
  channel::AgentReady ready;
  ready.agent.workers = 1;
  ready.agent.max_sessions = 3;
  t.backends.channel_up(channel, ready, {});
  for (std::uint32_t i = 1; i <= 5; ++i) dial(i, "client" + std::to_string(i));
  EXPECT_EQ(channel.opened.size(), 3U);
  EXPECT_FALSE(t.backends.takes_tunnels());
}

TEST_F(Placed, AddressesThatOthersAreAboutToTakeAreNotFree) {
  auto& agent = t.add_agent("a");
  t.agent_says(agent, channel::LoadReport{.free_addresses = 2});
  EXPECT_EQ(dial(1, "one"), "a");
  EXPECT_EQ(dial(2, "two"), "a");
  EXPECT_EQ(dial(3, "three"), "");
  t.agent_says(agent, channel::LoadReport{.free_addresses = channel::kNoAddressLimit});
  EXPECT_EQ(dial(4, "four"), "a");
}

TEST_F(Placed, SessionsOfOtherEdgesCount) {
  auto& a = t.add_agent("a");
  auto& b = t.add_agent("b");
  for (int i = 0; i < 2; ++i) {
    t.agent_says(a, channel::LoadReport{.sessions = 50, .free_addresses = 100});
    t.agent_says(b, channel::LoadReport{.sessions = 10, .free_addresses = 100});
    if (i == 0) t.now += seconds(60);
  }
  for (std::uint32_t i = 1; i <= 40; ++i) {
    EXPECT_EQ(dial(i, "client" + std::to_string(i)), "b");
    accept();
  }
}

TEST_F(Placed, AnAgentThatCallsItselfIdleGetsNoMoreThanItsShare) {
  auto& liar = t.add_agent("liar");
  auto& honest = t.add_agent("honest");
  int got = 0;
  for (std::uint32_t i = 1; i <= 40; ++i) {
    const bool to_liar = dial(i, "client" + std::to_string(i)) == "liar";
    got += to_liar ? 1 : 0;
    accept();
    t.agent_says(liar, channel::LoadReport{.free_addresses = channel::kNoAddressLimit});
    t.agent_says(honest, channel::LoadReport{.sessions = i - static_cast<std::uint32_t>(got),
                                             .free_addresses = channel::kNoAddressLimit});
  }
  EXPECT_LE(got, 20) << "the edge knows what it placed";
  EXPECT_GE(got, 15);
}

TEST_F(Placed, AChannelThatComesAndGoesTakesItsAgentOutOfRotation) {
  auto& steady = t.add_agent("steady", 1);
  for (int i = 0; i < 3; ++i) {
    t.lose_agent(t.add_agent("flapping", 100, 7));
    t.now += seconds(1);
    t.agent_says(steady, channel::LoadReport{.free_addresses = channel::kNoAddressLimit});
  }
  t.add_agent("flapping", 100, 7);
  EXPECT_EQ(chosen(), "steady");
  t.now += seconds(120);
  EXPECT_TRUE(t.backends.health("flapping")->damped_until(t.now) == std::nullopt);
}

}  // namespace
}  // namespace sluice::edge::testing
