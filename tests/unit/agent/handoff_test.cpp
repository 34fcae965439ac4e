// Tunnels handed to an L2TP server: our LAC core dials, our LNS core plays the server with ids of its own.

#include "backend-agent/handoff/handoff.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "l2tp/lac.hpp"
#include "l2tp/lns.hpp"
#include "tests/unit/agent/dialler.hpp"

namespace sluice::agent {
namespace {

using testing::HasSubstr;

constexpr TunnelId kOurs{1000}, kServers{555};
const Instant kStart{std::chrono::hours(1)};

l2tp::TunnelConfig server_config() {
  l2tp::TunnelConfig out;
  out.local_tunnel = kServers;
  return out;
}

/// One client and one server with a HandoffTunnel between, and no line.
struct Joined {
  Joined() : client(test::Dialler::lac_config(), random), server(server_config(), random), handoff(kOurs) {
    client.connect(now);
  }
  void settle() {
    for (bool more = true; more;) {
      more = false;
      while (auto packet = client.poll_transmit()) {
        more = true;
        if (!handoff.from_client(*packet)) last_up = server.on_datagram(*packet, now);
        note();
      }
      while (auto packet = server.poll_transmit()) {
        more = true;
        if (!handoff.from_server(*packet)) last_down = client.on_datagram(*packet, now);
        note();
      }
      while (auto event = client.poll_event()) {
        if (std::holds_alternative<l2tp::TunnelUp>(*event)) client.open_session(now);
        if (const auto* up = std::get_if<l2tp::SessionUp>(&*event)) session = *up;
        if (const auto* down = std::get_if<l2tp::TunnelDown>(&*event)) client_told = describe(down->cause);
      }
      while (auto event = server.poll_event()) {
        if (const auto* down = std::get_if<l2tp::TunnelDown>(&*event)) server_told = describe(down->cause);
      }
    }
  }
  void note() {
    if (handoff.change()) changes.push_back(handoff.change()->what);
  }
  ppp::test::SeededRandom random{7};
  Instant now = kStart;
  l2tp::LacTunnel client;
  l2tp::LnsTunnel server;
  HandoffTunnel handoff;
  l2tp::Received last_up, last_down;
  std::optional<l2tp::SessionUp> session;
  std::string client_told, server_told;
  std::vector<l2tp::Observation> changes;
};

TEST(HandoffTunnel, ClientKnowsTheIdTheEdgeGaveAndTheServerItsOwn) {
  Joined joined;
  joined.settle();
  ASSERT_TRUE(joined.session);
  EXPECT_EQ(joined.client.remote_id(), kOurs);
  EXPECT_EQ(joined.server.sessions_up(), 1U);
  EXPECT_THAT(joined.changes,
              testing::ElementsAre(l2tp::Observation::kTunnelUp, l2tp::Observation::kSessionUp));

  ByteVector up(l2tp::kDataHeadroom + 3, 0x21);
  auto packet = *joined.client.frame_data(joined.session->local, up, l2tp::kDataHeadroom);
  EXPECT_EQ(joined.handoff.from_client(packet), std::nullopt);
  const auto received = joined.server.on_datagram(packet, joined.now);
  ASSERT_TRUE(received.is_data());
  ByteVector down(l2tp::kDataHeadroom + 5, 0x21);
  packet = *joined.server.frame_data(received.session, down, l2tp::kDataHeadroom);
  EXPECT_EQ(joined.handoff.from_server(packet), std::nullopt);
  EXPECT_TRUE(joined.client.on_datagram(packet, joined.now).is_data());
}

TEST(HandoffTunnel, EndByEitherSideReachesTheOther) {
  Joined by_client;
  by_client.settle();
  by_client.client.close_tunnel(l2tp::StopResult::kShuttingDown, "bye", by_client.now);
  by_client.settle();
  EXPECT_THAT(by_client.server_told, HasSubstr("bye"));
  EXPECT_TRUE(by_client.handoff.over());

  Joined by_server;
  by_server.settle();
  EXPECT_FALSE(by_server.handoff.over());
  by_server.server.close_tunnel(l2tp::StopResult::kShuttingDown, "server stops", by_server.now);
  by_server.settle();
  EXPECT_THAT(by_server.client_told, HasSubstr("server stops"));
  EXPECT_TRUE(by_server.handoff.over());
}

TEST(HandoffTunnel, SpeaksForEitherSideWithTheIdsAndNumbersItExpects) {
  Joined joined;
  joined.settle();
  const auto to_client = joined.handoff.farewell_to_client("the server is gone");
  const auto to_server = joined.handoff.farewell_to_server("the client is gone");
  ASSERT_TRUE(to_client && to_server);
  joined.client.on_datagram(*to_client, joined.now);
  joined.server.on_datagram(*to_server, joined.now);
  joined.settle();
  EXPECT_THAT(joined.client_told, HasSubstr("the server is gone"));
  EXPECT_THAT(joined.server_told, HasSubstr("the client is gone"));
}

TEST(HandoffTunnel, WhatIsNotForThisTunnelIsDropped) {
  Joined joined;
  auto early = l2tp::make_zlb(kOurs, 1, 1);
  EXPECT_EQ(joined.handoff.from_client(early), HandoffDrop::kNotAnswered);
  joined.settle();
  auto other = l2tp::make_zlb(TunnelId(4), 1, 1);
  EXPECT_EQ(joined.handoff.from_client(other), HandoffDrop::kUnknownTunnel);
  ByteVector rubbish{1, 2, 3};
  EXPECT_EQ(joined.handoff.from_client(rubbish), HandoffDrop::kNotL2tp);
  EXPECT_EQ(joined.handoff.from_server(rubbish), HandoffDrop::kNotL2tp);
  const Secret secret("s");
  l2tp::MessageBuilder hides(l2tp::MessageType::kSccrp);
  const std::uint8_t id[] = {0, 9};
  hides.hidden(l2tp::AvpType::kAssignedTunnelId, id, secret, joined.random);
  auto hidden = hides.finish(TunnelId(77), SessionId(), 0, 1);
  EXPECT_EQ(joined.handoff.from_server(hidden), HandoffDrop::kHiddenTunnelId);
}

TEST(HandoffTunnel, NeitherCutNorFlippedPacketsHarmIt) {
  Joined joined;
  joined.settle();
  l2tp::MessageBuilder stop(l2tp::MessageType::kStopCcn);
  stop.u16(l2tp::AvpType::kAssignedTunnelId, kServers.value()).result(6, 0, "end");
  const auto good = stop.finish(TunnelId(77), SessionId(), 9, 9);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    for (const bool up : {true, false}) {
      HandoffTunnel tunnel = joined.handoff;
      auto flipped = good;
      flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      up ? tunnel.from_client(flipped) : tunnel.from_server(flipped);
    }
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    HandoffTunnel tunnel = joined.handoff;
    ByteVector cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    tunnel.from_client(cut);
    tunnel.from_server(cut);
  }
}

/// Three clients with equal ids; a server on the loopback that tells peers apart by address.
struct World {
  World() : server(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(server.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own);
    socklen_t size = sizeof own;
    ::getsockname(server.get(), reinterpret_cast<sockaddr*>(&own), &size);
    HandoffSettings settings;
    settings.server = {IpAddress::v4(0x7f000001), ntohs(own.sin_port)};
    settings.sources = *parse_range("127.77.0.1-127.77.0.3");
    handoff =
        std::make_unique<Handoff>(settings, [this](Event event) { events.push_back(std::move(event)); });
    to_client = [this](const TunnelKey& key, std::uint32_t, Bytes packet) {
      for (auto& client : clients) {
        if (client->key == key) client->take(packet, now);
      }
    };
  }
  test::Dialler& dial(std::uint32_t relay) {
    TunnelSpec spec;
    spec.key = {ChannelId(1), RelayId(relay)};
    spec.assigned = kOurs;
    handoff->open_tunnel(spec, now);
    clients.push_back(std::make_unique<test::Dialler>(spec.key, random));
    clients.back()->l2tp.connect(now);
    return *clients.back();
  }
  /// Until nothing has moved for a moment.
  void settle() {
    for (bool more = true; more;) {
      more = false;
      for (auto& client : clients) {
        for (auto& packet : client->drain(now)) {
          more = true;
          handoff->from_edge(client->key, packet, to_client, now);
        }
      }
      if (server) more |= serve();
      pollfd ready{handoff->fd(), POLLIN, 0};
      if (::poll(&ready, 1, more ? 0 : 50) == 1) {
        more = true;
        handoff->receive(to_client, now);
      }
    }
  }
  bool serve() {
    bool any = false;
    ByteVector packet(2048);
    sockaddr_in from{};
    socklen_t size = sizeof from;
    ssize_t got = 0;
    while ((got = ::recvfrom(server.get(), packet.data(), packet.size(), 0,
                             reinterpret_cast<sockaddr*>(&from), &size)) > 0) {
      any = true;
      auto& slot = peers[ntohl(from.sin_addr.s_addr)];
      if (!slot) slot = std::make_unique<l2tp::LnsTunnel>(server_config(), random);
      slot->on_datagram(Bytes(packet).first(static_cast<std::size_t>(got)), now);
      while (auto answer = slot->poll_transmit())
        ::sendto(server.get(), answer->data(), answer->size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
    return any;
  }
  template <class T>
  std::vector<T> seen() const {
    std::vector<T> out;
    for (const auto& event : events) {
      if (const auto* one = std::get_if<T>(&event)) out.push_back(*one);
    }
    return out;
  }

  ppp::test::SeededRandom random{7};
  Instant now = kStart;
  app::UniqueFd server;
  std::map<std::uint32_t, std::unique_ptr<l2tp::LnsTunnel>> peers;
  std::vector<Event> events;
  std::vector<std::unique_ptr<test::Dialler>> clients;
  std::unique_ptr<Handoff> handoff;
  Handoff::ToClient to_client;
};

TEST(Handoff, ClientsWithEqualIdsComeFromAddressesOfTheirOwn) {
  World world;
  for (std::uint32_t relay = 1; relay <= 3; ++relay) world.dial(relay);
  world.settle();
  ASSERT_EQ(world.peers.size(), 3U);
  EXPECT_EQ(world.peers.begin()->first, 0x7f4d0001U);
  EXPECT_EQ(world.handoff->sessions_up(), 3U);
  EXPECT_EQ(world.seen<SessionOpened>().size(), 3U);
  // A fourth finds no address.
  world.dial(4);
  ASSERT_EQ(world.seen<TunnelGone>().size(), 1U);
  EXPECT_THAT(world.seen<TunnelGone>()[0].text, HasSubstr("handoff.sources"));
  world.clients.pop_back();

  world.clients[0]->l2tp.close_tunnel(l2tp::StopResult::kShuttingDown, "bye", world.now);
  world.settle();
  EXPECT_EQ(world.handoff->tunnels(), 3U);  // for a while: the acknowledgement may be lost
  world.now += std::chrono::seconds(3);
  world.handoff->on_timeout(world.to_client, world.now);
  EXPECT_EQ(world.handoff->tunnels(), 2U);
  EXPECT_TRUE(world.seen<TunnelGone>()[1].by_client);
  EXPECT_EQ(world.seen<SessionGone>().size(), 1U);
}

TEST(Handoff, ClientThatTheEdgeGivesUpIsEndedAtTheServer) {
  World world;
  auto& client = world.dial(1);
  world.settle();
  world.handoff->close_tunnel(client.key, "the client is gone");
  world.serve();
  EXPECT_EQ(world.peers.begin()->second->state(), l2tp::TunnelState::kClosing);
  EXPECT_TRUE(world.handoff->empty());
  EXPECT_EQ(world.seen<SessionGone>().at(0).text, "the client is gone");
}

TEST(Handoff, ServerThatIsGoneIsToldToTheClientInItsName) {
  World world;
  auto& client = world.dial(1);
  world.settle();
  world.server.reset();
  client.l2tp.close_session(client.session, l2tp::CallResult::kAdministrative, "x", world.now);
  world.settle();
  world.settle();
  EXPECT_THAT(client.stop, HasSubstr("is the L2TP server running?"));
  EXPECT_TRUE(world.handoff->empty());
  EXPECT_EQ(world.handoff->drops().read(HandoffDrop::kServerRefused), 1U);
  EXPECT_FALSE(world.seen<TunnelGone>().at(0).by_client);
}

TEST(Handoff, TunnelOfACutChannelGoesOnUnderAnotherKey) {
  World world;
  auto& client = world.dial(1);
  world.settle();
  const auto described = world.handoff->describe_tunnels(ChannelId(1));
  ASSERT_EQ(described.tunnels.size(), 1U);
  const TunnelNumbers& numbers = described.tunnels[0];
  EXPECT_TRUE(numbers.established);
  EXPECT_EQ(numbers.client, client.l2tp.local_id());
  EXPECT_EQ(numbers.nr, client.l2tp.control().next_ns());
  EXPECT_EQ(numbers.ns, client.l2tp.control().expected());
  ASSERT_EQ(numbers.sessions.size(), 1U);
  EXPECT_EQ(numbers.sessions[0].client, client.session);
  EXPECT_EQ(numbers.sessions[0].agent, client.l2tp.remote_session(client.session));

  const TunnelKey other{ChannelId(2), RelayId(8)};
  world.handoff->rebind({client.key, other, 4});
  const TunnelKey before = std::exchange(client.key, other);
  world.handoff->close_channel(ChannelId(1), "the old channel is over");
  EXPECT_EQ(world.handoff->sessions_up(), 1U);
  client.l2tp.close_tunnel(l2tp::StopResult::kShuttingDown, "bye", world.now);
  world.settle();
  world.now += std::chrono::seconds(3);
  world.handoff->on_timeout(world.to_client, world.now);
  ASSERT_EQ(world.seen<TunnelGone>().size(), 1U);
  EXPECT_EQ(world.seen<TunnelGone>()[0].key, other);
  EXPECT_NE(before, other);
}

TEST(Handoff, WhatIsCountedIsPppWithoutTheHeadersAroundIt) {
  World world;
  auto& client = world.dial(1);
  world.settle();
  // All that the client's PPP has said so far is LCP; ten frames of known size more.
  for (int i = 0; i < 10; ++i) {
    auto packet = *client.packed(ByteVector(100, 0x21));
    world.handoff->from_edge(client.key, packet, world.to_client, world.now);
  }
  auto hello = l2tp::make_zlb(kOurs, 9, 9);
  world.handoff->from_edge(client.key, hello, world.to_client, world.now);
  world.handoff->close_tunnel(client.key, "over");
  const auto gone = world.seen<SessionGone>().at(0);
  EXPECT_GE(gone.packets_in, 10U);
  EXPECT_LE(gone.packets_in, 13U);
  const auto lcp = gone.packets_in - 10;
  EXPECT_GE(gone.bytes_in, 1000U);
  EXPECT_LE(gone.bytes_in, 1000U + lcp * 40);
}

TEST(Handoff, FarewellIsRepeatedUntilItIsGivenUp) {
  World world;
  world.dial(1);
  world.settle();
  unsigned told = 0;
  const Handoff::ToClient count = [&](const TunnelKey&, std::uint32_t, Bytes) { ++told; };
  world.handoff->close_all("the agent is stopping", count, world.now);
  while (const auto next = world.handoff->next_timeout()) {
    world.now = *next;
    world.handoff->on_timeout(count, world.now);
  }
  EXPECT_EQ(told, 4U);
  EXPECT_TRUE(world.handoff->empty());
  world.serve();
  EXPECT_EQ(world.peers.begin()->second->state(), l2tp::TunnelState::kClosing);
}

TEST(HandoffSources, AreSharedAmongWorkersWithoutOverlapOrLoss) {
  const AddressRange all = *parse_range("127.64.0.1-127.64.0.10");
  std::uint32_t next = all.first;
  for (std::uint32_t worker = 0; worker < 3; ++worker) {
    const AddressRange share = share_of(all, worker, 3);
    EXPECT_EQ(share.first, next);
    EXPECT_GE(share.last, share.first + 2);
    next = share.last + 1;
  }
  EXPECT_EQ(next, all.last + 1);
}

}  // namespace
}  // namespace sluice::agent
