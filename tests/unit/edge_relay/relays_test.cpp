#include "edge/relay/relays.hpp"

#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using std::chrono::seconds;

/// One client with a tunnel on the only agent.
struct Connected : Tables {
  Connected() {
    agent = &add_agent("agent1");
    dial_in(1, "203.0.113.5:40001");
    sccrq(peer_of(1), 77);
    relay = agent->opened.at(0).relay;
    agent_says(*agent, channel::TunnelAccept{relay});
    channel::SessionUp up;
    up.relay = relay;
    up.session = SessionId(5);
    up.user = "alice";
    agent_says(*agent, up);
  }
  FakeChannel* agent;
  RelayId relay;
};

TEST(Relays, BindsATunnelOnceItsAgentAccepts) {
  Tables tables;
  auto& agent = tables.add_agent("agent1");
  tables.dial_in(1, "203.0.113.5:40001");
  tables.sccrq(tables.peer_of(1), 77);
  ASSERT_EQ(agent.opened.size(), 1U);
  const auto& open = agent.opened[0];
  EXPECT_EQ(open.client.to_string(), "203.0.113.5:40001");
  EXPECT_EQ(open.cipher, "AES_CBC_256/HMAC_SHA1_96");
  EXPECT_TRUE(open.assigned_tunnel);
  EXPECT_GT(open.ppp_mtu, 1300);
  EXPECT_TRUE(tables.posted<BindRelay>().empty());
  tables.agent_says(agent, channel::TunnelAccept{open.relay});
  const auto bound = tables.posted<BindRelay>();
  ASSERT_EQ(bound.size(), 1U);
  EXPECT_EQ(bound[0]->agent_tunnel, open.assigned_tunnel);
  EXPECT_FALSE(bound[0]->first_packet.empty());
}

TEST(Relays, AsksTheNextAgentWhenOneRefuses) {
  Tables tables;
  auto& first = tables.add_agent("agent1", 2);
  auto& second = tables.add_agent("agent2", 1);
  tables.dial_in(1, "203.0.113.5:40001");
  tables.sccrq(tables.peer_of(1), 77);
  ASSERT_EQ(first.opened.size(), 1U);
  tables.agent_says(first, channel::TunnelRefuse{first.opened[0].relay, "full"});
  ASSERT_EQ(second.opened.size(), 1U);
  tables.agent_says(second, channel::TunnelRefuse{second.opened[0].relay, "full"});
  const auto refusals = tables.posted<SendL2tp>();
  ASSERT_EQ(refusals.size(), 1U) << "the client is told, not left to wait";
  EXPECT_TRUE(tables.relays.all().empty());
  for (const auto& [id, backend] : tables.backends.all()) EXPECT_EQ(backend.placed, 0U);
}

TEST(Relays, TellsTheClientWhenNoAgentIsThere) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  tables.sccrq(tables.peer_of(1), 77);
  EXPECT_EQ(tables.posted<SendL2tp>().size(), 1U);
}

TEST(Relays, TakesAResentSccrqForTheSameTunnelWhileTheAgentThinks) {
  Tables tables;
  auto& agent = tables.add_agent("agent1");
  tables.dial_in(1, "203.0.113.5:40001");
  tables.sccrq(tables.peer_of(1), 77);
  tables.sccrq(tables.peer_of(1), 77);
  EXPECT_EQ(agent.opened.size(), 1U);
}

TEST(Relays, SpreadsTunnelsOverTheAgents) {
  Tables tables;
  auto& first = tables.add_agent("agent1");
  auto& second = tables.add_agent("agent2");
  for (std::uint32_t i = 1; i <= 10; ++i) {
    tables.dial_in(i, ("203.0.113.5:" + std::to_string(40000 + i)).c_str());
    tables.sccrq(tables.peer_of(i), 77);
  }
  EXPECT_EQ(first.opened.size(), 5U);
  EXPECT_EQ(second.opened.size(), 5U);
}

TEST(Relays, GivesEachTunnelOfAPeerAnIdOfItsOwnAndLimitsThem) {
  Tables tables;
  auto& agent = tables.add_agent("agent1");
  tables.dial_in(1, "203.0.113.5:40001");
  for (std::uint16_t i = 1; i <= TunnelLimits().tunnels_per_peer + 1; ++i) tables.sccrq(tables.peer_of(1), i);
  std::set<TunnelId> ids;
  for (const auto& open : agent.opened) ids.insert(open.assigned_tunnel);
  EXPECT_EQ(ids.size(), TunnelLimits().tunnels_per_peer);
  EXPECT_EQ(tables.posted<SendL2tp>().size(), 1U);
}

