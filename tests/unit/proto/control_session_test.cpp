#include <algorithm>
#include <set>

#include "tests/unit/proto/control_pair.hpp"

namespace sluice::channel {
namespace {

using namespace ends;

TEST(ControlSession, BothSidesAgreeOnPaths) {
  Pair pair;
  pair.exchange();
  const auto ready = pair.at_edge<AgentReady>();
  const auto edge_ready = pair.at_agent<EdgeReady>();
  ASSERT_EQ(ready.size(), 1U);
  ASSERT_EQ(edge_ready.size(), 1U);
  EXPECT_EQ(ready[0].paths, edge_ready[0].paths);
  EXPECT_EQ(ready[0].paths.paths.size(), kEdgeWorkers * kAgentWorkers);
  for (const auto& path : ready[0].paths.paths) {
    EXPECT_EQ(worker_of(path.spi_to_edge, kEdgeWorkers), path.edge_worker);
    EXPECT_EQ(worker_of(path.spi_to_agent, kAgentWorkers), path.agent_worker);
  }
  EXPECT_EQ(ready[0].agent, a_hello());
  EXPECT_EQ(edge_ready[0].edge.edge_name, "edge1");
  EXPECT_EQ(edge_ready[0].edge.data_port, 6000);
  EXPECT_TRUE(pair.edge.established());
  EXPECT_TRUE(pair.agent.established());
}

TEST(ControlSession, StaysUpWhileBothTalk) {
  Pair pair;
  pair.agent.set_load({.sessions = 3});
  pair.exchange();
  pair.pass(seconds(60));
  EXPECT_FALSE(pair.edge.dead());
  EXPECT_FALSE(pair.agent.dead());
  const auto reports = pair.at_edge<LoadReport>();
  EXPECT_GE(reports.size(), 55U);
  EXPECT_LE(reports.size(), 65U);
  EXPECT_EQ(reports.back().sessions, 3U);
}

TEST(ControlSession, EdgeNoticesASilentAgentWithinThreeSeconds) {
  Pair pair;
  pair.exchange();
  const Instant silent_from = pair.now;
  while (!pair.edge.dead()) pair.pass(milliseconds(100), false);
  EXPECT_LE(pair.now - silent_from, seconds(3));
  EXPECT_GE(pair.now - silent_from, milliseconds(2500));
  EXPECT_EQ(pair.at_edge<Dead>().front().cause, DeadCause::kSilent);
  EXPECT_FALSE(pair.edge.next_timeout());
}

TEST(ControlSession, AgentNoticesASilentEdge) {
  Pair pair;
  pair.exchange();
  const Instant silent_from = pair.now;
  while (!pair.agent.dead()) pair.pass(milliseconds(100), true, false);
  EXPECT_GE(pair.now - silent_from, seconds(5));
  EXPECT_LE(pair.now - silent_from, milliseconds(5500));
  EXPECT_EQ(pair.at_agent<Dead>().front().cause, DeadCause::kSilent);
}

TEST(ControlSession, AnEdgeThatSleptItselfGivesItsAgentsAnotherChance) {
  Pair pair;
  pair.exchange();
  pair.now += seconds(10);
  pair.edge.on_timeout(pair.now);
  EXPECT_FALSE(pair.edge.dead());
  pair.agent.report_now();
  pair.exchange();
  pair.pass(seconds(2), false);
  EXPECT_FALSE(pair.edge.dead());
  pair.pass(seconds(1), false);
  EXPECT_TRUE(pair.edge.dead());
}

TEST(ControlSession, HandshakeThatHangsTimesOut) {
  Pair pair;
  pair.pass(milliseconds(5100), true, false);
  EXPECT_EQ(pair.at_agent<Dead>().front().cause, DeadCause::kHandshakeTimeout);
  Pair other;
  other.edge.on_bytes(other.agent.poll_transmit(), other.now);
  other.pass(milliseconds(5100), false);
  EXPECT_EQ(other.at_edge<Dead>().front().cause, DeadCause::kHandshakeTimeout);
  EXPECT_EQ(other.edge_spis.taken(), 0U) << "SPIs offered and never used are given back";
}

TEST(ControlSession, TunnelsOpenAcceptRefuseClose) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.edge.open_tunnel(pair.open(1), pair.now));
  ASSERT_TRUE(pair.edge.open_tunnel(pair.open(2), pair.now));
  ASSERT_TRUE(pair.edge.open_tunnel(pair.open(3), pair.now));
  EXPECT_FALSE(pair.edge.open_tunnel(pair.open(3), pair.now)) << "relay id in use";
  pair.exchange();
  const auto opens = pair.at_agent<TunnelOpen>();
  ASSERT_EQ(opens.size(), 3U);
  EXPECT_EQ(opens[0], pair.open(1));
  EXPECT_TRUE(pair.agent.accept(RelayId(1)));
  EXPECT_FALSE(pair.agent.accept(RelayId(1)));
  EXPECT_FALSE(pair.agent.session_up({RelayId(2), SessionId(1), "u", "pap", {}, 0})) << "not accepted yet";
  EXPECT_TRUE(pair.agent.refuse(RelayId(2), "full"));
  EXPECT_TRUE(pair.agent.accept(RelayId(3)));
  EXPECT_TRUE(
      pair.agent.session_up({RelayId(1), SessionId(8), "user", "pap", IpAddress::v4(0x0a010101), 99}));
  EXPECT_TRUE(pair.agent.session_down({RelayId(1), SessionId(8), "user-request", "bye", "user"}));
  EXPECT_TRUE(pair.agent.close_tunnel(RelayId(1), CloseCause::kByAgent, "over"));
  pair.exchange();
  EXPECT_EQ(pair.at_edge<TunnelAccept>(), (std::vector<TunnelAccept>{{RelayId(1)}, {RelayId(3)}}));
  EXPECT_EQ(pair.at_edge<TunnelRefuse>(), (std::vector<TunnelRefuse>{{RelayId(2), "full"}}));
  EXPECT_EQ(pair.at_edge<SessionUp>().size(), 1U);
  EXPECT_EQ(pair.at_edge<SessionDown>().size(), 1U);
  EXPECT_EQ(pair.at_edge<TunnelClose>(),
            (std::vector<TunnelClose>{{RelayId(1), CloseCause::kByAgent, "over"}}));
  EXPECT_TRUE(pair.edge.close_tunnel(RelayId(3), CloseCause::kByClient, "StopCCN"));
  EXPECT_FALSE(pair.edge.close_tunnel(RelayId(3), CloseCause::kByClient, "StopCCN"));
  pair.exchange();
  EXPECT_EQ(pair.at_agent<TunnelClose>().size(), 1U);
  EXPECT_EQ(pair.edge.open_relays(), 0U);
  EXPECT_EQ(pair.agent.open_relays(), 0U);
}

