#include "backend-agent/radius/accounting.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/accounting_record.hpp"

namespace sluice::agent {
namespace {

namespace attr = radius::attr;
using std::chrono::seconds;
using test::Record;

struct World {
  World(std::size_t max_kept = 100)
      : accounting({.nas = {"agent1", IpAddress::parse("10.0.0.1")},
                    .random = random,
                    .send =
                        [this](radius::Draft draft, std::function<void(bool)> done) {
                          sent.emplace_back(std::move(draft));
                          waiting.push_back(std::move(done));
                        },
                    .ask_counters = [this](SessionSerial session) { asked.push_back(session); },
                    .unix_seconds = [this] { return unix_time; },
                    .max_kept = max_kept}) {}
  void start(std::uint64_t serial = 1, seconds interim = seconds(0)) {
    AccountedSession session;
    session.caller.session = SessionSerial(serial);
    session.caller.session_id = "run-" + std::to_string(serial);
    session.caller.correlation_id = "peer-9";
    session.caller.client = *Endpoint::parse("203.0.113.9:4500");
    session.caller.called = "edge1";
    session.user = "alice";
    session.address = *IpAddress::parse("10.99.0.2");
    session.ipv6_prefix = Prefix::parse("2001:db8::/64");
    session.classes = {{1, 2}, {3}};
    session.interim = interim;
    session.by_radius = true;
    accounting.start(std::move(session), now);
  }
  void pass(seconds time) {
    now += time;
    unix_time += time.count();
    accounting.on_timeout(now);
  }
  sluice::test::SeededRandom random{1};
  Instant now{std::chrono::hours(1)};
  std::int64_t unix_time = 1'800'000'000;
  std::vector<Record> sent;
  std::vector<std::function<void(bool)>> waiting;
  std::vector<SessionSerial> asked;
  Accounting accounting;
};

TEST(Accounting, StartSaysWhoAndWhere) {
  World world;
  world.start();
  const Record& record = world.sent.at(0);
  EXPECT_EQ(record.number(attr::kAcctStatusType), 1U);
  EXPECT_EQ(record.text(attr::kUserName), "alice");
  EXPECT_EQ(record.text(attr::kAcctSessionId), "run-1");
  EXPECT_EQ(record.text(attr::kAcctMultiSessionId), "peer-9");
  EXPECT_EQ(record.text(attr::kNasIdentifier), "agent1");
  EXPECT_EQ(record.number(attr::kNasIpAddress), 0x0a000001U);
  EXPECT_EQ(record.number(attr::kNasPortType), 5U);
  EXPECT_EQ(record.text(attr::kCallingStationId), "203.0.113.9");
  EXPECT_EQ(record.text(attr::kTunnelClientEndpoint), "203.0.113.9");
  EXPECT_EQ(record.text(attr::kCalledStationId), "edge1");
  EXPECT_EQ(record.number(attr::kFramedIpAddress), 0x0a630002U);
  EXPECT_EQ(record.number(attr::kAcctAuthentic), 1U);
  EXPECT_EQ(record.number(attr::kEventTimestamp), 1'800'000'000U);
  EXPECT_EQ(to_hex(*radius::test::parsed(record.bytes).first(attr::kFramedIpv6Prefix)),
            "004020010db8000000000000000000000000");
  EXPECT_EQ(radius::read_grant(radius::test::parsed(record.bytes)).classes.size(), 2U);
}

TEST(Accounting, StopCountsBeyondFourGigabytes) {
  World world;
  world.start();
  world.pass(seconds(90));
  world.accounting.stop(SessionSerial(1), "idle-timeout", {7, 8, (5ULL << 32) + 11, 12}, world.now);
  const Record& record = world.sent.at(1);
  EXPECT_EQ(record.number(attr::kAcctStatusType), 2U);
  EXPECT_EQ(record.number(attr::kAcctSessionTime), 90U);
  EXPECT_EQ(record.number(attr::kAcctInputOctets), 11U);
  EXPECT_EQ(record.number(attr::kAcctInputGigawords), 5U);
  EXPECT_EQ(record.number(attr::kAcctOutputOctets), 12U);
  EXPECT_FALSE(record.has(attr::kAcctOutputGigawords));
  EXPECT_EQ(record.number(attr::kAcctInputPackets), 7U);
  EXPECT_EQ(record.number(attr::kAcctOutputPackets), 8U);
  EXPECT_EQ(record.number(attr::kAcctTerminateCause), 4U);
  world.accounting.stop(SessionSerial(1), "idle-timeout", {}, world.now);
  EXPECT_EQ(world.sent.size(), 2U);  // once
}

TEST(Accounting, InterimRecordsComeWithJitter) {
  World world;
  for (std::uint64_t i = 1; i <= 100; ++i) world.start(i, seconds(100));
  world.pass(seconds(89));
  EXPECT_TRUE(world.asked.empty());
  world.pass(seconds(11));
  EXPECT_GT(world.asked.size(), 20U);
  EXPECT_LT(world.asked.size(), 80U);
  world.pass(seconds(11));
  EXPECT_GE(world.asked.size(), 100U);
  world.accounting.counters(world.asked[0], {1, 2, 3, 4}, world.now);
  EXPECT_EQ(world.sent.back().number(attr::kAcctStatusType), 3U);
  EXPECT_EQ(world.sent.back().number(attr::kAcctInputOctets), 3U);
}

TEST(Accounting, WhatIsKeptGoesOutAtOnceWhenThereIsNoLater) {
  World world;
  world.start();
  world.accounting.stop(SessionSerial(1), "agent-stopping", {}, world.now);
  world.waiting.at(1)(false);
  world.accounting.send_kept();
  ASSERT_EQ(world.sent.size(), 3U);
  EXPECT_EQ(world.accounting.kept(), 1U);
  world.waiting.at(2)(true);
  EXPECT_EQ(world.accounting.kept(), 0U);
}

TEST(Accounting, StopThatNobodyTookIsSentAgainWithItsDelay) {
  World world;
  world.start();
  world.accounting.stop(SessionSerial(1), "user-request", {}, world.now);
  world.waiting.at(1)(false);
  EXPECT_EQ(world.accounting.kept(), 1U);
  world.pass(seconds(4));
  EXPECT_EQ(world.sent.size(), 2U);
  world.pass(seconds(1));
  ASSERT_EQ(world.sent.size(), 3U);
  EXPECT_EQ(world.sent[2].number(attr::kAcctDelayTime), 5U);
  EXPECT_EQ(world.sent[2].number(attr::kEventTimestamp), 1'800'000'000U);
  world.waiting.at(2)(false);
  world.pass(seconds(9));
  EXPECT_EQ(world.sent.size(), 3U);
  world.pass(seconds(1));
  ASSERT_EQ(world.sent.size(), 4U);
  world.waiting.at(3)(true);
  EXPECT_EQ(world.accounting.kept(), 0U);
}

TEST(Accounting, KeptRecordsAreBoundedAndTheLossIsCounted) {
  World world(10);
  for (std::uint64_t i = 1; i <= 25; ++i) {
    world.start(i);
    world.accounting.stop(SessionSerial(i), "user-request", {}, world.now);
  }
  for (std::size_t i = 1; i < 50; i += 2) world.waiting.at(i)(false);
  EXPECT_EQ(world.accounting.kept(), 10U);
  EXPECT_EQ(world.accounting.lost(), 15U);
}

TEST(Accounting, CausesAreThoseOfTheRfc) {
  const std::pair<const char*, std::uint32_t> rows[] = {{"user-request", 1}, {"echo-timeout", 2},
                                                        {"idle-timeout", 4}, {"session-timeout", 5},
                                                        {"admin-reset", 6},  {"whatever", 9}};
  for (const auto& [cause, code] : rows)
    EXPECT_EQ(static_cast<std::uint32_t>(terminate_cause(cause)), code) << cause;
}

}  // namespace
}  // namespace sluice::agent
