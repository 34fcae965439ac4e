// A tunnel taken as a value in the middle of its life goes on in another object.
#include "l2tp/snapshot.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using namespace std::chrono_literals;

/// Two ends that move to new objects before every step, over a link that may lose and reorder; neither may
/// notice.
class Moving {
 public:
  explicit Moving(std::uint64_t seed, unsigned loss = 0) : random_(seed), net_(seed, loss) {
    lns_config_.local_tunnel = TunnelId(100);
    lac_config_.local_tunnel = TunnelId(77);
    lns_config_.hello_interval = 20s;
    lns_ = std::make_unique<LnsTunnel>(lns_config_, random_);
    lac_ = std::make_unique<LacTunnel>(lac_config_, random_);
  }
  template <class T>
  void move(std::unique_ptr<T>& tunnel, const TunnelConfig& config) {
    drain(*tunnel);
    const TunnelSnapshot value = tunnel->snapshot(now);
    tunnel = std::make_unique<T>(config, random_);
    ASSERT_TRUE(tunnel->restore(value, now));
    ++moves;
    if (overdue(value)) return;  // what is overdue comes back as due now
    EXPECT_EQ(tunnel->snapshot(now), value);
  }
  void move() {
    move(lns_, lns_config_);
    move(lac_, lac_config_);
  }
  void run(Duration duration) {
    const Instant end = now + duration;
    while (true) {
      move();
      transmit();
      move();
      std::optional<Instant> next = net_.next();
      for (const auto at : {lns_->next_timeout(), lac_->next_timeout()}) {
        if (at && (!next || *at < *next)) next = at;
      }
      if (!next || *next > end) break;
      now = std::max(now, *next);
      while (auto packet = net_.pop(now)) {
        Tunnel& to = packet->first == 0 ? static_cast<Tunnel&>(*lns_) : *lac_;
        to.on_datagram(packet->second, now);
        drain(to);
      }
      lns_->on_timeout(now);
      lac_->on_timeout(now);
    }
    now = end;
  }
  LnsTunnel& lns() { return *lns_; }
  LacTunnel& lac() { return *lac_; }

  Instant now{1h};
  unsigned moves = 0, hellos = 0;
  std::vector<SessionUp> lns_up, lac_up;
  std::vector<SessionDown> lns_down, lac_down;
  std::vector<TunnelDown> over;

 private:
  static bool overdue(const TunnelSnapshot& value) {
    const auto late = [](const TimeLeft& left) { return left && *left < Duration::zero(); };
    return late(value.linger) || std::any_of(value.control.queue.begin(), value.control.queue.end(),
                                             [&](const auto& message) { return late(message.resend); });
  }
  void drain(Tunnel& tunnel) {
    const bool server = &tunnel == lns_.get();
    while (auto event = tunnel.poll_event()) {
      if (const auto* up = std::get_if<SessionUp>(&*event)) (server ? lns_up : lac_up).push_back(*up);
      if (const auto* down = std::get_if<SessionDown>(&*event))
        (server ? lns_down : lac_down).push_back(*down);
      if (const auto* down = std::get_if<TunnelDown>(&*event)) over.push_back(*down);
    }
  }
  void transmit() {
    while (auto packet = lns_->poll_transmit()) {
      const auto header = parse_header(*packet);
      if (!header->zlb() && parse_message(header->payload)->is(MessageType::kHello)) ++hellos;
      net_.send(1, *packet, now);
    }
    while (auto packet = lac_->poll_transmit()) net_.send(0, *packet, now);
  }

  test::SeededRandom random_;
  test::SimNet net_;
  TunnelConfig lns_config_, lac_config_;
  std::unique_ptr<LnsTunnel> lns_;
  std::unique_ptr<LacTunnel> lac_;
};

