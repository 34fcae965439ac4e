// A LAC and an LNS with a bad network between them, and an observer on the way. Each failure prints its seed.
#include <gtest/gtest.h>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using test::Events;
using test::SeededRandom;
using test::SimNet;

constexpr int kLns = 0, kLac = 1;

class World {
 public:
  World(std::uint64_t seed, unsigned loss_permille)
      : random(seed),
        net(seed ^ 0xabcdef, loss_permille),
        lns(config(TunnelId{100}), random),
        lac(config(TunnelId{7}), random) {}

  static TunnelConfig config(TunnelId id) { return {.local_tunnel = id, .max_control_per_second = 0}; }

  /// Moves what can be moved now.
  void pump() {
    while (auto arrived = net.pop(now)) {
      auto& [to, packet] = *arrived;
      if (to == kLns) {
        observer.from_client(packet);
        if (lns.on_datagram(packet, now).is_data()) ++data_at_lns;
      } else {
        lac.on_datagram(packet, now);
      }
      send();
    }
    send();
  }
  void send() {
    for (auto& p : test::drain(lns)) observer.from_agent(p), net.send(kLac, std::move(p), now);
    for (auto& p : test::drain(lac)) net.send(kLns, std::move(p), now);
    at_lns.drain(lns);
    at_lac.drain(lac);
  }
  /// Lets time pass until `done` or `limit`.
  template <class Done>
  bool run(Duration limit, Done done) {
    const Instant end = now + limit;
    pump();
    while (!done()) {
      std::optional<Instant> next = net.next();
      for (const auto& at : {lns.next_timeout(), lac.next_timeout()}) {
        if (at && (!next || *at < *next)) next = at;
      }
      if (!next || *next > end) {
        now = end;
        return done();
      }
      now = std::max(now, *next);
      if (const auto at = lns.next_timeout(); at && *at <= now) lns.on_timeout(now);
      if (const auto at = lac.next_timeout(); at && *at <= now) lac.on_timeout(now);
      pump();
    }
    return true;
  }

  Instant now{};
  SeededRandom random;
  SimNet net;
  LnsTunnel lns;
  LacTunnel lac;
  Observer observer;
  Events at_lns, at_lac;
  int data_at_lns = 0;
};

class L2tpSim : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(LossPermille, L2tpSim, ::testing::Values(0u, 50u, 200u),
                         [](const auto& p) { return "loss" + std::to_string(p.param); });

TEST_P(L2tpSim, TunnelsComeUpCallAndCloseWithoutATrace) {
  int gave_up = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " loss " + std::to_string(GetParam()) + " permille");
    World w(seed, GetParam());
    w.lac.connect(w.now);
    const bool up = w.run(std::chrono::seconds(60), [&] {
      return (w.lac.established() && w.lns.established()) || w.lac.finished() || w.lns.finished();
    });
    if (!up || w.lac.finished() || w.lns.finished()) {
      // Six losses in a row end a connection, and rightly so: both sides know it.
      ++gave_up;
      w.run(std::chrono::minutes(5), [&] { return w.lac.finished() && w.lns.finished(); });
      continue;
    }
    constexpr std::size_t kCalls = 6;
    for (std::size_t i = 0; i < kCalls; ++i) w.lac.open_session(w.now);
    const bool called = w.run(std::chrono::minutes(2), [&] {
      return (w.lns.sessions_up() == kCalls && w.lac.sessions_up() == kCalls) || w.lac.finished() ||
             w.lns.finished();
    });
    ASSERT_TRUE(called);
    if (w.lns.sessions_up() == kCalls && w.lac.sessions_up() == kCalls) {
      EXPECT_EQ(w.at_lns.count<TunnelUp>(), 1u);
      EXPECT_EQ(w.at_lns.count<SessionUp>(), kCalls);
      EXPECT_EQ(w.at_lac.count<SessionUp>(), kCalls);
      EXPECT_EQ(w.observer.client_tunnel(), TunnelId{7});
      EXPECT_EQ(w.observer.agent_tunnel(), TunnelId{100});
      EXPECT_EQ(w.observer.sessions_up(), kCalls);
    } else {
      ++gave_up;
    }
    if (seed % 2 == 0) {
      w.lac.close_tunnel(StopResult::kGeneral, "", w.now);
    } else {
      w.lns.close_tunnel(StopResult::kShuttingDown, "", w.now);
    }
    EXPECT_TRUE(w.run(std::chrono::minutes(5), [&] { return w.lac.finished() && w.lns.finished(); }));
    EXPECT_EQ(w.at_lns.count<TunnelDown>(), 1u);
    EXPECT_EQ(w.at_lac.count<TunnelDown>(), 1u);
    EXPECT_EQ(w.at_lns.count<SessionUp>(), [&] {
      std::size_t n = 0;
      for (const auto& e : w.at_lns.all) {
        if (const auto* down = std::get_if<SessionDown>(&e)) n += down->was_up ? 1 : 0;
      }
      return n;
    }());
    EXPECT_EQ(w.lns.sessions(), 0u);
    EXPECT_FALSE(w.lns.next_timeout());
  }
  if (GetParam() == 0) {
    EXPECT_EQ(gave_up, 0);
  }
  EXPECT_LE(gave_up, 15);
}