TEST(ControlSession, TunnelsAreEndedByTheAgentOnceTheyAreAccepted) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.edge.open_tunnel(pair.open(1), pair.now));
  EXPECT_FALSE(pair.edge.end_tunnel(RelayId(1), "draining")) << "not accepted yet";
  EXPECT_FALSE(pair.edge.end_tunnel(RelayId(2), "draining")) << "not open";
  pair.exchange();
  ASSERT_TRUE(pair.agent.accept(RelayId(1)));
  pair.exchange();
  ASSERT_TRUE(pair.edge.end_tunnel(RelayId(1), "draining"));
  EXPECT_EQ(pair.edge.open_relays(), 1U) << "it lives until the agent closes it";
  pair.exchange();
  EXPECT_EQ(pair.at_agent<TunnelEnd>(), (std::vector<TunnelEnd>{{RelayId(1), "draining"}}));
  ASSERT_TRUE(pair.edge.end_tunnel(RelayId(1), "again"));
  ASSERT_TRUE(pair.agent.close_tunnel(RelayId(1), CloseCause::kByAgent, "ended"));
  pair.exchange();
  EXPECT_EQ(pair.at_agent<TunnelEnd>().size(), 1U) << "the second crossed the close";
  EXPECT_EQ(pair.agent.counts().read(ControlCount::kStaleRelay), 1U);
  EXPECT_EQ(pair.edge.open_relays(), 0U);
  EXPECT_FALSE(pair.edge.dead());
  EXPECT_FALSE(pair.agent.dead());
}

