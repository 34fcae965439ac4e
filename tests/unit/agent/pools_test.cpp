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

TEST(PrefixPool, ClaimedAndReservedPrefixesAreNotGivenToOthers) {
  auto pool = make({"2001:db8::/62"}, 64);
  pool.set_reserved({*Prefix::parse("2001:db8:0:1::/64")});
  const Prefix own = *Prefix::parse("2001:db8::/64");
  EXPECT_TRUE(pool.is_free(own));
  pool.claim(own, "alice");
  EXPECT_FALSE(pool.is_free(own));
  EXPECT_FALSE(pool.is_free(*Prefix::parse("2001:db8::/60")));    // all of the pool, and more
  EXPECT_FALSE(pool.is_free(*Prefix::parse("2001:db8::8/125")));  // within the one that is out
  EXPECT_EQ(pool.allocate("bob", kStart)->to_string(), "2001:db8:0:2::/64");
  EXPECT_EQ(pool.allocate("carol", kStart)->to_string(), "2001:db8:0:3::/64");
  EXPECT_FALSE(pool.allocate("dave", kStart));
  pool.release(own, kStart);
  EXPECT_EQ(pool.allocate("alice", kStart), own);
}

TEST(PrefixPool, LongerAndShorterOnesTakeEveryPartTheyTouch) {
  auto pool = make({"2001:db8::/48"}, 56);
  pool.claim(*Prefix::parse("2001:db8:0:4::/62"), "alice");  // a corner of the first
  pool.claim(*Prefix::parse("2001:db8:0:200::/55"), "bob");  // two
  EXPECT_EQ(pool.used(), 3U);
  pool.claim(*Prefix::parse("2001:db8:0:8000::/49"), "carol");
  EXPECT_EQ(pool.used(), 131U);
  pool.release(*Prefix::parse("2001:db8:0:8000::/49"), kStart);
  EXPECT_EQ(pool.used(), 3U);
}

TEST(PrefixPool, PartsBeyondThoseCountedAreNobodys) {
  auto pool = make({"2001::/16"}, 64);
  const auto first = pool.allocate("alice", kStart);
  // The same low bits, far beyond: not the one that is out.
  pool.release(*Prefix::parse("2001:8000::/64"), kStart);
  EXPECT_EQ(pool.used(), 1U);
  EXPECT_FALSE(pool.is_free(*Prefix::parse("2000::/8")));
  EXPECT_FALSE(pool.is_free(*first));
}

TEST(Pools, OwnPrefixIsTakenFromWhicheverPoolHoldsIt) {
  PoolsSettings settings;
  settings.ipv6 = {*Prefix::parse("2001:db8:1::/63")};
  settings.delegated = {*Prefix::parse("2001:db8:2::/55")};
  Pools pools(settings, {});
  const Prefix own = *Prefix::parse("2001:db8:2::/64");  // a link's, out of what is delegated
  EXPECT_TRUE(pools.claim(own, "alice"));
  EXPECT_FALSE(pools.claim(own, "bob"));
  EXPECT_TRUE(pools.claim(*Prefix::parse("2001:db8:9::/48"), "bob"));  // nobody's
  EXPECT_EQ(pools.allocate_delegated("bob", "", kStart).prefix->to_string(), "2001:db8:2:100::/56");
  EXPECT_FALSE(pools.allocate_delegated("carol", "", kStart).prefix);
  pools.release(own, kStart);
  EXPECT_EQ(pools.delegations_used(), 1U);
}

TEST(Pools, PrefixesComeFromTheNamedPoolOrTheRealmsOrTheDefaultOne) {
  PoolsSettings settings;
  settings.ipv6 = {*Prefix::parse("2001:db8:1::/63")};
  settings.named = {{"staff", {}, {"example.net"}, {*Prefix::parse("2001:db8:2::/64")}, {}},
                    {"guests", {}, {}, {}, {*Prefix::parse("2001:db8:3::/56")}}};
  Pools pools(settings, {});
  const auto link = [&](const char* user, const char* pool) {
    return pools.allocate_link(user, pool, kStart);
  };
  EXPECT_EQ(link("alice", "").prefix->to_string(), "2001:db8:1::/64");
  EXPECT_EQ(link("bob@example.net", "").prefix->to_string(), "2001:db8:2::/64");
  const auto full = link("carol", "staff");
  EXPECT_TRUE(full.known);
  EXPECT_FALSE(full.prefix);
  EXPECT_FALSE(link("carol", "guests").known) << "it has networks to delegate only";
  EXPECT_FALSE(link("carol", "nowhere").known);
  EXPECT_EQ(pools.allocate_delegated("carol", "guests", kStart).prefix->to_string(), "2001:db8:3::/56");
  EXPECT_FALSE(pools.allocate("carol", "guests", kStart).known);
  EXPECT_EQ(pools.prefixes_used(), 2U);
  EXPECT_TRUE(pools.contains(*IpAddress::parse("2001:db8:2::7")));
  EXPECT_FALSE(pools.claim(*Prefix::parse("2001:db8:2::/64"), "carol"));
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

TEST(Pools, AReloadKeepsWhatIsOutAndTakesNewRanges) {
  const auto range = [](const char* text) { return *parse_range(text); };
  PoolsSettings settings;
  settings.ranges = {range("10.0.0.1-10.0.0.2")};
  settings.ipv6 = {*Prefix::parse("2001:db8::/63")};
  Pools pools(settings, {});
  const auto alice = pools.allocate("alice", "", kStart).address;
  const auto bob = pools.allocate("bob", "", kStart).address;
  const auto link = pools.allocate_link("alice", "", kStart).prefix;
  EXPECT_FALSE(pools.allocate("carol", "", kStart).address) << "all are out";

  settings.ranges = {range("10.0.0.2-10.0.0.4")};  // 10.0.0.1 goes, two come
  settings.ipv6 = {*Prefix::parse("2001:db8::/62")};
  settings.named = {{"staff", {range("10.0.1.0/24")}, {}}};
  pools.reconfigure(settings, {0x0a000004});
  EXPECT_FALSE(pools.contains(*alice)) << "no longer in a pool, still alice's";
  EXPECT_EQ(pools.used(), 1U);
  const auto carol = pools.allocate("carol", "", kStart).address;
  EXPECT_EQ(carol->to_string(), "10.0.0.3") << "neither bob's nor the reserved one";
  EXPECT_FALSE(pools.allocate("dave", "", kStart).address);
  EXPECT_EQ(pools.allocate("dave", "staff", kStart).address->to_string(), "10.0.1.1");
  EXPECT_NE(pools.allocate_link("bob", "", kStart).prefix, link);

  pools.release(*alice, kStart);  // goes nowhere
  EXPECT_FALSE(pools.allocate("dave", "", kStart + std::chrono::hours(1)).address);
  pools.release(*bob, kStart);
  EXPECT_EQ(pools.allocate("bob", "", kStart).address, bob) << "known from before the reload";
}

TEST(Pools, AReloadKeepsRest) {
  PoolsSettings settings;
  settings.ranges = {*parse_range("10.0.0.1-10.0.0.1")};
  Pools pools(settings, {});
  pools.release(*pools.allocate("alice", "", kStart).address, kStart);
  pools.reconfigure(settings, {});
  EXPECT_FALSE(pools.allocate("bob", "", kStart + std::chrono::seconds(29)).address) << "it rests";
  EXPECT_TRUE(pools.allocate("bob", "", kStart + std::chrono::seconds(30)).address);
}

}  // namespace
}  // namespace sluice::agent
