#include "edge/dataplane/ike_guard.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/edge_dataplane/ike_messages.hpp"

namespace sluice::edge::testing {
namespace {

using namespace std::chrono_literals;

IpAddress address(std::uint_fast32_t number) {
  return IpAddress::v4(static_cast<std::uint32_t>(number));
}

struct Guarded {
  explicit Guarded(IkeLimits limits = {}) : guard(limits) {}

  std::optional<IkeDrop> first(const IpAddress& from, std::uint64_t spi = 1) {
    return guard.admit(from, main_mode(spi), now).drop;
  }
  IkeGuard::Verdict later(const IpAddress& from, std::uint64_t responder) {
    return guard.admit(from, main_mode(1, responder), now);
  }
  /// How many of `tries` first messages pass.
  int passed(const IpAddress& from, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += first(from) ? 0 : 1;
    return count;
  }
  void prove(const IpAddress& from, std::uint64_t responder = 77) {
    guard.expect(from, responder);
    ASSERT_TRUE(later(from, responder).proven);
  }

  IkeGuard guard;
  Instant now{1h};
};

TEST(IkeGuard, LetsAHandshakeThrough) {
  Guarded g;
  const auto client = address(0xcb007105);
  EXPECT_FALSE(g.guard.admit(client, main_mode(1), g.now).proven);
  g.guard.expect(client, 42);
  const auto verdict = g.later(client, 42);
  EXPECT_FALSE(verdict.drop);
  EXPECT_TRUE(verdict.proven);
}

TEST(IkeGuard, RatesMayChangeWhileItRuns) {
  Guarded g({.per_source = 1, .per_prefix = 0, .new_sources = 0, .key = {}});
  const auto client = address(0xcb007105);
  EXPECT_EQ(g.passed(client, 10), 4) << "four seconds' worth at once";
  g.guard.set_rates(0, 0, 0);
  EXPECT_EQ(g.passed(client, 10), 10) << "no limit";
}

TEST(IkeGuard, AnIkev2CookieSentBackProvesItsSender) {
  Guarded g;
  const auto client = address(0xcb007105);
  EXPECT_FALSE(g.guard.admit(client, sa_init_with_cookie(1, 99), g.now).proven);
  g.guard.expect(client, 99);
  EXPECT_TRUE(g.guard.admit(client, sa_init_with_cookie(1, 99), g.now).proven);
}

TEST(IkeGuard, WhatOneAddressWasToldProvesNoOther) {
  Guarded g;
  g.guard.expect(address(1), 42);
  EXPECT_FALSE(g.later(address(2), 42).proven);
  EXPECT_FALSE(g.later(address(1), 43).proven);
  EXPECT_TRUE(g.later(address(1), 42).proven);
}

TEST(IkeGuard, AnAddressThatNeverAnswersGetsTheShareOfStrangers) {
  Guarded g;
  const int burst = g.passed(address(9), 5000);
  EXPECT_LE(burst, 60);
  g.now += 10s;
  EXPECT_LE(g.passed(address(9), 5000), 50);
}

// Any number of honest clients behind one NAT: 200 dial at the same moment.
TEST(IkeGuard, TwoHundredClientsBehindOneNatAllConnectWithinTheirFirstResend) {
  Guarded g;
  const auto nat = address(0xcb007105);
  std::vector<std::uint64_t> waiting(200);
  for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i] = i + 1;
  const auto round = [&] {
    std::vector<std::uint64_t> refused;
    for (const auto spi : waiting) {
      g.now += 10us;
      if (g.first(nat, spi)) refused.push_back(spi);
      // The answer to the first is back after 5 ms.
      if (spi % 20 == 0) {
        g.guard.expect(nat, 1000 + spi);
        EXPECT_FALSE(g.later(nat, 1000 + spi).drop);
      }
    }
    waiting = refused;
  };
  round();
  g.now += 1s;
  round();
  EXPECT_TRUE(waiting.empty());
}

TEST(IkeGuard, AProvenAddressHasABudgetToo) {
  Guarded g;
  g.prove(address(9));
  const int burst = g.passed(address(9), 5000);
  EXPECT_EQ(burst, 400);
  g.now += 1s;
  EXPECT_EQ(g.passed(address(9), 5000), 100);
}

TEST(IkeGuard, LiveSasAreAllowanceEnoughUntilTheLastIsGone) {
  Guarded g;
  const auto client = address(9);
  g.guard.add_live(client);
  g.guard.add_live(client);
  EXPECT_FALSE(g.later(client, 5).drop);
  EXPECT_TRUE(g.later(client, 5).proven);
  g.guard.remove_live(client);
  EXPECT_TRUE(g.later(client, 5).proven);
  g.guard.remove_live(client);
  EXPECT_FALSE(g.later(client, 5).proven);
  EXPECT_EQ(g.guard.live_sources(), 0U);
  g.guard.remove_live(client);
  EXPECT_EQ(g.guard.live_sources(), 0U);
}

TEST(IkeGuard, MessagesOfHandshakesThatWeNeverAnsweredShareOneSmallBudget) {
  Guarded g;
  int passed = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i) passed += g.later(address(i), 5).drop ? 0 : 1;
  EXPECT_EQ(passed, 50);
  EXPECT_EQ(g.later(address(1), 5).drop, IkeDrop::kUnknownSa);
}

