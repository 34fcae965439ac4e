#include "tests/unit/edge_dataplane/ike_messages.hpp"
#include "tests/unit/edge_dataplane/world.hpp"

namespace sluice::edge::testing {
namespace {

using std::chrono::seconds;
using Frames = std::vector<ByteVector>;

/// One client and one agent with a tunnel and a session up.
void connect(World& world, World::Client& client, World::Agent& agent, RelayId relay, TunnelId agent_tunnel) {
  client.lac->connect(world.now);
  world.settle();
  const auto sccrq = world.take_event<SccrqArrived>();
  ASSERT_TRUE(sccrq);
  ASSERT_EQ(sccrq->peer, client.peer);
  world.bind(*sccrq, agent, relay, agent_tunnel);
  world.settle();
  ASSERT_TRUE(client.lac->established());
  ASSERT_EQ(client.lac->sessions_up(), 1U);
}

ByteVector text(std::string_view s) {
  return {s.begin(), s.end()};
}

TEST(Pipeline, RelaysATunnelAsItStands) {
  for (const auto& suite : esp::suites()) {
    SCOPED_TRACE(suite.name);
    World world(suite.id);
    auto& agent = world.add_agent("10.0.0.2:4700");
    auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
    connect(world, client, agent, RelayId(1), TunnelId(900));
    world.send_ppp(client, text("from the client"));
    world.send_ppp(world.tunnels.at(RelayId(1)), text("from the agent"));
    EXPECT_EQ(world.tunnels.at(RelayId(1)).data, Frames{text("from the client")});
    EXPECT_EQ(client.data, Frames{text("from the agent")});
    EXPECT_EQ(world.lost_to_clients, 0U);
  }
}

TEST(Pipeline, RelaysWithEverySuiteSequenceLengthAndEncapsulation) {
  for (const auto& suite : esp::suites()) {
    for (const bool esn : {false, true}) {
      for (const bool udp : {true, false}) {
        for (const char* remote : {"203.0.113.5:40000", "[2001:db8::5]:40000"}) {
          SCOPED_TRACE(std::string(suite.name) + (esn ? " ESN " : " ") + (udp ? "UDP " : "raw ") + remote);
          World world(suite.id, esn);
          auto& agent = world.add_agent("10.0.0.2:4700");
          auto& client = world.add_client(remote, 1701, TunnelId(77), udp);
          connect(world, client, agent, RelayId(1), TunnelId(900));
          world.send_ppp(client, text("up"));
          world.send_ppp(world.tunnels.at(RelayId(1)), text("down"));
          EXPECT_EQ(world.tunnels.at(RelayId(1)).data, Frames{text("up")});
          EXPECT_EQ(client.data, Frames{text("down")});
          EXPECT_EQ(world.lost_to_clients, 0U);
        }
      }
    }
  }
}

TEST(Pipeline, TellsOfTimeLimitsUntilTheSaIsReplaced) {
  World world;
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  world.lifetime.soft_seconds = 10;
  world.lifetime.hard_seconds = 20;
  world.add_sas(client);
  world.advance(seconds(9));
  EXPECT_FALSE(world.take_event<SaExpired>());
  world.advance(seconds(1));
  const auto soft = world.take_event<SaExpired>();
  ASSERT_TRUE(soft);
  EXPECT_EQ(soft->inbound, client.spi_in);
  EXPECT_FALSE(soft->hard);
  EXPECT_FALSE(world.take_event<SaExpired>());
  world.advance(seconds(10));
  const auto hard = world.take_event<SaExpired>();
  ASSERT_TRUE(hard);
  EXPECT_TRUE(hard->hard);
  EXPECT_FALSE(world.pipeline().next_timeout());

  world.add_sas(client);
  world.apply(RemoveSa{client.spi_in, true, client.peer, seconds(15)});
  world.advance(seconds(30));
  EXPECT_FALSE(world.take_event<SaExpired>());
  EXPECT_FALSE(world.pipeline().next_timeout());
}

TEST(Pipeline, RefusesPacketsOfASaPastItsTimeBothWays) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  world.lifetime.hard_seconds = 20;
  world.add_sas(client);
  world.send_ppp(client, text("proves the new pair"));
  EXPECT_EQ(world.client_drops(esp::DropReason::kExpired), 0U);
  world.advance(seconds(20));
  const auto before = client.data.size();
  world.send_ppp(client, text("late"));
  EXPECT_EQ(world.client_drops(esp::DropReason::kExpired), 1U);
  world.send_ppp(world.tunnels.at(RelayId(1)), text("late"));
  EXPECT_EQ(world.client_drops(esp::DropReason::kExpired), 2U);
  EXPECT_EQ(client.data.size(), before);
}

TEST(Pipeline, TellsOfAnOutboundPacketLimitByTheInboundSpi) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  world.lifetime.soft_packets = 3;
  world.add_sas(client);
  world.send_ppp(client, text("proves the new pair"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(world.take_event<SaExpired>());
    world.send_ppp(world.tunnels.at(RelayId(1)), text("down"));
  }
  const auto expired = world.take_event<SaExpired>();
  ASSERT_TRUE(expired);
  EXPECT_EQ(expired->inbound, client.spi_in);
  EXPECT_FALSE(expired->hard);
}

TEST(Pipeline, CountsPacketsThatDoNotFitTheMtu) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  world.send_ppp(world.tunnels.at(RelayId(1)), ByteVector(1300, 'x'));
  EXPECT_EQ(world.pipeline().oversize().read(), 0U);
  world.send_ppp(world.tunnels.at(RelayId(1)), ByteVector(1500, 'x'));
  EXPECT_EQ(world.pipeline().oversize().read(), 1U);
  EXPECT_EQ(client.data.size(), 2U) << "it is for the kernel to fragment it";
}

