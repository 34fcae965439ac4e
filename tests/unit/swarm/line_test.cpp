#include "lab/swarm/line.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "l2tp/lns.hpp"

namespace sluice::swarm {
namespace {

using namespace std::chrono_literals;

class SeededRandom final : public RandomSource {
 public:
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937 engine_{7};
};

/// A line and our own L2TP server with PPP behind it, joined without a network.
class World {
 public:
  World() {
    ppp::PppConfig client;
    client.role = ppp::Role::kClient;
    client.user = "swarm1";
    client.password = Secret(std::string_view("right"));
    line = std::make_unique<Line>(TunnelId(5), "swarm-1", std::make_shared<ppp::PppConfig>(std::move(client)),
                                  random, drops);
    line->start(now);
  }

  /// Until neither says anything more.
  void talk() {
    for (bool busy = true; busy;) {
      busy = false;
      while (auto packet = line->poll_transmit()) {
        busy = true;
        at_server(*packet);
      }
      busy = deliver() || busy;
    }
  }

  void at_server(MutableBytes packet) {
    const auto got = lns.on_datagram(packet, now);
    if (got.is_data() && server) {
      const auto offset = static_cast<std::size_t>(got.ppp.data() - packet.data());
      const auto ip = server->on_frame(packet.subspan(offset, got.ppp.size()), now);
      if (!ip.empty()) arrived.assign(ip.begin(), ip.end());
    }
    serve();
  }

  SeededRandom random;
  ppp::Drops drops;
  Instant now{1s};
  bool accept = true;
  ByteVector arrived;  ///< the last IP packet at the server
  l2tp::LnsTunnel lns{l2tp::TunnelConfig{.local_tunnel = TunnelId(9)}, random};
  std::unique_ptr<ppp::PppSession> server;
  std::unique_ptr<Line> line;
  SessionId session;

 private:
  void serve() {
    while (const auto event = lns.poll_event()) {
      if (const auto* up = std::get_if<l2tp::SessionUp>(&*event)) {
        session = up->local;
        server = std::make_unique<ppp::PppSession>(std::make_shared<ppp::PppConfig>(), random, drops);
        server->start(now);
      }
    }
    if (!server) return;
    while (const auto event = server->poll_event()) {
      if (const auto* need = std::get_if<ppp::AuthNeeded>(&*event)) {
        const ppp::Credential right{Secret(std::string_view("right")), std::nullopt};
        server->auth_result(need->request.attempt,
                            accept ? ppp::verify(need->request, right) : ppp::AuthVerdict{}, now);
      } else if (std::holds_alternative<ppp::AddressNeeded>(*event)) {
        server->set_addresses({.local = IpAddress::v4(0x0a1e0101), .remote = IpAddress::v4(0x0a1e0102)}, now);
      }
    }
  }
  bool deliver() {
    bool any = false;
    while (auto packet = lns.poll_transmit()) {
      line->on_packet(*packet, now);
      any = true;
    }
    while (server) {
      const auto frame = server->poll_transmit();
      if (!frame) break;
      ByteVector buffer(l2tp::kDataHeadroom + frame->size());
      std::copy(frame->begin(), frame->end(), buffer.begin() + l2tp::kDataHeadroom);
      const auto packet = lns.frame_data(session, buffer, l2tp::kDataHeadroom);
      if (packet) line->on_packet(*packet, now);
      any = true;
    }
    return any;
  }
};

TEST(Line, ComesUpAndCarriesPackets) {
  World world;
  world.talk();
  ASSERT_EQ(world.line->state(), LineState::kUp) << world.line->cause();
  EXPECT_EQ(world.line->address().to_string(), "10.30.1.2");
  EXPECT_EQ(world.line->gateway().to_string(), "10.30.1.1");

  ByteVector ip(20);
  ip[0] = 0x45;
  ip[3] = 20;
  std::ranges::copy(world.line->address().bytes(), ip.begin() + 12);
  ByteVector buffer(Line::kHeadroom);
  buffer.insert(buffer.end(), ip.begin(), ip.end());
  const auto packet = world.line->frame_ip(buffer);
  ASSERT_TRUE(packet);
  world.at_server(*packet);
  EXPECT_EQ(world.arrived, ip);
}

TEST(Line, HangsUpInOrder) {
  World world;
  world.talk();
  world.line->hang_up(world.now);
  EXPECT_EQ(world.line->state(), LineState::kClosing);
  world.talk();
  EXPECT_EQ(world.line->state(), LineState::kOver);
  EXPECT_EQ(world.line->cause(), "");
  EXPECT_EQ(world.lns.state(), l2tp::TunnelState::kClosing);
}

TEST(Line, SaysWhyTheServerEndedIt) {
  World world;
  world.talk();
  world.lns.close_tunnel(l2tp::StopResult::kShuttingDown, "going home", world.now);
  world.talk();
  EXPECT_EQ(world.line->state(), LineState::kOver);
  EXPECT_NE(world.line->cause().find("going home"), std::string::npos) << world.line->cause();
}

TEST(Line, AWrongPasswordEndsIt) {
  World world;
  world.accept = false;
  world.talk();
  EXPECT_EQ(world.line->state(), LineState::kOver);
  EXPECT_EQ(world.line->cause(), "PPP ended: authentication-failed");
}

TEST(Line, GivesUpWhereNobodyAnswers) {
  World world;
  while (world.line->poll_transmit()) {
  }
  for (int i = 0; i < 100 && world.line->state() != LineState::kOver; ++i) {
    const auto next = world.line->next_timeout();
    ASSERT_TRUE(next);
    world.line->on_timeout(world.now = *next);
    while (world.line->poll_transmit()) {
    }
  }
  EXPECT_EQ(world.line->state(), LineState::kOver);
  EXPECT_NE(world.line->cause(), "");
}

}  // namespace
}  // namespace sluice::swarm
