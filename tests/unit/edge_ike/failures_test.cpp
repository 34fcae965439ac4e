#include "edge/ike/failures.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

using testing::HasSubstr;

feed::Alert alert(std::uint32_t uid, sf_cause cause, std::uint8_t version = 1) {
  return {
      .remote = *Endpoint::parse("198.51.100.9:500"), .ike_uid = uid, .cause = cause, .ike_version = version};
}

constexpr Instant kStart{std::chrono::hours(1)};

TEST(FailureBook, OneHandshakeFailsOnce) {
  FailureBook book;
  const auto first = book.on_alert(alert(1, SF_CAUSE_UNREADABLE), kStart);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->cause, "wrong_psk");
  EXPECT_FALSE(book.on_alert(alert(1, SF_CAUSE_UNREADABLE), kStart)) << "the client repeats its message";
  EXPECT_FALSE(book.on_alert(alert(1, SF_CAUSE_HALF_OPEN), kStart)) << "what follows from it";
  EXPECT_TRUE(book.on_alert(alert(2, SF_CAUSE_UNREADABLE), kStart)) << "another attempt";
}

TEST(FailureBook, AnEstablishedPeerMayFailInSeveralWays) {
  FailureBook book;
  auto proposal = alert(1, SF_CAUSE_PROPOSAL_CHILD), gone = alert(1, SF_CAUSE_PEER_GONE);
  proposal.established = gone.established = true;
  EXPECT_TRUE(book.on_alert(proposal, kStart));
  EXPECT_FALSE(book.on_alert(proposal, kStart));
  EXPECT_TRUE(book.on_alert(gone, kStart));
}

TEST(FailureBook, ManyFailuresAreCountedInsteadOfTold) {
  FailureBook book;
  unsigned told = 0;
  for (std::uint32_t uid = 1; uid <= 1000; ++uid)
    told += book.on_alert(alert(uid, SF_CAUSE_HALF_OPEN), kStart).has_value();
  EXPECT_EQ(told, FailureBook::kBurst);
  EXPECT_EQ(book.suppressed(), 1000 - FailureBook::kBurst);
  const auto next = book.on_alert(alert(2000, SF_CAUSE_HALF_OPEN), kStart + FailureBook::kRefill);
  ASSERT_TRUE(next);
  EXPECT_THAT(next->text, HasSubstr("900 more"));
  EXPECT_EQ(book.suppressed(), 0u);
}

TEST(FailureBook, CharonCountingAnewIsNotARepetition) {
  FailureBook book;
  EXPECT_TRUE(book.on_alert(alert(1, SF_CAUSE_UNREADABLE), kStart));
  book.clear();
  EXPECT_TRUE(book.on_alert(alert(1, SF_CAUSE_UNREADABLE), kStart));
}

TEST(FailureBook, EveryCauseHasAWordAndASentenceWithWhatWindowsShows) {
  for (int cause = SF_CAUSE_PEER_AUTH; cause <= SF_CAUSE_PROTOCOL; ++cause) {
    for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
      FailureBook book;
      const auto failure = book.on_alert(alert(1, static_cast<sf_cause>(cause), version), kStart);
      ASSERT_TRUE(failure);
      EXPECT_EQ(failure->cause.find(' '), std::string::npos);
      EXPECT_THAT(failure->text, HasSubstr("Windows error"));
    }
  }
}

// What users report, and what an operator then searches the log for.
TEST(FailureBook, NamesTheNumberThatWindowsShows) {
  const auto number = [](sf_cause cause, std::uint16_t notify = 0, std::uint8_t version = 1) {
    FailureBook book;
    auto told = alert(1, cause, version);
    told.notify = notify;
    const auto failure = book.on_alert(told, kStart);
    EXPECT_THAT(failure->text, HasSubstr("(Windows error " + std::to_string(failure->windows) + ")"));
    return failure->windows;
  };
  EXPECT_EQ(number(SF_CAUSE_HALF_OPEN), 809);
  EXPECT_EQ(number(SF_CAUSE_UNREADABLE), 789);
  EXPECT_EQ(number(SF_CAUSE_PROPOSAL_IKE), 789);
  EXPECT_EQ(number(SF_CAUSE_PROPOSAL_CHILD), 788);
  EXPECT_EQ(number(SF_CAUSE_LOCAL_AUTH), 787);
  EXPECT_EQ(number(SF_CAUSE_PEER_ERROR, 24), 787);
  EXPECT_EQ(number(SF_CAUSE_PEER_ERROR, 22), 766) << "RFC 2408: INVALID-CERT-AUTHORITY";
  EXPECT_EQ(number(SF_CAUSE_PEER_ERROR, 28), 766) << "RFC 2408: CERTIFICATE-UNAVAILABLE";
  EXPECT_EQ(number(SF_CAUSE_PEER_ERROR, 9999), 789);
  EXPECT_EQ(number(SF_CAUSE_PEER_AUTH, 0, 2), 13801);
}

TEST(FailureBook, AnUnreadableMessageOnAnEstablishedSaIsNobodysWrongKey) {
  FailureBook book;
  auto late = alert(1, SF_CAUSE_UNREADABLE);
  late.established = true;
  const auto failure = book.on_alert(late, kStart);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->cause, "unreadable");
  EXPECT_EQ(failure->windows, 0);
}

TEST(FailureBook, TheClientsOwnRefusalIsNamed) {
  FailureBook book;
  auto refused = alert(1, SF_CAUSE_PEER_ERROR);
  refused.notify = 24;
  const auto failure = book.on_alert(refused, kStart);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->cause, "refused_auth");
  EXPECT_THAT(failure->text, HasSubstr("notification 24"));
}

}  // namespace
}  // namespace sluice::edge
