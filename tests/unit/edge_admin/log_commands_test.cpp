// The log's levels, from the command line to the edge and back.
#include "edge/admin/log_commands.hpp"

#include <gmock/gmock.h>

#include "base/app/log_control.hpp"
#include "tests/unit/edge_admin/sluicectl_bench.hpp"

namespace sluice::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

class LogCommands : public Sluicectl {
 protected:
  void SetUp() override {
    app::configure_log({});
    edge::add_log_commands(server.server(), [] { return kNow; });
    Sluicectl::SetUp();
  }
  void TearDown() override {
    Sluicectl::TearDown();
    for (const auto& row : app::kLogModules) app::set_log_level(row.module, std::nullopt);
  }
  static constexpr Instant kNow{1h};
};

TEST_F(LogCommands, AllModulesAreShown) {
  EXPECT_EQ(ctl({"log"}), kOk);
  for (const auto& row : app::kLogModules) EXPECT_THAT(out.str(), HasSubstr(row.name));
  EXPECT_EQ(ctl({"--json", "log"}), kOk);
  EXPECT_EQ(parsed()["schema"], "sluice.log/1");
  EXPECT_EQ(parsed()["modules"].size(), app::kLogModuleCount);
}

TEST_F(LogCommands, AModuleHasAnotherLevelForATime) {
  EXPECT_EQ(ctl({"--json", "log", "ike", "debug", "--for", "2m"}), kOk);
  ASSERT_EQ(parsed()["modules"].size(), 1U);
  const auto row = parsed()["modules"][0];
  EXPECT_EQ(row["module"], "ike");
  EXPECT_EQ(row["level"], "debug");
  EXPECT_EQ(row["configured"], "info");
  EXPECT_EQ(row["seconds_left"], 120);
  EXPECT_TRUE(app::log_enabled(app::LogModule::kIke, app::LogLevel::kDebug));
  EXPECT_FALSE(app::log_enabled(app::LogModule::kTunnel, app::LogLevel::kDebug));
  on_server_thread([] { app::tick_log(kNow + 2min); });
  EXPECT_FALSE(app::log_enabled(app::LogModule::kIke, app::LogLevel::kDebug));
}

TEST_F(LogCommands, AnOperatorMayEndItEarly) {
  EXPECT_EQ(ctl({"log", "all", "error"}), kOk);
  EXPECT_FALSE(app::log_enabled(app::LogModule::kIke, app::LogLevel::kWarning));
  EXPECT_EQ(ctl({"log", "all", "configured"}), kOk);
  EXPECT_THAT(out.str(), Not(HasSubstr("error ")));
  EXPECT_TRUE(app::log_enabled(app::LogModule::kIke, app::LogLevel::kInfo));
}

TEST_F(LogCommands, WhatIsNotUnderstoodIsRefusedInWords) {
  EXPECT_EQ(ctl({"log", "nonsense", "debug"}), kFailed);
  EXPECT_THAT(error.str(), AllOf(HasSubstr("module"), HasSubstr("placement")));
  EXPECT_EQ(ctl({"log", "ike", "loud"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("debug, info, warning"));
  EXPECT_EQ(ctl({"log", "ike", "debug", "--for", "forever"}), kUsage);
  EXPECT_EQ(ctl({"log", "ike", "debug", "--for", "25h"}), kUsage);
  EXPECT_EQ(ctl({"log", "nonsense"}), kUsage);
  EXPECT_TRUE(app::log_enabled(app::LogModule::kIke, app::LogLevel::kInfo));
}

}  // namespace
}  // namespace sluice::ctl
