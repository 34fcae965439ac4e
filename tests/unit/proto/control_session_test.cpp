#include "proto/channel/control_session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/proto/seeded_random.hpp"

namespace sluice::channel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kEdgeWorkers = 2, kAgentWorkers = 3;

Hello a_hello() {
  Hello hello;
  hello.boot_id = 5;
  hello.weight = 10;
  hello.workers = kAgentWorkers;
  hello.data_port = 7000;
  hello.software = "test";
  return hello;
}

/// Both cores and a stream between them that can be cut anywhere.
struct Pair {
  explicit Pair(Hello hello = a_hello())
      : edge({.edge_name = "edge1", .boot_id = 1, .workers = kEdgeWorkers, .data_port = 6000, .times = {}},
             edge_spis, now),
        agent({.hello = std::move(hello), .times = {}}, agent_spis, now) {}

  void collect() {
    for (auto event = edge.poll_event(); event; event = edge.poll_event())
      edge_events.push_back(std::move(*event));
    for (auto event = agent.poll_event(); event; event = agent.poll_event())
      agent_events.push_back(std::move(*event));
  }
  void exchange() {
    for (int quiet = 0; quiet < 2;) {
      const auto to_edge = agent.poll_transmit();
      const auto to_agent = edge.poll_transmit();
      quiet = to_edge.empty() && to_agent.empty() ? quiet + 1 : 0;
      if (!to_edge.empty()) edge.on_bytes(to_edge, now);
      if (!to_agent.empty()) agent.on_bytes(to_agent, now);
    }
    collect();
  }
  /// Time goes by in steps of 100 ms; `both` false: only the edge's.
  void pass(Duration span, bool agent_runs = true, bool edge_runs = true) {
    for (Duration gone{}; gone < span; gone += milliseconds(100)) {
      now += milliseconds(100);
      if (edge_runs) edge.on_timeout(now);
      if (agent_runs) agent.on_timeout(now);
      if (agent_runs && edge_runs) exchange();
      collect();
    }
  }
  template <class T, class Events>
  static std::vector<T> only(const Events& events) {
    std::vector<T> out;
    for (const auto& event : events) {
      if (const auto* found = std::get_if<T>(&event)) out.push_back(*found);
    }
    return out;
  }
  template <class T>
  std::vector<T> at_edge() const {
    return only<T>(edge_events);
  }
  template <class T>
  std::vector<T> at_agent() const {
    return only<T>(agent_events);
  }

  TunnelOpen open(std::uint32_t relay) const {
    return {RelayId(relay),
            0,
            1,
            TunnelId(static_cast<std::uint16_t>(relay)),
            {IpAddress::v4(0x0a000001), 4500},
            IpAddress::v4(0x0a000002),
            "peer",
            "AES",
            "c",
            1400};
  }

  Instant now{};
  test::SeededRandom random{7};
  RandomSpiSource edge_spis{kEdgeWorkers, random};
  RandomSpiSource agent_spis{kAgentWorkers, random};
  EdgeControl edge;
  AgentControl agent;
  std::vector<EdgeEvent> edge_events;
  std::vector<AgentEvent> agent_events;
};

ByteVector framed(const Message& message) {
  ByteVector out;
  EXPECT_TRUE(append_frame(out, encode(message)));
  return out;
}

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

/// Gives the edge one message and tells how it died of it.
std::optional<DeadCause> edge_dies_of(Pair& pair, const ByteVector& bytes) {
  pair.edge.on_bytes(bytes, pair.now);
  pair.collect();
  const auto dead = pair.at_edge<Dead>();
  if (dead.empty()) return std::nullopt;
  EXPECT_EQ(dead.size(), 1U);
  return dead.front().cause;
}
std::optional<DeadCause> agent_dies_of(Pair& pair, const ByteVector& bytes) {
  pair.agent.on_bytes(bytes, pair.now);
  pair.collect();
  const auto dead = pair.at_agent<Dead>();
  if (dead.empty()) return std::nullopt;
  return dead.front().cause;
}

TEST(ControlSession, EdgeRefusesWhatAnAgentNeverSays) {
  const Message never[] = {Welcome{1, 1, "e", 1, 1, {1, {{0, 0, Spi(256), Spi()}}}}, KeepAlive{1},
                           Pair().open(1), a_hello()};
  for (const auto& message : never) {
    Pair pair;
    pair.exchange();
    EXPECT_EQ(edge_dies_of(pair, framed(message)), DeadCause::kUnexpected) << name_of(message);
  }
  const Message early[] = {LoadReport{}, TunnelAccept{RelayId(1)},
                           DataPaths{1, {{0, 0, Spi(256), Spi(256)}}}};
  for (const auto& message : early) {
    Pair pair;
    EXPECT_EQ(edge_dies_of(pair, framed(message)), DeadCause::kUnexpected) << name_of(message);
  }
}