TEST(Pipeline, RelaysRawEsp) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:1", 40001, TunnelId(77), false);
  connect(world, client, agent, RelayId(1), TunnelId(900));
  world.send_ppp(world.tunnels.at(RelayId(1)), text("down"));
  EXPECT_EQ(client.data, Frames{text("down")});
}

TEST(Pipeline, KeepsClientsApartThatShareAddressInnerPortAndTunnelIds) {
  World world;
  auto& first = world.add_agent("10.0.0.2:4700");
  auto& second = world.add_agent("10.0.0.3:4700");
  for (std::uint32_t i = 0; i < 4; ++i) {
    auto& client = world.add_client(("203.0.113.5:" + std::to_string(40000 + i)).c_str(), 1701, TunnelId(77));
    connect(world, client, i % 2 == 0 ? first : second, RelayId(i + 1), TunnelId(900));
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    const auto word = text("client " + std::to_string(i));
    world.send_ppp(world.clients[i], word);
    world.send_ppp(world.tunnels.at(RelayId(i + 1)), word);
    EXPECT_EQ(world.tunnels.at(RelayId(i + 1)).data, Frames{word});
    EXPECT_EQ(world.clients[i].data, Frames{word});
  }
}

TEST(Pipeline, LosesNothingOverARekey) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  auto& tunnel = world.tunnels.at(RelayId(1));
  const auto old_in = client.spi_in;
  const auto old_out = client.sas.front().in->spi();
  const auto old_out_packets = client.sas.front().in->packets();

  world.add_sas(client);
  world.send_ppp(tunnel, text("1"));
  EXPECT_EQ(client.sas.front().in->packets(), old_out_packets + 1) << "the new pair is not proven yet";
  const auto in_flight = world.seal_from(
      client,
      *[&] {
        ByteVector buffer(l2tp::kDataHeadroom + 1, 'x');
        const auto up = std::get<l2tp::SessionUp>(client.events.back());
        const auto packet = client.lac->frame_data(up.local, buffer, l2tp::kDataHeadroom);
        return std::make_optional(ByteVector(packet->begin(), packet->end()));
      }(),
      0);
  world.send_ppp(client, text("2"));  // over the new pair: proves it
  world.send_ppp(tunnel, text("3"));
  EXPECT_EQ(client.sas.back().in->packets(), 1U);

  world.apply(RemoveSa{old_in, true, client.peer, seconds(5)});
  world.apply(RemoveSa{old_out, false, client.peer, seconds(5)});
  world.to_edge(client, in_flight);
  EXPECT_EQ(tunnel.data, (Frames{text("2"), text("x")})) << "what was in flight on the old SA arrives";
  world.send_ppp(tunnel, text("4"));
  EXPECT_EQ(client.data, (Frames{text("1"), text("3"), text("4")}));
  EXPECT_EQ(world.lost_to_clients, 0U);
  world.advance(seconds(6));
  EXPECT_EQ(world.pipeline().inbound_sas(), 1U) << "the old SA is gone after its grace time";
}

