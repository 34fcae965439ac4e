// What a capture sees of the packet path, with real clients and agents around it.
#include <set>

#include "tests/unit/edge_dataplane/world.hpp"

namespace sluice::edge::testing {
namespace {

constexpr std::uint32_t kAll = 7;

std::vector<CapturedPacket> taken(CaptureTap& tap) {
  std::vector<CapturedPacket> out;
  while (auto packet = tap.next()) out.push_back(std::move(*packet));
  return out;
}

std::size_t count(const std::vector<CapturedPacket>& packets, CapturePoint point, bool from_client) {
  return static_cast<std::size_t>(std::ranges::count_if(packets, [&](const CapturedPacket& packet) {
    return packet.point == point && packet.from_client == from_client;
  }));
}

struct Connected {
  World world;
  World::Agent& agent = world.add_agent("10.0.0.2:4700");
  World::Client& client;
  explicit Connected(const char* remote, bool udp = true)
      : client(world.add_client(remote, 1701, TunnelId(77), udp)) {}

  std::shared_ptr<CaptureTap> capture(CaptureFilter filter, std::uint32_t id = 1) {
    auto tap = std::make_shared<CaptureTap>(
        CaptureTapConfig{.id = id, .filter = std::move(filter), .points = kAll, .clock = {}});
    world.apply(StartCapture{tap});
    return tap;
  }
  void connect(World::Client& who, RelayId relay, TunnelId tunnel) {
    who.lac->connect(world.now);
    world.settle();
    const auto sccrq = world.take_event<SccrqArrived>();
    ASSERT_TRUE(sccrq);
    world.bind(*sccrq, agent, relay, tunnel);
    world.settle();
    ASSERT_TRUE(who.lac->established());
  }
};

TEST(Capture, SeesBothWaysOfAClientAtEachPointFromItsFirstPacket) {
  for (const char* remote : {"203.0.113.5:40000", "[2001:db8::5]:40000"}) {
    for (const bool udp : {true, false}) {
      SCOPED_TRACE(std::string(remote) + (udp ? " UDP" : " raw"));
      Connected there(remote, udp);
      const auto tap = there.capture({.client = there.client.remote.address, .peers = {}, .places = {}});
      there.connect(there.client, RelayId(1), TunnelId(900));
      const ByteVector ip{0x00, 0x21, 0x45, 'i', 'p'};
      there.world.send_ppp(there.client, ip);
      there.world.send_ppp(there.world.tunnels.at(RelayId(1)), ip);
      const auto packets = taken(*tap);
      for (const bool from_client : {true, false}) {
        // SCCRQ, SCCCN, ICRQ, ICCN and one frame; their answers.
        EXPECT_GE(count(packets, CapturePoint::kEsp, from_client), 3U);
        EXPECT_EQ(count(packets, CapturePoint::kEsp, from_client),
                  count(packets, CapturePoint::kL2tp, from_client));
        EXPECT_EQ(count(packets, CapturePoint::kPpp, from_client), 1U);
      }
      const ByteVector frame{0xff, 0x03, 0x00, 0x21, 0x45, 'i', 'p'};
      for (const auto& packet : packets) {
        EXPECT_EQ(packet.peer, there.client.peer);
        if (packet.point == CapturePoint::kPpp) {
          EXPECT_EQ(packet.bytes, frame);
        }
      }
      EXPECT_EQ(there.world.lost_to_clients, 0U);
    }
  }
}

TEST(Capture, OfAPeerLeavesItsNeighbourBehindTheSameAddressAlone) {
  Connected there("203.0.113.5:40000");
  auto& neighbour = there.world.add_client("203.0.113.5:40001", 1701, TunnelId(78));
  const auto tap = there.capture({.client = {}, .peers = {there.client.peer}, .places = {}});
  there.connect(there.client, RelayId(1), TunnelId(900));
  there.connect(neighbour, RelayId(2), TunnelId(901));
  std::set<PeerId> seen;
  for (const auto& packet : taken(*tap)) seen.insert(packet.peer);
  EXPECT_EQ(seen, std::set<PeerId>{there.client.peer});
}

TEST(Capture, SeesEspThatNoSaOpens) {
  Connected there("203.0.113.5:40000");
  const auto tap = there.capture({.client = there.client.remote.address, .peers = {}, .places = {}});
  ByteVector unknown(64, 0x5a);
  there.world.to_edge(there.client, unknown);
  const auto packets = taken(*tap);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(packets[0].peer, PeerId{});
  EXPECT_TRUE(equal(Bytes(packets[0].bytes).last(64), unknown));
}

TEST(Capture, SeveralRunAtOnceAndEachStopsAlone) {
  Connected there("203.0.113.5:40000");
  const CaptureFilter filter{.client = there.client.remote.address, .peers = {}, .places = {}};
  const auto first = there.capture(filter, 1), second = there.capture(filter, 2);
  there.connect(there.client, RelayId(1), TunnelId(900));
  EXPECT_EQ(taken(*first).size(), taken(*second).size());
  there.world.apply(StopCapture{1});
  there.world.send_ppp(there.client, ByteVector{0x00, 0x21, 'x'});
  EXPECT_TRUE(taken(*first).empty());
  EXPECT_FALSE(taken(*second).empty());
}

}  // namespace
}  // namespace sluice::edge::testing
