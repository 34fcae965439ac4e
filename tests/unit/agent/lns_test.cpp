#include "backend-agent/lns/lns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/dialler.hpp"

namespace sluice::agent {
namespace {

using test::Dialler;

TunnelSpec spec(std::uint32_t relay, std::uint16_t tunnel = 1000) {
  TunnelSpec out;
  out.key = {ChannelId(1), RelayId(relay)};
  out.edge_worker = 3;
  out.assigned = TunnelId(tunnel);
  out.client = *Endpoint::parse("203.0.113.9:4500");
  out.correlation_id = "c" + std::to_string(relay);
  return out;
}

/// One Lns and its clients; the test decides about attempts, by default with `password`.
struct World {
  explicit World(std::uint16_t mtu = 0)
      : lns(settings(), random, [this](Event event) { events.push_back(std::move(event)); }) {
    path_mtu = mtu;
  }
  LnsSettings settings() {
    LnsSettings out;
    out.ppp_config = [](std::uint16_t ppp_mtu) {
      auto config = ppp::test::server_config();
      if (ppp_mtu != 0) config.mtu = config.mru = ppp_mtu;
      return std::make_shared<const ppp::PppConfig>(std::move(config));
    };
    return out;
  }
  Dialler& dial(std::uint32_t relay, std::string user = "alice", std::string_view with = "secret") {
    auto told = spec(relay);
    told.ppp_mtu = path_mtu;
    lns.open_tunnel(told, now);
    clients.push_back(std::make_unique<Dialler>(told.key, random, std::move(user), with));
    clients.back()->l2tp.connect(now);
    return *clients.back();
  }
  void deliver(const TunnelKey& key, ByteVector packet) {
    const auto ip = lns.from_edge(key, packet, now);
    if (!ip.empty()) tun.emplace_back(ip.begin(), ip.end());
  }
  /// Moves packets until nobody has any.
  void settle() {
    for (bool more = true; more;) {
      more = false;
      for (auto& client : clients) {
        for (auto& packet : client->drain(now)) {
          more = true;
          if (!cut) deliver(client->key, std::move(packet));
        }
      }
      while (!events.empty()) {
        Event event = std::move(events.front());
        events.erase(events.begin());
        more = true;
        handle(std::move(event));
      }
      while (auto out = lns.poll_transmit()) {
        more = true;
        if (cut) continue;
        EXPECT_EQ(out->edge_worker, edge_worker);
        for (auto& client : clients) {
          if (client->key == out->key) client->take(out->l2tp, now);
        }
      }
    }
  }
  void handle(Event event) {
    if (auto* asked = std::get_if<AuthAsked>(&event)) {
      ++asked_count;
      if (silent) {
        unanswered = std::move(asked->request);
        return;
      }
      ppp::Credential credential;
      credential.password = Secret(password);
      AuthDecided decided{asked->session, asked->request.attempt, ppp::verify(asked->request, credential),
                          std::nullopt};
      if (decided.verdict.accepted) {
        decided.policy = policy;
        decided.addresses = ppp::test::addresses();
        decided.addresses->v6 = v6;
        decided.addresses->remote = IpAddress::v4(0x0a630000 + next_address++);
      }
      lns.decide(decided, now);
    } else if (const auto* up = std::get_if<SessionOpened>(&event)) {
      opened.push_back(*up);
    } else if (const auto* over = std::get_if<SessionGone>(&event)) {
      gone.push_back(*over);
    } else if (const auto* tunnel = std::get_if<TunnelGone>(&event)) {
      tunnels_gone.push_back(*tunnel);
    }
  }
  void run(Duration duration) {
    const Instant end = now + duration;
    while (true) {
      settle();
      std::optional<Instant> next = lns.next_timeout();
      for (const auto& client : clients) {
        const auto other = client->next_timeout();
        if (other && (!next || *other < *next)) next = other;
      }
      if (!next || *next > end) break;
      now = std::max(now + std::chrono::milliseconds(1), *next);
      lns.on_timeout(now);
      for (auto& client : clients) client->on_timeout(now);
    }
    now = end;
  }