TEST(ControlSession, OpenThatGetsNoAnswerIsRefused) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.edge.open_tunnel(pair.open(1), pair.now));
  pair.pass(milliseconds(1900));
  EXPECT_TRUE(pair.at_edge<TunnelRefuse>().empty());
  pair.pass(milliseconds(200));
  EXPECT_EQ(pair.at_edge<TunnelRefuse>(), (std::vector<TunnelRefuse>{{RelayId(1), "no answer"}}));
  EXPECT_EQ(pair.at_agent<TunnelClose>().size(), 1U);
  EXPECT_FALSE(pair.agent.accept(RelayId(1)));
  EXPECT_FALSE(pair.edge.dead());
}

TEST(ControlSession, MessagesThatCrossACloseArePassedOver) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.edge.open_tunnel(pair.open(1), pair.now));
  pair.exchange();
  ASSERT_TRUE(pair.edge.close_tunnel(RelayId(1), CloseCause::kByClient, ""));
  ASSERT_TRUE(pair.agent.accept(RelayId(1)));
  pair.exchange();
  EXPECT_EQ(pair.edge.counts().read(ControlCount::kStaleRelay), 1U);
  EXPECT_TRUE(pair.at_edge<TunnelAccept>().empty());
  EXPECT_FALSE(pair.edge.dead());
}

TEST(ControlSession, ANewEpochBringsNewPathsAndKeepsTunnels) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.edge.open_tunnel(pair.open(1), pair.now));
  pair.exchange();
  ASSERT_TRUE(pair.agent.accept(RelayId(1)));
  ASSERT_TRUE(pair.edge.renew_paths(pair.now));
  EXPECT_FALSE(pair.edge.renew_paths(pair.now)) << "one at a time";
  pair.exchange();
  const auto at_edge = pair.at_edge<PathsRenewed>();
  const auto at_agent = pair.at_agent<PathsRenewed>();
  ASSERT_EQ(at_edge.size(), 1U);
  ASSERT_EQ(at_agent.size(), 1U);
  EXPECT_EQ(at_edge[0].paths, at_agent[0].paths);
  EXPECT_EQ(at_edge[0].paths.epoch, 2U);
  EXPECT_NE(at_edge[0].paths.paths, pair.at_edge<AgentReady>()[0].paths.paths);
  EXPECT_EQ(pair.edge.open_relays(), 1U);
  EXPECT_TRUE(pair.edge.renew_paths(pair.now));
}

TEST(ControlSession, NoCommonVersionEndsItWithBothRanges) {
  Hello hello = a_hello();
  hello.version_min = kVersionMax + 1;
  hello.version_max = kVersionMax + 2;
  Pair pair(hello);
  pair.exchange();
  EXPECT_EQ(pair.at_edge<Dead>().front().cause, DeadCause::kVersionMismatch);
  ASSERT_EQ(pair.at_agent<Dead>().front().cause, DeadCause::kPeerGoodbye);
  EXPECT_NE(pair.at_agent<Dead>().front().text.find("no common version: agent speaks 3 to 4"),
            std::string::npos);
}

TEST(ControlSession, ALaterAgentAgreesOnOurVersion) {
  Hello hello = a_hello();
  hello.version_max = 9;
  Pair pair(hello);
  pair.exchange();
  EXPECT_EQ(pair.at_edge<AgentReady>().front().version, kVersionMax);
}

TEST(ControlSession, AnAgentOfVersionOneGetsUdpUnwatched) {
  Hello hello = a_hello();
  hello.version_max = 1;
  hello.carrier = CarrierMode::kAuto;  // which version 1 does not know
  Pair pair(hello);
  pair.exchange();
  ASSERT_EQ(pair.at_edge<AgentReady>().size(), 1U);
  EXPECT_EQ(pair.at_edge<AgentReady>().front().version, 1U);
  EXPECT_EQ(pair.at_edge<AgentReady>().front().carrier, CarrierMode::kUdp);
  EXPECT_EQ(pair.at_agent<EdgeReady>().front().edge.carrier, CarrierMode::kUdp);
}

