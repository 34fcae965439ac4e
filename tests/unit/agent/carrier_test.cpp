#include "backend-agent/lns/carrier.hpp"

#include <gtest/gtest.h>

#include "proto/channel/path_health.hpp"
#include "tests/unit/agent/edge_end.hpp"

namespace sluice::agent {
namespace {

const ByteVector kL2tp{0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0};

struct World {
  World() : carrier(engine()) {}
  std::unique_ptr<esp::Engine> engine() { return std::move(esp::make_engine("botan", random)).value(); }

  void install(std::uint32_t channel, const channel::PathKeys& keys,
               channel::CarrierMode mode = channel::CarrierMode::kUdp) {
    InstallPaths paths{
        ChannelId(channel), *Endpoint::parse("127.0.0.1:4601"), *IpAddress::parse("127.0.0.2"), {}, mode};
    paths.keys.push_back(test::copy(keys));
    EXPECT_FALSE(carrier.install(paths, now));
  }
  /// Frames in one received packet.
  std::vector<Carrier::Frame> receive(const ByteVector& packet) {
    buffer = packet;
    transport::RxPacket rx{esp::PacketBuffer::within(buffer, 0, buffer.size()), {}, {}};
    const auto frames = carrier.open({&rx, 1}, now);
    return {frames.begin(), frames.end()};
  }
  /// An L2TP packet sealed towards an edge worker; empty where there is no way.
  ByteVector send(const TunnelKey& key, std::uint32_t edge_worker) {
    ByteVector room(128 + kL2tp.size() + 64);
    std::copy(kL2tp.begin(), kL2tp.end(), room.begin() + 128);
    carrier.queue(key, edge_worker, esp::PacketBuffer::within(room, 128, kL2tp.size()));
    const auto sealed = carrier.seal();
    if (sealed.empty()) return {};
    EXPECT_EQ(sealed[0].remote.to_string(), "127.0.0.1:4601");
    return {sealed[0].data.begin(), sealed[0].data.end()};
  }

  app::SystemRandom random;
  Instant now{std::chrono::hours(1)};
  Carrier carrier;
  ByteVector buffer;
};

const TunnelKey kKey{ChannelId(1), RelayId(42)};

TEST(Carrier, FramesCrossBothWays) {
  World world;
  const auto keys = test::path_keys(0, 0x1000, 1);
  test::EdgeEnd edge(keys);
  world.install(1, keys);
  const auto frames = world.receive(edge.seal(RelayId(42), kL2tp));
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].key, kKey);
  EXPECT_TRUE(equal(frames[0].l2tp, kL2tp));
  const auto opened = edge.open(world.send(kKey, 0));
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->relay, RelayId(42));
  EXPECT_EQ(opened->l2tp, kL2tp);
}

TEST(Carrier, ReplayedAlteredAndForeignPacketsAreDropped) {
  World world;
  const auto keys = test::path_keys(0, 0x1000, 1);
  test::EdgeEnd edge(keys);
  world.install(1, keys);
  auto packet = edge.seal(RelayId(42), kL2tp);
  EXPECT_EQ(world.receive(packet).size(), 1U);
  EXPECT_TRUE(world.receive(packet).empty());
  packet = edge.seal(RelayId(42), kL2tp);
  packet.back() ^= 1;
  EXPECT_TRUE(world.receive(packet).empty());
  EXPECT_EQ(world.carrier.drops().read(CarrierDrop::kNotOpened), 2U);
  packet[0] ^= 0x80;
  EXPECT_TRUE(world.receive(packet).empty());
  EXPECT_EQ(world.carrier.drops().read(CarrierDrop::kUnknownSpi), 1U);
  EXPECT_TRUE(world.receive({1, 2, 3}).empty());
  EXPECT_EQ(world.carrier.drops().read(CarrierDrop::kTooShort), 1U);
}

TEST(Carrier, NewEpochIsSentOnOnceTheEdgeUsesItAndTheOldOneReceivesForAWhile) {
  World world;
  const auto first = test::path_keys(0, 0x1000, 1);
  const auto second = test::path_keys(0, 0x2000, 7);
  test::EdgeEnd old_edge(first), new_edge(second);
  world.install(1, first);
  world.install(1, second);
  EXPECT_TRUE(old_edge.open(world.send(kKey, 0)));
  EXPECT_EQ(world.receive(new_edge.seal(RelayId(42), kL2tp)).size(), 1U);
  world.carrier.on_timeout(world.now);
  EXPECT_TRUE(new_edge.open(world.send(kKey, 0)));
  EXPECT_EQ(world.receive(old_edge.seal(RelayId(42), kL2tp)).size(), 1U);
  world.now += std::chrono::seconds(11);
  ASSERT_TRUE(world.carrier.next_timeout());
  world.carrier.on_timeout(world.now);
  EXPECT_EQ(world.carrier.take_released(), std::vector<Spi>{Spi(0x1001)});
  EXPECT_TRUE(world.receive(old_edge.seal(RelayId(42), kL2tp)).empty());
  EXPECT_FALSE(world.carrier.next_timeout());
}

