// Real sockets on loopback.
#include "proto/transport/udp_port.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <thread>

#include "proto/channel/messages.hpp"
#include "proto/channel/spi_source.hpp"
#include "proto/transport/raw_esp_port.hpp"
#include "proto/transport/steering.hpp"
#include "tests/unit/proto/seeded_random.hpp"

namespace sluice::transport {
namespace {

const IpAddress kLoopback4 = IpAddress::v4(0x7f000001);
const IpAddress kLoopback6 = *IpAddress::parse("::1");

struct Got {
  ByteVector data;
  Endpoint remote;
  IpAddress local;
  std::size_t headroom, tailroom;
};

/// Packets until `count` came, or nothing more comes for a while.
template <class Port>
std::vector<Got> receive(Port& port, std::size_t count, int patience_ms = 2000) {
  std::vector<Got> out;
  while (out.size() < count) {
    const auto burst = port.recv_burst();
    for (const auto& p : burst) {
      out.push_back({ByteVector(p.packet.bytes().begin(), p.packet.bytes().end()), p.remote, p.local,
                     p.packet.headroom(), p.packet.tailroom()});
    }
    if (!burst.empty()) continue;
    pollfd wait{port.fd(), POLLIN, 0};
    if (poll(&wait, 1, patience_ms) <= 0) break;
  }
  return out;
}

UdpPort open_at(const IpAddress& address, bool segmentation = true) {
  auto port = UdpPort::open({.bind = {address, 0}, .segmentation = segmentation});
  EXPECT_TRUE(port.ok());
  return std::move(port).value();
}

ByteVector numbered(std::size_t size, std::uint32_t number) {
  ByteVector out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(number + i * 7);
  if (size >= 4) store_be32(out.data(), 0x1000);
  if (size >= 8) store_be32(out.data() + 4, number);
  return out;
}
ByteVector with_spi(std::uint32_t spi, std::size_t size) {
  ByteVector out(size, 1);
  store_be32(out.data(), spi);
  return out;
}

class UdpPortTest : public testing::TestWithParam<std::tuple<bool, bool, bool>> {
 protected:
  IpAddress address() const { return std::get<0>(GetParam()) ? kLoopback6 : kLoopback4; }
  UdpPort sender() { return open_at(address(), std::get<1>(GetParam())); }
  UdpPort receiver() { return open_at(address(), std::get<2>(GetParam())); }
};

TEST_P(UdpPortTest, EveryPacketArrivesWholeInOrderWithRoom) {
  auto from = sender();
  auto to = receiver();
  test::SeededRandom random(9);
  std::vector<ByteVector> sent;
  // Runs of equal sizes with a shorter last one, singles, and sizes of all kinds.
  for (std::uint32_t run = 0; run < 20; ++run) {
    const std::size_t size = 20 + random.below(1380);
    const std::uint32_t count = 1 + random.below(20);
    for (std::uint32_t i = 0; i < count; ++i) {
      sent.push_back(numbered(size, static_cast<std::uint32_t>(sent.size())));
    }
    if (run % 3 == 0) sent.push_back(numbered(size / 2, static_cast<std::uint32_t>(sent.size())));
  }
  std::vector<TxPacket> burst;
  for (const auto& data : sent) burst.push_back({data, to.local(), {}});
  EXPECT_EQ(from.send_burst(burst), burst.size());
  const auto got = receive(to, sent.size());
  ASSERT_EQ(got.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_TRUE(equal(got[i].data, sent[i])) << i;
    EXPECT_EQ(got[i].remote, from.local());
    EXPECT_EQ(got[i].local, address());
    EXPECT_GE(got[i].headroom, kHeadRoom);
    EXPECT_GE(got[i].tailroom, kTailRoom);
  }
  EXPECT_EQ(to.counts().read(PortCount::kPacketsIn), sent.size());
  EXPECT_EQ(from.counts().read(PortCount::kPacketsOut), sent.size());
  EXPECT_EQ(from.counts().read(PortCount::kBytesOut), to.counts().read(PortCount::kBytesIn));
  if (std::get<1>(GetParam())) {
    EXPECT_LT(from.counts().read(PortCount::kSendCalls), sent.size() / 10);
  }
}

TEST_P(UdpPortTest, PacketsOfABurstDoNotShareTheirRoom) {
  auto from = sender();
  auto to = receiver();
  std::vector<ByteVector> sent;
  for (std::uint32_t i = 0; i < 30; ++i) sent.push_back(numbered(100, i));
  std::vector<TxPacket> burst;
  for (const auto& data : sent) burst.push_back({data, to.local(), {}});
  ASSERT_EQ(from.send_burst(burst), burst.size());
  std::size_t seen = 0;
  while (seen < sent.size()) {
    pollfd wait{to.fd(), POLLIN, 0};
    ASSERT_EQ(poll(&wait, 1, 2000), 1);
    const auto packets = to.recv_burst();
    // Fill all the room around every packet but its own bytes, then look whether all are still whole.
    for (auto& p : packets) {
      std::fill(p.packet.base, p.packet.data(), std::uint8_t{0xee});
      std::fill(p.packet.data() + p.packet.length, p.packet.base + p.packet.capacity, std::uint8_t{0xdd});
    }
    for (const auto& p : packets) EXPECT_TRUE(equal(p.packet.bytes(), sent[seen++]));
  }
}

TEST_P(UdpPortTest, LargeDatagramsComeWhole) {
  auto from = sender();
  auto to = receiver();
  for (const std::size_t size :
       {std::size_t{2047}, std::size_t{2048}, std::size_t{2049}, std::size_t{9000}, std::size_t{65000}}) {
    const auto data = numbered(size, 5);
    const TxPacket packet{data, to.local(), {}};
    ASSERT_EQ(from.send_burst({&packet, 1}), 1U) << size;
    const auto got = receive(to, 1);
    ASSERT_EQ(got.size(), 1U) << size;
    EXPECT_TRUE(equal(got[0].data, data)) << size;
  }
}

TEST_P(UdpPortTest, EmptyDatagramsAreNoPackets) {
  auto from = sender();
  auto to = receiver();
  const auto data = numbered(10, 1);
  const TxPacket packets[] = {{{}, to.local(), {}}, {data, to.local(), {}}};
  EXPECT_EQ(from.send_burst(packets), 2U);
  const auto got = receive(to, 1);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_TRUE(equal(got[0].data, data));
}

INSTANTIATE_TEST_SUITE_P(Families, UdpPortTest,
                         testing::Combine(testing::Bool(), testing::Bool(), testing::Bool()),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param) ? "V6" : "V4") +
                                  (std::get<1>(param.param) ? "Gso" : "Single") +
                                  (std::get<2>(param.param) ? "Gro" : "Plain");
                         });