TEST(ControlSession, AgentRefusesWhatAnEdgeNeverSays) {
  const Message never[] = {a_hello(), LoadReport{}, TunnelAccept{RelayId(1)},
                           SessionUp{RelayId(1), SessionId(1), "", "", {}, 0}};
  for (const auto& message : never) {
    Pair pair;
    pair.exchange();
    EXPECT_EQ(agent_dies_of(pair, framed(message)), DeadCause::kUnexpected) << name_of(message);
  }
  Pair early;
  EXPECT_EQ(agent_dies_of(early, framed(early.open(1))), DeadCause::kUnexpected);
}

TEST(ControlSession, AgentRefusesBadTunnelOpens) {
  Pair twice;
  twice.exchange();
  EXPECT_EQ(agent_dies_of(twice, framed(twice.open(1))), std::nullopt);
  EXPECT_EQ(agent_dies_of(twice, framed(twice.open(1))), DeadCause::kUnexpected);
  Pair worker;
  worker.exchange();
  TunnelOpen open = worker.open(1);
  open.agent_worker = kAgentWorkers;
  EXPECT_EQ(agent_dies_of(worker, framed(open)), DeadCause::kBadField);
}

TEST(ControlSession, EdgeRefusesPathsItDidNotOffer) {
  const auto with = [](auto change) {
    Pair pair;
    pair.edge.on_bytes(pair.agent.poll_transmit(), pair.now);
    pair.agent.on_bytes(pair.edge.poll_transmit(), pair.now);
    DataPaths paths = std::get<EdgeReady>(*pair.agent.poll_event()).paths;
    change(paths);
    return edge_dies_of(pair, framed(paths));
  };
  EXPECT_EQ(with([](auto&) {}), std::nullopt);
  EXPECT_EQ(with([](auto& p) { std::reverse(p.paths.begin(), p.paths.end()); }), std::nullopt)
      << "order is free";
  EXPECT_EQ(with([](auto& p) { p.epoch = 2; }), DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& p) { p.paths.pop_back(); }), DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& p) { p.paths[1] = p.paths[0]; }), DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& p) { p.paths[0].spi_to_agent = Spi(); }), DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& p) { p.paths[0].spi_to_edge = Spi(4096); }), DeadCause::kBadPaths);
}

TEST(ControlSession, AgentRefusesOffersThatAreNotAllPairs) {
  const auto with = [](auto change) {
    Pair pair;
    pair.edge.on_bytes(pair.agent.poll_transmit(), pair.now);
    FrameDecoder decoder;
    decoder.feed(pair.edge.poll_transmit());
    Welcome welcome = std::get<Welcome>(decode(**decoder.next()).value());
    change(welcome);
    const auto cause = agent_dies_of(pair, framed(welcome));
    EXPECT_EQ(pair.agent_spis.taken(), cause ? 0U : kEdgeWorkers * kAgentWorkers);
    return cause;
  };
  EXPECT_EQ(with([](auto&) {}), std::nullopt);
  EXPECT_EQ(with([](auto& w) { w.paths.paths.pop_back(); }), DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& w) { w.paths.paths[1] = w.paths.paths[0]; }), DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& w) { w.paths.paths[1].spi_to_edge = w.paths.paths[0].spi_to_edge; }),
            DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& w) { w.paths.paths[0].spi_to_agent = Spi(999); }), DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& w) { w.paths.paths[0].agent_worker = 9; }), DeadCause::kBadPaths);
  EXPECT_EQ(with([](auto& w) { w.version = kVersionMax + 1; }), DeadCause::kVersionMismatch);
}

TEST(ControlSession, GarbageIsNamed) {
  Pair empty;
  EXPECT_EQ(edge_dies_of(empty, ByteVector(4, 0)), DeadCause::kBadFrame);
  Pair huge;
  EXPECT_EQ(edge_dies_of(huge, ByteVector(4, 0xff)), DeadCause::kBadFrame);
  Pair malformed;
  EXPECT_EQ(edge_dies_of(malformed, {0, 0, 0, 2, 0x0a, 0x7f}), DeadCause::kMalformed);
  Pair field;
  Hello hello = a_hello();
  hello.weight = 5000;
  EXPECT_EQ(edge_dies_of(field, framed(hello)), DeadCause::kBadField);
  EXPECT_EQ(field.at_edge<Dead>().front().text, "hello.weight");
}

TEST(ControlSession, LaterMessagesAreCountedAndPassedOver) {
  Pair pair;
  pair.exchange();
  EXPECT_EQ(edge_dies_of(pair, {0, 0, 0, 5, 0xc2, 0x0c, 0x02, 0x08, 0x01}), std::nullopt);
  EXPECT_EQ(pair.edge.counts().read(ControlCount::kUnknownMessage), 1U);
}

