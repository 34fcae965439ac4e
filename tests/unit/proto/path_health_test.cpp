#include "proto/channel/path_health.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

namespace sluice::channel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Two ends and the way between them, a hello at a time.
struct Ends {
  void run(Duration span) {
    for (const Instant end = now + span; now < end; now += kHelloInterval) {
      const auto from_a = a.tick(now);
      const auto from_b = b.tick(now);
      if (a_to_b) b.on_hello(from_a, now);
      if (b_to_a) a.on_hello(from_b, now);
    }
  }
  bool works() const { return a.udp_works() && b.udp_works(); }

  Instant now{seconds(100)};
  PathHealth a{now}, b{now};
  bool a_to_b = true, b_to_a = true;
};

TEST(PathHealth, WorksWhileBothHearEachOther) {
  Ends ends;
  for (int i = 0; i < 100; ++i) {
    ends.run(milliseconds(150));
    ASSERT_TRUE(ends.works());
  }
}

TEST(PathHealth, SilenceBothWaysIsSeenWithinASecondByBoth) {
  Ends ends;
  ends.run(seconds(3));
  ends.a_to_b = ends.b_to_a = false;
  ends.run(milliseconds(600));
  EXPECT_TRUE(ends.works()) << "a few lost hellos are nothing";
  ends.run(milliseconds(500));
  EXPECT_FALSE(ends.a.udp_works());
  EXPECT_FALSE(ends.b.udp_works());
}

TEST(PathHealth, OneDirectionIsEnoughForBothToLeave) {
  for (const bool first : {false, true}) {
    Ends ends;
    ends.run(seconds(3));
    (first ? ends.a_to_b : ends.b_to_a) = false;
    ends.run(milliseconds(1300));
    EXPECT_FALSE(ends.a.udp_works());
    EXPECT_FALSE(ends.b.udp_works());
  }
}

TEST(PathHealth, APathThatNeverWorkedIsLeft) {
  Ends ends;
  ends.a_to_b = ends.b_to_a = false;
  ends.run(milliseconds(1100));
  EXPECT_FALSE(ends.a.udp_works() || ends.b.udp_works());
}

TEST(PathHealth, ComesBackOnceItWorkedForASecond) {
  Ends ends;
  ends.run(seconds(3));
  ends.a_to_b = ends.b_to_a = false;
  ends.run(seconds(5));
  ends.a_to_b = ends.b_to_a = true;
  ends.run(milliseconds(800));
  EXPECT_FALSE(ends.a.udp_works() || ends.b.udp_works());
  ends.run(milliseconds(1000));
  EXPECT_TRUE(ends.works());
}

TEST(PathHealth, APathThatBreaksAgainSoonWaitsLonger) {
  Ends ends;
  const auto time_to_return = [&] {
    ends.a_to_b = ends.b_to_a = false;
    ends.run(seconds(2));
    ends.a_to_b = ends.b_to_a = true;
    const Instant from = ends.now;
    while (!ends.works() && ends.now - from < seconds(60)) ends.run(kHelloInterval);
    return ends.now - from;
  };
  Duration last = time_to_return();
  EXPECT_LE(last, milliseconds(1500));
  for (int i = 0; i < 3; ++i) {
    const Duration next = time_to_return();
    EXPECT_GE(next, last * 3 / 2);
    last = next;
  }
  for (int i = 0; i < 5; ++i) last = time_to_return();
  EXPECT_LE(last, seconds(17)) << "there is a longest wait";
  ends.run(seconds(40));
  EXPECT_LE(time_to_return(), milliseconds(1500)) << "a calm time makes good";
}

TEST(PathHealth, TrafficStandsInForHellosThatDrown) {
  Ends ends;
  ends.run(seconds(2));
  for (int i = 0; i < 20; ++i) {
    ends.now += milliseconds(150);
    ends.a.tick(ends.now);
    ends.a.on_traffic(ends.now);
    ASSERT_TRUE(ends.a.udp_works());
  }
}

TEST(PathHealth, TrafficOneWayIsNoWorkingPath) {
  Ends ends;
  ends.a_to_b = false;
  for (int i = 0; i < 20; ++i) {
    ends.run(kHelloInterval);
    ends.a.on_traffic(ends.now);
  }
  EXPECT_FALSE(ends.a.udp_works());
}

TEST(PathHello, EveryBitOfItIsReadBack) {
  ByteVector bytes(kHelloBytes);
  for (const bool heard : {false, true}) {
    for (const std::uint32_t number : {0U, 1U, 0x80000000U, 0xffffffffU}) {
      const PathHello hello{heard, number, ~number};
      write_hello(hello, bytes);
      EXPECT_EQ(parse_hello(bytes), hello);
    }
  }
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(parse_hello(Bytes(bytes).first(cut)));
  for (std::size_t bit = 0; bit < 8; ++bit) {
    auto flipped = bytes;
    flipped[0] ^= static_cast<std::uint8_t>(1U << bit);
    EXPECT_FALSE(parse_hello(flipped)) << "another kind";
  }
}

}  // namespace
}  // namespace sluice::channel
