// Every known client against the LNS, over good and bad networks.
#include "persona.hpp"

#include <gtest/gtest.h>

namespace sluice::l2tp {
namespace {

using namespace std::chrono_literals;
using test::Events;
using test::Persona;
using test::PersonaClient;
using test::SeededRandom;
using test::SimNet;
using Stage = PersonaClient::Stage;

constexpr int kServer = 0, kClient = 1;

/// One dial: a fresh tunnel at each end. The network is the caller's, so a redial meets what the last one
/// left in it.
class Dial {
 public:
  Dial(const Persona& which, std::uint64_t seed, unsigned loss, std::uint16_t id, Instant start)
      : persona(which),
        now(start),
        random(seed),
        net(seed * 31 + id, loss),
        lns({.local_tunnel = TunnelId{static_cast<std::uint16_t>(0x4000 + id)}}, random),
        client(which, TunnelId{id}, start) {}

  void pump() {
    flush();
    while (auto arrived = net.pop(now)) {
      if (arrived->first == kServer) {
        const auto got = lns.on_datagram(arrived->second, now);
        if (got.is_data()) answer(got.session);
      } else {
        client.on_datagram(arrived->second, now);
      }
      flush();
    }
  }
  void answer(SessionId session) {
    ++data_at_lns;
    ByteVector buffer(kDataHeadroom + 4, 0x11);
    if (const auto p = lns.frame_data(session, buffer, kDataHeadroom)) {
      net.send(kClient, ByteVector(p->begin(), p->end()), now);
    }
  }
  void flush() {
    while (auto p = lns.poll_transmit()) net.send(kClient, std::move(*p), now);
    while (auto p = client.poll_transmit()) net.send(kServer, std::move(*p), now);
    events.drain(lns);
    // The client's window holds, but for a HELLO it will not acknowledge and for the farewell.
    if (lns.established() && persona.acknowledges_hello) {
      EXPECT_LE(lns.control().in_flight(), persona.window);
    }
  }
  template <class Done>
  bool run(Duration limit, Done done) {
    const Instant end = now + limit;
    pump();
    while (!done()) {
      std::optional<Instant> next = net.next();
      for (const auto& at : {lns.next_timeout(), client.next_timeout()}) {
        if (at && (!next || *at < *next)) next = at;
      }
      if (!next || *next > end) {
        now = end;
        return done();
      }
      now = std::max(now, *next);
      if (const auto at = lns.next_timeout(); at && *at <= now) lns.on_timeout(now);
      if (const auto at = client.next_timeout(); at && *at <= now) client.on_timeout(now);
      pump();
    }
    return true;
  }
  bool up() const { return client.stage == Stage::kUp && lns.sessions_up() == 1; }
  bool over() const { return client.stage == Stage::kFailed || lns.finished(); }
  bool connect() {
    return run(90s, [this] { return up() || over(); }) && up();
  }

  const Persona& persona;
  Instant now;
  SeededRandom random;
  SimNet net;
  LnsTunnel lns;
  PersonaClient client;
  Events events;
  int data_at_lns = 0;
};

struct Case {
  const Persona* persona;
  unsigned loss;
};

class L2tpPersona : public ::testing::TestWithParam<Case> {};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const auto& persona : test::personas()) {
    for (const unsigned loss : {0u, 50u, 200u}) out.push_back({&persona, loss});
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(All, L2tpPersona, ::testing::ValuesIn(cases()), [](const auto& p) {
  return std::string(p.param.persona->name) + "Loss" + std::to_string(p.param.loss);
});

TEST_P(L2tpPersona, ConnectsStaysUpAndHangsUp) {
  const auto& [persona, loss] = GetParam();
  int redials = 0, gave_up = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(std::string(persona->name) + " seed " + std::to_string(seed) + " loss " +
                 std::to_string(loss));
    Instant start{};
    std::optional<Dial> dial;
    bool up = false;
    // A person dials again when a bad line ends an attempt.
    for (std::uint16_t attempt = 1; attempt <= 3 && !up; ++attempt) {
      dial.emplace(*persona, seed + 1000u * attempt, loss, attempt, start);
      up = dial->connect();
      redials += attempt > 1 ? 1 : 0;
      start = dial->now;
    }
    ASSERT_TRUE(up) << dial->client.failure;
    EXPECT_EQ(dial->client.failure, "");
    EXPECT_EQ(dial->events.count<SessionUp>(), 1u);

    // Five minutes with traffic every 10 s, through the server's and the client's HELLOs.
    for (int i = 0; i < 30; ++i) {
      dial->client.send_data();
      dial->run(10s, [] { return false; });
    }
    if (dial->client.failure == "no acknowledgement" && loss == 200) {
      // The client has less patience than the line asks for; the server notices by itself.
      ++gave_up;
      EXPECT_TRUE(dial->run(5min, [&] { return dial->lns.finished(); }));
      continue;
    }
    EXPECT_TRUE(dial->up()) << dial->client.failure;
    EXPECT_GE(dial->data_at_lns, loss == 0 ? 30 : 10);
    EXPECT_GE(dial->client.data_received, loss == 0 ? 30 : 10);

    dial->client.hang_up();
    EXPECT_TRUE(dial->run(5min, [&] { return dial->lns.finished(); }));
    EXPECT_EQ(dial->lns.sessions(), 0u);
    EXPECT_EQ(dial->events.count<TunnelDown>(), 1u);
    EXPECT_EQ(dial->events.count<SessionDown>(), 1u);
    if (loss == 0) {
      EXPECT_EQ(describe(dial->events.last<TunnelDown>()->cause),
                "closed by peer: 6 requester is being shut down");
    }
  }
  if (loss == 0) {
    EXPECT_EQ(redials, 0);
  }
  EXPECT_LE(redials, 20);
  EXPECT_LE(gave_up, 20);
}

TEST_P(L2tpPersona, IsToldWhenTheServerEnds) {
  const auto& [persona, loss] = GetParam();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(std::string(persona->name) + " seed " + std::to_string(seed) + " loss " +
                 std::to_string(loss));
    Dial dial(*persona, seed, loss, 9, Instant{});
    if (!dial.connect()) {
      ASSERT_NE(loss, 0u);
      continue;
    }
    dial.lns.close_session(dial.events.last<SessionUp>()->local, CallResult::kAdministrative, "end",
                           dial.now);
    dial.lns.close_tunnel(StopResult::kShuttingDown, "end", dial.now);
    EXPECT_TRUE(dial.run(2min, [&] { return dial.lns.finished(); }));
    if (loss == 0) {
      EXPECT_EQ(dial.client.stage, Stage::kClosed);
    }
  }
}

