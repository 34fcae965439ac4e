// Listener and dialer over real TLS on loopback.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <set>

#include "proto/transport/asio_support.hpp"
#include "proto/transport/channel_dialer.hpp"
#include "proto/transport/channel_listener.hpp"
#include "tests/unit/proto/seeded_random.hpp"
#include "tests/unit/proto/test_pki.hpp"

namespace sluice::transport {
namespace {

using std::chrono::milliseconds;
constexpr std::uint32_t kEdgeWorkers = 2, kAgentWorkers = 2;

struct Edge final : EdgeChannelHandler {
  bool authorise(const PeerName& agent) override { return agent.name != "banned"; }
  void channel_up(EdgeChannel& channel, const channel::AgentReady& r,
                  std::vector<channel::PathKeys> k) override {
    up = &channel;
    ready = r;
    keys = std::move(k);
    ++ups;
  }
  void paths_renewed(EdgeChannel&, const channel::DataPaths& paths,
                     std::vector<channel::PathKeys> k) override {
    renewed = paths;
    keys = std::move(k);
  }
  void channel_event(EdgeChannel&, const channel::EdgeEvent& event) override { events.push_back(event); }
  void channel_down(EdgeChannel& channel, const channel::Dead& d) override {
    if (up == &channel) up = nullptr;
    dead.push_back(d);
  }
  void connection_failed(const Endpoint&, const std::string& name, const std::string& cause) override {
    failures.push_back(name + "|" + cause);
  }
  template <class T>
  std::vector<T> got() const {
    std::vector<T> out;
    for (const auto& event : events) {
      if (const auto* found = std::get_if<T>(&event)) out.push_back(*found);
    }
    return out;
  }

  EdgeChannel* up = nullptr;
  int ups = 0;
  channel::AgentReady ready;
  std::vector<channel::PathKeys> keys;
  std::optional<channel::DataPaths> renewed;
  std::vector<channel::EdgeEvent> events;
  std::vector<channel::Dead> dead;
  std::vector<std::string> failures;
};

struct Agent final : AgentChannelHandler {
  void channel_up(ChannelDialer&, const EdgeLink& l, const channel::EdgeReady& r,
                  std::vector<channel::PathKeys> k) override {
    link = l;
    ready = r;
    keys = std::move(k);
    ++ups;
  }
  void paths_renewed(ChannelDialer&, const channel::DataPaths&, std::vector<channel::PathKeys> k) override {
    keys = std::move(k);
    ++renewals;
  }
  void tunnel_open(ChannelDialer& dialer, const channel::TunnelOpen& open) override {
    opens.push_back(open);
    if (open.peer_identity == "refuse me") {
      dialer.refuse(open.relay, "full");
    } else {
      dialer.accept(open.relay);
      dialer.session_up({open.relay, SessionId(1), "user", "pap", IpAddress::v4(1), 5});
    }
  }
  void tunnel_close(ChannelDialer&, const channel::TunnelClose& close) override { closes.push_back(close); }
  void tunnel_end(ChannelDialer& dialer, const channel::TunnelEnd& end) override {
    dialer.close_tunnel(end.relay, channel::CloseCause::kByAgent, end.text);
  }
  void tunnel_resumed(ChannelDialer&, const channel::TunnelResumed& answer) override {
    resumed.push_back(answer);
  }
  void tunnel_lost(ChannelDialer&, const channel::TunnelLost& answer) override { lost.push_back(answer); }
  void channel_down(ChannelDialer&, const channel::Dead& d) override { dead.push_back(d); }
  void connection_failed(ChannelDialer&, const std::string& cause, milliseconds retry) override {
    failures.push_back(cause);
    retries.push_back(retry);
  }

  std::optional<EdgeLink> link;
  channel::EdgeReady ready;
  std::vector<channel::PathKeys> keys;
  int ups = 0, renewals = 0;
  std::vector<channel::TunnelOpen> opens;
  std::vector<channel::TunnelClose> closes;
  std::vector<channel::TunnelResumed> resumed;
  std::vector<channel::TunnelLost> lost;
  std::vector<channel::Dead> dead;
  std::vector<std::string> failures;
  std::vector<milliseconds> retries;
};

bool holds_resume(const Edge& edge, std::uint32_t number) {
  return std::any_of(edge.events.begin(), edge.events.end(), [&](const auto& event) {
    const auto* resume = std::get_if<channel::TunnelResume>(&event);
    return resume != nullptr && resume->resume == number;
  });
}

class ChannelTest : public testing::Test {
 protected:
  void listen(std::uint16_t port = 0, std::function<void(ChannelListenerConfig&)> change = {}) {
    ChannelListenerConfig config;
    config.listen = {IpAddress::v4(0x7f000001), port};
    config.control = {
        .edge_name = "edge1", .boot_id = 1, .workers = kEdgeWorkers, .data_port = 6000, .times = {}};
    if (change) change(config);
    auto opened = ChannelListener::open(io_, config, pki_.identity("edge1", Role::kEdge), edge_spis_, edge_);
    ASSERT_TRUE(opened.ok()) << opened.error();
    listener_ = std::move(opened).value();
  }
  std::unique_ptr<ChannelDialer> dialer(AgentChannelHandler& handler, const std::string& name = "agent1",
                                        std::function<void(ChannelDialerConfig&)> change = {}) {
    ChannelDialerConfig config;
    config.host = "127.0.0.1";
    config.port = listener_ ? listener_->local().port : std::uint16_t{9};
    config.edge_name = "edge1";
    config.control.hello = {
        .boot_id = 2, .weight = 10, .workers = kAgentWorkers, .data_port = 7000, .software = "test"};
    config.backoff_min = milliseconds(10);
    config.backoff_max = milliseconds(80);
    if (change) change(config);
    return ChannelDialer::make(io_, config, pki_.identity(name, Role::kAgent), agent_spis_, random_, handler);
  }
  /// Runs the loop until `done` holds.
  template <class F>
  [[nodiscard]] bool until(F&& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    while (!done() && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_one_for(std::chrono::seconds(1));
    }
    return done();
  }
  void connect() {
    listen();
    dialer_ = dialer(agent_);
    dialer_->start();
    ASSERT_TRUE(until([&] { return edge_.up != nullptr && dialer_->up(); }));
  }
  channel::TunnelOpen open(std::uint32_t relay, std::string identity = "peer") {
    channel::TunnelOpen out;
    out.relay = RelayId(relay);
    out.assigned_tunnel = TunnelId(3);
    out.peer_identity = std::move(identity);
    return out;
  }

  net::io_context io_;
  test::TestPki pki_;
  test::SeededRandom random_{5};
  channel::RandomSpiSource edge_spis_{kEdgeWorkers, random_};
  channel::RandomSpiSource agent_spis_{kAgentWorkers, random_};
  Edge edge_;
  Agent agent_;
  std::unique_ptr<ChannelListener> listener_;
  std::unique_ptr<ChannelDialer> dialer_;
};

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
