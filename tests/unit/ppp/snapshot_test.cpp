// A session taken as a value in the middle of its life goes on in another object.
#include "ppp/snapshot.hpp"

#include <gtest/gtest.h>

#include "ppp/session.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using namespace std::chrono_literals;
using test::ip;

/// A server that moves to a new object again and again, and a client that must not notice.
struct Moving {
  Moving(PppConfig client_config, PppConfig server_config, std::uint32_t seed)
      : random(seed),
        dice(seed),
        server_shared(std::make_shared<const PppConfig>(std::move(server_config))),
        client(std::make_shared<const PppConfig>(std::move(client_config)), random, drops),
        server(std::make_unique<PppSession>(server_shared, random, drops)) {
    credential.password = Secret("secret");
    client.start(now);
    server->start(now);
  }
  void move() {
    if (server->phase() == PppSession::Phase::kDead) return;
    const SessionSnapshot value = server->snapshot(now);
    server = std::make_unique<PppSession>(server_shared, random, drops);
    ASSERT_TRUE(server->restore(value, now));
    ++moves;
    if (value.auth.state == static_cast<std::uint8_t>(Auth::State::kPending)) return;  // asks anew
    SessionSnapshot back = server->snapshot(now);
    EXPECT_EQ(back, value);
  }
  void events() {
    while (auto event = server->poll_event()) {
      if (auto* need = std::get_if<AuthNeeded>(&*event)) {
        if (dice() % 4 == 0) continue;  // the verdict is lost with the object
        server->auth_result(need->request.attempt, verify(need->request, credential), now);
      } else if (std::holds_alternative<AddressNeeded>(*event)) {
        server->set_addresses(test::addresses_with_ipv6(), now);
      } else if (std::holds_alternative<Down>(*event)) {
        down = std::get<Down>(*event).cause;
      }
    }
    while (auto event = client.poll_event()) {
      if (std::holds_alternative<Down>(*event)) client_down = std::get<Down>(*event).cause;
    }
  }
  /// One round trip, with a move before each step of it.
  void round() {
    while (auto frame = client.poll_transmit()) {
      server->on_frame(*frame, now);
      answer();
    }
    answer();
  }
  void answer() {
    do {
      while (auto frame = server->poll_transmit()) client.on_frame(*frame, now);
      events();
    } while (pending());
    move();
    events();
  }
  bool pending() {
    auto frame = server->poll_transmit();
    if (frame) client.on_frame(*frame, now);
    return frame.has_value();
  }
  bool run_until(const std::function<bool()>& wanted, Duration limit = 2min) {
    const Instant end = now + limit;
    while (!wanted() && down.empty() && now < end) {
      round();
      if (wanted()) return true;
      std::optional<Instant> next = client.next_timeout();
      const auto other = server->next_timeout();
      if (other && (!next || *other < *next)) next = other;
      if (!next) return false;
      now = std::max(now, *next);
      client.on_timeout(now);
      server->on_timeout(now);
    }
    return wanted();
  }

  Instant now{1h};
  Drops drops;
  test::SeededRandom random;
  std::mt19937 dice;
  Credential credential;
  std::shared_ptr<const PppConfig> server_shared;
  PppSession client;
  std::unique_ptr<PppSession> server;
  std::string down, client_down;
  unsigned moves = 0;
};

PppConfig client_with(AuthMethod method) {
  PppConfig config = test::client_config();
  config.auth = {method};
  config.want_ipv6 = true;
  return config;
}
PppConfig server_with(AuthMethod method) {
  PppConfig config = test::server_config();
  config.auth = {method};
  config.rechallenge_interval = 1min;
  return config;
}
ByteVector ipv4_to(const char* to) {
  return make_udp({ip("192.0.2.1"), 53}, {ip(to), 5353}, ByteVector(40, 1));
}