  Instant now{std::chrono::hours(1)};
  ppp::test::SeededRandom random{5};
  std::vector<Event> events;
  Lns lns;
  std::vector<std::unique_ptr<Dialler>> clients;
  std::vector<ByteVector> tun;
  std::string password = "secret";
  SessionPolicy policy;
  std::optional<ppp::Ipv6Addresses> v6;
  bool silent = false;
  ppp::AuthRequest unanswered;
  bool cut = false;  ///< nothing gets through
  std::uint32_t edge_worker = 3;
  std::uint16_t path_mtu = 0;
  std::uint32_t next_address = 10;
  unsigned asked_count = 0;
  std::vector<SessionOpened> opened;
  std::vector<SessionGone> gone;
  std::vector<TunnelGone> tunnels_gone;
};

const IpAddress kInside = *IpAddress::parse("192.0.2.1");

TEST(Lns, ClientDialsInAndTrafficFlowsBothWays) {
  World world;
  Dialler& client = world.dial(1);
  world.settle();
  ASSERT_EQ(world.opened.size(), 1U);
  EXPECT_EQ(world.opened[0].user, "alice");
  EXPECT_EQ(world.opened[0].client.to_string(), "203.0.113.9:4500");
  ASSERT_TRUE(client.up);
  const IpAddress mine = client.up->addresses.local;

  const auto up = test::ipv4(mine, kInside);
  world.deliver(client.key, client.ip(up));
  ASSERT_EQ(world.tun.size(), 1U);
  EXPECT_EQ(world.tun[0], up);

  const auto down = test::ipv4(kInside, mine, 200);
  ByteVector buffer(64 + down.size());
  std::copy(down.begin(), down.end(), buffer.begin() + 64);
  const auto packet = world.lns.from_tun(buffer, 64, down.size(), world.now);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->key, client.key);
  EXPECT_EQ(packet->edge_worker, 3U);
  EXPECT_EQ(client.take(packet->l2tp, world.now), down);
}

TEST(Lns, TunnelsWithEqualIdsInTwoPeersDoNotMeet) {
  World world;
  for (std::uint32_t relay = 1; relay <= 4; ++relay) world.dial(relay, "user" + std::to_string(relay));
  world.settle();
  ASSERT_EQ(world.opened.size(), 4U);
  EXPECT_EQ(world.lns.sessions_up(), 4U);
  for (const auto& client : world.clients) {
    const auto down = test::ipv4(kInside, client->up->addresses.local);
    ByteVector buffer(64 + down.size());
    std::copy(down.begin(), down.end(), buffer.begin() + 64);
    const auto packet = world.lns.from_tun(buffer, 64, down.size(), world.now);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->key, client->key);
  }
  world.clients[0]->ppp->stop("test", "bye", world.now);
  world.settle();
  EXPECT_EQ(world.lns.sessions_up(), 3U);
}

TEST(Lns, WrongPasswordIsToldByPppAndL2tpAndTheTunnelGoes) {
  World world;
  Dialler& client = world.dial(1, "alice", "wrong");
  world.settle();
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "wrong-password");
  EXPECT_EQ(world.gone[0].user, "alice");
  EXPECT_FALSE(world.gone[0].was_up);
  EXPECT_TRUE(world.opened.empty());
  ASSERT_TRUE(client.down);
  EXPECT_EQ(client.down->cause, "authentication-failed");
  EXPECT_THAT(client.cdn, testing::HasSubstr("peer"));
  world.run(std::chrono::minutes(3));
  EXPECT_TRUE(world.lns.empty());
  EXPECT_EQ(world.tunnels_gone.size(), 1U);
  EXPECT_FALSE(client.stop.empty());
}

TEST(Lns, AuthenticatorThatNeverAnswersEndsTheSession) {
  World world;
  world.silent = true;
  world.dial(1);
  world.run(std::chrono::minutes(2));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "authentication-timeout");
}

