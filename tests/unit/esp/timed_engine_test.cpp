#include "esp/timed_engine.hpp"

#include "support.hpp"

namespace sluice::esp {
namespace {

Instant g_now{};
/// Three microseconds later each time it is read.
Instant step() {
  return g_now += std::chrono::microseconds(3);
}

TEST(TimedEngine, CountsTheTimeOfEachBurstAndChangesNothing) {
  SeededRandom random(1);
  TimedEngine timed(engine_named("botan"), step, random);
  const auto plain = engine_named("botan");
  EXPECT_EQ(plain->name(), timed.name());
  const auto& s = suites()[0];
  const Keys keys(s);
  const auto p = keys.parameters(s);
  const auto out = outbound(timed, p);
  const auto in = inbound(*plain, p);
  const ByteVector payload(100, 7);
  const auto sealed = seal_one(timed, *out, payload);
  EXPECT_EQ(3000U, timed.busy().read());
  EXPECT_EQ(payload, open_one(*plain, *in, sealed).payload);
  const auto back_in = inbound(timed, p);
  EXPECT_EQ(payload, open_one(timed, *back_in, sealed).payload);
  EXPECT_EQ(6000U, timed.busy().read());
}

}  // namespace
}  // namespace sluice::esp
