#include "backend-agent/app/counted_authenticator.hpp"

#include <gtest/gtest.h>

#include "backend-agent/radius/radius_figures.hpp"
#include "tests/unit/agent/sessions_world.hpp"

namespace sluice::agent {
namespace {

TEST(CountedAuthenticator, CountsWhatTheJudgeSaysAndHowLongItTook) {
  test::SlowAuthenticator judge;
  Instant now{};
  CountedAuthenticator counted(judge, [&] { return now; });
  int heard = 0;
  for (int i = 0; i < 3; ++i) counted.authenticate({}, [&](AuthDecision) { ++heard; });
  now += std::chrono::milliseconds(20);
  judge.answer(0, true);
  judge.answer(1, false);
  AuthDecision more;
  more.verdict.more = true;
  judge.waiting.at(2)(more);
  EXPECT_EQ(3, heard);
  EXPECT_EQ(1U, counted.accepted());
  EXPECT_EQ(1U, counted.refused());
  EXPECT_EQ(1U, counted.challenged());
  EXPECT_EQ(1U, counted.causes().all().at("wrong-password"));
  EXPECT_EQ(3U, counted.seconds().count());
  EXPECT_NEAR(0.06, counted.seconds().sum(), 1e-9);
}

TEST(CountedAuthenticator, PassesOnWhoIsForgotten) {
  test::SlowAuthenticator judge;
  CountedAuthenticator counted(judge, [] { return Instant{}; });
  counted.forget(SessionSerial(7));
  EXPECT_EQ(std::vector{SessionSerial(7)}, judge.forgotten);
}

TEST(RadiusFigures, HaveAnOutcomeForEachEnd) {
  RadiusFigures figures;
  figures.answered(radius::Code::kAccessAccept, std::chrono::milliseconds(1));
  figures.answered(radius::Code::kAccessReject, std::chrono::milliseconds(1));
  figures.answered(radius::Code::kAccessChallenge, std::chrono::milliseconds(1));
  figures.answered(radius::Code::kAccountingResponse, std::chrono::milliseconds(1));
  figures.unanswered(radius::Unanswered::kTimeout);
  figures.unanswered(radius::Unanswered::kTooLong);
  figures.unanswered(radius::Unanswered::kOverload);
  for (std::size_t i = 0; i < CounterArray<RadiusOutcome>::kSize; ++i)
    EXPECT_EQ(1U, figures.outcomes.read(static_cast<RadiusOutcome>(i))) << i;
  EXPECT_EQ(4U, figures.seconds.count()) << "silence has no latency";
}

}  // namespace
}  // namespace sluice::agent