TEST(Lns, LateVerdictOfASessionThatIsGoneIsPassedOver) {
  World world;
  world.silent = true;
  world.dial(1);
  world.settle();
  world.lns.close_tunnel(spec(1).key, "peer gone");
  AuthDecided decided;
  decided.session = SessionSerial(1);
  decided.attempt = ppp::AttemptId(1);
  decided.verdict.accepted = true;
  decided.addresses = ppp::test::addresses();
  world.lns.decide(decided, world.now);
  world.settle();
  EXPECT_EQ(world.gone.size(), 1U);
  EXPECT_TRUE(world.opened.empty());
}

TEST(Lns, VerdictOnAnAttemptThatIsNotPendingBringsNothing) {
  World world;
  world.silent = true;
  world.dial(1);
  world.settle();
  AuthDecided decided;
  decided.session = SessionSerial(1);
  decided.verdict.accepted = true;
  decided.addresses = ppp::test::addresses();
  for (const std::uint32_t attempt : {0, 2}) {
    decided.attempt = ppp::AttemptId(attempt);
    world.lns.decide(decided, world.now);
    world.settle();
    EXPECT_TRUE(world.opened.empty());
  }
  ppp::Credential credential;
  credential.password = Secret(world.password);
  decided.verdict = ppp::verify(world.unanswered, credential);
  decided.attempt = world.unanswered.attempt;
  decided.addresses->remote = IpAddress::v4(0x0a63004d);
  world.lns.decide(decided, world.now);
  world.settle();
  ASSERT_EQ(world.opened.size(), 1U);
  EXPECT_EQ(world.opened[0].addresses.remote.to_string(), "10.99.0.77");
}

TEST(Lns, AcceptedClientWithoutAddressIsEndedWithACause) {
  World world;
  world.silent = true;
  world.dial(1);
  world.settle();
  AuthDecided decided;
  decided.session = SessionSerial(1);
  decided.attempt = ppp::AttemptId(1);
  decided.verdict.accepted = true;
  decided.verdict.message = "S=";
  world.lns.decide(decided, world.now);
  world.run(std::chrono::seconds(30));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_TRUE(world.opened.empty());
}

TEST(Lns, ClientsStopCcnEndsSessionAndTunnel) {
  World world;
  Dialler& client = world.dial(1);
  world.settle();
  client.l2tp.close_tunnel(l2tp::StopResult::kGeneral, "", world.now);
  world.run(std::chrono::minutes(2));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_TRUE(world.gone[0].was_up);
  EXPECT_EQ(world.gone[0].cause, "user-request");
  ASSERT_EQ(world.tunnels_gone.size(), 1U);
  EXPECT_TRUE(world.tunnels_gone[0].by_client);
  EXPECT_EQ(world.lns.sessions_up(), 0U);
}

TEST(Lns, CloseAllSaysFarewellToEveryClient) {
  World world;
  for (std::uint32_t relay = 1; relay <= 3; ++relay) world.dial(relay);
  world.settle();
  world.lns.close_all("the server is stopping", world.now);
  world.run(std::chrono::minutes(2));
  EXPECT_TRUE(world.lns.empty());
  for (const auto& client : world.clients) {
    EXPECT_THAT(client->stop, testing::HasSubstr("the server is stopping"));
    ASSERT_TRUE(client->down);
  }
  EXPECT_EQ(world.gone.size(), 3U);
}

TEST(Lns, ChannelThatIsLostTakesItsTunnelsOnly) {
  World world;
  world.dial(1);
  world.dial(2);
  auto other = spec(1);
  other.key.channel = ChannelId(2);
  world.lns.open_tunnel(other, world.now);
  world.settle();
  world.lns.close_channel(ChannelId(1), "the channel to the edge is down");
  world.settle();
  EXPECT_EQ(world.lns.tunnels(), 1U);
  ASSERT_EQ(world.gone.size(), 2U);
  EXPECT_EQ(world.gone[0].cause, "channel-lost");
}

