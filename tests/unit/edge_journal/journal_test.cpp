#include "edge/journal/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/journal/advice.hpp"

namespace sluice::edge {
namespace {

using enum JournalKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct JournalTest : testing::Test {
  JournalEntryPtr say(JournalKind kind, const std::string& correlation,
                      std::vector<JournalEntry::Detail> details = {}, const std::string& cause = "",
                      const std::string& text = "") {
    JournalEntry entry;
    entry.time_ms = ++now;
    entry.kind = kind;
    entry.correlation = correlation;
    entry.cause = cause;
    entry.text = text;
    entry.details = std::move(details);
    return journal.add(std::move(entry));
  }
  /// From IKE to PPP and back.
  void live(const std::string& id, const std::string& user, const std::string& client) {
    journal.ike_packet(id, client + ":500", ++now);
    say(kIkeUp, id, {{"client", client + ":4500"}, {"identity", "192.168.1.10"}});
    say(kChildUp, id);
    say(kPlaced, id + "-1", {{"agent", "agent1"}});
    say(kSessionUp, id + "-1", {{"user", user}, {"address", "10.0.0.2"}});
    say(kSessionDown, id + "-1", {{"user", user}}, "user-request");
    say(kClosed, id + "-1", {}, "client");
    say(kIkeDown, id);
    say(kGone, id);
  }
  std::vector<std::string> kinds(const JournalLife& life) const {
    std::vector<std::string> out;
    for (const auto& entry : life.entries) out.emplace_back(name_of(entry->kind));
    return out;
  }
  JournalLife life_of(const std::string& who) const {
    auto found = journal.lives({.who = who}, 1);
    return found.lives.empty() ? JournalLife{} : found.lives.front();
  }
  void restrict(JournalLimits limits) { journal = Journal(limits); }

  Journal journal;
  std::int64_t now = 1'700'000'000'000;
};

TEST_F(JournalTest, TellsALifeFromTheFirstPacketToTheEnd) {
  live("a1", "alice", "198.51.100.7");
  const auto life = life_of("alice");
  EXPECT_EQ(life.correlation, "a1");
  EXPECT_THAT(kinds(life), ElementsAre("ike-packet", "ike-up", "child-up", "placed", "session-up",
                                       "session-down", "closed", "ike-down", "gone"));
  EXPECT_EQ(life.began_ms, life.entries.front()->time_ms);
  EXPECT_EQ(life.ended_ms, life.entries.back()->time_ms);
  EXPECT_THAT(life.users, ElementsAre("alice"));
  EXPECT_THAT(life.clients, ElementsAre("198.51.100.7:500", "198.51.100.7:4500"));
}

TEST_F(JournalTest, FindsALifeByEverythingItIsCalled) {
  live("a1", "alice", "198.51.100.7");
  live("b2", "bob", "2001:db8::7");
  for (const auto* who : {"a1", "a1-1", "alice", "198.51.100.7", "198.51.100.7:4500"})
    EXPECT_EQ(life_of(who).correlation, "a1") << who;
  EXPECT_EQ(life_of("192.168.1.10").correlation, "b2") << "both have it, the newest comes first";
  EXPECT_EQ(journal.lives({.who = "192.168.1.10"}, 1).matched, 2U);
  for (const auto* nobody : {"a", "a12", "ali", "198.51.100.70", "198.51.100.7:4501", "a1-x1-1"})
    EXPECT_EQ(journal.lives({.who = nobody}, 9).matched, 0U) << nobody;
  EXPECT_EQ(journal.lives({.user = "alice", .client = "203.0.113.1"}, 9).matched, 0U) << "all must fit";
  EXPECT_EQ(journal.lives({.user = "alice", .address = "10.0.0.2"}, 9).matched, 1U);
  EXPECT_EQ(journal.lives({.correlation = "a1-1", .identity = "192.168.1.10"}, 9).matched, 1U);
}

TEST_F(JournalTest, KeepsTheBeginningAndTheEndOfALongLife) {
  restrict({.first_entries = 3, .last_entries = 2});
  say(kIkeUp, "a1");
  for (int i = 0; i < 10; ++i) say(kMoved, "a1", {}, "", std::to_string(i));
  say(kGone, "a1");
  const auto life = life_of("a1");
  EXPECT_THAT(life.entries, SizeIs(5));
  EXPECT_EQ(life.left_out, 7U);
  EXPECT_EQ(life.left_out_at, 3U);
  EXPECT_EQ(life.entries[2]->text, "1");
  EXPECT_EQ(life.entries[3]->text, "9");
}

TEST_F(JournalTest, RekeysAreCountedAndNotListed) {
  say(kIkeUp, "a1");
  for (int i = 0; i < 1000; ++i) journal.child_rekeyed("a1");
  journal.ike_rekeyed("a1");
  journal.ike_rekeyed("nobody");
  EXPECT_EQ(life_of("a1").child_rekeys, 1000U);
  EXPECT_EQ(life_of("a1").ike_rekeys, 1U);
  EXPECT_THAT(life_of("a1").entries, SizeIs(1));
}

TEST_F(JournalTest, ThoseThatEndedFirstAreForgottenFirst) {
  restrict({.records = 3});
  say(kIkeUp, "old-but-alive");
  live("b", "bob", "192.0.2.1");
  live("c", "carol", "192.0.2.2");
  live("d", "dave", "192.0.2.3");
  EXPECT_EQ(journal.records(), 3U);
  EXPECT_EQ(journal.lives({.who = "bob"}, 1).matched, 0U);
  EXPECT_EQ(journal.lives({.who = "old"}, 1).matched, 0U) << "a dash is the tunnel's";
  EXPECT_EQ(journal.lives({.correlation = "old-but"}, 1).matched, 1U);
  say(kIkeUp, "e"), say(kIkeUp, "f"), say(kIkeUp, "g");
  EXPECT_EQ(journal.records(), 3U);
  EXPECT_EQ(journal.lives({.correlation = "old-but"}, 1).matched, 0U) << "the oldest, for all live";
  EXPECT_EQ(journal.lives({.correlation = "g"}, 1).matched, 1U);
}

TEST_F(JournalTest, BytesAreBoundedAndGivenBack) {
  restrict({.bytes = 100'000});
  const std::string large(10'000, 'x');
  for (int i = 0; i < 2000; ++i) {
    const auto id = "c" + std::to_string(i);
    say(kIkeUp, id, {{"client", large}, {"identity", large + id}, {"user", large}}, large, large);
    EXPECT_LE(journal.bytes(), 100'000U);
  }
  EXPECT_GT(journal.records(), 5U);
  EXPECT_EQ(life_of("c1999").entries.front()->text.size(), JournalLimits().text);
  restrict({.records = 1});
  say(kIkeUp, "a");
  const auto one = journal.bytes();
  for (int i = 0; i < 100; ++i) say(kIkeUp, std::string(1, static_cast<char>('b' + i % 20)));
  EXPECT_EQ(journal.bytes(), one);
}

TEST_F(JournalTest, ALifeOfCountlessEntriesAndNamesTakesNoMoreThanItsPart) {
  restrict({.records = 10});
  for (int i = 0; i < 5000; ++i) {
    say(kMoved, "a1", {{"client", "192.0.2.1:" + std::to_string(i)}, {"user", "u" + std::to_string(i)}});
  }
  const auto life = life_of("a1");
  EXPECT_THAT(life.entries, SizeIs(64));
  EXPECT_EQ(life.left_out, 5000U - 64);
  EXPECT_THAT(life.users, ElementsAre("u4996", "u4997", "u4998", "u4999"));
  EXPECT_LT(journal.bytes(), 64U * 1024);
}

TEST_F(JournalTest, AFloodOfStrangersPushesOutNoClient) {
  restrict({.records = 100, .events = 50, .strangers = 20, .handshakes = 30});
  live("a1", "alice", "198.51.100.7");
  const auto kept = journal.bytes();
  for (int i = 0; i < 10'000; ++i) {
    const auto id = "stranger" + std::to_string(i);
    journal.ike_packet(id, "203.0.113.9:500", ++now);
    say(kIkeFailed, id, {{"client", "203.0.113.9:500"}}, i % 2 == 0 ? "wrong_psk" : "timeout");
  }
  EXPECT_EQ(journal.records(), 1U);
  EXPECT_EQ(journal.bytes(), kept);
  EXPECT_THAT(kinds(life_of("alice")), SizeIs(9));
  EXPECT_EQ(journal.strangers_failed().at("wrong_psk"), 5000U);
  EXPECT_EQ(journal.strangers_failed().at("timeout"), 5000U);
  EXPECT_THAT(journal.verdicts({.who = "203.0.113.9"}, 1000), SizeIs(20));
  const auto events = journal.events({}, 1000);
  EXPECT_THAT(events.rows, SizeIs(28)) << "alice's eight events, and the last of the strangers";
  EXPECT_EQ(events.missed, 10'000U - 20);
}

TEST_F(JournalTest, CausesOfStrangersAreBounded) {
  for (int i = 0; i < 1000; ++i) say(kIkeFailed, "", {}, "cause" + std::to_string(i));
  EXPECT_LE(journal.strangers_failed().size(), 257U);
  EXPECT_EQ(journal.strangers_failed().at("other"), 1000U - 256);
}

TEST_F(JournalTest, AFailureOfAClientIsPartOfItsLife) {
  say(kIkeUp, "a1", {{"client", "192.0.2.1:4500"}});
  say(kIkeFailed, "a1", {}, "unreadable");
  EXPECT_THAT(kinds(life_of("a1")), ElementsAre("ike-up", "ike-failed"));
  EXPECT_THAT(journal.strangers_failed(), IsEmpty());
}

TEST_F(JournalTest, VerdictsSayEachEndOnceTheNewestFirst) {
  say(kIkeFailed, "s1", {{"client", "192.0.2.1:500"}, {"identity", "me"}}, "wrong_psk",
      "wrong key (Windows error 789)");
  say(kIkeUp, "a1", {{"client", "192.0.2.1:4500"}, {"identity", "me"}});
  say(kPlaced, "a1-1", {{"agent", "agent1"}});
  say(kSessionDown, "a1-1", {{"user", "alice"}}, "wrong-password", "Authentication failed");
  say(kClosing, "a1-1");
  say(kClosed, "a1-1", {}, "agent");
  say(kPlaced, "a1-2");
  say(kClosed, "a1-2", {}, "half-open");
  say(kGone, "a1");
  const auto verdicts = journal.verdicts({.who = "192.0.2.1"}, 10);
  ASSERT_THAT(verdicts, SizeIs(3));
  EXPECT_EQ(verdicts[0].entry->cause, "half-open");
  EXPECT_EQ(verdicts[1].entry->cause, "wrong-password");
  EXPECT_EQ(verdicts[1].user, "alice");
  EXPECT_EQ(verdicts[1].client, "192.0.2.1:4500");
  EXPECT_NE(verdicts[1].advice, "");
  EXPECT_EQ(error_of(*verdicts[1].entry), 691U);
  EXPECT_EQ(verdicts[2].entry->cause, "wrong_psk");
  EXPECT_EQ(verdicts[2].identity, "me");
  EXPECT_THAT(journal.verdicts({.who = "192.0.2.1"}, 1), SizeIs(1));
  EXPECT_THAT(journal.verdicts({.who = "alice"}, 10), SizeIs(2)) << "the stranger was nobody yet";
}

TEST_F(JournalTest, AClientThatNeverSpokeL2tpIsSaidToHaveNot) {
  say(kIkeUp, "a0");
  say(kGone, "a0");
  EXPECT_THAT(journal.verdicts({.who = "a0"}, 10), IsEmpty()) << "it had no ESP for L2TP to come through";
  say(kIkeUp, "a1");
  say(kChildUp, "a1");
  say(kGone, "a1");
  const auto verdicts = journal.verdicts({.who = "a1"}, 10);
  ASSERT_THAT(verdicts, SizeIs(1));
  EXPECT_EQ(verdicts[0].entry->cause, "no-l2tp");
  live("b2", "bob", "192.0.2.1");
  EXPECT_THAT(journal.verdicts({.who = "b2"}, 10), SizeIs(1)) << "its session's end";
}

TEST_F(JournalTest, EventsAreInOrderWithoutGaps) {
  live("a1", "alice", "198.51.100.7");
  say(kAgentUp, "", {{"agent", "agent1"}});
  live("b2", "bob", "198.51.100.8");
  const auto events = journal.events({}, 1000);
  ASSERT_THAT(events.rows, SizeIs(17));
  EXPECT_EQ(events.missed, 0U);
  for (std::size_t i = 0; i < events.rows.size(); ++i) EXPECT_EQ(events.rows[i]->sequence, i + 1);
  EXPECT_EQ(journal.last_sequence(), 17U);
  EXPECT_THAT(journal.events({.after = 15}, 1000).rows, SizeIs(2));
  EXPECT_THAT(journal.events({}, 3).rows, SizeIs(3));
  EXPECT_EQ(journal.events({}, 3).rows.back()->sequence, 17U);
}

TEST_F(JournalTest, EventsAreFilteredByWhomTheyAreOf) {
  live("a1", "alice", "198.51.100.7");
  live("b2", "bob", "198.51.100.8");
  say(kAgentUp, "", {{"agent", "agent1"}});
  EXPECT_THAT(journal.events({.user = "alice"}, 100).rows, SizeIs(8))
      << "all of her, the time before PPP, too";
  EXPECT_THAT(journal.events({.kinds = {kIkeUp, kSessionUp}}, 100).rows, SizeIs(4));
  EXPECT_THAT(journal.events({.kinds = {kIkeUp}, .user = "bob"}, 100).rows, SizeIs(1));
  EXPECT_THAT(journal.events({.correlation = "a1"}, 100).rows, SizeIs(8));
  EXPECT_THAT(journal.events({.correlation = "a1-1"}, 100).rows, SizeIs(4));
  EXPECT_THAT(journal.events({.client = "198.51.100.8"}, 100).rows, SizeIs(8));
  EXPECT_THAT(journal.events({.agent = "agent1"}, 100).rows, SizeIs(17));
  EXPECT_THAT(journal.events({.identity = "nobody"}, 100).rows, IsEmpty());
}

TEST_F(JournalTest, MissedEventsAreCounted) {
  restrict({.events = 10});
  for (int i = 0; i < 25; ++i) say(kNotice, "");
  EXPECT_EQ(journal.events({.after = 20}, 100).missed, 0U);
  EXPECT_EQ(journal.events({.after = 3}, 100).missed, 12U);
  EXPECT_THAT(journal.events({.after = 3}, 100).rows, SizeIs(10));
  EXPECT_EQ(journal.events({.after = 25}, 100).missed, 0U);
  EXPECT_EQ(journal.events({.after = 99}, 100).missed, 0U) << "of a journal before this one";
}

TEST_F(JournalTest, AClientThatComesBackUnderItsIdLivesAgain) {
  live("a1", "alice", "198.51.100.7");
  EXPECT_NE(life_of("a1").ended_ms, 0);
  say(kResumed, "a1-1");
  EXPECT_EQ(life_of("a1").ended_ms, 0);
  say(kGone, "a1");
  EXPECT_NE(life_of("a1").ended_ms, 0);
  say(kIkeDown, "a1");
  EXPECT_NE(life_of("a1").ended_ms, 0) << "what comes late does not revive it";
}

TEST(JournalKinds, HaveNames) {
  for (int i = 0; i < static_cast<int>(JournalKind::kCount); ++i) {
    const auto kind = static_cast<JournalKind>(i);
    EXPECT_NE(name_of(kind), "unknown");
    EXPECT_EQ(journal_kind(name_of(kind)), kind);
  }
  EXPECT_FALSE(journal_kind("ike"));
}

TEST(JournalAdvice, OwnNumberComesFirst) {
  JournalEntry entry;
  entry.cause = "wrong-password";
  entry.text = "Authentication failed";
  EXPECT_EQ(error_of(entry), 691U);
  EXPECT_EQ(words_of(entry), "wrong password (Authentication failed)");
  entry.error = 789;
  EXPECT_EQ(error_of(entry), 789U);
  entry.cause = "never-heard-of";
  EXPECT_EQ(words_of(entry), "Authentication failed");
  EXPECT_EQ(advice_for(entry).advice, "");
}

}  // namespace
}  // namespace sluice::edge