/// Dial, call, silence until HELLO, CDN, a second call, StopCCN.
void whole_life(Moving& world, Duration pace) {
  world.lac().connect(world.now);
  world.run(pace);
  ASSERT_TRUE(world.lns().established() && world.lac().established());
  ASSERT_TRUE(world.lac().open_session(world.now));
  world.run(pace);
  ASSERT_EQ(world.lns_up.size(), 1U);
  ASSERT_EQ(world.lac_up.size(), 1U);
  EXPECT_EQ(world.lns_up[0].remote, world.lac_up[0].local);
  world.run(65s);
  EXPECT_GE(world.hellos, 3U);
  world.lns().close_session(world.lns_up[0].local, CallResult::kAdministrative, "bye", world.now);
  world.run(pace);
  ASSERT_EQ(world.lac_down.size(), 1U);
  EXPECT_EQ(world.lac_down[0].cause.text, "bye");
  ASSERT_TRUE(world.lac().open_session(world.now));
  world.run(pace);
  ASSERT_EQ(world.lns_up.size(), 2U);
  EXPECT_NE(world.lns_up[1].local, world.lns_up[0].local);
  world.lns().close_tunnel(StopResult::kShuttingDown, "stopping", world.now);
  world.run(120s);
  EXPECT_TRUE(world.lns().finished() && world.lac().finished());
  ASSERT_EQ(world.over.size(), 2U);
}

TEST(L2tpSnapshot, ATunnelThatMovesAtEveryStepGoesOn) {
  Moving world(1);
  whole_life(world, 2s);
  EXPECT_GT(world.moves, 50U);
  EXPECT_EQ(world.lns().control().retransmissions(), 0U);
  EXPECT_EQ(world.lac().control().retransmissions(), 0U);
}

TEST(L2tpSnapshot, LossAndReorderingDoNotMatter) {
  std::uint64_t resent = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Moving world(seed, 150);
    whole_life(world, 25s);
    resent += world.lns().control().retransmissions() + world.lac().control().retransmissions();
  }
  EXPECT_GT(resent, 20U);
}

/// The server of an established tunnel with one session, as a value.
class L2tpSnapshotOf : public ::testing::Test {
 protected:
  L2tpSnapshotOf() {
    world.lac().connect(world.now);
    world.run(1s);
    world.lac().open_session(world.now);
    world.run(1s);
    session = world.lns_up.at(0).local;
    config.local_tunnel = TunnelId(100);
  }
  bool takes(const TunnelSnapshot& value) {
    LnsTunnel tunnel(config, random);
    const bool taken = tunnel.restore(value, world.now);
    if (!taken) {
      EXPECT_TRUE(tunnel.sessions() == 0 && !tunnel.next_timeout() && !tunnel.poll_transmit());
    }
    return taken;
  }

  Moving world{1};
  test::SeededRandom random{2};
  TunnelConfig config;
  SessionId session;
};

TEST_F(L2tpSnapshotOf, UnacknowledgedMessagesAreSentAgainWithTheirNumbersAndThoseThatWaitFollow) {
  for (int i = 0; i < 3; ++i) {
    world.lac().open_session(world.now);
    world.run(1s);
  }
  LnsTunnel first(config, random);
  ASSERT_TRUE(first.restore(world.lns().snapshot(world.now), world.now));
  const std::uint16_t ns = first.control().next_ns();
  for (const auto& up : world.lns_up)
    first.close_session(up.local, CallResult::kAdministrative, "x", world.now);
  std::vector<ByteVector> sent;
  while (auto packet = first.poll_transmit()) sent.push_back(*packet);
  ASSERT_FALSE(sent.empty());

  const TunnelSnapshot value = first.snapshot(world.now);
  EXPECT_EQ(value.control.queue.size(), 4U);
  EXPECT_EQ(value.resting.size(), 4U);
  LnsTunnel second(config, random);
  ASSERT_TRUE(second.restore(value, world.now));
  EXPECT_FALSE(second.poll_transmit()) << "sent before its time";
  const auto at = second.next_timeout();
  ASSERT_EQ(at, world.now + 1s);
  second.on_timeout(*at);
  const auto again = second.poll_transmit();
  ASSERT_TRUE(again);
  EXPECT_EQ(parse_header(*again)->ns, ns);
  EXPECT_EQ(parse_header(*again)->tunnel, TunnelId(77));
  std::set<std::uint16_t> numbers;
  Instant now = *at;
  for (int i = 0; i < 50; ++i) {
    now += 10ms;
    second.on_timeout(now);
    while (auto packet = second.poll_transmit()) {
      numbers.insert(parse_header(*packet)->ns);
      world.lac().on_datagram(*packet, now);
    }
    if (i == 0) world.lac().on_datagram(*again, now);
    while (auto packet = world.lac().poll_transmit()) second.on_datagram(*packet, now);
  }
  EXPECT_TRUE(second.control().idle());
  EXPECT_EQ(second.control().next_ns(), static_cast<std::uint16_t>(ns + 4));
  EXPECT_EQ(world.lac().sessions(), 0U);
}

