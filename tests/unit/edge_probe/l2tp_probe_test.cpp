#include "edge/probe/l2tp_probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "l2tp/lns.hpp"
#include "ppp/verify.hpp"
#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A probe and a server with a line between them that may lose packets.
struct Line {
  explicit Line(l2tp::TunnelConfig config = {}) : probe(TunnelId(5), "sluice-probe", random) {
    config.local_tunnel = TunnelId(900);
    lns.emplace(config, random);
    probe.start(now);
  }
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      while (auto p = probe.poll_transmit()) {
        moved = true;
        if (!lose(*p)) lns->on_datagram(*p, now);
      }
      while (auto p = lns->poll_transmit()) {
        moved = true;
        if (!lose(*p)) probe.on_packet(*p, now);
      }
    }
    while (auto event = lns->poll_event()) {
      if (std::holds_alternative<l2tp::SessionUp>(*event)) ++sessions;
    }
  }
  void wait(Duration time) {
    const auto until = now + time;
    settle();
    while (!probe.result()) {
      std::optional<Instant> next = probe.next_timeout();
      if (const auto at = lns->next_timeout(); at && (!next || *at < *next)) next = at;
      if (!next || *next > until) break;
      now = std::max(now, *next);
      if (const auto at = probe.next_timeout(); at && *at <= now) probe.on_timeout(now);
      if (const auto at = lns->next_timeout(); at && *at <= now) lns->on_timeout(now);
      settle();
    }
    now = until;
  }
  bool lose(const ByteVector& packet) {
    if (lost.empty()) return false;
    const auto words = l2tp::describe_packet(packet);
    return words.starts_with(lost) && (times == 0 || times-- > 1 || (lost.clear(), true));
  }

  SeededRandom random;
  Instant now{1h};
  L2tpProbe probe;
  std::optional<l2tp::LnsTunnel> lns;
  std::string lost;  ///< packets of this kind are lost
  int times = 0;     ///< so often; 0: always
  int sessions = 0;
};

TEST(L2tpProbe, PassesAServerThatTakesACallAndLeavesNothingThere) {
  Line line;
  line.settle();
  ASSERT_TRUE(line.probe.result());
  EXPECT_TRUE(line.probe.result()->passed) << line.probe.result()->text;
  EXPECT_EQ(line.sessions, 1);
  EXPECT_EQ(line.lns->sessions(), 0U);
  EXPECT_EQ(line.lns->state(), l2tp::TunnelState::kClosing) << "it only lingers for resends";
}

TEST(L2tpProbe, LivesWithTheLossOfAnyOneMessage) {
  for (const char* kind : {"SCCRQ", "SCCRP", "SCCCN", "ICRQ", "ICRP", "ICCN", "CDN", "StopCCN", "ZLB"}) {
    Line line;
    line.lost = kind;
    line.times = 1;
    line.wait(5s);
    ASSERT_TRUE(line.probe.result()) << kind;
    EXPECT_TRUE(line.probe.result()->passed) << kind << ": " << line.probe.result()->text;
  }
}

TEST(L2tpProbe, NamesTheStepAtWhichTheServerIsSilent) {
  const std::pair<const char*, const char*> cases[] = {{"SCCRP", "SCCRQ was not answered"},
                                                       {"ICRP", "ICRQ was not answered"},
                                                       {"ICCN", "ICCN was not acknowledged"},
                                                       {"StopCCN", "StopCCN was not acknowledged"}};
  for (const auto& [kind, text] : cases) {
    Line line;
    line.lost = kind;
    line.wait(5s);
    EXPECT_FALSE(line.probe.result()) << kind;
    line.probe.give_up();
    ASSERT_TRUE(line.probe.result());
    EXPECT_FALSE(line.probe.result()->passed);
    EXPECT_EQ(line.probe.result()->text, text);
  }
}

TEST(L2tpProbe, TellsWhyTheServerRefuses) {
  Line full({.max_sessions = 0});
  full.settle();
  ASSERT_TRUE(full.probe.result());
  EXPECT_THAT(full.probe.result()->text, StartsWith("the call was ended: closed by peer: 4 "));

  l2tp::TunnelConfig secretive{.demand_authentication = true};
  secretive.secret = std::make_shared<const Secret>(Secret("s"));
  Line locked(secretive);
  locked.settle();
  ASSERT_TRUE(locked.probe.result());
  EXPECT_THAT(locked.probe.result()->text,
              StartsWith("the tunnel was ended: closed for a protocol error: 4 "));

  Line closing;
  const auto sccrq = *closing.probe.poll_transmit();
  closing.lns->on_datagram(sccrq, closing.now);
  closing.lns->close_tunnel(l2tp::StopResult::kShuttingDown, "evil\x1b[2J", closing.now);
  closing.settle();
  ASSERT_TRUE(closing.probe.result());
  EXPECT_EQ(closing.probe.result()->text.find('\x1b'), std::string::npos) << "a server's words are escaped";
}