TEST(Pipeline, HoldsPacketsThatOvertakeTheirSa) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  auto& tunnel = world.tunnels.at(RelayId(1));
  world.add_sas(client, [&] {
    world.send_ppp(client, text("1"));
    world.send_ppp(client, text("2"));
    EXPECT_TRUE(tunnel.data.empty());
  });
  EXPECT_EQ(tunnel.data, (Frames{text("1"), text("2")}));
  EXPECT_EQ(world.pipeline().drops().read(Drop::kUnknownSpi), 0U);
  tunnel.data.clear();
  world.add_sas(client, [&] {
    for (std::size_t i = 0; i < EarlyPackets::kMaxPerSpi + 6; ++i) world.send_ppp(client, text("x"));
    EXPECT_EQ(world.pipeline().drops().read(Drop::kUnknownSpi), 6U) << "they wait in bounded room";
    world.now += seconds(2);
  });
  EXPECT_TRUE(tunnel.data.empty()) << "and not for long";
}

TEST(Pipeline, TakesAnEarlySccrqOnlyWhenItCanBeAnswered) {
  World world;
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  world.apply(RemoveSa{client.sas.front().in->spi(), false, client.peer, seconds(0)});
  world.add_sas(
      client,
      [&] {
        client.lac->connect(world.now);
        world.settle();
      },
      [&] { EXPECT_FALSE(world.take_event<SccrqArrived>()) << "the SCCRP would have no SA to go by"; });
  EXPECT_TRUE(world.take_event<SccrqArrived>());
}

TEST(Pipeline, SendsOnTheNewSaOnceTheOldIsDeletedEvenIfUnproven) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  const auto old_out = client.sas.front().in->spi();
  world.add_sas(client);
  world.apply(RemoveSa{old_out, false, client.peer, seconds(5)});
  world.send_ppp(world.tunnels.at(RelayId(1)), text("quiet client"));
  EXPECT_EQ(client.sas.back().in->packets(), 1U);
  EXPECT_EQ(client.data, Frames{text("quiet client")});
}

TEST(Pipeline, FollowsAPeerOnlyByAuthenticNewerPackets) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  ByteVector ppp(l2tp::kDataHeadroom + 4, 'p');
  const auto session = std::get<l2tp::SessionUp>(client.events.back()).local;
  const auto packet = *client.lac->frame_data(session, ppp, l2tp::kDataHeadroom);
  const auto older = world.seal_from(client, packet);
  const auto newer = world.seal_from(client, packet);
  auto forged = world.seal_from(client, packet);
  forged.back() ^= 1;
  const auto elsewhere = endpoint("198.51.100.9:5000");

  world.to_edge(client, forged, elsewhere);
  EXPECT_FALSE(world.take_event<PeerMoved>()) << "a forged packet moves nobody";
  world.to_edge(client, newer);
  world.to_edge(client, older, elsewhere);
  EXPECT_FALSE(world.take_event<PeerMoved>()) << "an older packet may be a replay from elsewhere";
  world.to_edge(client, world.seal_from(client, packet), elsewhere);
  const auto moved = world.take_event<PeerMoved>();
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->new_remote, elsewhere);
  client.remote = elsewhere;
  world.send_ppp(world.tunnels.at(RelayId(1)), text("found"));
  EXPECT_EQ(client.data, Frames{text("found")});
}

TEST(Pipeline, GivesADuplicateSccrqToItsTunnelAndAFreshOneToPlacement) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  client.lac->connect(world.now);
  const auto sccrq = *client.lac->poll_transmit();
  world.to_edge(client, world.seal_from(client, sccrq));
  const auto event = world.take_event<SccrqArrived>();
  ASSERT_TRUE(event);
  world.bind(*event, agent, RelayId(1), TunnelId(900));
  world.to_edge(client, world.seal_from(client, sccrq));
  EXPECT_FALSE(world.take_event<SccrqArrived>()) << "a resend goes to the tunnel it opened";
  world.settle();
  EXPECT_TRUE(client.lac->established());
}

TEST(Pipeline, RefusesAnAgentThatSpeaksForAnothersRelay) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& liar = world.add_agent("10.0.0.3:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  ByteVector data(l2tp::kDataHeadroom + 4, 'p');
  const auto packet = *world.tunnels.at(RelayId(1))
                           .lns->frame_data(*world.tunnels.at(RelayId(1)).session, data, l2tp::kDataHeadroom);
  world.frame_to_edge(liar, RelayId(1), packet);
  EXPECT_TRUE(client.data.empty());
  EXPECT_EQ(world.pipeline().drops().read(Drop::kForeignRelay), 1U);
  world.frame_to_edge(agent, RelayId(99), packet);
  EXPECT_EQ(world.pipeline().drops().read(Drop::kUnknownRelay), 1U);
  ByteVector wrong(packet.begin(), packet.end());
  store_be16(wrong.data() + 2, 78);
  world.frame_to_edge(agent, RelayId(1), wrong);
  EXPECT_EQ(world.pipeline().drops().read(Drop::kWrongTunnel), 1U);
}

