#include "backend-agent/tun/tun_device.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

namespace sluice::agent {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Runs `body` on a thread in a network namespace of its own; false where that is not allowed.
bool in_own_network(const std::function<void()>& body) {
  bool allowed = false;
  std::thread([&] {
    allowed = ::unshare(CLONE_NEWNET) == 0;
    if (allowed) body();
  }).join();
  return allowed;
}
std::string routes() {
  std::ifstream in("/proc/thread-self/net/route");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
TunOptions options() {
  TunOptions out;
  out.name = "tuntest0";
  out.mtu = 1300;
  out.address = *IpAddress::parse("10.99.0.1");
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
      const app::UniqueFd fd = device->take_fd();
      EXPECT_NE(::if_nametoindex("tuntest0"), 0U);
    }
    EXPECT_EQ(::if_nametoindex("tuntest0"), 0U);
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