TEST(Carrier, NewEpochIsSentOnAfterTwoSecondsAtMost) {
  World world;
  const auto second = test::path_keys(0, 0x2000, 7);
  test::EdgeEnd new_edge(second);
  world.install(1, test::path_keys(0, 0x1000, 1));
  world.install(1, second);
  world.now += std::chrono::seconds(2);
  world.carrier.on_timeout(world.now);
  EXPECT_TRUE(new_edge.open(world.send(kKey, 0)));
}

TEST(Carrier, ChannelThatIsGoneHasNoWay) {
  World world;
  const auto keys = test::path_keys(0, 0x1000, 1);
  const auto other = test::path_keys(0, 0x3000, 9);
  test::EdgeEnd other_edge(other);
  world.install(1, keys);
  world.install(2, other);
  world.carrier.remove(ChannelId(1));
  EXPECT_EQ(world.carrier.take_released(), std::vector<Spi>{Spi(0x1001)});
  EXPECT_TRUE(world.send(kKey, 0).empty());
  EXPECT_EQ(world.carrier.drops().read(CarrierDrop::kNoPath), 1U);
  EXPECT_TRUE(other_edge.open(world.send({ChannelId(2), RelayId(1)}, 0)));
}

TEST(Carrier, EpochsThatFollowFastAreAllReceivedOnForAWhile) {
  World world;
  std::vector<std::unique_ptr<test::EdgeEnd>> edges;
  for (std::uint32_t epoch = 0; epoch < 6; ++epoch) {
    const auto keys = test::path_keys(0, 0x1000 + 2 * epoch, static_cast<std::uint8_t>(1 + 2 * epoch));
    edges.push_back(std::make_unique<test::EdgeEnd>(keys));
    world.install(1, keys);
    // Those of before come after: they were overtaken.
    for (auto edge = edges.rbegin(); edge != edges.rend(); ++edge)
      EXPECT_EQ(world.receive((*edge)->seal(RelayId(42), kL2tp)).size(), 1U);
    EXPECT_TRUE(edges.back()->open(world.send(kKey, 0)));
    world.now += std::chrono::seconds(1);
    world.carrier.on_timeout(world.now);
  }
  world.now += std::chrono::seconds(11);
  world.carrier.on_timeout(world.now);
  EXPECT_EQ(world.carrier.take_released().size(), 5U);
  EXPECT_EQ(world.carrier.drops().read(CarrierDrop::kUnknownSpi), 0U);
}

ByteVector hello(bool heard) {
  ByteVector out(channel::kHelloBytes);
  channel::write_hello({.heard = heard}, out);
  return out;
}

TEST(Carrier, LeavesUdpWhenItBringsNothingAndReturns) {
  World world;
  const auto keys = test::path_keys(0, 0x1000, 1);
  test::EdgeEnd edge(keys);
  world.install(1, keys, channel::CarrierMode::kAuto);
  const auto pass = [&](int ticks, bool answers) {
    for (int i = 0; i < ticks; ++i) {
      world.now += channel::kHelloInterval;
      world.carrier.on_timeout(world.now);
      EXPECT_EQ(world.carrier.hellos().size(), 1U);
      if (!answers) continue;
      EXPECT_TRUE(world.receive(edge.seal(RelayId(), hello(true))).empty());
    }
  };
  pass(10, true);
  EXPECT_FALSE(world.send(kKey, 0).empty());
  pass(8, false);
  auto changes = world.carrier.take_changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_TRUE(changes[0].stream && changes[0].channel == ChannelId(1));
  EXPECT_TRUE(world.send(kKey, 0).empty()) << "not by UDP";
  ASSERT_EQ(world.carrier.streamed().size(), 1U);
  EXPECT_EQ(world.carrier.streamed()[0].channel, ChannelId(1));
  pass(10, true);
  changes = world.carrier.take_changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_FALSE(changes[0].stream);
  EXPECT_FALSE(world.send(kKey, 0).empty());
}

TEST(Carrier, ADatagramThatNoKeyOpensIsNeverAnswered) {
  World world;
  world.install(1, test::path_keys(0, 0x1000, 1), channel::CarrierMode::kAuto);
  test::EdgeEnd stranger(test::path_keys(0, 0x1000, 77));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(world.receive(stranger.seal(RelayId(), hello(true))).empty());
  EXPECT_TRUE(world.carrier.seal().empty() && world.carrier.hellos().empty());
  EXPECT_EQ(world.carrier.drops().read(CarrierDrop::kUnknownSpi), 0U);
  EXPECT_EQ(world.carrier.drops().read(CarrierDrop::kNotOpened), 100U);
}

}  // namespace
}  // namespace sluice::agent