TEST(L2tpPersonas, MessagesComeInTheExpectedOrderOnACleanLine) {
  for (const auto& persona : test::personas()) {
    SCOPED_TRACE(std::string(persona.name));
    Dial dial(persona, 1, 0, 5, Instant{});
    ASSERT_TRUE(dial.connect());
    dial.run(1s, [] { return false; });
    EXPECT_EQ(dial.client.log, (std::vector<std::string>{"SCCRP", "ICRP"}));
    EXPECT_TRUE(dial.client.iccn_acknowledged);
    // The acknowledgement of SCCCN is back after one round trip: nothing waits for a timer.
    EXPECT_EQ(dial.client.scccn_acknowledged - dial.client.scccn_sent, 20ms);
    // Up after two and a half round trips, and one more for who waits for the acknowledgement of SCCCN.
    EXPECT_EQ(dial.now - Instant{}, 1s + (persona.icrq_waits_for_ack ? 70ms : 50ms));
    const auto* up = dial.events.last<TunnelUp>();
    ASSERT_TRUE(up);
    EXPECT_EQ(up->peer_window, persona.window);
    EXPECT_EQ(dial.events.count<LinkInfo>(), persona.sends_sli ? 1u : 0u);
  }
}

TEST(L2tpPersonas, DataMayFollowIccnAtOnce) {
  for (const auto& persona : test::personas()) {
    if (persona.data_waits_for_ack) continue;
    SCOPED_TRACE(std::string(persona.name));
    Dial dial(persona, 1, 0, 5, Instant{});
    ASSERT_TRUE(dial.run(5s, [&] { return dial.client.stage == Stage::kUp; }));
    dial.client.send_data();
    dial.run(10ms, [] { return false; });
    EXPECT_EQ(dial.data_at_lns, 1);
  }
}

TEST(L2tpPersonas, AServerThatDemandsAuthenticationLosesAppleAndNothingElseHangs) {
  for (const auto& persona : test::personas()) {
    SCOPED_TRACE(std::string(persona.name));
    SeededRandom random(1);
    TunnelConfig config{.local_tunnel = TunnelId{3}, .demand_authentication = true};
    config.secret = std::make_shared<const Secret>(Secret("s"));
    LnsTunnel lns(config, random);
    PersonaClient client(persona, TunnelId{5}, Instant{});
    for (int i = 0; i < 6; ++i) {
      while (auto p = client.poll_transmit()) lns.on_datagram(*p, Instant{});
      while (auto p = lns.poll_transmit()) client.on_datagram(*p, Instant{});
    }
    EXPECT_FALSE(lns.established());
    EXPECT_TRUE(client.stage == Stage::kFailed || client.stage == Stage::kClosed);
    EXPECT_EQ(client.failure, persona.bears_challenge ? "" : "SCCRP with a Challenge");
  }
}

}  // namespace
}  // namespace sluice::l2tp