TEST(Lns, TunnelsOfACutChannelOutlastEveryTimerAndGoOnUnderAnotherKey) {
  World world;
  Dialler& client = world.dial(1);
  Dialler& other = world.dial(2);
  other.key.channel = ChannelId(1);
  world.settle();
  ASSERT_EQ(world.opened.size(), 2U);
  world.lns.hold_channel(ChannelId(1));
  world.cut = true;
  // Far longer than hellos, echoes and their retransmissions take to give up.
  for (int i = 0; i < 600; ++i) {
    world.now += std::chrono::seconds(1);
    world.lns.on_timeout(world.now);
    world.settle();
  }
  EXPECT_EQ(world.lns.sessions_up(), 2U);
  EXPECT_TRUE(world.gone.empty());

  const auto described = world.lns.describe_tunnels(ChannelId(1));
  ASSERT_EQ(described.tunnels.size(), 2U);
  const auto& numbers = described.tunnels[0].key == client.key ? described.tunnels[0] : described.tunnels[1];
  EXPECT_TRUE(numbers.established);
  EXPECT_EQ(numbers.client, client.l2tp.local_id());
  EXPECT_EQ(numbers.nr, client.l2tp.control().next_ns());
  ASSERT_EQ(numbers.sessions.size(), 1U);
  EXPECT_TRUE(numbers.sessions[0].agent);
  EXPECT_TRUE(numbers.sessions[0].client);

  // The second has the number that the first had: they must not be taken for each other.
  const TunnelKey first{ChannelId(2), RelayId(2)}, second{ChannelId(2), RelayId(1)};
  world.lns.rebind({client.key, first, 1}, world.now);
  world.lns.rebind({other.key, second, 1}, world.now);
  client.key = first;
  other.key = second;
  world.cut = false;
  world.edge_worker = 1;
  world.run(std::chrono::minutes(5));
  EXPECT_TRUE(world.gone.empty()) << world.gone[0].cause << ": " << world.gone[0].text;
  EXPECT_TRUE(world.tunnels_gone.empty());
  ASSERT_TRUE(client.up && other.up);
  for (Dialler* each : {&client, &other}) {
    const auto down = test::ipv4(kInside, each->up->addresses.local, 200);
    ByteVector buffer(64 + down.size());
    std::copy(down.begin(), down.end(), buffer.begin() + 64);
    const auto packet = world.lns.from_tun(buffer, 64, down.size(), world.now);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->key, each->key);
    EXPECT_EQ(each->take(packet->l2tp, world.now), down);
  }
}

TEST(Lns, EmptyTunnelIsClosedAfterAWhile) {
  World world;
  world.lns.open_tunnel(spec(1), world.now);
  world.run(std::chrono::minutes(3));
  EXPECT_TRUE(world.lns.empty());
}

TEST(Lns, PathMtuLimitsWhatIsSent) {
  World world(1300);
  Dialler& client = world.dial(1);
  world.settle();
  ASSERT_TRUE(client.up);
  EXPECT_EQ(world.opened.at(0).mtu, 1300);
  const auto large = test::ipv4(kInside, client.up->addresses.local, 1301);
  ByteVector buffer(64 + large.size());
  std::copy(large.begin(), large.end(), buffer.begin() + 64);
  EXPECT_FALSE(world.lns.from_tun(buffer, 64, large.size(), world.now));
  EXPECT_EQ(world.lns.ppp_drops().read(ppp::Drop::kTooLarge), 1U);
}

TEST(Lns, StrayPacketsAreCounted) {
  World world;
  world.deliver({ChannelId(9), RelayId(9)}, ByteVector(20, 0));
  EXPECT_EQ(world.lns.drops().read(LnsDrop::kUnknownTunnel), 1U);
  auto packet = test::ipv4(kInside, kInside);
  packet.insert(packet.begin(), 64, 0);
  EXPECT_FALSE(world.lns.from_tun(packet, 64, 60, world.now));
  EXPECT_EQ(world.lns.drops().read(LnsDrop::kNoRoute), 1U);
  packet[64] = 0x50;
  EXPECT_FALSE(world.lns.from_tun(packet, 64, 60, world.now));
  EXPECT_EQ(world.lns.drops().read(LnsDrop::kNotIp), 1U);
}

