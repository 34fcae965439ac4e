#include "lab/swarm/sources.hpp"

#include <gtest/gtest.h>

#include <set>

namespace sluice::swarm {
namespace {

TEST(Sources, OneAddressAndManyPorts) {
  const auto sources = Sources::parse("10.9.0.1:20000-20002");
  ASSERT_TRUE(sources.ok());
  EXPECT_EQ(sources.value().size(), 3U);
  EXPECT_EQ(sources.value().of(0).to_string(), "10.9.0.1:20000");
  EXPECT_EQ(sources.value().of(2).to_string(), "10.9.0.1:20002");
  EXPECT_EQ(sources.value().ports(), (std::vector<std::uint16_t>{20000, 20001, 20002}));
}

TEST(Sources, ANetworkIsWithoutItsEnds) {
  const auto sources = Sources::parse("10.9.0.0/30:4500");
  ASSERT_TRUE(sources.ok());
  EXPECT_EQ(sources.value().size(), 2U);
  EXPECT_EQ(sources.value().of(0).to_string(), "10.9.0.1:4500");
  EXPECT_EQ(sources.value().of(1).to_string(), "10.9.0.2:4500");
}

TEST(Sources, EachClientHasItsOwnPlace) {
  const auto sources = Sources::parse("10.9.0.250-10.9.1.5:4500-4503");
  ASSERT_TRUE(sources.ok());
  EXPECT_EQ(sources.value().size(), 48U);
  std::set<std::string> seen;
  for (std::uint64_t i = 0; i < sources.value().size(); ++i) seen.insert(sources.value().of(i).to_string());
  EXPECT_EQ(seen.size(), 48U);
}

TEST(Sources, WrongOnesAreNamed) {
  for (const char* text :
       {"", ":", "10.9.0.1", "10.9.0.1:", "10.9.0.1:0", "10.9.0.1:70000", "10.9.0.1:5-4", "10.9.0.1:4500x",
        "10.9.0.9-10.9.0.1:4500", "2001:db8::1:4500", "10.9.0.0/7:1", "10.9.0.1/30:1", "host:4500"}) {
    const auto sources = Sources::parse(text);
    ASSERT_FALSE(sources.ok()) << text;
    EXPECT_NE(sources.error().find(text), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace sluice::swarm
