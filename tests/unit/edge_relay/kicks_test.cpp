// Tunnels that an operator kicks, and what the journal is told of tunnels.
#include "edge/relay/kicks.hpp"

#include <gmock/gmock.h>

#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::SizeIs;

struct Kicked : ::testing::Test {
  RelayId dial(std::uint32_t number) {
    t.dial_in(number, ("198.51.100." + std::to_string(number) + ":4500").c_str(),
              "c" + std::to_string(number));
    t.sccrq(t.peer_of(number), 77);
    const auto relay = agent.opened.back().relay;
    t.agent_says(agent, channel::TunnelAccept{relay});
    t.agent_says(agent, channel::SessionUp{relay, SessionId(5), "bob", "pap", IpAddress::v4(1), 1});
    return relay;
  }
  std::vector<std::string> noted() const {
    std::vector<std::string> out;
    for (const auto& entry : t.notes)
      out.push_back(std::string(name_of(entry.kind)) + (entry.cause.empty() ? "" : " " + entry.cause));
    return out;
  }

  Tables t;
  FakeChannel& agent = t.add_agent("agent1");
  Kicks kicks{t.relays, [this] { return t.now; }};
};

TEST_F(Kicked, AreEndedAtTheRateThatWasAsked) {
  std::vector<RelayId> relays;
  for (std::uint32_t i = 1; i <= 10; ++i) relays.push_back(dial(i));
  EXPECT_EQ(kicks.begin(relays, 4, "tidying up"), 10U);
  EXPECT_TRUE(agent.ended.empty());
  kicks.tick();
  EXPECT_EQ(agent.ended.size(), 1U);
  for (int i = 0; i < 10; ++i) t.now += milliseconds(100), kicks.tick();
  EXPECT_EQ(agent.ended.size(), 5U);
  EXPECT_EQ(kicks.left(), 5U);
  t.now += seconds(60);
  kicks.tick();
  EXPECT_EQ(agent.ended.size(), 9U) << "time that was not used is not saved up";
  t.now += seconds(1);
  kicks.tick();
  EXPECT_EQ(agent.ended.size(), 10U);
  EXPECT_EQ(agent.ended.at(relays[3]), "tidying up");
  EXPECT_EQ(kicks.left(), 0U);
}

TEST_F(Kicked, NobodyIsEndedTwice) {
  const std::vector relays{dial(1), dial(2), RelayId(999)};
  EXPECT_THAT(kicks.endable(relays), SizeIs(2));
  EXPECT_EQ(kicks.begin(relays, 1, "first"), 2U);
  EXPECT_EQ(kicks.begin(relays, 1000, "second"), 0U) << "they are on the list";
  kicks.tick();
  EXPECT_EQ(kicks.begin(relays, 1000, "second"), 0U) << "one is on its way out, the other on the list";
  t.relays.drain(relays[1], "drained", seconds(1));
  t.now += seconds(5);
  kicks.tick();
  EXPECT_EQ(agent.ended.at(relays[0]), "first");
  EXPECT_EQ(agent.ended.at(relays[1]), "drained");
}

TEST_F(Kicked, TheClientIsToldAndItsSasGo) {
  const auto relay = dial(1);
  kicks.begin(std::vector{relay}, 10, "tidying up");
  kicks.tick();
  t.notes.clear();
  t.agent_says(agent, channel::SessionDown{relay, SessionId(5), "draining", "tidying up", "bob"});
  t.agent_says(agent, channel::TunnelClose{relay, channel::CloseCause::kByAgent, "tidying up"});
  EXPECT_EQ(t.downs, std::vector<std::string>{"kicked"});
  EXPECT_THAT(noted(), ElementsAre("session-down kicked", "closed kicked"));
  EXPECT_EQ(t.notes.back().detail("by"), kByOperator);
  t.now += milliseconds(1100);
  t.relays.tick(seconds(15));
  EXPECT_EQ(t.ended, std::vector<PeerId>{t.peer_of(1)});
}

TEST_F(Kicked, TheJournalIsToldOfATunnelFromPlacementToItsEnd) {
  const auto relay = dial(1);
  t.relays.on_observed({.relay = relay,
                        .what = l2tp::Observation::kTunnelUp,
                        .sessions = {},
                        .client_host = "pc",
                        .close_text = {},
                        .closed_by_client = false});
  t.relays.on_observed({.relay = relay,
                        .what = l2tp::Observation::kSessionUp,
                        .sessions = {},
                        .client_host = "pc",
                        .close_text = {},
                        .closed_by_client = false});
  t.relays.on_observed({.relay = relay,
                        .what = l2tp::Observation::kTunnelClosed,
                        .sessions = {},
                        .client_host = "pc",
                        .close_text = "client: 6 requester is being shut down",
                        .closed_by_client = true});
  t.agent_says(agent, channel::SessionDown{relay, SessionId(5), "user-request", "", "bob"});
  t.agent_says(agent, channel::TunnelClose{relay, channel::CloseCause::kByClient, "StopCCN"});
  EXPECT_THAT(noted(), ElementsAre("placed", "session-up", "tunnel-up", "session-open", "closing",
                                   "session-down user-request", "closed tunnel-closed"));
  EXPECT_EQ(t.notes[0].detail("agent"), "agent1");
  EXPECT_EQ(t.notes[0].text, "its score is the lowest");
  EXPECT_EQ(t.notes[4].text, "client: 6 requester is being shut down");
  EXPECT_EQ(t.notes[4].detail("by"), kByClient);
  EXPECT_EQ(t.notes[6].detail("by"), kByClient);
}

TEST_F(Kicked, TheJournalIsToldOfRefusals) {
  t.dial_in(1, "198.51.100.1:4500");
  t.sccrq(t.peer_of(1), 77);
  t.agent_says(agent, channel::TunnelRefuse{agent.opened.back().relay, "no room"});
  EXPECT_THAT(noted(), ElementsAre("agent-refused", "refused no-agent"));
  EXPECT_EQ(t.notes[0].text, "no room");
}

TEST_F(Kicked, TheJournalIsToldWhyAFarewellWasSaid) {
  const auto relay = dial(1);
  t.notes.clear();
  t.lose_agent(agent);
  t.relays.on_farewell_done({.relay = relay, .acknowledged = true});
  EXPECT_THAT(noted(), ElementsAre("session-down agent-lost", "closed agent-lost"));
}

}  // namespace
}  // namespace sluice::edge::testing
