#include "edge/relay/relays.hpp"
#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

channel::TunnelResume an_offer(std::uint32_t number, std::string correlation, std::uint16_t tunnel = 500) {
  channel::TunnelResume out;
  out.resume = number;
  out.relay = RelayId(7);
  out.correlation_id = std::move(correlation);
  out.client = *Endpoint::parse("203.0.113.5:40001");
  out.l2tp_port = 1701;
  out.agent_tunnel = TunnelId(tunnel);
  out.client_tunnel = TunnelId(77);
  out.ns = 3;
  out.nr = 4;
  out.established = true;
  out.sessions = {{SessionId(5), SessionId(6), true, "alice", "pap", IpAddress::v4(0x0a1e0102), 5}};
  return out;
}

/// An edge that starts anew: its IKE daemon tells it what an edge before it had.
struct Restarted : Tables {
  SaSpec old(std::uint32_t spi, std::uint32_t ike, const char* remote, bool inbound, std::string note) {
    SaSpec out = spec(Spi(spi), ike, remote, inbound, "192.168.1.10");
    out.restored = true;
    out.note = std::move(note);
    out.last_sequence = inbound ? 90 : 1 << 20;
    out.reserved = inbound ? 0 : 1 << 21;
    return out;
  }
  void restore(std::uint32_t ike, const char* remote, const std::string& note) {
    EXPECT_FALSE(peers.add_sa(old(0x1000 * ike + 1, ike, remote, true, note)));
    EXPECT_FALSE(peers.add_sa(old(0xc0000000 + ike, ike, remote, false, note)));
  }
  void pass(Duration time) {
    for (Duration gone{}; gone < time; gone += milliseconds(100)) {
      now += milliseconds(100);
      relays.tick(seconds(15));
    }
  }
};

TEST(Restoration, BringsPeersBackOnTheWorkerThatTheirSpisName) {
  Restarted edge;
  edge.restore(3, "203.0.113.5:40001", "aaaa");
  const auto* peer = edge.peers.find_restored("aaaa");
  ASSERT_NE(peer, nullptr);
  EXPECT_EQ(peer->worker, 1U) << "0x3001 with two workers";
  EXPECT_EQ(peer->correlation_id, "aaaa");
  ASSERT_EQ(peer->children.size(), 1U);
  EXPECT_TRUE(peer->children[0].in && peer->children[0].out);
  const auto added = edge.posted<AddSa>();
  ASSERT_EQ(added.size(), 2U);
  EXPECT_EQ(added[1]->spec.last_sequence, 1U << 20);
  EXPECT_EQ(added[1]->spec.reserved, 1U << 21);
  EXPECT_EQ(added[1]->paired_inbound, added[0]->spec.spi);
  // The IKE SA finds its peer whatever place it is at now.
  IkePeer ike;
  ike.ike_sa = IkeSaId(3);
  ike.identity = "192.168.1.10";
  ike.remote = *Endpoint::parse("203.0.113.5:40999");
  edge.peers.ike_up(ike);
  EXPECT_EQ(edge.peer_of(3), peer->id);
  EXPECT_EQ(edge.peers.all().size(), 1U);
}

TEST(Restoration, TellingAnSaTwiceChangesNothing) {
  Restarted edge;
  edge.restore(3, "203.0.113.5:40001", "aaaa");
  edge.restore(3, "203.0.113.5:40001", "aaaa");
  EXPECT_EQ(edge.posted<AddSa>().size(), 2U);
}

TEST(Restoration, RefusesWhatCannotBeKnownAgain) {
  Restarted edge;
  EXPECT_EQ(edge.peers.add_sa(edge.old(0x3001, 3, "203.0.113.5:40001", true, "")), SaError::kNotFound);
  EXPECT_EQ(edge.peers.add_sa(edge.old(0xc0000003, 3, "203.0.113.5:40001", false, "aaaa")),
            SaError::kNotFound);
  edge.restore(3, "203.0.113.5:40001", "aaaa");
  EXPECT_EQ(edge.peers.add_sa(edge.old(0x3002, 3, "203.0.113.5:40001", true, "aaaa")), SaError::kNotFound)
      << "its SPI names another worker";
  Tables three(3);
  auto beyond = edge.old(0x3003, 3, "203.0.113.5:40001", true, "aaaa");
  EXPECT_EQ(three.peers.add_sa(std::move(beyond)), SaError::kNotFound) << "there are fewer workers now";
}

