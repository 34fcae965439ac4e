#include "backend-agent/pool/pools.hpp"

#include <gtest/gtest.h>

#include <set>

namespace sluice::agent {
namespace {

constexpr Instant kStart{std::chrono::hours(1)};

PrefixPool make(std::vector<std::string> bases, std::uint8_t length) {
  std::vector<Prefix> out;
  for (const auto& base : bases) out.push_back(*Prefix::parse(base));
  return PrefixPool(std::move(out), length, std::chrono::seconds(30));
}

TEST(PrefixPool, GivesEachPrefixOnceAcrossItsBases) {
  auto pool = make({"2001:db8:1::/62", "2001:db8:2:fffe::/63"}, 64);
  std::set<std::string> seen;
  for (int i = 0; i < 6; ++i) seen.insert(pool.allocate("u" + std::to_string(i), kStart)->to_string());
  EXPECT_EQ(seen,
            (std::set<std::string>{"2001:db8:1::/64", "2001:db8:1:1::/64", "2001:db8:1:2::/64",
                                   "2001:db8:1:3::/64", "2001:db8:2:fffe::/64", "2001:db8:2:ffff::/64"}));
  EXPECT_FALSE(pool.allocate("late", kStart));
  pool.release(*Prefix::parse("2001:db8:2:ffff::/64"), kStart);
  EXPECT_FALSE(pool.allocate("late", kStart));  // it rests
  EXPECT_EQ(pool.allocate("late", kStart + std::chrono::seconds(30))->to_string(), "2001:db8:2:ffff::/64");
}

TEST(PrefixPool, UserGetsItsPrefixBack) {
  auto pool = make({"2001:db8::/32"}, 56);
  const auto first = pool.allocate("alice", kStart);
  EXPECT_EQ(first->length, 56);
  pool.release(*first, kStart);
  pool.allocate("bob", kStart);
  EXPECT_EQ(pool.allocate("alice", kStart), first);
}

TEST(PrefixPool, ForeignPrefixesAndNoBasesAreHarmless) {
  auto pool = make({"2001:db8::/48"}, 64);
  pool.release(*Prefix::parse("2001:db8:9::/64"), kStart);
  pool.release(*Prefix::parse("2001:db8::/56"), kStart);
  EXPECT_EQ(pool.used(), 0U);
  EXPECT_FALSE(make({}, 64).allocate("u", kStart));
}

TEST(Pools, ClaimedAddressIsNotGivenToOthers) {
  PoolsSettings settings;
  settings.ranges = {*parse_range("10.0.0.1-10.0.0.2")};
  Pools pools(settings, {});
  EXPECT_TRUE(pools.claim(*IpAddress::parse("10.0.0.1"), "alice"));
  EXPECT_FALSE(pools.claim(*IpAddress::parse("10.0.0.1"), "bob"));
  EXPECT_TRUE(pools.claim(*IpAddress::parse("192.0.2.1"), "bob"));  // nobody's range
  EXPECT_EQ(pools.allocate("bob", "", kStart).address->to_string(), "10.0.0.2");
  EXPECT_FALSE(pools.allocate("carol", "", kStart).address);
  EXPECT_EQ(pools.free(), 0U);
  pools.release(*IpAddress::parse("10.0.0.1"), kStart);
  EXPECT_EQ(pools.allocate("alice", "", kStart).address->to_string(), "10.0.0.1");
}

TEST(Pools, RealmOfAUserInBothForms) {
  EXPECT_EQ(realm_of("bob@a@example.net"), "example.net");
  EXPECT_EQ(realm_of("CORP\\bob"), "CORP");
  EXPECT_EQ(realm_of("bob"), "");
}

}  // namespace
}  // namespace sluice::agent
