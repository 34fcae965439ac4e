#include <algorithm>
#include <set>

#include "tests/unit/proto/channel_ends.hpp"

namespace sluice::transport {
namespace {

using namespace ends;

bool holds_resume(const Edge& edge, std::uint32_t number) {
  return std::any_of(edge.events.begin(), edge.events.end(), [&](const auto& event) {
    const auto* resume = std::get_if<channel::TunnelResume>(&event);
    return resume != nullptr && resume->resume == number;
  });
}

TEST_F(ChannelTest, RenewedCertificatesCutNothingAndAreUsedForTheNextConnection) {
  connect();
  const auto renewed = pki_.identity("edge1", Role::kEdge);
  listener_->set_identity(renewed);
  dialer_->set_identity(pki_.identity("agent1", Role::kAgent));
  ASSERT_TRUE(edge_.up->open_tunnel(open(1)));
  ASSERT_TRUE(until([&] { return !agent_.opens.empty(); }));
  EXPECT_EQ(agent_.ups, 1);
  edge_.up->close("again");
  ASSERT_TRUE(until([&] { return agent_.ups == 2; }));
  EXPECT_EQ(agent_.link->peer.serial, renewed.self().serial);
}

TEST_F(ChannelTest, ARevokedAgentIsSentAwayAndDoesNotComeBack) {
  connect();
  // Its serial number is all that the list needs, but only its certificate makes one.
  const auto revoked = pki_.issue("agent1", Role::kAgent);
  dialer_->set_identity(pki_.identity(revoked, Role::kAgent));
  edge_.up->close("so that it comes with that certificate");
  ASSERT_TRUE(until([&] { return agent_.ups == 2; }));
  Agent other;
  const auto second = dialer(other, "agent2");
  second->start();
  ASSERT_TRUE(until([&] { return second->up(); }));
  edge_.dead.clear();
  agent_.dead.clear();
  agent_.failures.clear();
  listener_->set_identity(pki_.identity(pki_.issue("edge1", Role::kEdge), Role::kEdge, pki_.crl({revoked})));
  ASSERT_TRUE(until([&] { return !agent_.dead.empty() && !agent_.failures.empty(); }));
  ASSERT_EQ(edge_.dead.size(), 1U);
  EXPECT_EQ(edge_.dead[0].cause, channel::DeadCause::kLocalClose);
  EXPECT_NE(edge_.dead[0].text.find("the certificate of agent1 no longer holds"), std::string::npos);
  EXPECT_EQ(agent_.dead[0].cause, channel::DeadCause::kPeerGoodbye);
  EXPECT_NE(agent_.failures[0].find("refused by the peer"), std::string::npos) << agent_.failures[0];
  EXPECT_NE(edge_.failures.back().find("the certificate of agent1 does not hold"), std::string::npos);
  EXPECT_FALSE(dialer_->up());
  EXPECT_TRUE(second->up()) << "others are not concerned";
}

TEST_F(ChannelTest, AnAgentLeavesARevokedEdge) {
  connect();
  const auto edge = pki_.issue("edge1", Role::kEdge);
  listener_->set_identity(pki_.identity(edge, Role::kEdge));
  edge_.up->close("so that it shows that certificate");
  ASSERT_TRUE(until([&] { return agent_.ups == 2; }));
  agent_.dead.clear();
  agent_.failures.clear();
  dialer_->set_identity(pki_.identity(pki_.issue("agent1", Role::kAgent), Role::kAgent, pki_.crl({edge})));
  ASSERT_TRUE(until([&] { return !agent_.dead.empty() && !agent_.failures.empty(); }));
  EXPECT_EQ(agent_.dead[0].cause, channel::DeadCause::kLocalClose);
  EXPECT_NE(agent_.dead[0].text.find("the certificate of edge1 no longer holds"), std::string::npos);
  EXPECT_NE(agent_.failures[0].find("was revoked on"), std::string::npos) << agent_.failures[0];
}

TEST_F(ChannelTest, BothSidesComeUpWithTheSameKeys) {
  connect();
  EXPECT_EQ(edge_.up->peer().name, "agent1");
  EXPECT_EQ(agent_.link->peer.name, "edge1");
  EXPECT_EQ(edge_.up->data_endpoint(1), (Endpoint{IpAddress::v4(0x7f000001), 7001}));
  EXPECT_EQ(agent_.link->data_of(1), (Endpoint{IpAddress::v4(0x7f000001), 6001}));
  EXPECT_EQ(edge_.up->local_address(), agent_.link->control.address);
  ASSERT_EQ(edge_.keys.size(), kEdgeWorkers * kAgentWorkers);
  ASSERT_EQ(agent_.keys.size(), edge_.keys.size());
  std::set<std::string> distinct;
  for (std::size_t i = 0; i < edge_.keys.size(); ++i) {
    EXPECT_EQ(edge_.keys[i].path, agent_.keys[i].path);
    EXPECT_TRUE(equal(edge_.keys[i].to_edge.bytes(), agent_.keys[i].to_edge.bytes()));
    EXPECT_TRUE(equal(edge_.keys[i].to_agent.bytes(), agent_.keys[i].to_agent.bytes()));
    distinct.insert(std::string(edge_.keys[i].to_edge.text()));
    distinct.insert(std::string(edge_.keys[i].to_agent.text()));
  }
  EXPECT_EQ(distinct.size(), 2 * edge_.keys.size());
}

TEST_F(ChannelTest, TunnelsAndSessionsTravel) {
  connect();
  EXPECT_TRUE(edge_.up->open_tunnel(open(1)));
  EXPECT_TRUE(edge_.up->open_tunnel(open(2, "refuse me")));
  ASSERT_TRUE(until([&] {
    return !edge_.got<channel::SessionUp>().empty() && !edge_.got<channel::TunnelRefuse>().empty();
  }));
  EXPECT_EQ(edge_.got<channel::TunnelAccept>().size(), 1U);
  EXPECT_TRUE(edge_.up->close_tunnel(RelayId(1), channel::CloseCause::kByClient, "StopCCN"));
  ASSERT_TRUE(until([&] { return agent_.closes.size() == 1; }));
  dialer_->set_load({.sessions = 77}, true);
  ASSERT_TRUE(until([&] {
    const auto loads = edge_.got<channel::LoadReport>();
    return !loads.empty() && loads.back().sessions == 77;
  }));
}

TEST_F(ChannelTest, ANewEpochGivesBothSidesNewKeys) {
  connect();
  const std::string old(edge_.keys[0].to_edge.text());
  EXPECT_TRUE(edge_.up->renew_paths());
  ASSERT_TRUE(until([&] { return edge_.renewed && agent_.renewals == 1; }));
  EXPECT_EQ(edge_.renewed->epoch, 2U);
  EXPECT_NE(edge_.keys[0].to_edge.text(), old);
  EXPECT_EQ(edge_.keys[0].to_edge.text(), agent_.keys[0].to_edge.text());
}

TEST_F(ChannelTest, TheAgentComesBackByItself) {
  connect();
  edge_.up->close("come again");
  ASSERT_TRUE(until([&] { return edge_.ups == 2 && agent_.ups == 2; }));
  EXPECT_EQ(edge_.dead.front().cause, channel::DeadCause::kLocalClose);
  EXPECT_EQ(agent_.dead.front().cause, channel::DeadCause::kPeerGoodbye);
  EXPECT_EQ(agent_.dead.front().text, "come again");
}

TEST_F(ChannelTest, TheAgentSurvivesARestartOfTheEdge) {
  connect();
  const auto port = listener_->local().port;
  listener_->stop("restart");
  EXPECT_EQ(edge_.dead.size(), 1U) << "told before stop() returned";
  listener_.reset();
  ASSERT_TRUE(until([&] { return !agent_.failures.empty(); }));
  listen(port);
  ASSERT_TRUE(until([&] { return edge_.ups == 2 && dialer_->up(); }));
}

TEST_F(ChannelTest, StopSaysGoodbyeAndNothingStaysBehind) {
  connect();
  dialer_->stop("shutting down");
  ASSERT_EQ(agent_.dead.size(), 1U) << "told before stop() returned";
  EXPECT_FALSE(dialer_->up());
  EXPECT_FALSE(dialer_->accept(RelayId(1)));
  ASSERT_TRUE(until([&] { return edge_.dead.size() == 1; }));
  EXPECT_EQ(edge_.dead[0].cause, channel::DeadCause::kPeerGoodbye);
  EXPECT_EQ(edge_.dead[0].text, "shutting down");
  listener_->stop("done");
  io_.restart();
  io_.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(io_.stopped()) << "no coroutine or timer is left";
}

TEST_F(ChannelTest, DestructionWhileUpCallsNobody) {
  connect();
  const auto agent_dead = agent_.dead.size(), edge_dead = edge_.dead.size();
  dialer_.reset();
  listener_.reset();
  io_.restart();
  io_.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(io_.stopped());
  EXPECT_EQ(agent_.dead.size(), agent_dead);
  EXPECT_EQ(edge_.dead.size(), edge_dead);
}

TEST_F(ChannelTest, AnUnwantedNameFailsWithAClearCauseOnBothSides) {
  listen();
  dialer_ = dialer(agent_, "banned");
  dialer_->start();
  ASSERT_TRUE(until([&] { return !agent_.failures.empty() && !edge_.failures.empty(); }));
  EXPECT_EQ(edge_.failures[0], "banned|not authorised: banned is not wanted here");
  EXPECT_NE(agent_.failures[0].find("refused by the peer"), std::string::npos) << agent_.failures[0];
}

TEST_F(ChannelTest, TheWrongEdgeIsNotTalkedTo) {
  listen();
  dialer_ = dialer(agent_, "agent1", [](auto& config) { config.edge_name = "edge9"; });
  dialer_->start();
  ASSERT_TRUE(until([&] { return !agent_.failures.empty(); }));
  EXPECT_NE(agent_.failures[0].find("not authorised"), std::string::npos) << agent_.failures[0];
  EXPECT_EQ(edge_.ups, 0);
}

TEST_F(ChannelTest, RedialsWithGrowingJitteredWaits) {
  dialer_ = dialer(agent_);
  dialer_->start();
  ASSERT_TRUE(until([&] { return agent_.retries.size() == 7; }));
  EXPECT_NE(agent_.failures[0].find("cannot connect to 127.0.0.1:9"), std::string::npos)
      << agent_.failures[0];
  milliseconds wait(10);
  for (const auto retry : agent_.retries) {
    EXPECT_GE(retry, wait / 2);
    EXPECT_LE(retry, wait);
    wait = std::min(wait * 2, milliseconds(80));
  }
}

TEST_F(ChannelTest, ASilentAgentIsCalledDead) {
  listen(0, [](auto& config) { config.control.times.report_timeout = milliseconds(300); });
  dialer_ = dialer(agent_, "agent1", [](auto& config) {
    config.control.times.report_interval = std::chrono::seconds(60);
    config.backoff_min = config.backoff_max = std::chrono::seconds(60);
  });
  dialer_->start();
  ASSERT_TRUE(until([&] { return !edge_.dead.empty(); }));
  EXPECT_EQ(edge_.dead[0].cause, channel::DeadCause::kSilent);
  ASSERT_TRUE(until([&] { return !agent_.dead.empty(); }));
  EXPECT_NE(agent_.dead[0].text.find("silent"), std::string::npos);
}

TEST_F(ChannelTest, OneAddressCannotTakeAllHandshakes) {
  listen(0, [](auto& config) { config.tls_handshake_timeout = milliseconds(400); });
  std::vector<net::ip::tcp::socket> idle;
  const net::ip::tcp::endpoint at(net::ip::address_v4::loopback(), listener_->local().port);
  for (int i = 0; i < 30; ++i) {
    idle.emplace_back(io_);
    idle.back().connect(at);
  }
  ASSERT_TRUE(until([&] { return listener_->counts().read(ListenerCount::kAccepted) == 30; }));
  EXPECT_EQ(listener_->counts().read(ListenerCount::kShed), 22U);
  // Once the idle ones timed out an honest agent gets in.
  dialer_ = dialer(agent_);
  dialer_->start();
  EXPECT_TRUE(until([&] { return edge_.ups == 1; }));
  EXPECT_EQ(listener_->counts().read(ListenerCount::kTlsFailed), 8U);
}

TEST_F(ChannelTest, ManyAgentsConnectAtOnce) {
  listen();
  std::vector<Agent> agents(6);
  std::vector<std::unique_ptr<ChannelDialer>> dialers;
  for (std::size_t i = 0; i < agents.size(); ++i) {
    dialers.push_back(dialer(agents[i], "agent" + std::to_string(i)));
    dialers.back()->start();
  }
  EXPECT_TRUE(until([&] {
    return edge_.ups == 6 && std::all_of(dialers.begin(), dialers.end(), [](auto& d) { return d->up(); });
  }));
  // Destroyed in the middle of everything, before the loop runs on.
  dialers.clear();
  EXPECT_TRUE(until([&] { return edge_.dead.size() == 6; }));
}

TEST_F(ChannelTest, ATakenPortIsAClearError) {
  listen();
  auto second = ChannelListener::open(io_, {.listen = listener_->local(), .control = {}},
                                      pki_.identity("edge1", Role::kEdge), edge_spis_, edge_);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().find("ss -tlpn"), std::string::npos) << second.error();
}

channel::TunnelResume a_resume(std::uint32_t number) {
  channel::TunnelResume out;
  out.resume = number;
  out.relay = RelayId(4);
  out.correlation_id = "c-4";
  out.agent_tunnel = TunnelId(3);
  out.client_tunnel = TunnelId(9);
  return out;
}

TEST_F(ChannelTest, AnEdgeThatGoesWithoutAGoodbyeIsRedialledFastAndMayBeOfferedTunnels) {
  connect();
  const auto port = listener_->local().port;
  dialer_->set_urgent(true);
  listener_->abandon();
  ASSERT_TRUE(until([&] { return !agent_.dead.empty(); }));
  EXPECT_EQ(agent_.dead[0].cause, channel::DeadCause::kStreamClosed);
  listener_.reset();
  edge_.up = nullptr;
  listen(port);
  const auto since = std::chrono::steady_clock::now();
  ASSERT_TRUE(until([&] { return edge_.up != nullptr && dialer_->up(); }));
  EXPECT_LT(std::chrono::steady_clock::now() - since, std::chrono::seconds(2));
  EXPECT_TRUE(dialer_->resume_tunnel(a_resume(1)));
  EXPECT_FALSE(dialer_->resume_tunnel(a_resume(1))) << "a number is used once";
  ASSERT_TRUE(until([&] { return holds_resume(edge_, 1); }));
  EXPECT_TRUE(edge_.up->resume_tunnel({1, RelayId(11), 0}));
  EXPECT_FALSE(edge_.up->refuse_resume({1, channel::CloseCause::kPeerGone, ""})) << "answered already";
  ASSERT_TRUE(until([&] { return !agent_.resumed.empty(); }));
  EXPECT_EQ(agent_.resumed[0].relay, RelayId(11));
  EXPECT_TRUE(dialer_->session_up({RelayId(11), SessionId(1), "user", "pap", IpAddress::v4(1), 5}));
  EXPECT_TRUE(dialer_->resume_tunnel(a_resume(2)));
  ASSERT_TRUE(until([&] { return holds_resume(edge_, 2); }));
  EXPECT_TRUE(edge_.up->refuse_resume({2, channel::CloseCause::kPeerGone, "who?"}));
  ASSERT_TRUE(until([&] { return !agent_.lost.empty(); }));
  EXPECT_EQ(agent_.lost[0].text, "who?");
}

}  // namespace
}  // namespace sluice::transport