TEST(Restoration, ReservationsReachTheWorkerOfTheSa) {
  Restarted edge;
  edge.restore(3, "203.0.113.5:40001", "aaaa");
  edge.peers.reserved(Spi(0xc0000003), *Endpoint::parse("203.0.113.5:40001"), 5 << 20);
  const auto extended = edge.posted<ExtendSa>();
  ASSERT_EQ(extended.size(), 1U);
  EXPECT_EQ(extended[0]->last, 5U << 20);
  edge.posted<AddSa>()[0]->stats->top.add(90);
  ASSERT_EQ(edge.peers.take_seen().size(), 1U);
  EXPECT_TRUE(edge.peers.take_seen().empty()) << "nothing new";
}

TEST(Resumption, GivesTunnelsToThePeersThatHadThemHoweverAlikeTheyAre) {
  Restarted edge;
  auto& agent = edge.add_agent("agent1");
  edge.restore(1, "203.0.113.5:40001", "aaaa");
  edge.restore(2, "203.0.113.5:40002", "bbbb");
  edge.peers.restored(4);
  // Equal identities, addresses, ports and ids; only the correlation differs.
  edge.agent_says(agent, an_offer(1, "bbbb-7"));
  edge.agent_says(agent, an_offer(2, "aaaa-9"));
  ASSERT_EQ(agent.resumed.size(), 2U);
  const auto bound = edge.posted<ResumeRelay>();
  ASSERT_EQ(bound.size(), 2U);
  EXPECT_EQ(bound[0]->peer, edge.peers.find_restored("bbbb")->id);
  EXPECT_EQ(bound[1]->peer, edge.peers.find_restored("aaaa")->id);
  EXPECT_NE(bound[0]->relay, bound[1]->relay);
  EXPECT_GT(bound[0]->relay.value(), 7U) << "numbers of the edge before are not used again";
  EXPECT_EQ(bound[0]->ns, 3);
  EXPECT_EQ(bound[0]->nr, 4);
  EXPECT_EQ(edge.relays.session_count(), 2U);
  EXPECT_TRUE(edge.ups.empty()) << "nobody logged in";
  const auto& relay = edge.relays.all().at(bound[0]->relay);
  EXPECT_EQ(relay.correlation_id, "bbbb-7");
  EXPECT_EQ(relay.agent_sessions.at(SessionId(5)).user, "alice");
}

TEST(Resumption, OffersWaitForTheirPeerAndNotForever) {
  Restarted edge;
  auto& agent = edge.add_agent("agent1");
  edge.agent_says(agent, an_offer(1, "aaaa-7"));
  edge.agent_says(agent, an_offer(2, "cccc-8"));
  edge.pass(seconds(3));
  EXPECT_TRUE(agent.resumed.empty() && agent.lost.empty()) << "SAs may still come";
  edge.restore(1, "203.0.113.5:40001", "aaaa");
  edge.peers.restored(2);
  edge.pass(milliseconds(100));
  ASSERT_EQ(agent.resumed.size(), 1U);
  EXPECT_EQ(agent.resumed[0].resume, 1U);
  edge.pass(seconds(10));
  ASSERT_EQ(agent.lost.size(), 1U);
  EXPECT_EQ(agent.lost[0].resume, 2U);
}

TEST(Resumption, ATunnelIsTakenOnce) {
  Restarted edge;
  auto& agent = edge.add_agent("agent1");
  auto& other = edge.add_agent("agent2");
  edge.restore(1, "203.0.113.5:40001", "aaaa");
  edge.peers.restored(2);
  edge.agent_says(agent, an_offer(1, "aaaa-7"));
  edge.agent_says(other, an_offer(1, "aaaa-7"));
  EXPECT_EQ(agent.resumed.size(), 1U);
  EXPECT_EQ(other.lost.size(), 1U);
}

TEST(Resumption, APeerWhoseTunnelNobodyHasIsEndedSoThatItRedials) {
  Restarted edge;
  auto& agent = edge.add_agent("agent1");
  edge.restore(1, "203.0.113.5:40001", "aaaa");
  edge.restore(2, "203.0.113.5:40002", "bbbb");
  edge.peers.restored(4);
  edge.agent_says(agent, an_offer(1, "aaaa-7"));
  edge.pass(seconds(14));
  EXPECT_TRUE(edge.ended.empty());
  edge.pass(seconds(2));
  EXPECT_EQ(edge.ended, std::vector{edge.peers.find_restored("bbbb")->id});
  edge.pass(seconds(60));
  EXPECT_EQ(edge.ended.size(), 1U);
}