TEST(IkeGuard, OneNetworkOfStrangersCannotUseUpWhatAllHave) {
  IkeLimits limits;
  limits.per_prefix = 10;
  Guarded g(limits);
  int passed = 0;
  for (std::uint32_t host = 1; host < 255; ++host) passed += g.first(address(0xcb007100 + host)) ? 0 : 1;
  EXPECT_EQ(passed, 40);
  EXPECT_EQ(g.first(address(0xcb007101)), IkeDrop::kPrefixRate);
  EXPECT_FALSE(g.first(address(0xc6336401))) << "another network is not concerned";
}

TEST(IkeGuard, AnIpv6CustomerIsOneNetwork) {
  IkeLimits limits;
  limits.per_prefix = 1;
  Guarded g(limits);
  int passed = 0;
  for (int i = 1; i < 200; ++i) {
    const auto source =
        *IpAddress::parse("2001:db8:0:12" + std::to_string(10 + i % 90) + "::" + std::to_string(i));
    passed += g.first(source) ? 0 : 1;
  }
  EXPECT_EQ(passed, 4);
}

/// 20 000 forged first messages a second, and honest clients that come one each second and resend after 1, 3
/// and 7 s. Once it is plain who floods, after some seconds, each is let in within 4 s.
void flood(std::uint32_t sources) {
  std::mt19937 dice(5);
  Guarded g;
  const Instant start = g.now;
  struct Honest {
    IpAddress place;
    Instant begun;
    std::optional<Instant> in;
  };
  std::vector<Honest> honest;
  std::uint64_t admitted = 0;
  std::multimap<Instant, std::size_t> tries;
  for (int ms = 0; ms < 30'000; ++ms) {
    g.now += 1ms;
    for (int i = 0; i < 20; ++i) {
      const auto from = sources == 0 ? dice() : 0x0a000000U + 131 * (dice() % sources);
      admitted += g.first(address(from)) ? 0 : 1;
    }
    if (ms % 1000 == 500) {
      for (const auto delay : {0s, 1s, 3s, 7s}) tries.emplace(g.now + delay, honest.size());
      honest.push_back({address(0xcb000000U + dice() % 0xffff), g.now, {}});
    }
    for (; !tries.empty() && tries.begin()->first <= g.now; tries.erase(tries.begin())) {
      auto& client = honest[tries.begin()->second];
      if (!client.in && !g.first(client.place)) client.in = g.now;
    }
  }
  EXPECT_LE(admitted, 30U * 225 + 500) << "what the IKE daemon has to bear";
  for (const auto& client : honest) {
    if (g.now - client.begun < 8s) continue;
    ASSERT_TRUE(client.in) << "of " << sources << " sources";
    EXPECT_LE(*client.in - client.begun, client.begun - start < 5s ? 7s : 4s);
  }
}

TEST(IkeGuard, NewcomersGetInDuringAFloodFromTenThousandAddresses) {
  flood(10'000);
}

TEST(IkeGuard, NewcomersGetInByTheirResendsWhenEachForgedPacketHasAnotherAddress) {
  flood(0);
}

TEST(IkeGuard, AnAddressThatDialsEachHourIsNoFlooder) {
  Guarded g;
  const auto regular = address(0xcb007105);
  for (int i = 0; i < 10; ++i, g.now += 1h) EXPECT_FALSE(g.first(regular));
  // Who asks without end uses up what there is for askers without end, and not what there is for others.
  while (!g.first(address(9))) {
  }
  EXPECT_FALSE(g.first(regular));
}

TEST(IkeGuard, ProvenAddressesKeepTheirPlaceInAFlood) {
  std::mt19937 dice(5);
  Guarded g;
  std::vector<IpAddress> proven;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    proven.push_back(address(0xcb000000U + i * 7));
    g.prove(proven.back());
  }
  for (int i = 0; i < 500'000; ++i) {
    if (i % 20 == 0) g.now += 1ms;
    g.first(address(dice()));
  }
  int lost = 0;
  for (const auto& client : proven) lost += g.first(client) ? 1 : 0;
  EXPECT_EQ(lost, 0);
}

TEST(IkeGuard, ZeroIsNoLimit) {
  Guarded g({.per_source = 0, .per_prefix = 0, .new_sources = 0, .key = {}});
  EXPECT_EQ(g.passed(address(1), 10'000), 10'000);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(g.later(address(2), 5).drop);
}

TEST(IkeGuard, WhatIsNoIkeIsMalformed) {
  Guarded g;
  EXPECT_EQ(g.guard.admit(address(1), as_bytes("GET / HTTP/1.1\r\n\r\nHost: example.org"), g.now).drop,
            IkeDrop::kMalformed);
  EXPECT_EQ(g.guard.admit(address(1), Bytes(), g.now).drop, IkeDrop::kMalformed);
  EXPECT_EQ(g.guard.admit(address(1), sa_init_with_cookie(1, 2, 0x20), g.now).drop, IkeDrop::kMalformed)
      << "an answer to a handshake that we never began";
}

}  // namespace
}  // namespace sluice::edge::testing
