// What a peer that errs, floods, stalls or vanishes does to a control core.
#include <algorithm>
#include <set>

#include "tests/unit/proto/control_pair.hpp"

namespace sluice::channel {
namespace {

using namespace ends;

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
