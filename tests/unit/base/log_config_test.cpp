#include "base/app/log_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::app {
namespace {

using testing::HasSubstr;

LogSettings read(std::string_view text) {
  auto file = ConfigFile::parse(text, "x.toml");
  LogSettings out;
  read_log_settings(*file, out);
  file->reject_unknown();
  for (const auto& error : file->errors()) ADD_FAILURE() << error.to_string();
  return out;
}

std::string errors(std::string_view text) {
  auto file = ConfigFile::parse(text, "x.toml");
  LogSettings out;
  read_log_settings(*file, out);
  file->reject_unknown();
  std::string lines;
  for (const auto& error : file->errors()) lines += error.to_string() + "\n";
  return lines;
}

TEST(LogConfig, SilenceIsTheDefault) {
  const auto settings = read("");
  EXPECT_EQ(settings.to, LogTarget::kAuto);
  EXPECT_EQ(settings.level, LogLevel::kInfo);
  EXPECT_EQ(settings.rate, LogSettings{}.rate);
  EXPECT_EQ(settings.burst, LogSettings{}.burst);
  for (const auto& module : settings.modules) EXPECT_FALSE(module);
}

TEST(LogConfig, EachKeyIsRead) {
  const auto settings = read(
      "[log]\nlevel = \"warning\"\nto = \"journald\"\nrate = 5\nburst = 7\n[log.modules]\nike = \"debug\"\n");
  EXPECT_EQ(settings.to, LogTarget::kJournald);
  EXPECT_EQ(settings.level, LogLevel::kWarning);
  EXPECT_EQ(settings.rate, 5U);
  EXPECT_EQ(settings.burst, 7U);
  for (const auto& row : kLogModules) {
    const auto level = settings.modules[static_cast<std::size_t>(row.module)];
    EXPECT_EQ(level, row.module == LogModule::kIke ? std::optional(LogLevel::kDebug) : std::nullopt);
  }
}

TEST(LogConfig, WhatIsNotKnownIsNamed) {
  EXPECT_THAT(errors("[log]\nlevel = \"loud\"\n"), HasSubstr("x.toml:2:9"));
  EXPECT_THAT(errors("[log]\nto = \"syslog\"\n"), HasSubstr("\"journald\""));
  EXPECT_THAT(errors("[log.modules]\nike = \"loud\"\n"), HasSubstr("log.modules.ike"));
  EXPECT_THAT(errors("[log.modules]\nikke = \"debug\"\n"), HasSubstr("log.modules.ike"));
}

}  // namespace
}  // namespace sluice::app
