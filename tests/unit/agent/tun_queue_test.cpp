// The queue against the kernel: a real device in a network namespace, with sockets behind it.

#include "backend-agent/tun/tun_queue.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include "backend-agent/tun/tun_device.hpp"
#include "tests/unit/agent/own_network.hpp"
#include "tests/unit/agent/packets.hpp"

namespace sluice::agent {
namespace {

constexpr int kPatienceMs = 20000;
const std::uint32_t kInside = 0x0a630001, kClient = 0x0a630002;
constexpr std::uint16_t kPort = 5000;

struct World {
  World()
      : device(make()),
        queue(std::move(device.take_ports().front())),
        socket(::socket(AF_INET, SOCK_DGRAM, 0)) {
    const auto local = address(kInside, kPort);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local), 0);
  }
  static TunDevice make() {
    auto made = TunDevice::open(
        {.name = "tunq0", .addresses = {IpAddress::v4(kInside)}, .routes = {{IpAddress::v4(kClient), 32}}});
    if (!made) throw std::runtime_error(made.error());
    return std::move(made).value();
  }
  static sockaddr_in address(std::uint32_t ip, std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(ip);
    out.sin_port = htons(port);
    return out;
  }
  /// Waits for the device; what the kernel says of its own accord is passed over.
  ByteVector next_udp() {
    ByteVector slot(2048);
    while (true) {
      const std::size_t size = queue.read(slot);
      if (size > 28 && slot[0] == 0x45 && slot[9] == 17)
        return {slot.begin(), slot.begin() + static_cast<std::ptrdiff_t>(size)};
      if (size > 0) continue;
      pollfd ready{queue.fd(), POLLIN, 0};
      if (::poll(&ready, 1, kPatienceMs) != 1) return {};
    }
  }

  TunDevice device;
  TunQueue queue;
  app::UniqueFd socket;
};

TEST(TunQueue, RunTowardsTheMachineIsOneWriteAndArrivesPacketByPacket) {
  const bool allowed = test::in_own_network([] {
    World world;
    std::vector<ByteVector> packets;
    test::Udp udp;
    udp.to = kPort;
    for (std::size_t i = 0; i < 20; ++i) {
      udp.payload = i == 19 ? 300 : 1300;
      auto packet = udp.packet();
      store_be32(packet.data() + 12, kClient);
      store_be32(packet.data() + 16, kInside);
      store_be16(packet.data() + 10, 0);
      store_be16(packet.data() + 10,
                 static_cast<std::uint16_t>(~test::fold(test::sum16(Bytes(packet).first(20)))));
      store_be16(packet.data() + 26, 0);
      udp.finish(packet, 17, 6);
      packets.push_back(std::move(packet));
      ++udp.id;
    }
    const auto sent = packets;
    for (auto& packet : packets) world.queue.put(packet);
    world.queue.flush();
    EXPECT_EQ(world.queue.writes().read(), 1U);
    for (const auto& packet : sent) {
      pollfd ready{world.socket.get(), POLLIN, 0};
      ASSERT_EQ(::poll(&ready, 1, kPatienceMs), 1);
      ByteVector got(2048);
      const auto size = ::recv(world.socket.get(), got.data(), got.size(), 0);
      ASSERT_EQ(size, static_cast<ssize_t>(packet.size() - 28));
      EXPECT_TRUE(std::equal(packet.begin() + 28, packet.end(), got.begin()));
    }
    EXPECT_EQ(world.queue.drops().read(TunDrop::kWriteFull), 0U);
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

TEST(TunQueue, BunchFromTheMachineComesAsPacketsWithRightChecksums) {
  const bool allowed = test::in_own_network([] {
    World world;
    const int segment = 1000;
    ASSERT_EQ(::setsockopt(world.socket.get(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
    ByteVector data(20 * 1000 - 600);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 31 >> 3);
    const auto to = World::address(kClient, 6000);
    ASSERT_EQ(::sendto(world.socket.get(), data.data(), data.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(data.size()));
    for (std::size_t i = 0; i < 20; ++i) {
      const auto packet = world.next_udp();
      const std::size_t size = i == 19 ? 400 : 1000;
      ASSERT_EQ(packet.size(), 28 + size);
      EXPECT_TRUE(std::equal(packet.begin() + 28, packet.end(),
                             data.begin() + static_cast<std::ptrdiff_t>(i * 1000)));
      EXPECT_EQ(test::fold(test::sum16(Bytes(packet).first(20))), 0xffff);
      const auto sum = test::pseudo_checksum(packet, 20, 17) + test::sum16(Bytes(packet).subspan(20));
      EXPECT_EQ(test::fold(sum), 0xffff);
    }
    ByteVector slot(2048);
    EXPECT_EQ(world.queue.read(slot), 0U);
    EXPECT_EQ(world.queue.drops().read(TunDrop::kBadOffload), 0U);
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

TEST(TunQueue, PacketLargerThanItsSlotIsDroppedAndCounted) {
  const bool allowed = test::in_own_network([] {
    World world;
    ByteVector data(1200, 1);
    const auto to = World::address(kClient, 6000);
    ASSERT_EQ(::sendto(world.socket.get(), data.data(), data.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof to),
              1200);
    data.resize(10);
    ASSERT_EQ(::sendto(world.socket.get(), data.data(), data.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof to),
              10);
    ByteVector slot(600);
    std::size_t size = 0;
    while (size != 38) {
      size = world.queue.read(slot);
      if (size > 0) continue;
      pollfd ready{world.queue.fd(), POLLIN, 0};
      ASSERT_EQ(::poll(&ready, 1, kPatienceMs), 1);
    }
    EXPECT_EQ(world.queue.drops().read(TunDrop::kTooLarge), 1U);
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

}  // namespace
}  // namespace sluice::agent