class SessionSnapshots : public testing::TestWithParam<AuthMethod> {};
INSTANTIATE_TEST_SUITE_P(Ppp, SessionSnapshots,
                         testing::Values(AuthMethod::kPap, AuthMethod::kChapMd5, AuthMethod::kMsChapV2,
                                         AuthMethod::kEap),
                         [](const auto& p) {
                           std::string name(to_string(p.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(SessionSnapshots, ASessionMayMoveAtEveryMomentOfItsLife) {
  for (std::uint32_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Moving moving(client_with(GetParam()), server_with(GetParam()), seed);
    const auto up = [&] {
      return moving.client.is_up() && moving.client.ipv6_up() && moving.server->is_up() &&
             moving.server->ipv6_up();
    };
    ASSERT_TRUE(moving.run_until(up)) << moving.down;
    EXPECT_GT(moving.moves, 5U);
    // Ten minutes more: echoes, advertisements, new challenges.
    EXPECT_FALSE(moving.run_until([] { return false; }, 10min));
    EXPECT_EQ(moving.down, "");
    ASSERT_TRUE(up());
    const ByteVector packet = ipv4_to("10.99.0.7");
    ByteVector buffer(16 + packet.size());
    std::copy(packet.begin(), packet.end(), buffer.begin() + 16);
    const MutableBytes frame = moving.server->frame_ip(buffer, 16, packet.size());
    EXPECT_TRUE(equal(moving.client.on_frame(frame, moving.now), packet));
    moving.client.stop("test", "bye", moving.now);
    moving.run_until([&] { return !moving.down.empty(); });
    EXPECT_EQ(moving.down, "user-request");
  }
}

SessionSnapshot of_a_session_that_is_up() {
  PppConfig client = test::client_config();
  client.want_ipv6 = true;
  test::Pair pair(std::move(client), test::server_config());
  pair.given = test::addresses_with_ipv6();
  pair.start();
  EXPECT_TRUE(pair.run_until([&] { return pair.server_up && pair.server_v6; }));
  return pair.server_session.snapshot(pair.now);
}
bool restores(const SessionSnapshot& value) {
  Drops drops;
  test::SeededRandom random(1);
  PppSession session(std::make_shared<const PppConfig>(test::server_config()), random, drops);
  const bool good = session.restore(value, Instant{1h});
  if (!good) {
    session.start(Instant{1h});
    EXPECT_EQ(session.phase(), PppSession::Phase::kDead) << "a refused value leaves nothing to begin with";
  }
  return good;
}

TEST(SessionSnapshot, ValuesThatContradictThemselvesAreRefused) {
  const SessionSnapshot good = of_a_session_that_is_up();
  ASSERT_TRUE(restores(good));
  const std::vector<std::function<void(SessionSnapshot&)>> lies{
      [](auto& s) { s.phase = 0; },
      [](auto& s) { s.phase = 9; },
      [](auto& s) { s.lcp.cp.state = 10; },
      [](auto& s) { s.lcp.cp.state = static_cast<std::uint8_t>(CpState::kReqSent); },
      [](auto& s) { s.ipcp.cp.state = static_cast<std::uint8_t>(CpState::kReqSent); },
      [](auto& s) { s.ipv6cp.cp.state = static_cast<std::uint8_t>(CpState::kAckSent); },
      [](auto& s) { s.auth.state = static_cast<std::uint8_t>(Auth::State::kWaiting), s.auth.again = false; },
      [](auto& s) { s.auth.method = AuthMethod::kNone; },
      [](auto& s) { s.auth.eap_stage = 4; },
      [](auto& s) { s.auth.user.assign(300, 'x'); },
      [](auto& s) { s.lcp.auth_index = 3; },
      [](auto& s) { s.lcp.peer_mru = 3; },
      [](auto& s) { s.addresses.reset(); },
      [](auto& s) { s.addresses->v6.reset(); },
      [](auto& s) { s.addresses.reset(), s.ipv6_up = false; },
      [](auto& s) { s.auth.method = AuthMethod::kPap; },
      [](auto& s) { s.down_text.assign(70'000, 'x'); },
      [](auto& s) { s.proven_user.emplace(70'000, 'x'); },
      [](auto& s) { s.ipcp.addresses.remote = ip("10.99.0.8"); },
      [](auto& s) { s.ipv6cp.remote_id = s.ipv6cp.local_id; },
      [](auto& s) { s.lcp.cp.request.resize(200); },
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    SessionSnapshot value = good;
    lies[i](value);
    EXPECT_FALSE(restores(value)) << "lie " << i;
  }
}

TEST(SessionSnapshot, TimersGoOnWhereTheyWere) {
  test::Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  const SessionSnapshot value = pair.server_session.snapshot(pair.now);
  const Duration left = *pair.server_session.next_timeout() - pair.now;
  Drops drops;
  test::SeededRandom random(1);
  PppSession session(std::make_shared<const PppConfig>(test::server_config()), random, drops);
  const Instant elsewhere{50h};  // another machine's clock
  ASSERT_TRUE(session.restore(value, elsewhere));
  EXPECT_EQ(*session.next_timeout() - elsewhere, left);
  EXPECT_EQ(session.user(), "alice");
  EXPECT_EQ(session.mtu(), pair.server_session.mtu());
}

TEST(SessionSnapshot, ARestoredSessionCannotBeStartedOrRestoredAgain) {
  const SessionSnapshot value = of_a_session_that_is_up();
  Drops drops;
  test::SeededRandom random(1);
  PppSession session(std::make_shared<const PppConfig>(test::server_config()), random, drops);
  ASSERT_TRUE(session.restore(value, Instant{1h}));
  session.start(Instant{1h});
  EXPECT_TRUE(session.is_up());
  EXPECT_FALSE(session.restore(value, Instant{1h}));
}

}  // namespace
}  // namespace sluice::ppp