TEST_P(L2tpSim, TenThousandRandomLivesLeaveNoStateBehind) {
  constexpr std::uint64_t kLives = 10'000;
  for (std::uint64_t seed = 1; seed <= kLives; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " loss " + std::to_string(GetParam()) + " permille");
    World w(seed * 7919, GetParam());
    SeededRandom dice(seed);
    w.lac.connect(w.now);
    std::vector<SessionId> open;
    const auto steps = 5 + dice.below(40);
    for (std::uint64_t step = 0; step < steps; ++step) {
      switch (dice.below(8)) {
        case 0:
        case 1:
          if (const auto id = w.lac.open_session(w.now)) open.push_back(*id);
          break;
        case 2:
          if (!open.empty()) {
            w.lac.close_session(open[dice.below(open.size())], CallResult::kAdministrative, "", w.now);
          }
          break;
        case 3:
          if (const auto* up = w.at_lns.last<SessionUp>()) {
            w.lns.close_session(up->local, CallResult::kAdministrative, "", w.now);
          }
          break;
        case 4: {
          ByteVector buffer(kDataHeadroom + 20);
          if (open.empty()) break;
          if (const auto p = w.lac.frame_data(open.back(), buffer, kDataHeadroom)) {
            w.net.send(kLns, ByteVector(p->begin(), p->end()), w.now);
          }
          break;
        }
        case 5:
          if (dice.chance(200)) w.run(std::chrono::seconds(dice.below(100)), [] { return false; });
          break;
        default:
          w.run(std::chrono::milliseconds(dice.below(500)), [] { return false; });
          break;
      }
      w.pump();
    }
    (dice.chance(500) ? static_cast<Tunnel&>(w.lac) : w.lns).close_tunnel(StopResult::kGeneral, "", w.now);
    ASSERT_TRUE(w.run(std::chrono::minutes(10), [&] {
      const bool lns_idle = w.lns.finished() || w.lns.state() == TunnelState::kIdle;
      return w.lac.finished() && lns_idle;
    }));
    EXPECT_EQ(w.lns.sessions(), 0u);
    EXPECT_EQ(w.lac.sessions(), 0u);
    EXPECT_FALSE(w.lns.next_timeout());
    EXPECT_FALSE(w.lac.next_timeout());
    EXPECT_FALSE(w.lns.poll_transmit());
    EXPECT_FALSE(w.lac.poll_transmit());
    for (const auto* side : {&w.at_lns, &w.at_lac}) {
      EXPECT_LE(side->count<TunnelUp>(), 1u);
      EXPECT_LE(side->count<TunnelDown>(), 1u);
      std::size_t ended = 0;
      for (const auto& event : side->all) {
        const auto* down = std::get_if<SessionDown>(&event);
        ended += down && down->was_up ? 1 : 0;
      }
      EXPECT_EQ(side->count<SessionUp>(), ended);
    }
    // The observer saw every StopCCN that the server sent or got; one that ended in silence names nobody.
    const auto* down = w.at_lns.last<TunnelDown>();
    if (down && w.lns.remote_id() && down->cause.by != ClosedBy::kTimeout) {
      EXPECT_EQ(w.observer.state(), ObservedState::kClosed);
    }
    if (w.observer.closed()) {
      EXPECT_TRUE(w.observer.sessions().empty());
    }
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sluice::l2tp