TEST(Pipeline, SaysFarewellForALostAgentUntilTheClientAcknowledges) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  world.tunnels.clear();
  world.apply(RemovePaths{agent.id});
  world.apply(Farewell{RelayId(1), l2tp::StopResult::kShuttingDown, "the PPP server is gone"});
  world.settle();
  EXPECT_FALSE(client.lac->established());
  const auto done = world.take_event<FarewellDone>();
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->acknowledged);
  EXPECT_EQ(world.pipeline().relays(), 0U);
}

TEST(Pipeline, GivesUpAFarewellThatNobodyAcknowledges) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  world.tunnels.clear();
  world.apply(Farewell{RelayId(1), l2tp::StopResult::kShuttingDown, "gone"});
  while (client.lac->poll_transmit()) {
  }
  for (int i = 0; i < 40; ++i) world.advance(seconds(1));
  const auto done = world.take_event<FarewellDone>();
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->acknowledged);
  EXPECT_FALSE(world.pipeline().next_timeout());
}

TEST(Pipeline, CountsWhatItDropsAndAnswersNothing) {
  World world;
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  const auto reads = [&](Drop drop) { return world.pipeline().drops().read(drop); };
  world.to_edge(client, text("short"));
  EXPECT_EQ(reads(Drop::kTooShort), 1U);
  world.to_edge(client, text("no such SPI, but long enough"));
  EXPECT_EQ(reads(Drop::kUnknownSpi), 1U);
  const ByteVector keepalive{0xff};
  world.to_edge(client, keepalive);
  EXPECT_EQ(world.pipeline().keepalives().read(), 1U);
  const auto esp = world.seal_from(client, text("garbage!"));
  world.to_edge(client, esp);
  EXPECT_EQ(reads(Drop::kBadL2tp), 1U);
  world.to_edge(client, esp);
  EXPECT_EQ(world.pipeline().client_esp_drops().read(esp::DropReason::kReplayed), 1U);
  ByteVector data{0x00, 0x02, 0x03, 0x84, 0x00, 0x01, 0xff, 0x03, 0xc0, 0x21, 0x01, 0x01, 0x00, 0x04};
  world.to_edge(client, world.seal_from(client, data));
  EXPECT_EQ(reads(Drop::kUnknownTunnel), 1U);
  const auto message = main_mode(1);
  ByteVector ike(4);
  ike.insert(ike.end(), message.begin(), message.end());
  world.to_edge(client, ike);
  const auto event = world.take_event<IkeArrived>();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->datagram, message);
  EXPECT_TRUE(event->marker);
  world.to_edge(client, ByteVector{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(world.pipeline().ike_drops().read(IkeDrop::kMalformed), 1U);
  EXPECT_TRUE(client.events.empty());
}

TEST(Pipeline, AnIkeSenderThatUsesUpItsBudgetIsCounted) {
  World world;
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  ByteVector ike(4);
  const auto message = main_mode(1);
  ike.insert(ike.end(), message.begin(), message.end());
  std::uint64_t arrived = 0;
  for (int i = 0; i < 1000; ++i) {
    world.to_edge(client, ike);
    while (world.take_event<IkeArrived>()) ++arrived;
  }
  const auto& drops = world.pipeline().ike_drops();
  EXPECT_LE(arrived, 400U);
  EXPECT_EQ(drops.read(IkeDrop::kSourceRate) + drops.read(IkeDrop::kNewRate), 1000 - arrived);
}

TEST(Pipeline, AnswersNoUnknownTunnelIdWhateverItSays) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  std::uint64_t sent = 0;
  for (std::uint16_t type = 0; type < 30; ++type) {
    for (const std::uint16_t tunnel :
         {std::uint16_t{1}, std::uint16_t{77}, std::uint16_t{901}, std::uint16_t{0xffff}}) {
      const auto packet = l2tp::MessageBuilder(type, true).finish(TunnelId(tunnel), {}, 0, 0);
      world.to_edge(client, world.seal_from(client, packet));
      world.advance(seconds(1));
      ++sent;
    }
  }
  EXPECT_EQ(world.pipeline().drops().read(Drop::kUnknownTunnel), sent);
  EXPECT_EQ(client.sas.front().in->packets(), 4U)
      << "SCCRP, ICRP and two acknowledgements, and nothing since";
  EXPECT_FALSE(world.take_event<SccrqArrived>());
}