ByteVector ipv6(const char* from, const char* to, std::size_t size = 80) {
  ByteVector out(size, 0x5a);
  out[0] = 0x60;
  store_be16(out.data() + 4, static_cast<std::uint16_t>(size - 40));
  out[6] = 59;  // nothing follows
  out[7] = 64;
  const auto source = *IpAddress::parse(from), destination = *IpAddress::parse(to);
  std::copy(source.bytes().begin(), source.bytes().end(), out.begin() + 8);
  std::copy(destination.bytes().begin(), destination.bytes().end(), out.begin() + 24);
  return out;
}

TEST(Lns, Ipv6OfTheLinkAndOfTheDelegatedPrefixReachesItsSessionAndNoOther) {
  World world;
  world.v6 = ppp::Ipv6Addresses{.prefix = Prefix::parse("fd00:1:2:3::/64"),
                                .delegated = Prefix::parse("fd00:9::/48")};
  world.policy.routes = {*Prefix::parse("10.7.0.0/16")};
  Dialler& client = world.dial(1);
  auto config = ppp::test::client_config();
  config.want_ipv6 = true;
  client.config = std::make_shared<const ppp::PppConfig>(std::move(config));
  world.settle();
  world.v6.reset();
  world.policy = {};
  world.dial(2);
  world.settle();
  ASSERT_EQ(world.opened.size(), 2U);
  const auto sent_to = [&](const ByteVector& packet) {
    ByteVector buffer(64 + packet.size());
    std::copy(packet.begin(), packet.end(), buffer.begin() + 64);
    const auto out = world.lns.from_tun(buffer, 64, packet.size(), world.now);
    return out ? out->key : TunnelKey{};
  };
  EXPECT_EQ(sent_to(ipv6("fd00::1", "fd00:1:2:3::77")), client.key);
  EXPECT_EQ(sent_to(ipv6("fd00::1", "fd00:9:0:5::1")), client.key);
  EXPECT_EQ(sent_to(test::ipv4(kInside, *IpAddress::parse("10.7.3.4"))), client.key);
  EXPECT_EQ(sent_to(ipv6("fd00::1", "fd00:1:2:4::77")), TunnelKey{});
  EXPECT_EQ(world.lns.drops().read(LnsDrop::kNoRoute), 1U);
  const auto up = ipv6("fd00:1:2:3::77", "fd00::1");
  world.deliver(client.key, client.ip(up));
  ASSERT_EQ(world.tun.size(), 1U);
  EXPECT_EQ(world.tun[0], up);
  client.ppp->stop("test", "bye", world.now);
  world.settle();
  EXPECT_EQ(sent_to(ipv6("fd00::1", "fd00:1:2:3::77")), TunnelKey{});
}

/// Packets of 1000 octets each way in a second, one a millisecond; how many passed.
std::pair<unsigned, unsigned> passed_in_a_second(World& world, Dialler& client) {
  const IpAddress mine = client.up->addresses.local;
  unsigned up = 0, down = 0;
  for (int i = 0; i < 1000; ++i) {
    world.now += std::chrono::milliseconds(1);
    world.tun.clear();
    world.deliver(client.key, client.ip(test::ipv4(mine, kInside, 1000)));
    up += static_cast<unsigned>(world.tun.size());
    const auto packet = test::ipv4(kInside, mine, 1000);
    ByteVector buffer(64 + packet.size());
    std::copy(packet.begin(), packet.end(), buffer.begin() + 64);
    down += world.lns.from_tun(buffer, 64, packet.size(), world.now) ? 1 : 0;
  }
  return {up, down};
}

