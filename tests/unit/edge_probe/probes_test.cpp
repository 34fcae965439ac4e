#include "edge/probe/probes.hpp"

#include <gtest/gtest.h>

#include "l2tp/lns.hpp"
#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using namespace std::chrono_literals;

/// The tables with probes beside them, and an L2TP server behind each agent that may be deaf.
struct Probed : Tables {
  explicit Probed(Duration interval = 30s)
      : probes({.random = random,
                .backends = backends,
                .now = [this] { return now; },
                .unix_seconds = [] { return std::int64_t{1'000'000}; },
                .post = [this](std::uint32_t worker,
                               Command command) { posts.emplace_back(worker, std::move(command)); },
                .take_id = [this] { return relays.take_id(); },
                .changed =
                    [this](const Backend& backend, const ProbeReport&) {
                      changes.push_back(backend.name + " " + std::to_string(int(backend.l2tp.health)));
                    },
                .workers = 2,
                .interval = interval}) {}

  const Backend& backend(const std::string& name) {
    for (const auto& [id, backend] : backends.all()) {
      if (backend.name == name) return backend;
    }
    throw std::runtime_error("no backend " + name);
  }
  /// Answers what the probes ask of this agent, from now on until nobody says anything.
  void serve(FakeChannel& channel, bool deaf = false) {
    const auto& agent = backend(channel.peer().name);
    for (; answered < channel.opened.size(); ++answered) {
      const auto& open = channel.opened[answered];
      EXPECT_TRUE(open.probe);
      servers.emplace(open.relay, std::make_unique<l2tp::LnsTunnel>(
                                      l2tp::TunnelConfig{.local_tunnel = open.assigned_tunnel}, random));
      EXPECT_TRUE(probes.on_agent_event(agent, channel::TunnelAccept{open.relay}));
    }
    for (std::size_t i = 0; i < posts.size(); ++i) {
      const auto* sent = std::get_if<SendProbe>(&posts[i].second);
      if (sent == nullptr || deaf) continue;
      const auto relay = sent->relay;
      auto& lns = *servers.at(relay);
      lns.on_datagram(sent->packet, now);
      while (const auto packet = lns.poll_transmit()) probes.on_packet({relay, *packet});
    }
    posts_seen += posts.size();
    posts.clear();
  }
  void pass(FakeChannel& channel, Duration time, bool deaf = false) {
    for (const auto until = now + time; now < until; now += 100ms) {
      probes.tick();
      serve(channel, deaf);
    }
  }

  Probes probes;
  std::vector<std::pair<std::uint32_t, Command>> posts;
  std::size_t posts_seen = 0, answered = 0;
  std::map<RelayId, std::unique_ptr<l2tp::LnsTunnel>> servers;
  std::vector<std::string> changes;
};

TEST(Probes, PassesAnAgentThatSpeaksL2tpAndCleansUp) {
  Probed t;
  auto& channel = t.add_agent("agent1");
  t.pass(channel, 200ms);
  EXPECT_EQ(t.backend("agent1").l2tp.health, L2tpHealth::kSpeaks);
  EXPECT_EQ(t.backend("agent1").l2tp.checked_at, 1'000'000);
  EXPECT_EQ(t.probes.running(), 0U);
  EXPECT_EQ(channel.closed.size(), 1U) << "the agent hears that the tunnel is over";
  EXPECT_EQ(t.backend("agent1").placed, 0U);
  EXPECT_TRUE(t.relays.all().empty());
}

TEST(Probes, TakesADeafAgentOutOfRotationAndBackInOnceItAnswers) {
  Probed t;
  auto& channel = t.add_agent("agent1");
  t.pass(channel, 6s, true);
  EXPECT_EQ(t.backend("agent1").l2tp.health, L2tpHealth::kSilent);
  EXPECT_EQ(t.backend("agent1").l2tp.text, "SCCRQ was not answered");
  EXPECT_FALSE(t.backends.place({}).chosen) << "no tunnel goes to it";
  t.pass(channel, 31s);
  EXPECT_EQ(t.backend("agent1").l2tp.health, L2tpHealth::kSpeaks);
  EXPECT_TRUE(t.backends.place({}).chosen);
  EXPECT_EQ(t.changes, (std::vector<std::string>{"agent1 2", "agent1 1"}));
}

