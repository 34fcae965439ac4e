#include "backend-agent/pool/pool.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace sluice::agent {
namespace {

constexpr Instant kStart{std::chrono::hours(1)};
constexpr Duration kQuarantine = std::chrono::seconds(30);

AddressPool make(const char* range, std::unordered_set<std::uint32_t> reserved = {}) {
  return AddressPool({parse_range(range).value()}, std::move(reserved), kQuarantine);
}
std::string text(const std::optional<IpAddress>& address) {
  return address ? address->to_string() : "none";
}

TEST(Range, IsReadInEveryForm) {
  EXPECT_EQ(parse_range("10.0.0.2-10.0.0.9")->size(), 8U);
  EXPECT_EQ(parse_range("10.0.0.0/24")->size(), 254U);
  EXPECT_EQ(parse_range("10.0.0.4/31")->size(), 2U);
  EXPECT_EQ(parse_range("10.0.0.4")->size(), 1U);
  for (const char* bad : {"", "10.0.0.1/24", "10.0.0.0/0", "10.0.0.0/33", "10.0.0.9-10.0.0.2", "::1-::2",
                          "10.0.0.0/24x", "10.0.0.0/", "-", "10.0.0.1-"}) {
    EXPECT_FALSE(parse_range(bad)) << bad;
  }
}

TEST(Range, PrefixesHoldExactlyItsAddresses) {
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    const std::uint32_t first = 0x0a000000 + static_cast<std::uint32_t>(random() % 5000);
    const AddressRange range{first, first + static_cast<std::uint32_t>(random() % 5000)};
    std::uint64_t next = range.first;
    for (const auto& prefix : prefixes_of(range)) {
      EXPECT_EQ(prefix.network.to_v4(), next);
      const std::uint64_t size = std::uint64_t{1} << (32 - prefix.length);
      EXPECT_EQ(next % size, 0U);
      next += size;
    }
    EXPECT_EQ(next, std::uint64_t{range.last} + 1);
  }
  EXPECT_EQ(prefixes_of({0, 0xffffffff}).size(), 1U);
}

TEST(AddressPool, GivesEachAddressOnceAndThenNone) {
  auto pool = make("10.0.0.1-10.0.0.3");
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) seen.insert(text(pool.allocate("u" + std::to_string(i), kStart)));
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_FALSE(seen.contains("none"));
  EXPECT_EQ(pool.free(), 0U);
  EXPECT_FALSE(pool.allocate("late", kStart));
}

TEST(AddressPool, FreedAddressRestsBeforeSomebodyElseGetsIt) {
  auto pool = make("10.0.0.1");
  const auto address = pool.allocate("alice", kStart);
  pool.release(*address, kStart);
  EXPECT_FALSE(pool.allocate("bob", kStart + kQuarantine - std::chrono::nanoseconds(1)));
  EXPECT_EQ(pool.allocate("bob", kStart + kQuarantine), address);
}

TEST(AddressPool, UserGetsItsOldAddressBackAtOnce) {
  auto pool = make("10.0.0.1-10.0.0.9");
  const auto address = pool.allocate("alice", kStart);
  pool.release(*address, kStart);
  EXPECT_NE(pool.allocate("bob", kStart), address);
  EXPECT_EQ(pool.allocate("alice", kStart), address);
  EXPECT_NE(pool.allocate("alice", kStart), address);  // a second session beside the first
}

TEST(AddressPool, ReservedAddressesAreNotGivenOut) {
  auto pool = make("10.0.0.1-10.0.0.2", {0x0a000001});
  EXPECT_EQ(pool.free(), 1U);
  EXPECT_EQ(text(pool.allocate("u", kStart)), "10.0.0.2");
  EXPECT_FALSE(pool.allocate("v", kStart));
  pool.set_reserved({});
  EXPECT_EQ(text(pool.allocate("v", kStart)), "10.0.0.1");
}

TEST(AddressPool, ReleaseOfWhatIsNotOutChangesNothing) {
  auto pool = make("10.0.0.1");
  pool.release(IpAddress::v4(0x0a000001), kStart);
  pool.release(IpAddress::v4(0x0a000001), kStart);
  EXPECT_TRUE(pool.allocate("u", kStart));
  EXPECT_FALSE(pool.allocate("v", kStart + kQuarantine));
}

TEST(AddressPool, AgreesWithANaiveModel) {
  std::mt19937 random(3);
  auto pool = make("10.0.0.1-10.0.0.20");
  std::map<std::uint32_t, std::string> out;                         // address, user
  std::map<std::uint32_t, std::pair<std::string, Instant>> rested;  // address, last user and when
  Instant now = kStart;
  for (int i = 0; i < 20000; ++i) {
    now += std::chrono::milliseconds(random() % 3000);
    if (random() % 2 == 0 || out.empty()) {
      const std::string user = "u" + std::to_string(random() % 30);
      const auto address = pool.allocate(user, now);
      if (!address) {
        // Nobody may be refused while an address has rested long enough.
        ASSERT_EQ(out.size() + rested.size(), 20U);
        for (const auto& [a, last] : rested) ASSERT_GT(last.second + kQuarantine, now);
        continue;
      }
      ASSERT_FALSE(out.contains(address->to_v4()));
      const auto before = rested.find(address->to_v4());
      if (before != rested.end()) {
        ASSERT_TRUE(before->second.first == user || before->second.second + kQuarantine <= now);
        rested.erase(before);
      }
      out[address->to_v4()] = user;
    } else {
      auto it = out.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random() % out.size()));
      pool.release(IpAddress::v4(it->first), now);
      rested[it->first] = {it->second, now};
      out.erase(it);
    }
    ASSERT_EQ(pool.used(), out.size());
    ASSERT_EQ(pool.free(), 20 - out.size());
  }
}

}  // namespace
}  // namespace sluice::agent