TEST(Lns, RatesOfAPolicyHoldAndMayBeChangedWhileTheSessionLasts) {
  World world;
  world.policy.rate_up = 800'000;      // 100 packets a second
  world.policy.rate_down = 4'000'000;  // 500
  Dialler& client = world.dial(1);
  world.settle();
  auto [up, down] = passed_in_a_second(world, client);
  EXPECT_NEAR(up, 100 + 24, 2);  // a full bucket to begin with
  EXPECT_NEAR(down, 500 + 50, 2);
  EXPECT_EQ(world.lns.drops().read(LnsDrop::kRateUp), 1000U - up);
  EXPECT_EQ(world.lns.drops().read(LnsDrop::kRateDown), 1000U - down);

  world.lns.change_policy({world.opened[0].session, {.rate_up = 1'600'000}}, world.now);
  std::tie(up, down) = passed_in_a_second(world, client);
  EXPECT_NEAR(up, 200, 26);
  EXPECT_EQ(down, 1000U);
  world.lns.tell_counters({world.opened[0].session});
  const auto& told = std::get<CountersTold>(world.events.back());
  EXPECT_GE(told.packets_in, 300U);
  EXPECT_EQ(told.bytes_out, told.packets_out * 1000);
}

TEST(Lns, SessionEndsWhenItHasLastedAsLongAsItMay) {
  World world;
  world.policy.session_timeout = std::chrono::seconds(100);
  Dialler& client = world.dial(1);
  world.run(std::chrono::seconds(99));
  EXPECT_TRUE(world.gone.empty());
  world.run(std::chrono::seconds(2));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "session-timeout");
  EXPECT_TRUE(client.down);
}

TEST(Lns, SessionWithoutTrafficEndsAfterItsIdleTimeAndTrafficPutsThatOff) {
  World world;
  world.policy.idle_timeout = std::chrono::seconds(60);
  Dialler& client = world.dial(1);
  world.settle();
  for (int i = 0; i < 3; ++i) {
    world.run(std::chrono::seconds(40));
    world.deliver(client.key, client.ip(test::ipv4(client.up->addresses.local, kInside)));
  }
  EXPECT_TRUE(world.gone.empty());
  world.run(std::chrono::seconds(61));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "idle-timeout");
}

TEST(Lns, ShorterTimeoutGivenLaterCountsFromTheSessionsBeginning) {
  World world;
  world.dial(1);
  world.run(std::chrono::seconds(50));
  world.lns.change_policy({world.opened[0].session, {.session_timeout = std::chrono::seconds(55)}},
                          world.now);
  world.run(std::chrono::seconds(6));
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "session-timeout");
}

TEST(Lns, LatestSessionOfAnAddressHasItAndKeepsItWhenTheOlderEnds) {
  World world;
  Dialler& first = world.dial(1);
  world.settle();
  world.next_address = 10;
  Dialler& second = world.dial(2);
  world.settle();
  ASSERT_EQ(first.up->addresses.local, second.up->addresses.local);
  world.lns.end_session({world.opened[0].session, "replaced", "dialled in again"}, world.now);
  world.settle();
  const auto down = test::ipv4(kInside, second.up->addresses.local);
  ByteVector buffer(64 + down.size());
  std::copy(down.begin(), down.end(), buffer.begin() + 64);
  const auto packet = world.lns.from_tun(buffer, 64, down.size(), world.now);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->key, second.key);
}

TEST(Lns, GarbageOnALiveTunnelHarmsNobody) {
  World world;
  Dialler& client = world.dial(1);
  world.settle();
  std::mt19937 dice(11);
  const auto good = client.ip(test::ipv4(client.up->addresses.local, kInside));
  for (int i = 0; i < 5000; ++i) {
    ByteVector packet = good;
    packet.resize(dice() % (good.size() + 1));
    for (auto flips = dice() % 6; flips > 0 && packet.size() > 14; --flips) {
      packet[14 + dice() % (packet.size() - 14)] = static_cast<std::uint8_t>(dice());
    }
    world.deliver(client.key, std::move(packet));
  }
  world.deliver(client.key, good);
  EXPECT_FALSE(world.tun.empty());
  EXPECT_EQ(world.lns.sessions_up(), 1U);
}

}  // namespace
}  // namespace sluice::agent