TEST(Relays, LimitsTheTunnelsOfAnIdentityOverAllItsPeers) {
  Tables tables(2, {.tunnels_per_identity = 2});
  auto& agent = tables.add_agent("agent1");
  for (std::uint32_t i = 1; i <= 3; ++i) {
    tables.dial_in(i, ("203.0.113.5:4000" + std::to_string(i)).c_str(), "CN=alice");
    tables.sccrq(tables.peer_of(i), 77);
  }
  tables.dial_in(4, "203.0.113.5:40004", "CN=bob");
  tables.sccrq(tables.peer_of(4), 77);
  EXPECT_EQ(agent.opened.size(), 3U) << "two of alice, one of bob";
  EXPECT_EQ(tables.posted<SendL2tp>().size(), 1U) << "the third of alice is told";
  tables.agent_says(agent, channel::TunnelClose{agent.opened[0].relay, channel::CloseCause::kByClient, ""});
  tables.sccrq(tables.peer_of(3), 77);
  EXPECT_EQ(agent.opened.size(), 4U) << "one that ended makes room";
}

TEST(Relays, NeverAnswersAnSccrqWithMoreThanItIsLong) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  // The shortest SCCRQ that there is: no agent is here, so it is refused.
  l2tp::MessageBuilder shortest(l2tp::MessageType::kSccrq);
  shortest.u16(l2tp::AvpType::kProtocolVersion, 0x0100)
      .u32(l2tp::AvpType::kFramingCapabilities, 3)
      .text(l2tp::AvpType::kHostName, "h")
      .u16(l2tp::AvpType::kAssignedTunnelId, 9);
  const auto packet = shortest.finish({}, {}, 0, 0);
  tables.relays.on_sccrq({tables.peer_of(1), 1701, packet});
  const auto refusals = tables.posted<SendL2tp>();
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_LE(refusals[0]->packet.size(), packet.size());
  EXPECT_EQ(l2tp::parse_header(refusals[0]->packet)->tunnel, TunnelId(9));
}

TEST(Relays, EndsATunnelWithMoreSessionsThanAClientMayHave) {
  Tables tables(2, {.sessions_per_peer = 2});
  auto& agent = tables.add_agent("agent1");
  tables.dial_in(1, "203.0.113.5:40001");
  tables.sccrq(tables.peer_of(1), 77);
  const auto relay = agent.opened.at(0).relay;
  tables.agent_says(agent, channel::TunnelAccept{relay});
  for (std::uint16_t i = 1; i <= 3; ++i) {
    channel::SessionUp up;
    up.relay = relay;
    up.session = SessionId(i);
    EXPECT_TRUE(tables.posted<Farewell>().empty());
    tables.agent_says(agent, up);
  }
  EXPECT_EQ(tables.posted<Farewell>().size(), 1U) << "the client is told by StopCCN";
  EXPECT_EQ(agent.closed.at(relay), channel::CloseCause::kAdmin);
  EXPECT_EQ(tables.relays.session_count(), 0U);
  EXPECT_EQ(tables.downs.size(), 3U);
  tables.relays.on_farewell_done({relay, true});
  EXPECT_TRUE(tables.relays.all().empty());
}

TEST(Relays, EndsATunnelThatStaysHalfOpen) {
  Tables tables(2, {.half_open = seconds(30)});
  auto& agent = tables.add_agent("agent1");
  tables.dial_in(1, "203.0.113.5:40001");
  tables.sccrq(tables.peer_of(1), 77);
  tables.sccrq(tables.peer_of(1), 78);
  for (const auto& open : agent.opened) tables.agent_says(agent, channel::TunnelAccept{open.relay});
  const auto up = agent.opened.at(1).relay;
  TunnelObserved observed;
  observed.relay = up;
  observed.what = l2tp::Observation::kTunnelUp;
  tables.relays.on_observed(observed);
  tables.now += seconds(29);
  tables.relays.tick(seconds(15));
  EXPECT_TRUE(tables.posted<Farewell>().empty());
  tables.now += seconds(1);
  tables.relays.tick(seconds(15));
  const auto farewells = tables.posted<Farewell>();
  ASSERT_EQ(farewells.size(), 1U);
  EXPECT_EQ(farewells[0]->relay, agent.opened.at(0).relay);
  EXPECT_EQ(agent.closed.size(), 1U);
}

