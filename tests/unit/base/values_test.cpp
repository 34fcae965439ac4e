#include <gtest/gtest.h>

#include <thread>

#include "base/ip.hpp"
#include "base/secret.hpp"
#include "base/spsc_queue.hpp"
#include "base/text.hpp"

namespace sluice {
namespace {

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
  for (const char* text : {"192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "::ffff:192.0.2.1"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
    EXPECT_EQ(IpAddress::from_bytes(address->bytes()), address);
  }
  for (const char* text : {"", "192.0.2", "192.0.2.256", "1.2.3.4/24", "fe80::1%eth0", "[::1]"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(Endpoint, WantsBracketsAroundIpv6Only) {
  EXPECT_EQ(Endpoint::parse("192.0.2.1:4500")->port, 4500);
  EXPECT_EQ(Endpoint::parse("[2001:db8::1]:1")->to_string(), "[2001:db8::1]:1");
  for (const char* text :
       {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "2001:db8::1:1", "[192.0.2.1]:1", "192.0.2.1:1x"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(Prefix, ParsesPrintsAndKnowsItsAddresses) {
  for (const char* text : {"10.0.0.0/8", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/56", "::/0"}) {
    const auto prefix = Prefix::parse(text);
    ASSERT_TRUE(prefix) << text;
    EXPECT_EQ(prefix->to_string(), text);
  }
  EXPECT_EQ(Prefix::parse("192.0.2.1")->to_string(), "192.0.2.1/32");
  for (const char* text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "2001:db8::1/64", "10.0.0.0/8x"})
    EXPECT_FALSE(Prefix::parse(text)) << text;
  const Prefix prefix = *Prefix::parse("2001:db8:0:80::/57");
  EXPECT_TRUE(prefix.contains(*IpAddress::parse("2001:db8:0:ff::1")));
  EXPECT_FALSE(prefix.contains(*IpAddress::parse("2001:db8:0:7f::1")));
  EXPECT_FALSE(prefix.contains(*IpAddress::parse("10.0.0.1")));
}

TEST(Escaped, MakesPeerTextHarmless) {
  EXPECT_EQ(escaped("plain user"), "plain user");
  EXPECT_EQ(escaped("a\x1b[31m\n\"\\\xff"), "a\\x1b[31m\\x0a\\x22\\x5c\\xff");
  EXPECT_EQ(escaped("abcdef", 3), "abc...");
}

TEST(Hex, RoundTripsAndRefusesGarbage) {
  const auto bytes = from_hex("00 ff:1A\n2b");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(to_hex(*bytes), "00ff1a2b");
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("zz"));
}

TEST(Nearest, SuggestsOnlyWhatIsClose) {
  const std::array<std::string_view, 3> known{"listen.addresses", "edge.name", "log.level"};
  EXPECT_EQ(nearest("listen.adresses", known), "listen.addresses");
  EXPECT_EQ(nearest("quite.different", known), std::nullopt);
}

TEST(Secret, ComparesAndMoves) {
  Secret a(std::string_view("key"));
  EXPECT_TRUE(equal_constant_time(a.bytes(), as_bytes("key")));
  EXPECT_FALSE(equal_constant_time(a.bytes(), as_bytes("kez")));
  EXPECT_FALSE(equal_constant_time(a.bytes(), as_bytes("ke")));
  Secret b = std::move(a);
  EXPECT_EQ(b.text(), "key");
  EXPECT_EQ(b.clone().text(), "key");
}

TEST(SpscQueue, RefusesWhenFullAndKeepsTheItem) {
  SpscQueue<std::string> queue(2);
  EXPECT_TRUE(queue.push("a"));
  EXPECT_TRUE(queue.push("b"));
  std::string c = "c";
  EXPECT_FALSE(queue.push(std::move(c)));
  EXPECT_EQ(c, "c");
  EXPECT_EQ(queue.pop(), "a");
  EXPECT_TRUE(queue.push(std::move(c)));
}

TEST(SpscQueue, KeepsOrderAcrossThreads) {
  constexpr int kItems = 200'000;
  SpscQueue<int> queue(64);
  std::thread producer([&] {
    for (int i = 0; i < kItems;) {
      int item = i;
      if (queue.push(std::move(item))) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  int expected = 0;
  while (expected < kItems) {
    if (const auto item = queue.pop()) {
      ASSERT_EQ(*item, expected);
      ++expected;
    } else {
      std::this_thread::yield();
    }
  }
  producer.join();
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace sluice
