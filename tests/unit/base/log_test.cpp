#include "base/app/log.hpp"

#include <gtest/gtest.h>

#include "base/app/log_control.hpp"
#include "base/app/log_limit.hpp"
#include "base/app/log_line.hpp"

namespace sluice::app {
namespace {

using namespace std::chrono_literals;

TEST(Log, FieldsAreEscapedAndQuotedWhereTheyMustBe) {
  EXPECT_EQ(format_log_line("session.up", "session up", {{"user", "alice"}, {"n", 7}, {"ok", true}}),
            "[session.up] session up user=alice n=7 ok=true");
  const auto x = [](LogField field) { return format_log_line("log.x", "x", {std::move(field)}); };
  EXPECT_EQ(x({"text", "two words"}), "[log.x] x text=\"two words\"");
  EXPECT_EQ(x({"text", ""}), "[log.x] x text=\"\"");
  EXPECT_EQ(x({"user", "a\n2026 info forged"}), "[log.x] x user=\"a\\x0a2026 info forged\"");
  EXPECT_EQ(x({"text", "said \"no\""}), "[log.x] x text=\"said 'no'\"");
}

TEST(Log, LevelsHaveNames) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("warn"), LogLevel::kWarning);
  EXPECT_FALSE(parse_log_level("loud"));
  for (const auto level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    EXPECT_EQ(parse_log_level(to_string(level)), level);
  }
}

TEST(Log, ModulesStandInTheOrderOfTheirNumbers) {
  for (std::size_t i = 0; i < kLogModuleCount; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kLogModules[i].module), i);
    EXPECT_EQ(find_log_module(kLogModules[i].name), kLogModules[i].module);
  }
  EXPECT_FALSE(find_log_module("nonsense"));
}

/// The process has one log: whoever changes it puts it back.
class LogLevels : public testing::Test {
 protected:
  void TearDown() override {
    for (const auto& row : kLogModules) set_log_level(row.module, std::nullopt);
    configure_log({});
  }

  static LogModuleState state(LogModule module) {
    return log_module_states().at(static_cast<std::size_t>(module));
  }
};

TEST_F(LogLevels, AModuleMayDifferFromTheRest) {
  LogSettings settings;
  settings.level = LogLevel::kWarning;
  settings.modules[static_cast<std::size_t>(LogModule::kIke)] = LogLevel::kDebug;
  configure_log(settings);
  EXPECT_TRUE(log_enabled(LogModule::kIke, LogLevel::kDebug));
  EXPECT_FALSE(log_enabled(LogModule::kTunnel, LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogModule::kTunnel, LogLevel::kWarning));
}

TEST_F(LogLevels, ALevelForATimeEndsWithIt) {
  const Instant start{1h};
  set_log_level(LogModule::kIke, LogLevel::kDebug, start + 10s);
  EXPECT_EQ(state(LogModule::kIke).level, LogLevel::kDebug);
  EXPECT_EQ(state(LogModule::kIke).configured, LogLevel::kInfo);
  EXPECT_EQ(state(LogModule::kIke).until, start + 10s);
  tick_log(start + 10s - 1ns);
  EXPECT_TRUE(log_enabled(LogModule::kIke, LogLevel::kDebug));
  EXPECT_FALSE(log_enabled(LogModule::kTunnel, LogLevel::kDebug));
  tick_log(start + 10s);
  EXPECT_FALSE(log_enabled(LogModule::kIke, LogLevel::kDebug));
  EXPECT_FALSE(state(LogModule::kIke).until);
}

TEST_F(LogLevels, AReloadLeavesALevelThatIsSetForATime) {
  set_log_level(LogModule::kIke, LogLevel::kDebug, Instant{1h});
  LogSettings settings;
  settings.level = LogLevel::kError;
  configure_log(settings);
  EXPECT_TRUE(log_enabled(LogModule::kIke, LogLevel::kDebug));
  tick_log(Instant{1h});
  EXPECT_EQ(state(LogModule::kIke).level, LogLevel::kError);
}

TEST(LogLimit, ABurstPassesAndThenTheRate) {
  LogLimit limit;
  limit.set(20, 100);
  const Instant start{1h};
  int passed = 0;
  for (int i = 0; i < 1000; ++i) passed += limit.admit("ike.failed", start);
  EXPECT_EQ(passed, 100);
  for (int second = 1; second <= 10; ++second) {
    for (int i = 0; i < 1000; ++i) passed += limit.admit("ike.failed", start + second * 1s);
  }
  EXPECT_EQ(passed, 300);
}

TEST(LogLimit, OfDebugLinesThereAreMore) {
  LogLimit limit;
  limit.set(20, 100);
  int passed = 0;
  for (int i = 0; i < 10'000; ++i) passed += limit.admit("ike.charon-says", Instant{1h}, 1.0 / 64);
  EXPECT_EQ(passed, 6400);
}

TEST(LogLimit, OneKindDoesNotHideAnother) {
  LogLimit limit;
  limit.set(1, 1);
  EXPECT_TRUE(limit.admit("ike.failed", Instant{1h}));
  EXPECT_FALSE(limit.admit("ike.failed", Instant{1h}));
  EXPECT_TRUE(limit.admit("session.up", Instant{1h}));
}

TEST(LogLimit, WhatWasLeftOutIsToldOnce) {
  LogLimit limit;
  limit.set(1, 1);
  const Instant start{1h};
  for (int i = 0; i < 8; ++i) limit.admit("ike.failed", start);
  EXPECT_TRUE(limit.take_left_out(start + LogLimit::kTellAfter - 1ns).empty());
  const auto told = limit.take_left_out(start + LogLimit::kTellAfter);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].message, "ike.failed");
  EXPECT_EQ(told[0].count, 7U);
  EXPECT_TRUE(limit.take_left_out(start + 1h).empty());
}

TEST(LogLimit, NoRateIsNoLimit) {
  LogLimit limit;
  limit.set(0, 0);
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(limit.admit("ike.failed", Instant{1h}));
}

}  // namespace
}  // namespace sluice::app