/// One client with a tunnel and a session on the only agent, whose channel is then cut.
struct CutOff : Restarted {
  CutOff() {
    agent = &add_agent("agent1");
    dial_in(1, "203.0.113.5:40001");
    sccrq(peer_of(1), 77);
    relay = agent->opened.at(0).relay;
    agent_says(*agent, channel::TunnelAccept{relay});
    agent_says(*agent, channel::SessionUp{relay, SessionId(5), "alice", "pap", {}, 5});
    agent_says(*agent, channel::SessionUp{relay, SessionId(9), "bob", "pap", {}, 5});
    cut_off(*agent);
  }
  channel::TunnelResume offer(std::uint32_t number) {
    auto out =
        an_offer(number, agent->opened.at(0).correlation_id, agent->opened.at(0).assigned_tunnel.value());
    out.relay = relay;
    return out;
  }
  FakeChannel* agent;
  RelayId relay;
};

TEST(Flapping, AnAgentThatComesBackKeepsItsTunnels) {
  CutOff edge;
  edge.pass(seconds(1));
  EXPECT_TRUE(edge.posted<Farewell>().empty());
  EXPECT_EQ(edge.relays.session_count(), 2U);
  auto& again = edge.add_agent("agent1");
  edge.pass(seconds(1));
  edge.agent_says(again, edge.offer(1));
  ASSERT_EQ(again.resumed.size(), 1U);
  EXPECT_EQ(again.resumed[0].relay, edge.relay) << "it keeps its number";
  EXPECT_EQ(edge.downs.size(), 1U) << "bob's session ended meanwhile";
  EXPECT_EQ(edge.relays.session_count(), 1U);
  edge.pass(seconds(10));
  EXPECT_TRUE(edge.posted<Farewell>().empty());
  for (const auto& [id, backend] : edge.backends.all()) EXPECT_EQ(backend.placed, 1U);
}

TEST(Flapping, OneThatDoesNotIsLostSoonEnough) {
  CutOff edge;
  edge.pass(seconds(3));
  EXPECT_EQ(edge.posted<Farewell>().size(), 1U);
  EXPECT_EQ(edge.relays.session_count(), 0U);
}

TEST(Flapping, AnotherLifeOfTheAgentHasNoneOfItsTunnels) {
  CutOff edge;
  auto& again = edge.add_agent("agent1", 1, 2);
  edge.pass(milliseconds(200));
  EXPECT_EQ(edge.posted<Farewell>().size(), 1U);
  edge.agent_says(again, edge.offer(1));
  edge.pass(seconds(11));
  EXPECT_EQ(again.lost.size(), 1U);
}

TEST(Flapping, TunnelsThatAreNotOfferedAgainAreOver) {
  CutOff edge;
  edge.add_agent("agent1");
  edge.pass(seconds(3));
  EXPECT_EQ(edge.posted<Farewell>().size(), 1U);
}

TEST(Flapping, AnAgentThatReconnectsBeforeItsOldChannelIsKnownDeadKeepsItsTunnels) {
  Restarted edge;
  auto& agent = edge.add_agent("agent1");
  edge.dial_in(1, "203.0.113.5:40001");
  edge.sccrq(edge.peer_of(1), 77);
  const auto relay = agent.opened.at(0).relay;
  edge.agent_says(agent, channel::TunnelAccept{relay});
  auto& again = edge.add_agent("agent1");
  EXPECT_FALSE(agent.close_reason.empty());
  edge.backends.channel_down(agent, {channel::DeadCause::kLocalClose, "the agent connected anew"});
  auto offer = an_offer(1, agent.opened.at(0).correlation_id, agent.opened.at(0).assigned_tunnel.value());
  offer.relay = relay;
  edge.agent_says(again, offer);
  EXPECT_EQ(again.resumed.size(), 1U);
  edge.pass(seconds(5));
  EXPECT_TRUE(edge.posted<Farewell>().empty());
}

}  // namespace
}  // namespace sluice::edge::testing
