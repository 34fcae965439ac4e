// A real device with two queues: what the machine sends to an address comes out of the queue that was named.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>

#include "backend-agent/tun/steering.hpp"
#include "backend-agent/tun/tun_device.hpp"
#include "tests/unit/agent/own_network.hpp"

namespace sluice::agent {
namespace {

using test::in_own_network;

class TwoQueues {
 public:
  TwoQueues() : device_(open()) {
    for (auto& port : device_.take_ports()) queues_.push_back(std::make_unique<TunQueue>(std::move(port)));
  }
  TunDevice& device() { return device_; }
  std::size_t count() const { return queues_.size(); }

  /// The queue that a datagram for this address comes out of.
  int queue_of(const char* text) {
    const IpAddress to = *IpAddress::parse(text);
    send(to);
    pollfd fds[] = {{queues_[0]->fd(), POLLIN, 0}, {queues_[1]->fd(), POLLIN, 0}};
    while (::poll(fds, 2, 5000) > 0) {
      for (std::size_t i = 0; i < 2; ++i) {
        std::array<std::uint8_t, 2048> packet;
        while (const auto size = queues_[i]->read(packet)) {
          if (destination(Bytes(packet).first(size)) == to) return static_cast<int>(i);
        }
      }
    }
    return -1;
  }

 private:
  static TunDevice open() {
    TunOptions options;
    options.name = "tunsteer0";
    options.queues = 2;
    options.addresses = {*IpAddress::parse("10.99.0.1"), *IpAddress::parse("fd00:99::1")};
    options.routes = {{*IpAddress::parse("10.99.0.0"), 16}, {*IpAddress::parse("fd00:99::"), 32}};
    auto made = TunDevice::open(options);
    if (!made) throw std::runtime_error(made.error());
    return std::move(made).value();
  }
  static void send(const IpAddress& to) {
    sockaddr_storage address{};
    socklen_t size = sizeof(sockaddr_in);
    if (to.is_v6()) {
      auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
      in6.sin6_family = AF_INET6;
      in6.sin6_port = htons(9);
      std::copy(to.bytes().begin(), to.bytes().end(), in6.sin6_addr.s6_addr);
      size = sizeof in6;
    } else {
      auto& in = reinterpret_cast<sockaddr_in&>(address);
      in.sin_family = AF_INET;
      in.sin_port = htons(9);
      in.sin_addr.s_addr = htonl(to.to_v4());
    }
    const app::UniqueFd fd(::socket(to.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::sendto(fd.get(), "hello", 5, 0, reinterpret_cast<const sockaddr*>(&address), size) != 5)
      throw std::runtime_error("not sent");
  }
  static std::optional<IpAddress> destination(Bytes packet) {
    return packet[0] >> 4 == 6 ? IpAddress::from_bytes(packet.subspan(24, 16))
                               : IpAddress::from_bytes(packet.subspan(16, 4));
  }

  TunDevice device_;
  std::vector<std::unique_ptr<TunQueue>> queues_;
};

TEST(Steering, PacketsComeToTheQueueOfTheirLongestPrefixAndToTheFirstWithoutOne) {
  const bool allowed = in_own_network([] {
    TwoQueues tun;
    ASSERT_EQ(tun.count(), 2U);
    EXPECT_EQ(tun.queue_of("10.99.4.7"), 0);
    const auto steer = [&](const char* prefix, std::uint8_t length, std::uint32_t queue) {
      EXPECT_EQ(tun.device().steer({*IpAddress::parse(prefix), length}, queue), std::nullopt);
    };
    steer("10.99.4.7", 32, 1);
    EXPECT_EQ(tun.queue_of("10.99.4.7"), 1);
    EXPECT_EQ(tun.queue_of("10.99.4.8"), 0);
    steer("10.99.8.0", 24, 1);
    steer("10.99.8.9", 32, 0);
    EXPECT_EQ(tun.queue_of("10.99.8.200"), 1);
    EXPECT_EQ(tun.queue_of("10.99.8.9"), 0);
    steer("fd00:99:4::", 48, 1);
    EXPECT_EQ(tun.queue_of("fd00:99:4:1::7"), 1);
    EXPECT_EQ(tun.queue_of("fd00:99:5::7"), 0);
    // Another session, another worker; then nobody.
    steer("10.99.4.7", 32, 0);
    EXPECT_EQ(tun.queue_of("10.99.4.7"), 0);
    tun.device().unsteer({*IpAddress::parse("10.99.8.0"), 24});
    EXPECT_EQ(tun.queue_of("10.99.8.200"), 0);
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

TEST(Steering, ADescriptorThatIsNoTunDeviceIsRefusedWithAdvice) {
  const bool allowed = in_own_network([] {
    const app::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto steering = Steering::attach(fd.get());
    ASSERT_FALSE(steering);
    EXPECT_THAT(steering.error(), testing::HasSubstr("agent.workers = 1"));
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

}  // namespace
}  // namespace sluice::agent