TEST_F(L2tpSnapshotOf, IdsAtRestAreNotGivenOutAgain) {
  world.lns().close_session(session, CallResult::kAdministrative, "", world.now);
  world.run(1s);
  const auto value = world.lns().snapshot(world.now);
  ASSERT_EQ(value.resting.size(), 1U);
  EXPECT_EQ(value.resting[0].local, session);
  EXPECT_GT(*value.resting[0].until, 20s);
  EXPECT_TRUE(world.lns().snapshot(world.now + 5min).resting.empty());
}

TEST_F(L2tpSnapshotOf, AValueThatContradictsItselfIsRefused) {
  const TunnelSnapshot good = world.lns().snapshot(world.now);
  ASSERT_TRUE(takes(good));
  const auto refused = [&](const std::function<void(TunnelSnapshot&)>& spoil) {
    TunnelSnapshot value = good;
    spoil(value);
    return !takes(value);
  };
  EXPECT_TRUE(refused([](auto& v) { v.role = Role::kLac; }));
  EXPECT_TRUE(refused([](auto& v) { v.peer.local = TunnelId(101); }));
  EXPECT_TRUE(refused([](auto& v) { v.peer.remote = TunnelId(0); }));
  EXPECT_TRUE(refused([](auto& v) { v.state = TunnelState::kIdle; }));
  EXPECT_TRUE(refused([](auto& v) { v.state = TunnelState::kWaitReply; }));
  EXPECT_TRUE(refused([](auto& v) { v.state = TunnelState::kWaitConnect; }));
  EXPECT_TRUE(refused([](auto& v) { v.state = TunnelState::kClosing; }));
  EXPECT_TRUE(refused([](auto& v) { v.state = TunnelState::kCount; }));
  EXPECT_TRUE(refused([](auto& v) { v.announced = false; }));
  EXPECT_TRUE(refused([](auto& v) { v.stop_sent = true; }));
  EXPECT_TRUE(refused([](auto& v) { v.linger = 5s; }));
  EXPECT_TRUE(refused([](auto& v) { v.opened_ago = 5s; }));
  EXPECT_TRUE(refused([](auto& v) { v.sessions[0].local = SessionId(0); }));
  EXPECT_TRUE(refused([](auto& v) { v.sessions[0].remote = SessionId(0); }));
  EXPECT_TRUE(refused([](auto& v) { v.sessions[0].state = 3; }));
  EXPECT_TRUE(refused([](auto& v) { v.sessions.push_back(v.sessions[0]); }));
  EXPECT_TRUE(refused([](auto& v) {
    v.sessions.push_back(v.sessions[0]);
    v.sessions[1].local = SessionId(static_cast<std::uint16_t>(v.sessions[0].local.value() ^ 1));
  })) << "two sessions with one id of the peer's";
  EXPECT_TRUE(refused([](auto& v) { v.resting.push_back({v.sessions[0].local, 5s}); }));
  EXPECT_TRUE(refused([](auto& v) { v.resting.push_back({SessionId(), 5s}); }));
  EXPECT_TRUE(refused([](auto& v) { v.control.failed = true; }));
  EXPECT_TRUE(refused([](auto& v) { v.control.in_flight = 1; }));
  EXPECT_TRUE(refused([](auto& v) { v.control.cwnd = 0; }));
  EXPECT_TRUE(
      refused([](auto& v) { v.control.cwnd = static_cast<std::uint16_t>(v.control.peer_window + 1); }));
  EXPECT_TRUE(refused([](auto& v) { v.control.ssthresh = 0; }));
  EXPECT_TRUE(refused([](auto& v) { v.control.queue.push_back({ByteVector(3)}); }));
  const ByteVector hello = MessageBuilder(MessageType::kHello).finish(TunnelId(1), SessionId(), 0, 0);
  EXPECT_FALSE(refused([&](auto& v) { v.control.queue.push_back({hello}); }));
  EXPECT_TRUE(refused([&](auto& v) {
    v.control.queue.push_back({hello});
    v.control.queue[0].due = true;
  }));
  EXPECT_TRUE(refused([&](auto& v) {
    v.control.queue.push_back({hello});
    v.control.queue[0].packet.push_back(0);
  }));
  EXPECT_TRUE(refused([&](auto& v) {
    v.control.queue.push_back({hello});
    v.control.in_flight = 1;
  })) << "in flight and never sent";
  const auto ahead = [&](const TunnelSnapshot& v, int by) {
    return MessageBuilder(MessageType::kHello)
        .finish(TunnelId(100), SessionId(), static_cast<std::uint16_t>(v.control.expected + by), 0);
  };
  EXPECT_FALSE(refused([&](auto& v) { v.control.held.push_back(ahead(v, 1)); }));
  EXPECT_TRUE(refused([&](auto& v) { v.control.held.push_back(ahead(v, 0)); }));
  EXPECT_TRUE(refused([&](auto& v) { v.control.held.push_back(ahead(v, 8)); }));
  EXPECT_TRUE(refused([&](auto& v) { v.control.held = {ahead(v, 2), ahead(v, 2)}; }));
}

