#include "base/app/log.hpp"

#include <gtest/gtest.h>

namespace sluice::app {
namespace {

TEST(Log, FieldsAreEscapedAndQuotedWhereTheyMustBe) {
  EXPECT_EQ(format_log_line("session up", {{"user", "alice"}, {"n", 7}, {"ok", true}}),
            "session up user=alice n=7 ok=true");
  EXPECT_EQ(format_log_line("x", {{"text", "two words"}}), "x text=\"two words\"");
  EXPECT_EQ(format_log_line("x", {{"text", ""}}), "x text=\"\"");
  EXPECT_EQ(format_log_line("x", {{"user", "a\n2026 info forged"}}), "x user=\"a\\x0a2026 info forged\"");
  EXPECT_EQ(format_log_line("x", {{"text", "said \"no\""}}), "x text=\"said 'no'\"");
}

TEST(Log, LevelsHaveNames) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("warn"), LogLevel::kWarning);
  EXPECT_FALSE(parse_log_level("loud"));
}

}  // namespace
}  // namespace sluice::app