TEST(Probes, GivesClientsToTheAgentThatAnswers) {
  Probed t;
  auto& deaf = t.add_agent("agent1", 100);
  t.pass(deaf, 6s, true);
  t.add_agent("agent2", 1);
  t.dial_in(1, "203.0.113.5:40001");
  t.sccrq(t.peer_of(1), 77);
  EXPECT_EQ(t.channels[1].opened.size(), 1U);
  EXPECT_FALSE(t.channels[1].opened[0].probe);
}

TEST(Probes, AnAgentThatTakesNoTunnelStaysInRotation) {
  Probed t;
  auto& channel = t.add_agent("agent1");
  t.probes.tick();
  const auto relay = channel.opened.at(0).relay;
  EXPECT_TRUE(t.probes.on_agent_event(t.backend("agent1"), channel::TunnelRefuse{relay, "draining"}));
  EXPECT_EQ(t.backend("agent1").l2tp.health, L2tpHealth::kUnknown);
  EXPECT_TRUE(t.backends.place({}).chosen);
}

TEST(Probes, KeepsItsInterval) {
  Probed t(10s);
  auto& channel = t.add_agent("agent1");
  t.pass(channel, 60s);
  EXPECT_EQ(channel.opened.size(), 6U);
  Probed never(Duration::zero());
  auto& silent = never.add_agent("agent1");
  never.pass(silent, 60s);
  EXPECT_TRUE(silent.opened.empty()) << "an interval of 0 turns the timer off";
}

TEST(Probes, TakesEveryPairOfWorkersInTurn) {
  Probed t(1s);
  auto& channel = t.add_agent("agent1");
  const_cast<Backend&>(t.backend("agent1")).hello.workers = 3;
  t.pass(channel, 6s);
  std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (const auto& open : channel.opened) pairs.emplace(open.edge_worker, open.agent_worker);
  EXPECT_EQ(pairs.size(), 6U);
}

TEST(Probes, AnswersWhoAskedEvenWhileOneIsUnderWay) {
  Probed t(Duration::zero());
  auto& channel = t.add_agent("agent1");
  std::vector<ProbeReport> reports;
  const auto note = [&](const ProbeReport& report) { reports.push_back(report); };
  t.probes.probe(t.backend("agent1"), note);
  t.probes.probe(t.backend("agent1"), note);
  EXPECT_EQ(channel.opened.size(), 1U) << "two who ask share one probe";
  t.pass(channel, 200ms);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].health, L2tpHealth::kSpeaks);
  EXPECT_EQ(reports[0].agent, "agent1");
}

TEST(Probes, EndsWithTheChannel) {
  Probed t;
  auto& channel = t.add_agent("agent1");
  std::vector<ProbeReport> reports;
  t.probes.probe(t.backend("agent1"), [&](const ProbeReport& report) { reports.push_back(report); });
  const Backend gone = t.backend("agent1");
  t.lose_agent(channel);
  t.probes.on_backend_down(gone);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].health, L2tpHealth::kUnknown);
  EXPECT_EQ(t.probes.running(), 0U);
  t.probes.tick();
  EXPECT_EQ(t.probes.running(), 0U) << "nobody probes an agent that is not there";
  t.probes.probe(t.backend("agent1"), [&](const ProbeReport& report) { reports.push_back(report); });
  ASSERT_EQ(reports.size(), 2U) << "and who asks is told at once";
}

TEST(Probes, LeavesTheTunnelsOfClientsAlone) {
  Probed t;
  auto& channel = t.add_agent("agent1");
  t.dial_in(1, "203.0.113.5:40001");
  t.sccrq(t.peer_of(1), 77);
  const auto relay = channel.opened.at(0).relay;
  const auto& agent = t.backend("agent1");
  EXPECT_FALSE(t.probes.on_agent_event(agent, channel::TunnelAccept{relay}));
  EXPECT_FALSE(
      t.probes.on_agent_event(agent, channel::TunnelClose{relay, channel::CloseCause::kByAgent, ""}));
  t.probes.on_packet({relay, l2tp::make_zlb(TunnelId(1), 0, 0)});
}

TEST(Probes, GivesUpOnAnAgentThatNeitherTakesNorRefuses) {
  Probed t;
  auto& channel = t.add_agent("agent1");
  t.probes.tick();
  EXPECT_EQ(t.probes.running(), 1U);
  t.now += 6s;
  t.probes.tick();
  EXPECT_EQ(t.probes.running(), 0U);
  EXPECT_EQ(t.backend("agent1").l2tp.health, L2tpHealth::kUnknown);
  EXPECT_EQ(channel.closed.size(), 1U);
}

}  // namespace
}  // namespace sluice::edge::testing