TEST(Relays, ClosesTheOldTunnelWhenAClientStartsTheSameOneAnew) {
  Connected c;
  c.sccrq(c.peer_of(1), 77);
  EXPECT_EQ(c.agent->closed.at(c.relay), channel::CloseCause::kByClient);
  EXPECT_EQ(c.agent->opened.size(), 2U);
  EXPECT_EQ(c.downs, std::vector<std::string>{"client-restarted"});
}

TEST(Relays, SaysFarewellToALostAgentsClientsAndThenEndsThoseThatStayAway) {
  Connected c;
  c.lose_agent(*c.agent);
  EXPECT_EQ(c.downs, std::vector<std::string>{"agent-lost"});
  c.relays.tick(seconds(15));
  ASSERT_EQ(c.posted<Farewell>().size(), 1U);
  c.relays.on_farewell_done({c.relay, true});
  EXPECT_TRUE(c.relays.all().empty());
  c.relays.tick(seconds(15));
  EXPECT_TRUE(c.ended.empty()) << "it has time to redial";
  c.now += seconds(11);
  c.relays.tick(seconds(15));
  EXPECT_EQ(c.ended, std::vector{c.peer_of(1)});
}

TEST(Relays, LeavesAClientAloneThatRedialledAfterTheFarewell) {
  Connected c;
  c.lose_agent(*c.agent);
  c.relays.tick(seconds(15));
  c.relays.on_farewell_done({c.relay, true});
  auto& other = c.add_agent("agent2");
  c.sccrq(c.peer_of(1), 78);
  EXPECT_EQ(other.opened.size(), 1U);
  c.now += seconds(11);
  c.relays.tick(seconds(15));
  EXPECT_TRUE(c.ended.empty());
}

TEST(Relays, PlacesAWaitingTunnelElsewhereWhenItsAgentGoes) {
  Tables tables;
  auto& first = tables.add_agent("agent1", 2);
  auto& second = tables.add_agent("agent2", 1);
  tables.dial_in(1, "203.0.113.5:40001");
  tables.sccrq(tables.peer_of(1), 77);
  ASSERT_EQ(first.opened.size(), 1U);
  tables.lose_agent(first);
  EXPECT_EQ(second.opened.size(), 1U);
}

TEST(Relays, IgnoresAnAgentThatSpeaksOfAnothersRelay) {
  Connected c;
  auto& liar = c.add_agent("agent2");
  c.agent_says(liar, channel::TunnelClose{c.relay, channel::CloseCause::kByAgent, "mine now"});
  channel::SessionUp up;
  up.relay = c.relay;
  up.session = SessionId(9);
  up.user = "mallory";
  c.agent_says(liar, up);
  EXPECT_EQ(c.relays.all().size(), 1U);
  EXPECT_EQ(c.ups, std::vector<std::string>{"alice"});
}

TEST(Relays, ClosesTunnelsOfAPeerWhoseSasAreGone) {
  Connected c;
  const auto& child = c.peers.find(c.peer_of(1))->children.at(0);
  const auto in = child.in;
  const auto out = child.out;
  EXPECT_FALSE(c.peers.remove_sa(in, true, *Endpoint::parse("192.0.2.1:4500")));
  EXPECT_FALSE(c.peers.remove_sa(out, false, *Endpoint::parse("203.0.113.5:40001")));
  c.now += seconds(14);
  c.relays.tick(seconds(15));
  EXPECT_EQ(c.relays.all().size(), 1U);
  c.now += seconds(2);
  c.relays.tick(seconds(15));
  EXPECT_TRUE(c.relays.all().empty()) << "even while the IKE SA lives";
  EXPECT_EQ(c.agent->closed.at(c.relay), channel::CloseCause::kPeerGone);
}

TEST(Relays, EndsSessionsWhenTheAgentClosesTheTunnel) {
  Connected c;
  c.agent_says(*c.agent, channel::TunnelClose{c.relay, channel::CloseCause::kByClient, "StopCCN"});
  EXPECT_TRUE(c.relays.all().empty());
  EXPECT_EQ(c.posted<UnbindRelay>().size(), 1U);
  EXPECT_EQ(c.downs.size(), 1U);
  for (const auto& [id, backend] : c.backends.all()) EXPECT_EQ(backend.placed, 0U);
}

TEST(Backends, ReplacesTheOldConnectionOfAnAgentThatComesBack) {
  Connected c;
  auto& again = c.add_agent("agent1");
  EXPECT_FALSE(c.agent->close_reason.empty());
  EXPECT_TRUE(again.close_reason.empty());
}

}  // namespace
}  // namespace sluice::edge::testing
