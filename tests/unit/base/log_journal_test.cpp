#include "base/app/log_journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

namespace sluice::app {
namespace {

using testing::ElementsAre;

TEST(LogJournal, ALineKeepsItsFieldsApart) {
  EXPECT_THAT(
      journal_entries("sluice-edge", LogLevel::kWarning, "ike.failed", "IKE failed",
                      {{"id", "5f0c"}, {"cause", "wrong_psk"}, {"text", "two words"}, {"spi_in", 7}}),
      ElementsAre("MESSAGE=[ike.failed] IKE failed id=5f0c cause=wrong_psk text=\"two words\" spi_in=7",
                  "PRIORITY=4", "SYSLOG_IDENTIFIER=sluice-edge",
                  "MESSAGE_ID=" + journal_message_id("ike.failed"), "SLUICE_MESSAGE=ike.failed",
                  "SLUICE_MODULE=ike", "SLUICE_ID=5f0c", "SLUICE_CAUSE=wrong_psk", "SLUICE_TEXT=two words",
                  "SLUICE_SPI_IN=7"));
}

TEST(LogJournal, APeersTextForgesNoFieldAndNoLine) {
  const auto entries = journal_entries("x", LogLevel::kInfo, "session.up", "session up",
                                       {{"user", "a\nPRIORITY=0\nMESSAGE=forged"}});
  for (const auto& entry : entries) EXPECT_EQ(entry.find('\n'), std::string::npos) << entry;
  EXPECT_EQ(entries.back(), "SLUICE_USER=a\\x0aPRIORITY=0\\x0aMESSAGE=forged");
}

TEST(LogJournal, LevelsArePriorities) {
  const auto priority = [](LogLevel level) { return journal_entries("x", level, "log.x", "x", {}).at(1); };
  EXPECT_EQ(priority(LogLevel::kDebug), "PRIORITY=7");
  EXPECT_EQ(priority(LogLevel::kInfo), "PRIORITY=6");
  EXPECT_EQ(priority(LogLevel::kWarning), "PRIORITY=4");
  EXPECT_EQ(priority(LogLevel::kError), "PRIORITY=3");
}

TEST(LogJournal, AMessageIdIsAUuidThatStays) {
  EXPECT_EQ(journal_message_id("ike.failed"), "568dcc1222b58fa0a99e16df246b1e43");
  std::set<std::string> seen;
  for (const auto* id : {"ike.failed", "ike.ready", "session.up", "session.down", "a.b", "b.a"}) {
    const auto uuid = journal_message_id(id);
    EXPECT_EQ(uuid.size(), 32U);
    EXPECT_EQ(uuid[12], '8') << uuid;
    EXPECT_NE(std::string("89ab").find(uuid[16]), std::string::npos) << uuid;
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

TEST(LogJournal, StderrIsTheJournalIfItIsTheStreamThatTheEnvironmentNames) {
  struct stat there {};
  ASSERT_EQ(::fstat(STDERR_FILENO, &there), 0);
  const auto inode = std::to_string(there.st_dev) + ":" + std::to_string(there.st_ino);
  ::unsetenv("JOURNAL_STREAM");
  EXPECT_FALSE(stderr_is_journal());
  ::setenv("JOURNAL_STREAM", inode.c_str(), 1);
  EXPECT_TRUE(stderr_is_journal());
  ::setenv("JOURNAL_STREAM", (inode + "1").c_str(), 1);
  EXPECT_FALSE(stderr_is_journal());
  ::unsetenv("JOURNAL_STREAM");
}

}  // namespace
}  // namespace sluice::app