TEST(L2tpProbe, IsNotFooledByGarbage) {
  Line line;
  for (std::uint16_t i = 0; i < 500; ++i) {
    ByteVector garbage(i % 64);
    line.random.fill(garbage);
    line.probe.on_packet(garbage, line.now);
  }
  EXPECT_FALSE(line.probe.result());
  line.settle();
  EXPECT_TRUE(line.probe.result() && line.probe.result()->passed);
}

std::shared_ptr<ppp::PppConfig> login(const char* password) {
  auto config = std::make_shared<ppp::PppConfig>();
  config->role = ppp::Role::kClient;
  config->user = "probe";
  config->password = Secret(std::string_view(password));
  return config;
}

/// A server that speaks PPP, too, and knows one user.
struct LoginLine {
  explicit LoginLine(const char* password, bool answers = true)
      : probe(TunnelId(5), "p", random, login(password)) {
    lns.emplace(l2tp::TunnelConfig{.local_tunnel = TunnelId(900)}, random);
    probe.start(now);
    for (int step = 0; step < 400 && !probe.result(); ++step, now += 10ms) {
      probe.on_timeout(now);
      lns->on_timeout(now);
      if (ppp) ppp->on_timeout(now);
      exchange(answers);
    }
  }
  void exchange(bool answers) {
    while (auto p = probe.poll_transmit()) {
      const auto received = lns->on_datagram(*p, now);
      if (!received.is_data() || !answers || !ppp) continue;
      ByteVector frame(received.ppp.begin(), received.ppp.end());
      ppp->on_frame(frame, now);
    }
    while (auto event = lns->poll_event()) {
      if (const auto* up = std::get_if<l2tp::SessionUp>(&*event)) {
        session = up->local;
        ppp = std::make_unique<ppp::PppSession>(std::make_shared<ppp::PppConfig>(), random, drops);
        ppp->start(now);
      }
    }
    while (auto event = ppp ? ppp->poll_event() : std::nullopt) {
      if (const auto* asked = std::get_if<ppp::AuthNeeded>(&*event)) {
        ppp->auth_result(asked->request.attempt, ppp::verify(asked->request, right), now);
      }
      if (std::holds_alternative<ppp::AddressNeeded>(*event)) wants_address = true;
    }
    while (auto p = lns->poll_transmit()) probe.on_packet(*p, now);
    while (auto frame = ppp ? ppp->poll_transmit() : std::nullopt) {
      ByteVector buffer(l2tp::kDataHeadroom + frame->size());
      std::copy(frame->begin(), frame->end(), buffer.begin() + l2tp::kDataHeadroom);
      if (const auto packet = lns->frame_data(session, buffer, l2tp::kDataHeadroom))
        probe.on_packet(*packet, now);
    }
  }

  SeededRandom random;
  Instant now{1h};
  ppp::Drops drops;
  L2tpProbe probe;
  std::optional<l2tp::LnsTunnel> lns;
  std::unique_ptr<ppp::PppSession> ppp;
  SessionId session;
  ppp::Credential right{.password = Secret(std::string_view("right")), .nt_hash = {}};
  bool wants_address = false;
};

TEST(L2tpProbe, LogsInWhenToldTo) {
  LoginLine line("right");
  ASSERT_TRUE(line.probe.result());
  EXPECT_TRUE(line.probe.result()->passed) << line.probe.result()->text;
  EXPECT_TRUE(line.wants_address) << "the login was accepted";
  EXPECT_EQ(line.lns->sessions(), 0U);
}

TEST(L2tpProbe, FailsWhereItsUserIsRefused) {
  LoginLine line("wrong");
  ASSERT_TRUE(line.probe.result());
  EXPECT_FALSE(line.probe.result()->passed);
  EXPECT_THAT(line.probe.result()->text, StartsWith("the login failed: authentication-"));
}

TEST(L2tpProbe, NamesPppWhenItIsSilent) {
  LoginLine line("right", false);
  ASSERT_FALSE(line.probe.result());
  line.probe.give_up();
  EXPECT_THAT(line.probe.result()->text, HasSubstr("PPP was not answered"));
}

}  // namespace
}  // namespace sluice::edge::testing