TEST(ControlSession, AFloodEndsTheChannel) {
  Pair pair;
  pair.exchange();
  const auto report = framed(LoadReport{});
  for (std::uint32_t i = 0; i <= ControlCore::kMaxPerSecond && !pair.edge.dead(); ++i) {
    pair.edge.on_bytes(report, pair.now);
  }
  pair.collect();
  ASSERT_EQ(pair.at_edge<Dead>().size(), 1U);
  EXPECT_EQ(pair.at_edge<Dead>().front().cause, DeadCause::kFlood);
}

TEST(ControlSession, APeerThatDoesNotReadIsStalled) {
  Pair pair;
  pair.exchange();
  for (std::uint32_t relay = 1; !pair.edge.dead(); ++relay) {
    ASSERT_LT(relay, 1'000'000U);
    auto open = pair.open(relay);
    open.assigned_tunnel = TunnelId(1);
    pair.edge.open_tunnel(open, pair.now);
  }
  pair.collect();
  EXPECT_EQ(pair.at_edge<Dead>().front().cause, DeadCause::kStalled);
  EXPECT_TRUE(pair.edge.poll_transmit().empty());
}

/// Random commands, cuts of the stream and time steps; both sides must stay alive and agree at the end.
TEST(ControlSession, RandomInterleavingsKeepBothSidesInStep) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Pair pair;
    test::SeededRandom dice(seed);
    ByteVector to_edge, to_agent;
    std::set<std::uint32_t> open_at_edge, open_at_agent;
    std::uint32_t next_relay = 1;
    const auto deliver = [&](ByteVector& from, auto& core) {
      const std::size_t size = std::min<std::size_t>(from.size(), dice.below(60));
      core.on_bytes(Bytes(from).first(size), pair.now);
      from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(size));
    };
    const auto pump = [&] {
      for (const auto b : pair.agent.poll_transmit()) to_edge.push_back(b);
      for (const auto b : pair.edge.poll_transmit()) to_agent.push_back(b);
      while (auto event = pair.edge.poll_event()) {
        if (const auto* refuse = std::get_if<TunnelRefuse>(&*event))
          open_at_edge.erase(refuse->relay.value());
        if (const auto* close = std::get_if<TunnelClose>(&*event)) open_at_edge.erase(close->relay.value());
      }
      while (auto event = pair.agent.poll_event()) {
        if (const auto* open = std::get_if<TunnelOpen>(&*event)) open_at_agent.insert(open->relay.value());
        if (const auto* close = std::get_if<TunnelClose>(&*event)) open_at_agent.erase(close->relay.value());
      }
    };
    const auto any_of = [&](std::set<std::uint32_t>& set) {
      return RelayId(*std::next(set.begin(), dice.below(static_cast<std::uint32_t>(set.size()))));
    };
    for (int step = 0; step < 600; ++step) {
      switch (dice.below(9)) {
        case 0:
          if (pair.edge.open_tunnel(pair.open(next_relay), pair.now)) open_at_edge.insert(next_relay++);
          break;
        case 1:
          if (!open_at_edge.empty()) {
            const auto relay = any_of(open_at_edge);
            pair.edge.close_tunnel(relay, CloseCause::kAdmin, "x");
            open_at_edge.erase(relay.value());
          }
          break;
        case 2:
          if (!open_at_agent.empty()) pair.agent.accept(any_of(open_at_agent));
          break;
        case 3:
          if (!open_at_agent.empty()) {
            const auto relay = any_of(open_at_agent);
            if (pair.agent.refuse(relay, "no") || pair.agent.close_tunnel(relay, CloseCause::kByAgent, "y")) {
              open_at_agent.erase(relay.value());
            }
          }
          break;
        case 4:
          if (!open_at_agent.empty())
            pair.agent.session_up({any_of(open_at_agent), SessionId(1), "u", "pap", {}, 1});
          break;
        case 5:
          pair.edge.renew_paths(pair.now);
          break;
        case 6:
          deliver(to_edge, pair.edge);
          break;
        case 7:
          deliver(to_agent, pair.agent);
          break;
        case 8:
          pair.now += milliseconds(dice.below(20));
          pair.edge.on_timeout(pair.now);
          pair.agent.on_timeout(pair.now);
          break;
      }
      pump();
      ASSERT_FALSE(pair.edge.dead());
      ASSERT_FALSE(pair.agent.dead());
    }
    while (!to_edge.empty() || !to_agent.empty()) {
      deliver(to_edge, pair.edge);
      deliver(to_agent, pair.agent);
      pump();
    }
    EXPECT_EQ(open_at_edge, open_at_agent);
    EXPECT_EQ(pair.edge.open_relays(), open_at_edge.size());
    EXPECT_EQ(pair.agent.open_relays(), open_at_agent.size());
    EXPECT_TRUE(pair.edge.established());
  }
}

}  // namespace
}  // namespace sluice::channel