TEST(UdpPort, OneBurstMayGoToManyPlaces) {
  auto from = open_at(kLoopback4);
  auto a = open_at(kLoopback4);
  auto b = open_at(kLoopback4);
  std::vector<ByteVector> sent;
  std::vector<TxPacket> burst;
  for (std::uint32_t i = 0; i < 300; ++i) sent.push_back(numbered(60, i));
  for (std::uint32_t i = 0; i < 300; ++i) burst.push_back({sent[i], i % 5 == 0 ? b.local() : a.local(), {}});
  EXPECT_EQ(from.send_burst(burst), 300U);
  EXPECT_EQ(receive(a, 240).size(), 240U);
  EXPECT_EQ(receive(b, 60).size(), 60U);
}

TEST(UdpPort, ABurstLargerThanTheBuffersIsKeptForTheNextCall) {
  auto from = open_at(kLoopback4);
  auto to = open_at(kLoopback4);
  std::vector<ByteVector> sent;
  std::vector<TxPacket> burst;
  for (std::uint32_t i = 0; i < 64 * 12; ++i) sent.push_back(numbered(64, i));
  for (const auto& data : sent) burst.push_back({data, to.local(), {}});
  ASSERT_EQ(from.send_burst(burst), sent.size());
  bool had_backlog = false;
  std::size_t seen = 0;
  while (seen < sent.size()) {
    const auto packets = to.recv_burst();
    ASSERT_LE(packets.size(), UdpPort::kMaxBurst);
    for (const auto& p : packets) ASSERT_TRUE(equal(p.packet.bytes(), sent[seen++]));
    had_backlog |= to.backlog();
    if (packets.empty()) {
      pollfd wait{to.fd(), POLLIN, 0};
      ASSERT_EQ(poll(&wait, 1, 2000), 1);
    }
  }
  EXPECT_TRUE(had_backlog);
  EXPECT_TRUE(to.recv_burst().empty());
  EXPECT_FALSE(to.backlog());
}

TEST(UdpPort, AnswersFromTheAddressThatWasDialled) {
  auto wide = UdpPort::open({.bind = {IpAddress::v4(0), 0}});
  ASSERT_TRUE(wide.ok());
  auto client = open_at(kLoopback4);
  const IpAddress second = IpAddress::v4(0x7f000002);
  const auto data = numbered(20, 1);
  const TxPacket packet{data, {second, wide.value().local().port}, {}};
  ASSERT_EQ(client.send_burst({&packet, 1}), 1U);
  const auto got = receive(wide.value(), 1);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].local, second);
  const TxPacket answer{data, got[0].remote, got[0].local};
  ASSERT_EQ(wide.value().send_burst({&answer, 1}), 1U);
  const auto back = receive(client, 1);
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].remote.address, second);
}

