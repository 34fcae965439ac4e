// Every known client's PPP against the server's, over good and bad networks.
#include "tests/unit/ppp/persona.hpp"

#include <gtest/gtest.h>

#include <queue>

namespace sluice::ppp {

namespace {

using namespace std::chrono_literals;
using test::ip;
using test::Persona;
using test::PersonaClient;

/// A network with delay, loss (in per mille), doubled and overtaking frames.
class Net {
 public:
  Net(std::uint32_t seed, unsigned loss) : dice_(seed), loss_(loss) {}
  void send(int to, ByteVector frame, Instant now) {
    if (dice_() % 1000 < loss_) return;
    const bool twice = loss_ > 0 && dice_() % 1000 < loss_;
    for (int i = 0; i < (twice ? 2 : 1); ++i) {
      const auto delay = std::chrono::milliseconds(loss_ > 0 ? 10 + dice_() % 90 : 20);
      queue_.push({now + delay, ++order_, to, frame});
    }
  }
  std::optional<Instant> next() const {
    return queue_.empty() ? std::nullopt : std::optional(queue_.top().at);
  }
  std::optional<std::pair<int, ByteVector>> pop(Instant now) {
    if (queue_.empty() || queue_.top().at > now) return std::nullopt;
    auto out = std::pair(queue_.top().to, queue_.top().frame);
    queue_.pop();
    return out;
  }

 private:
  struct Flight {
    Instant at;
    std::uint64_t order = 0;
    int to = 0;
    ByteVector frame;
    bool operator<(const Flight& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };
  std::mt19937 dice_;
  unsigned loss_;
  std::uint64_t order_ = 0;
  std::priority_queue<Flight> queue_;
};

constexpr int kServer = 0, kClient = 1;

/// One dial of one persona to a fresh session.
class Dial {
 public:
  Dial(const Persona& which, PppConfig config, std::uint32_t seed, unsigned loss)
      : persona(which),
        random(seed),
        net(seed * 31, loss),
        server(std::make_shared<const PppConfig>(std::move(config)), random, drops),
        client(which, random, now) {
    given = test::addresses_with_ipv6();
    given.split_routes = {*Prefix::parse("10.0.0.0/8")};
    server.start(now);
  }
  void flush() {
    while (auto frame = server.poll_transmit()) net.send(kClient, std::move(*frame), now);
    while (auto frame = client.poll_transmit()) net.send(kServer, std::move(*frame), now);
    Credential credential;
    credential.password = Secret("secret");
    while (auto event = server.poll_event()) {
      if (auto* need = std::get_if<AuthNeeded>(&*event)) {
        server.auth_result(need->request.attempt, verify(need->request, credential), now);
      } else if (std::holds_alternative<AddressNeeded>(*event)) {
        server.set_addresses(given, now);
      } else if (auto* says = std::get_if<PeerSays>(&*event)) {
        says_.push_back(says->text);
      } else if (auto* ended = std::get_if<Down>(&*event)) {
        down = *ended;
      }
    }
  }
  template <class Done>
  bool run(Duration limit, Done done) {
    const Instant end = now + limit;
    flush();
    while (!done()) {
      std::optional<Instant> next = net.next();
      for (const auto& at : {server.next_timeout(), client.next_timeout()}) {
        if (at && (!next || *at < *next)) next = at;
      }
      if (!next || *next > end) {
        now = end;
        return done();
      }
      now = std::max(now, *next);
      while (auto arrived = net.pop(now)) {
        if (arrived->first == kClient) {
          client.on_frame(arrived->second, now);
        } else {
          const MutableBytes packet = server.on_frame(arrived->second, now);
          forwarded += packet.empty() ? 0 : 1;
        }
        flush();
      }
      if (const auto at = server.next_timeout(); at && *at <= now) server.on_timeout(now);
      if (const auto at = client.next_timeout(); at && *at <= now) client.on_timeout(now);
      flush();
    }
    return true;
  }
  bool up() const { return client.up() && server.is_up() && (!persona.ipv6 || server.ipv6_up()); }
  bool over() const { return client.over || down.has_value(); }