TEST_F(L2tpSnapshotOf, WhatBelongsToAnotherConfigurationIsRefused) {
  const TunnelSnapshot good = world.lns().snapshot(world.now);
  config.max_sessions = 0;
  EXPECT_FALSE(takes(good));
  config.max_sessions = 16;
  config.local_tunnel = TunnelId(99);
  EXPECT_FALSE(takes(good));
}

TEST_F(L2tpSnapshotOf, ATunnelThatLivesTakesNoOther) {
  const TunnelSnapshot good = world.lns().snapshot(world.now);
  EXPECT_FALSE(world.lns().restore(good, world.now));
  EXPECT_EQ(world.lns().snapshot(world.now), good);
}

TEST(L2tpSnapshotAuthentication, AChallengeThatIsOutIsNotForgotten) {
  test::SeededRandom random(3);
  TunnelConfig server{.local_tunnel = TunnelId(100)};
  server.secret = std::make_shared<const Secret>(Secret("right"));
  server.demand_authentication = true;
  TunnelConfig client{.local_tunnel = TunnelId(77)};
  client.secret = std::make_shared<const Secret>(Secret("right"));
  const Instant now{1h};
  LacTunnel lac(client, random);
  LnsTunnel first(server, random);
  lac.connect(now);
  first.on_datagram(*lac.poll_transmit(), now);
  lac.on_datagram(*first.poll_transmit(), now);

  TunnelSnapshot value = first.snapshot(now);
  LnsTunnel moved(server, random), lured(server, random);
  ASSERT_TRUE(moved.restore(value, now));
  moved.on_datagram(*lac.poll_transmit(), now);
  EXPECT_TRUE(moved.established());
  value.challenge.clear();
  EXPECT_FALSE(lured.restore(value, now));
}

}  // namespace
}  // namespace sluice::l2tp