/// Puts the calling thread into a network of its own whose loopback has that MTU.
bool enter_small_network(int mtu) {
  if (unshare(CLONE_NEWNET) != 0) return false;
  const app::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_mtu = mtu;
  if (ioctl(fd.get(), SIOCSIFMTU, &request) != 0) return false;
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
}

TEST(UdpPort, SegmentsLargerThanThePathAreSentSingly) {
  bool entered = false;
  std::thread apart([&] {
    entered = enter_small_network(1500);
    if (!entered) return;
    auto from = open_at(kLoopback4);
    auto to = open_at(kLoopback4);
    std::vector<ByteVector> sent;
    std::vector<TxPacket> burst;
    for (std::uint32_t i = 0; i < 5; ++i) sent.push_back(numbered(1800, i));
    for (const auto& data : sent) burst.push_back({data, to.local(), {}});
    EXPECT_EQ(from.send_burst(burst), 5U);
    EXPECT_EQ(from.counts().read(PortCount::kSegmentFallback), 1U);
    EXPECT_TRUE(from.segmenting()) << "smaller segments still may";
    const auto got = receive(to, 5);
    ASSERT_EQ(got.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_TRUE(equal(got[i].data, sent[i]));
  });
  apart.join();
  if (!entered) GTEST_SKIP() << "needs the right to make a network namespace";
}

TEST(UdpPort, WhatCannotBeSentIsCountedAndTheRestGoesOn) {
  auto from = open_at(kLoopback4);
  auto to = open_at(kLoopback4);
  const ByteVector huge(65535, 1);
  const auto data = numbered(30, 1);
  const Endpoint other_family{kLoopback6, 9};
  const TxPacket packets[] = {
      {huge, to.local(), {}}, {data, to.local(), {}}, {data, other_family, {}}, {data, to.local(), {}}};
  EXPECT_EQ(from.send_burst(packets), 2U);
  EXPECT_EQ(from.counts().read(PortCount::kSendTooBig), 1U);
  EXPECT_EQ(from.counts().read(PortCount::kSendErrors) + from.counts().read(PortCount::kSendUnreachable), 1U);
  EXPECT_EQ(receive(to, 2).size(), 2U);
}

TEST(UdpPort, CountsWhatTheKernelDropped) {
  auto from = open_at(kLoopback4, false);
  auto to = UdpPort::open({.bind = {kLoopback4, 0}, .segmentation = false, .buffer_bytes = 4096});
  ASSERT_TRUE(to.ok());
  const auto data = numbered(1000, 1);
  const std::vector<TxPacket> burst(200, TxPacket{data, to.value().local(), {}});
  ASSERT_EQ(from.send_burst(burst), 200U);
  const std::size_t first = receive(to.value(), 200, 0).size();
  ASSERT_LT(first, 200U);
  // The drops are told with the next datagram that comes in.
  ASSERT_EQ(from.send_burst({burst.data(), 1}), 1U);
  ASSERT_EQ(receive(to.value(), 1).size(), 1U);
  EXPECT_EQ(to.value().counts().read(PortCount::kKernelDrops), 200 - first);
}

TEST(UdpPort, ATakenPortIsAClearError) {
  auto first = UdpPort::open({.bind = {kLoopback4, 0}, .reuse_port = false});
  ASSERT_TRUE(first.ok());
  auto second = UdpPort::open({.bind = first.value().local(), .reuse_port = false});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().find(first.value().local().to_string()), std::string::npos) << second.error();
  EXPECT_NE(second.error().find("ss -ulpn"), std::string::npos) << second.error();
}

class SteeringByWorkers : public testing::TestWithParam<std::tuple<std::uint32_t, bool>> {};

TEST_P(SteeringByWorkers, SpiBitsNameTheWorker) {
  const auto [workers, v6] = GetParam();
  auto ports = open_worker_ports({.bind = {v6 ? kLoopback6 : kLoopback4, 0}}, workers);
  ASSERT_TRUE(ports.ok()) << ports.error();
  ASSERT_EQ(ports.value().size(), workers);
  auto from = open_at(v6 ? kLoopback6 : kLoopback4);
  const Endpoint to = ports.value().front().local();
  test::SeededRandom random(workers);
  std::map<std::uint32_t, std::size_t> expected;
  std::vector<ByteVector> sent;
  for (int i = 0; i < 400; ++i) {
    const std::uint32_t spi = random.u32();
    sent.push_back(with_spi(spi, 40));
    ++expected[channel::worker_of(Spi(spi), workers)];
  }
  // IKE behind its marker, a NAT keepalive, and a datagram shorter than an SPI belong to worker 0.
  sent.push_back(with_spi(0, 40));
  sent.push_back({0xff});
  sent.push_back({1, 1, 1});
  expected[0] += 3;
  std::vector<TxPacket> burst;
  for (const auto& data : sent) burst.push_back({data, to, {}});
  ASSERT_EQ(from.send_burst(burst), burst.size());
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    const auto got = receive(ports.value()[worker], expected[worker]);
    EXPECT_EQ(got.size(), expected[worker]) << "worker " << worker;
    for (const auto& packet : got) {
      if (packet.data.size() < 4) continue;
      EXPECT_EQ(channel::worker_of(Spi(load_be32(packet.data.data())), workers), worker);
    }
    EXPECT_TRUE(ports.value()[worker].recv_burst().empty());
  }
}