  const Persona& persona;
  Instant now{1h};
  Drops drops;
  test::SeededRandom random;
  Net net;
  Addresses given;
  PppSession server;
  PersonaClient client;
  std::optional<Down> down;
  std::vector<std::string> says_;
  int forwarded = 0;
};

struct Case {
  const Persona* persona;
  unsigned loss;
};
class PppPersona : public testing::TestWithParam<Case> {};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const auto& persona : test::personas()) {
    for (const unsigned loss : {0U, 50U, 200U}) out.push_back({&persona, loss});
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(All, PppPersona, testing::ValuesIn(cases()), [](const auto& p) {
  return std::string(p.param.persona->name) + "Loss" + std::to_string(p.param.loss);
});

ByteVector dhcp_inform(const IpAddress& own) {
  ByteVector message(240);
  message[0] = 1;
  message[1] = 8;
  message[2] = 6;
  store_be32(message.data() + 12, own.to_v4());
  store_be32(message.data() + 236, 0x63825363);
  for (const int b : {53, 1, 8, 55, 4, 6, 15, 121, 249, 255}) message.push_back(static_cast<std::uint8_t>(b));
  return make_udp({own, 68}, {ip("255.255.255.255"), 67}, message);
}

TEST_P(PppPersona, ConnectsStaysUpAndHangsUp) {
  const auto& [persona, loss] = GetParam();
  unsigned redials = 0, silenced = 0;
  for (std::uint32_t seed = 1; seed <= 120; ++seed) {
    SCOPED_TRACE(std::string(persona->name) + " seed " + std::to_string(seed) + " loss " +
                 std::to_string(loss));
    std::optional<Dial> dial;
    bool up = false;
    // A person dials again when a bad line ends an attempt.
    for (std::uint32_t attempt = 0; attempt < 3 && !up; ++attempt) {
      dial.emplace(*persona, test::server_config(), seed + 1000 * attempt, loss);
      up = dial->run(90s, [&] { return dial->up() || dial->over(); }) && dial->up();
      redials += attempt > 0 ? 1 : 0;
    }
    ASSERT_TRUE(up) << (dial->down ? dial->down->text : "");
    PersonaClient& client = dial->client;
    EXPECT_EQ(client.address(), ip("10.99.0.7"));
    EXPECT_EQ(dial->server.user(), "alice");
    // What we lack has been refused, and is asked for no more.
    for (const int option : {13, 17, 19, 23}) {
      EXPECT_FALSE(client.asks_lcp(static_cast<std::uint8_t>(option))) << option;
    }
    EXPECT_FALSE(client.asks_ipcp(2)) << "Van Jacobson compression";

    // Five minutes with traffic each 10 s, then ten minutes of silence but for echoes.
    const ByteVector packet = make_udp({client.address(), 1000}, {ip("192.0.2.1"), 53}, ByteVector(30));
    for (int i = 0; i < 30 && !dial->over(); ++i) {
      client.send_ip(packet);
      dial->run(10s, [] { return false; });
    }
    EXPECT_GE(dial->forwarded, loss == 0 ? 30 : 12);
    for (int i = 0; i < 10 && persona->ipv6 && client.ip_received.empty(); ++i) {
      client.send_ip(make_icmpv6(link_local(client.interface_id()), ip("ff02::2"),
                                 ByteVector{kRouterSolicitation, 0, 0, 0, 0, 0, 0, 0}));
      dial->run(5s, [&] { return !client.ip_received.empty(); });
    }
    EXPECT_EQ(client.ip_received.empty(), !persona->ipv6) << "router advertisements";
    client.ip_received.clear();
    if (persona->asks_dhcp) {
      for (int i = 0; i < 10 && client.ip_received.empty(); ++i) {
        client.send_ip(dhcp_inform(client.address()));
        dial->run(5s, [&] { return !client.ip_received.empty(); });
      }
      ASSERT_FALSE(client.ip_received.empty()) << "the answer to DHCPINFORM";
    }
    dial->run(10min, [&] { return dial->over(); });
    if (dial->over()) {
      // The line has eaten four echoes, or their answers, in a row.
      ASSERT_TRUE(loss > 0 && dial->down);
      EXPECT_EQ(dial->down->cause, "echo-timeout");
      ++silenced;
    }
    if (loss == 0) {
      EXPECT_EQ(redials, 0U);
      EXPECT_EQ(client.rejected.contains(kCcp), !persona->ccp.empty());
      EXPECT_EQ(client.rejected.contains(0x8235), persona->acsp);
      EXPECT_EQ(dial->says_.size(), persona->identification.size());
    }
    if (dial->over()) continue;
    for (int i = 0; i < 10 && !dial->down; ++i) {
      client.hang_up();
      dial->run(3s, [&] { return dial->down.has_value(); });
    }
    ASSERT_TRUE(dial->down);
    EXPECT_TRUE(dial->down->cause == "user-request" || (loss > 0 && dial->down->cause == "echo-timeout"));
  }
  // A lost farewell of authentication, or a race lost on a line that drops every fifth frame.
  EXPECT_LE(redials, loss == 200 ? 12U : 1U);
  EXPECT_LE(silenced, loss == 200 ? 40U : 4U);
  RecordProperty("redials", static_cast<int>(redials));
  RecordProperty("silenced", static_cast<int>(silenced));
}

TEST_P(PppPersona, AgreesOnAProofTheOperatorAllows) {
  const auto& [persona, loss] = GetParam();
  if (loss != 0) return;
  for (const AuthMethod allowed : {AuthMethod::kPap, AuthMethod::kChapMd5, AuthMethod::kMsChapV2}) {
    PppConfig config = test::server_config();
    config.auth = {allowed};
    Dial dial(*persona, std::move(config), 1, 0);
    const bool common = std::find(persona->auth.begin(), persona->auth.end(), allowed) != persona->auth.end();
    dial.run(2min, [&] { return dial.up() || dial.down; });
    EXPECT_EQ(dial.up(), common) << to_string(allowed);
    if (common) {
      EXPECT_EQ(dial.client.proven_by, allowed);
    } else {
      ASSERT_TRUE(dial.down);
      EXPECT_EQ(dial.down->cause, "authentication-refused");
    }
  }
}

}  // namespace
}  // namespace sluice::ppp
