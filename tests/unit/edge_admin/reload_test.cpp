// `sluicectl reload`, from the command line to the edge and back.
#include <gmock/gmock.h>

#include "edge/admin/reload_command.hpp"
#include "tests/unit/edge_admin/sluicectl_bench.hpp"

namespace sluice::ctl {
namespace {

using app::Takes;
using testing::AllOf;
using testing::HasSubstr;

class Reload : public Sluicectl {
 protected:
  void SetUp() override {
    edge::add_reload_command(server.server(), [this](bool dry_run) {
      ++asked;
      auto view = answer;
      view.dry_run = dry_run;
      view.taken = !dry_run && view.report.good();
      return view;
    });
    answer.report.file = "/etc/sluice/edge.toml";
    Sluicectl::SetUp();
  }

  // Of the server's thread; read once it has answered.
  edge::ReloadView answer;
  int asked = 0;
};

TEST_F(Reload, TellsWhatChangesWhenAndWhomItConcerns) {
  answer.report.warnings = {{"/etc/sluice/edge.toml", 9, 8, "psk[0].file: short"}};
  answer.changes = {
      {{"limits.half_open", "90", "60", Takes::kReload}, "tunnels that are being established"},
      {{"dataplane.mtu", "1500", "1400", Takes::kRestart}, "nobody until the edge is restarted"},
      {{"psk \"%any\".file", "\"/psk\"", "\"/psk\"", Takes::kNewClients}, "new IKE handshakes"}};
  EXPECT_EQ(ctl({"reload", "--dry-run"}), kOk);
  EXPECT_THAT(
      out.str(),
      AllOf(HasSubstr("would change: limits.half_open: 90 -> 60 (tunnels that are being established)\n"),
            HasSubstr("needs a restart: dataplane.mtu: 1500 -> 1400\n"),
            HasSubstr("would change: psk \"%any\".file: the contents of \"/psk\" changed"),
            HasSubstr("2 settings would change, 1 waits for a restart\n")));
  EXPECT_EQ(error.str(), "/etc/sluice/edge.toml:9:8: warning: psk[0].file: short\n");
  EXPECT_EQ(ctl({"reload", "--json"}), kOk);
  const auto value = parsed();
  EXPECT_EQ(value["schema"], "sluice.reload/1");
  EXPECT_EQ(value["taken"], true);
  EXPECT_EQ(value["dry_run"], false);
  EXPECT_EQ(value["warnings"][0]["line"], 9);
  EXPECT_EQ(value["changes"][1]["takes"], "restart");
  EXPECT_EQ(value["changes"][2]["before"], "\"/psk\"") << "as the file has it";
}

TEST_F(Reload, NamesEachFaultAndFails) {
  answer.report.errors = {{"/etc/sluice/edge.toml", 7, 3, "unknown key psk.identty"},
                          {"users.toml", 0, 0, "is gone"}};
  EXPECT_EQ(ctl({"reload"}), kFailed);
  EXPECT_THAT(error.str(), AllOf(HasSubstr("/etc/sluice/edge.toml:7:3: unknown key psk.identty\n"),
                                 HasSubstr("users.toml: is gone\n"), HasSubstr("nothing was changed")));
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(ctl({"reload", "--json"}), kFailed);
  EXPECT_EQ(parsed()["taken"], false);
  EXPECT_EQ(parsed()["errors"].size(), 2U);
}

TEST_F(Reload, AnUnknownArgumentChangesNothing) {
  EXPECT_EQ(ctl({"reload", "--dryrun"}), kUsage);
  EXPECT_EQ(ctl({"reload", "now"}), kUsage);
  EXPECT_EQ(asked, 0);
}

}  // namespace
}  // namespace sluice::ctl