TEST(ControlSession, TheCarrierIsWhatBothCanLiveWith) {
  using enum CarrierMode;
  const auto agreed = [](CarrierMode edge, CarrierMode agent) -> std::optional<CarrierMode> {
    Hello hello = a_hello();
    hello.carrier = agent;
    Pair pair(hello, edge);
    pair.exchange();
    if (pair.edge.dead()) {
      EXPECT_EQ(pair.at_edge<Dead>().front().cause, DeadCause::kCarrierMismatch);
      EXPECT_NE(pair.at_agent<Dead>().front().text.find("make one of them auto"), std::string::npos);
      return std::nullopt;
    }
    EXPECT_EQ(pair.at_edge<AgentReady>().front().carrier, pair.at_agent<EdgeReady>().front().edge.carrier);
    return pair.at_edge<AgentReady>().front().carrier;
  };
  EXPECT_EQ(agreed(kAuto, kAuto), kAuto);
  EXPECT_EQ(agreed(kAuto, kTls), kTls);
  EXPECT_EQ(agreed(kTls, kAuto), kTls);
  EXPECT_EQ(agreed(kUdp, kAuto), kUdp);
  EXPECT_EQ(agreed(kAuto, kUdp), kUdp);
  EXPECT_EQ(agreed(kUdp, kTls), std::nullopt);
  EXPECT_EQ(agreed(kTls, kUdp), std::nullopt);
}

TEST(ControlSession, AnAgentThatAnswersNoNewEpochIsCalledDead) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.edge.renew_paths(pair.now));
  // It reports its load and never answers the offer.
  const auto taken = pair.edge_spis.taken();
  for (int i = 0; i < 100 && !pair.edge.dead(); ++i) {
    pair.now += milliseconds(150);
    pair.edge.on_bytes(framed(LoadReport{}), pair.now);
    pair.edge.on_timeout(pair.now);
    static_cast<void>(pair.edge.poll_transmit());
  }
  pair.collect();
  ASSERT_EQ(pair.at_edge<Dead>().size(), 1U);
  EXPECT_EQ(pair.at_edge<Dead>().front().cause, DeadCause::kBadPaths);
  EXPECT_LT(pair.edge_spis.taken(), taken) << "what was offered is given back";
}

TEST(ControlSession, OffersThatWaitAreBounded) {
  Pair pair;
  pair.exchange();
  TunnelResume resume;
  resume.relay = RelayId(1);
  resume.agent_tunnel = resume.client_tunnel = TunnelId(1);
  for (std::uint32_t number = 1; number <= EdgeControl::kMaxOffers + 1; ++number) {
    if (number % 1000 == 0) pair.now += milliseconds(100);
    resume.resume = number;
    pair.edge.on_bytes(framed(resume), pair.now);
    ASSERT_EQ(pair.edge.dead(), number > EdgeControl::kMaxOffers) << number;
    while (pair.edge.poll_event()) continue;
  }
}

TEST(ControlSession, GoodbyeEndsBothInOrder) {
  Pair pair;
  pair.exchange();
  pair.agent.close("restarting");
  pair.exchange();
  EXPECT_EQ(pair.at_agent<Dead>().front().cause, DeadCause::kLocalClose);
  EXPECT_EQ(pair.at_edge<Dead>().front().cause, DeadCause::kPeerGoodbye);
  EXPECT_EQ(pair.at_edge<Dead>().front().text, "restarting");
}

TEST(ControlSession, StreamEndIsDeadAtOnce) {
  Pair pair;
  pair.exchange();
  pair.edge.on_stream_closed("reset");
  pair.collect();
  EXPECT_EQ(pair.at_edge<Dead>().front().cause, DeadCause::kStreamClosed);
  EXPECT_FALSE(pair.edge.open_tunnel(pair.open(1), pair.now));
  EXPECT_FALSE(pair.edge.renew_paths(pair.now));
}

}  // namespace
}  // namespace sluice::channel
