#include "backend-agent/tun/tun_device.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <fstream>
#include <iterator>

#include "tests/unit/agent/own_network.hpp"

namespace sluice::agent {
namespace {

using testing::HasSubstr;
using testing::Not;

using test::in_own_network;

std::string routes() {
  std::ifstream in("/proc/thread-self/net/route");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
TunOptions options() {
  TunOptions out;
  out.name = "tuntest0";
  out.mtu = 1300;
  out.addresses = {*IpAddress::parse("10.99.0.1")};
  out.routes = {{*IpAddress::parse("10.99.4.0"), 24}};
  return out;
}

TEST(TunDevice, ComesWithAddressRoutesAndMtuAndGoesWithItsDescriptor) {
  const bool allowed = in_own_network([] {
    {
      auto device = TunDevice::open(options());
      ASSERT_TRUE(device) << device.error();
      EXPECT_THAT(routes(), HasSubstr("tuntest0\t0004630A"));
      EXPECT_FALSE(device->add_route({*IpAddress::parse("10.77.0.7"), 32}));
      EXPECT_THAT(routes(), HasSubstr("tuntest0\t07004D0A"));
      device->remove_route({*IpAddress::parse("10.77.0.7"), 32});
      EXPECT_THAT(routes(), Not(HasSubstr("07004D0A")));
      // What the machine has already is neither replaced nor taken away.
      EXPECT_EQ(std::system("ip link set lo up && ip route add 10.78.0.0/24 dev lo"), 0);
      const auto error = device->add_route({*IpAddress::parse("10.78.0.0"), 24});
      ASSERT_TRUE(error);
      EXPECT_THAT(*error, HasSubstr("one of its own"));
      device->remove_route({*IpAddress::parse("10.78.0.0"), 24});
      EXPECT_THAT(routes(), HasSubstr("lo\t00004E0A"));
      const auto ports = device->take_ports();
      EXPECT_NE(::if_nametoindex("tuntest0"), 0U);
    }
    EXPECT_EQ(::if_nametoindex("tuntest0"), 0U);
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

TEST(TunDevice, RouteOfTheMachinesOwnIsNotReplacedAtTheStart) {
  const bool allowed = in_own_network([] {
    EXPECT_EQ(std::system("ip link set lo up && ip route add 10.99.4.0/24 dev lo"), 0);
    const auto device = TunDevice::open(options());
    ASSERT_FALSE(device);
    EXPECT_THAT(device.error(), HasSubstr("10.99.4.0/24 cannot be set: this machine has one of its own"));
    EXPECT_THAT(routes(), HasSubstr("lo\t0004630A"));
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

TEST(TunDevice, TakesIpv6AddressesAndRoutes) {
  const bool allowed = in_own_network([] {
    auto with_v6 = options();
    with_v6.addresses.push_back(*IpAddress::parse("fd00:99::1"));
    with_v6.routes.push_back({*IpAddress::parse("fd00:99:4::"), 48});
    const auto device = TunDevice::open(with_v6);
    ASSERT_TRUE(device) << device.error();
    std::ifstream in("/proc/thread-self/net/ipv6_route");
    const std::string table{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    EXPECT_THAT(table, HasSubstr("fd000099000400000000000000000000 30"));
    EXPECT_THAT(table, HasSubstr("fd000099000000000000000000000001 80"));
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

TEST(TunDevice, AnswersForAddressesOnAnotherDevicesLink) {
  const bool allowed = in_own_network([] {
    const auto other = TunDevice::open({.name = "tunother0", .addresses = {}, .routes = {}});
    ASSERT_TRUE(other) << other.error();
    auto device = TunDevice::open(options());
    ASSERT_TRUE(device) << device.error();
    for (const auto* text : {"10.99.4.7", "fd00:99:4::7"}) {
      const auto address = *IpAddress::parse(text);
      EXPECT_EQ(device->add_proxy("tunother0", address), std::nullopt);
      device->remove_proxy("tunother0", address);
    }
    const auto error = device->add_proxy("nothere0", *IpAddress::parse("10.99.4.7"));
    ASSERT_TRUE(error);
    EXPECT_THAT(*error, HasSubstr("no such device"));
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

TEST(TunDevice, SecondOneOfTheNameIsRefusedWithAReason) {
  const bool allowed = in_own_network([] {
    const auto first = TunDevice::open(options());
    ASSERT_TRUE(first);
    const auto second = TunDevice::open(options());
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error(), HasSubstr("is another agent running?"));
  });
  if (!allowed) GTEST_SKIP() << "needs CAP_SYS_ADMIN for a network namespace";
}

}  // namespace
}  // namespace sluice::agent