TEST(Pipeline, ShedsTheControlFloodOfOneClientAndServesTheOther) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& flooder = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  auto& other = world.add_client("203.0.113.6:40000", 1701, TunnelId(78));
  connect(world, flooder, agent, RelayId(1), TunnelId(900));
  world.advance(seconds(2));
  const auto reads = [&] { return world.pipeline().drops().read(Drop::kControlRate); };
  const auto zlb = l2tp::make_zlb(TunnelId(900), 4, 2);
  const auto limit = PipelineLimits().control_per_second;
  for (std::uint32_t i = 0; i < limit + 50; ++i) world.to_edge(flooder, world.seal_from(flooder, zlb));
  EXPECT_EQ(reads(), 50U);
  SeededRandom random(1);
  l2tp::LacTunnel again({.local_tunnel = TunnelId(79)}, random);
  again.connect(world.now);
  world.to_edge(flooder, world.seal_from(flooder, *again.poll_transmit()));
  EXPECT_EQ(reads(), 51U) << "an SCCRQ is a control message too";
  world.send_ppp(flooder, text("data still passes"));
  EXPECT_EQ(world.tunnels.at(RelayId(1)).data, Frames{text("data still passes")});
  connect(world, other, agent, RelayId(2), TunnelId(901));
  world.advance(std::chrono::milliseconds(100));
  for (std::uint32_t i = 0; i < 20; ++i) world.to_edge(flooder, world.seal_from(flooder, zlb));
  EXPECT_EQ(reads(), 61U) << "a tenth of a second brings a tenth of the budget back";
}

TEST(Pipeline, CarriesAProbeToItsAgentAndBack) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& liar = world.add_agent("10.0.0.3:4700");
  SeededRandom random(9);
  l2tp::LacTunnel probe({.local_tunnel = TunnelId(5)}, random);
  World::Tunnel& tunnel = world.tunnels[RelayId(1)];
  tunnel.relay = RelayId(1);
  tunnel.lns = std::make_unique<l2tp::LnsTunnel>(l2tp::TunnelConfig{.local_tunnel = TunnelId(6)}, random);
  world.apply(BindProbe{RelayId(1), agent.id, 0, TunnelId(5)});
  probe.connect(world.now);
  for (int i = 0; i < 8; ++i) {
    while (auto packet = probe.poll_transmit()) world.apply(SendProbe{RelayId(1), *packet});
    world.settle();
    while (const auto arrived = world.take_event<ProbeArrived>()) {
      EXPECT_EQ(arrived->relay, RelayId(1));
      probe.on_datagram(arrived->packet, world.now);
    }
    if (probe.established() && probe.sessions() == 0) probe.open_session(world.now);
  }
  EXPECT_EQ(probe.sessions_up(), 1U);
  EXPECT_EQ(tunnel.lns->sessions_up(), 1U);
  world.send_ppp(tunnel, text("PPP begins"));
  EXPECT_FALSE(world.take_event<ProbeArrived>()) << "the probe ends at L2TP";
  world.frame_to_edge(liar, RelayId(1), l2tp::make_zlb(TunnelId(5), 0, 0));
  EXPECT_EQ(world.pipeline().drops().read(Drop::kForeignRelay), 1U);
  EXPECT_FALSE(world.take_event<ProbeArrived>());
  world.apply(UnbindRelay{RelayId(1)});
  EXPECT_EQ(world.pipeline().relays(), 0U);
  world.apply(SendProbe{RelayId(1), l2tp::make_zlb(TunnelId(6), 0, 0)});
}

TEST(Pipeline, SurvivesEveryTruncationAndBitFlipOfAPacket) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  ByteVector ppp(l2tp::kDataHeadroom + 40, 'p');
  const auto session = std::get<l2tp::SessionUp>(client.events.back()).local;
  const auto packet = *client.lac->frame_data(session, ppp, l2tp::kDataHeadroom);
  const auto good = world.seal_from(client, packet);
  for (std::size_t size = 0; size < good.size(); ++size) world.to_edge(client, Bytes(good).first(size));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    world.to_edge(client, bad);
  }
  EXPECT_TRUE(world.tunnels.at(RelayId(1)).data.empty());
  world.to_edge(client, good);
  EXPECT_EQ(world.tunnels.at(RelayId(1)).data.size(), 1U);
}

TEST(Pipeline, ForgetsEverythingOfARemovedPeer) {
  World world;
  auto& agent = world.add_agent("10.0.0.2:4700");
  auto& client = world.add_client("203.0.113.5:40000", 1701, TunnelId(77));
  connect(world, client, agent, RelayId(1), TunnelId(900));
  world.apply(RemovePeer{client.peer});
  EXPECT_EQ(world.pipeline().inbound_sas(), 0U);
  EXPECT_EQ(world.pipeline().relays(), 0U);
}

}  // namespace
}  // namespace sluice::edge::testing