TEST(Steering, SegmentedBurstsOfSeveralSasReachTheirWorkers) {
  auto ports = open_worker_ports({.bind = {kLoopback4, 0}}, 2);
  ASSERT_TRUE(ports.ok()) << ports.error();
  auto from = open_at(kLoopback4);
  std::vector<ByteVector> sent;
  for (std::uint32_t i = 0; i < 64; ++i) sent.push_back(with_spi(0x2000 + (i / 8) % 2, 200));
  std::vector<TxPacket> burst;
  for (const auto& data : sent) burst.push_back({data, ports.value()[0].local(), {}});
  ASSERT_EQ(from.send_burst(burst), burst.size());
  EXPECT_EQ(from.counts().read(PortCount::kSendCalls), 1U);
  EXPECT_EQ(receive(ports.value()[0], 32).size(), 32U);
  EXPECT_EQ(receive(ports.value()[1], 32).size(), 32U);
}

TEST(ChannelPorts, AreConsecutive) {
  auto ports = open_channel_ports({.bind = {kLoopback4, 0}}, 4);
  ASSERT_TRUE(ports.ok()) << ports.error();
  const auto base = ports.value()[0].local().port;
  for (std::uint32_t worker = 0; worker < 4; ++worker) {
    EXPECT_EQ(ports.value()[worker].local().port, channel::port_of(base, worker));
  }
  auto again = open_channel_ports({.bind = {kLoopback4, base}}, 4);
  EXPECT_FALSE(again.ok());
  auto over = open_channel_ports({.bind = {kLoopback4, 65535}}, 2);
  ASSERT_FALSE(over.ok());
}

INSTANTIATE_TEST_SUITE_P(Workers, SteeringByWorkers,
                         testing::Combine(testing::Values(1U, 2U, 3U, 4U), testing::Bool()));

class RawEsp : public testing::TestWithParam<bool> {};

TEST_P(RawEsp, EachWorkerSeesItsSpisFromTheEspHeaderOn) {
  const IpAddress address = GetParam() ? kLoopback6 : kLoopback4;
  constexpr std::uint32_t kWorkers = 3;
  std::vector<RawEspPort> ports;
  for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
    auto port = RawEspPort::open({.bind = address, .worker = worker, .workers = kWorkers});
    if (!port.ok() && port.error().find("CAP_NET_RAW") != std::string::npos) GTEST_SKIP() << port.error();
    ASSERT_TRUE(port.ok()) << port.error();
    ports.push_back(std::move(*port));
  }
  std::map<std::uint32_t, std::vector<std::uint32_t>> expected;
  std::vector<ByteVector> sent;
  for (std::uint32_t spi = 0x51000000; spi < 0x51000020; ++spi) {
    sent.push_back(with_spi(spi, 100));
    expected[channel::worker_of(Spi(spi), kWorkers)].push_back(spi);
  }
  std::vector<TxPacket> burst;
  for (const auto& data : sent) burst.push_back({data, {address, 0}, address});
  ASSERT_EQ(ports[1].send_burst(burst), sent.size());
  for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
    // Other programs' ESP on this loopback is not ours to count.
    std::vector<std::uint32_t> spis;
    for (const auto& packet : receive(ports[worker], expected[worker].size())) {
      ASSERT_GE(packet.data.size(), 4U);
      const auto spi = load_be32(packet.data.data());
      if (spi < 0x51000000 || spi >= 0x51000020) continue;
      spis.push_back(spi);
      EXPECT_TRUE(equal(packet.data, with_spi(spi, 100)));
      EXPECT_EQ(packet.remote, (Endpoint{address, 0}));
      EXPECT_EQ(packet.local, address);
      EXPECT_GE(packet.headroom, kHeadRoom);
    }
    EXPECT_EQ(spis, expected[worker]) << "worker " << worker;
    EXPECT_TRUE(ports[worker].recv_burst().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Families, RawEsp, testing::Bool());

}  // namespace
}  // namespace sluice::transport
