// Named filters: what of a session's packets may pass.
#include "backend-agent/filter/filter.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/lns_world.hpp"

namespace sluice::agent {
namespace {

using test::kInside;

Filter filter(std::initializer_list<const char*> lines) {
  std::vector<FilterRule> rules;
  for (const char* line : lines) {
    const auto rule = parse_filter_rule(line);
    EXPECT_TRUE(rule) << line;
    if (rule) rules.push_back(*rule);
  }
  return Filter(std::move(rules));
}

const IpAddress kClient = *IpAddress::parse("10.99.0.7");

ByteVector v4(std::uint8_t protocol, const char* far, std::uint16_t port, bool up) {
  const IpAddress other = *IpAddress::parse(far);
  auto out = up ? test::ipv4(kClient, other) : test::ipv4(other, kClient);
  out[9] = protocol;
  store_be16(out.data() + 20, up ? 5555 : port);
  store_be16(out.data() + 22, up ? port : 5555);
  return out;
}

TEST(Filter, FirstRuleThatFitsDecidesInBothDirectionsAndTheRestIsDropped) {
  const Filter guests =
      filter({"deny 10.1.0.0/16", "allow tcp any 443", "allow udp 192.0.2.53 53", "allow icmp any"});
  for (const bool up : {true, false}) {
    EXPECT_FALSE(guests.passes(v4(6, "10.1.2.3", 443, up), up));
    EXPECT_TRUE(guests.passes(v4(6, "10.2.2.3", 443, up), up));
    EXPECT_FALSE(guests.passes(v4(6, "10.2.2.3", 80, up), up));
    EXPECT_FALSE(guests.passes(v4(17, "10.2.2.3", 443, up), up));
    EXPECT_TRUE(guests.passes(v4(17, "192.0.2.53", 53, up), up));
    EXPECT_TRUE(guests.passes(v4(1, "10.2.2.3", 9, up), up));
    EXPECT_FALSE(guests.passes(v4(47, "10.2.2.3", 9, up), up));
  }
  EXPECT_FALSE(guests.passes({}, true));
  EXPECT_TRUE(filter({"allow any"}).passes(v4(47, "10.1.2.3", 9, true), true));
}

TEST(Filter, LaterFragmentsHaveNoPorts) {
  auto packet = v4(6, "10.2.2.3", 80, true);
  packet[7] = 1;
  EXPECT_TRUE(filter({"allow tcp any 443"}).passes(packet, true));
  EXPECT_TRUE(filter({"deny tcp any 80", "allow any"}).passes(packet, true));
  EXPECT_FALSE(filter({"deny tcp any", "allow any"}).passes(packet, true));
}

TEST(Filter, Ipv6IsReadThroughItsExtensionHeaders) {
  auto packet = test::ipv6("fd00::7", "2001:db8:1::1", 120);
  packet[6] = 0;  // hop-by-hop, then destination options, then TCP
  const std::size_t at = 40;
  packet[at] = 60, packet[at + 1] = 0;
  packet[at + 8] = 6, packet[at + 9] = 1;
  store_be16(packet.data() + at + 24 + 2, 443);
  EXPECT_TRUE(filter({"allow tcp 2001:db8::/32 443"}).passes(packet, true));
  EXPECT_FALSE(filter({"allow tcp 2001:db8::/32 80"}).passes(packet, true));
  EXPECT_FALSE(filter({"allow tcp 10.0.0.0/8 443"}).passes(packet, true));
  EXPECT_FALSE(filter({"allow tcp 2001:db8::/32 443"}).passes(packet, false)) << "the far end is the source";
  packet[6] = 58;
  EXPECT_TRUE(filter({"allow icmp any"}).passes(packet, true));
}

TEST(Filter, NeitherCutNorFlippedPacketsHarmIt) {
  const Filter rules =
      filter({"deny tcp fd00::/8 443", "allow tcp any 1-65535", "deny 10.0.0.0/8", "allow any"});
  auto six = test::ipv6("fd00::7", "2001:db8:1::1", 100);
  six[6] = 44;
  for (const auto& good : {v4(6, "10.2.2.3", 443, true), six}) {
    for (std::size_t size = 0; size <= good.size(); ++size) rules.passes(Bytes(good).first(size), true);
    auto bent = good;
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
      bent[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      rules.passes(bent, true);
      rules.passes(bent, false);
      bent[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    }
  }
}

TEST(Filter, RulesThatMakeNoSenseAreRefusedWithAReason) {
  for (const char* line :
       {"", "permit any", "allow", "allow 10.0.0.0/33", "allow tcp any 0-99999", "allow any 80",
        "allow tcp any 90-80", "allow icmp any 80", "allow tcp any 80 90", "deny 300 any"}) {
    const auto rule = parse_filter_rule(line);
    ASSERT_FALSE(rule) << line;
    EXPECT_NE(rule.error().find("\"" + std::string(line) + "\""), std::string::npos);
  }
}

TEST(Filter, OfASessionOutlivesTheConfigurationThatNamedIt) {
  test::LnsWorld world;
  world.filters = std::make_shared<const Filters>(Filters{{"web", filter({"allow tcp any 443"})}});
  world.lns = world.make();
  world.policy.filter = "web";
  auto& client = world.dial(1);
  world.settle();
  const IpAddress mine = client.up->addresses.local;
  world.filters = std::make_shared<const Filters>();
  world.lns->set_profile(world.settings());
  EXPECT_FALSE(world.from_inside(test::ipv4(kInside, mine)));
  world.lns->change_policy({SessionSerial(1), {.rate_up = 1'000'000, .filter = "web"}}, world.here());
  EXPECT_FALSE(world.from_inside(test::ipv4(kInside, mine))) << "never without it for want of its name";
  world.lns->change_policy({SessionSerial(1), {}}, world.here());
  EXPECT_TRUE(world.from_inside(test::ipv4(kInside, mine)));
}

TEST(Filter, HoldsForASessionAndMayBeChangedWhileItLasts) {
  test::LnsWorld world;
  world.filters = std::make_shared<const Filters>(Filters{{"web", filter({"allow tcp any 443"})}});
  world.lns = world.make();
  world.policy.filter = "web";
  auto& client = world.dial(1);
  world.settle();
  const IpAddress mine = client.up->addresses.local;
  world.deliver(client.key, client.ip(test::ipv4(mine, kInside)));
  EXPECT_TRUE(world.tun.empty());
  EXPECT_EQ(world.lns->drops().read(LnsDrop::kFilterUp), 1U);
  EXPECT_FALSE(world.from_inside(test::ipv4(kInside, mine)));
  EXPECT_EQ(world.lns->drops().read(LnsDrop::kFilterDown), 1U);
  world.move(client);
  EXPECT_FALSE(world.from_inside(test::ipv4(kInside, mine))) << "it holds elsewhere, too";
  world.lns->change_policy({SessionSerial(1), {}}, world.here());
  EXPECT_TRUE(world.from_inside(test::ipv4(kInside, mine)));
  const auto value = world.lns->snapshot(client.key, world.here());
  TunnelValue strange = *value;
  strange.sessions[0].policy.filter = "nowhere";
  test::LnsWorld other;
  const auto out = other.lns->restore(client.key, 3, strange, other.here());
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error(), RestoreFault::kNoFilter);
}

}  // namespace
}  // namespace sluice::agent
