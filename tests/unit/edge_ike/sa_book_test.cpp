#include "edge/ike/sa_book.hpp"

#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

const IpAddress kOurs = *IpAddress::parse("203.0.113.1"), kTheirs = *IpAddress::parse("198.51.100.9"),
                kMoved = *IpAddress::parse("198.51.100.10");

TEST(IkeSaNumbers, NeverRepeatWhenCharonCountsAnew) {
  IkeSaNumbers numbers;
  const IkeSaId first = numbers.to_edge(7);
  EXPECT_EQ(numbers.to_charon(first), 7u);
  numbers.charon_restarted();
  const IkeSaId second = numbers.to_edge(1);
  EXPECT_GT(second, first);
  EXPECT_EQ(numbers.to_charon(second), 1u);
  EXPECT_EQ(numbers.to_charon(first), std::nullopt);
  EXPECT_EQ(numbers.to_edge(0), IkeSaId{});
}

TEST(SaDirections, TellInboundFromOutboundWithOneSpi) {
  SaDirections directions;
  directions.add(Spi(5), kOurs, true);
  directions.add(Spi(5), kTheirs, false);
  EXPECT_TRUE(directions.inbound(Spi(5), kOurs, false));
  EXPECT_FALSE(directions.inbound(Spi(5), kTheirs, true));
  directions.move(Spi(5), kTheirs, kMoved);
  EXPECT_FALSE(directions.inbound(Spi(5), kMoved, true));
  directions.remove(Spi(5), kOurs);
  EXPECT_FALSE(directions.inbound(Spi(5), kOurs, false)) << "a hint for what is not known";
}

TEST(Children, ComeAndGoOnce) {
  Children children;
  EXPECT_TRUE(children.add({IkeSaId(1), Spi(5), Spi(6)}));
  EXPECT_FALSE(children.add({IkeSaId(1), Spi(5), Spi(6)}));
  children.move(IkeSaId(1), IkeSaId(2));
  const auto child = children.take(Spi(5));
  ASSERT_TRUE(child);
  EXPECT_EQ(child->ike_sa, IkeSaId(2));
  EXPECT_EQ(child->outbound, Spi(6));
  EXPECT_FALSE(children.take(Spi(5)));
}

}  // namespace
}  // namespace sluice::edge
