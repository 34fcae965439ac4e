// submit() and poll(): late and out of order inside, in order for each SA outside.
#include <algorithm>
#include <map>

#include "esp/botan_engine.hpp"
#include "support.hpp"

namespace sluice::esp {
namespace {

class Submission : public testing::TestWithParam<std::string_view> {
 protected:
  std::unique_ptr<Engine> engine = engine_named(GetParam());
  const Suite& s = suite(SuiteId::kAes128CbcSha1);
  SeededRandom random{11};

  /// Submits all, however small the queue, and returns the jobs in the order in which they came back.
  template <class JobType>
  std::vector<Job*> push_through(std::span<JobType> jobs) {
    std::vector<Job*> came;
    Job* done[17];
    std::size_t idle = 0;
    while ((!jobs.empty() || engine->in_flight() > 0) && idle < 1000) {
      jobs = jobs.subspan(engine->submit(jobs));
      const std::size_t count = engine->poll(done);
      came.insert(came.end(), done, done + count);
      idle = count == 0 ? idle + 1 : 0;
    }
    EXPECT_EQ(engine->in_flight(), 0U);
    return came;
  }
};

TEST_P(Submission, KeepsTheOrderOfEachSa) {
  constexpr std::size_t kSas = 5, kPackets = 900;
  std::vector<OutboundSaPtr> out;
  std::vector<InboundSaPtr> in;
  for (std::size_t i = 0; i < kSas; ++i) {
    const Keys keys(s, i);
    out.push_back(outbound(*engine, keys.parameters(s, true)));
    in.push_back(inbound(*engine, keys.parameters(s, true)));
  }
  std::vector<std::unique_ptr<Packet>> packets;
  std::vector<SealJob> seals(kPackets);
  std::map<OutboundSa*, InboundSa*> other;
  for (std::size_t i = 0; i < kPackets; ++i) {
    packets.push_back(std::make_unique<Packet>(random.bytes(random.below(300))));
    const std::size_t sa = random.below(kSas);
    seals[i].set(*out[sa], packets.back()->view, kUdp);
    other[out[sa].get()] = in[sa].get();
  }
  const auto sealed = push_through(std::span(seals));
  ASSERT_EQ(sealed.size(), kPackets);
  std::map<OutboundSa*, std::uint64_t> last;
  std::vector<OpenJob> opens(kPackets);
  for (std::size_t i = 0; i < kPackets; ++i) {
    auto& job = static_cast<SealJob&>(*sealed[i]);
    ASSERT_TRUE(job.ok());
    EXPECT_EQ(job.sequence, ++last[job.sa]) << "what is sent in this order is in order";
    if (i % 50 == 7) job.packet.data()[20] ^= 1;
    opens[i].set(*other[job.sa], job.packet);
    opens[i].user = &job;
  }
  const auto opened = push_through(std::span(opens));
  ASSERT_EQ(opened.size(), kPackets);
  std::map<InboundSa*, std::uint64_t> newest;
  std::size_t refused = 0;
  for (auto* job : opened) {
    auto& open = static_cast<OpenJob&>(*job);
    refused += open.ok() ? 0 : 1;
    EXPECT_EQ(open.sequence, newest[open.sa] + 1);
    newest[open.sa] = open.sequence;
  }
  EXPECT_EQ(refused, kPackets / 50);
}

TEST_P(Submission, ARepeatedPacketIsAnsweredOnceThoughBothAreUnderWay) {
  const Keys keys(s);
  auto out = outbound(*engine, keys.parameters(s));
  auto in = inbound(*engine, keys.parameters(s));
  const auto sealed = seal_one(*engine, *out, random.bytes(40));
  std::vector<std::unique_ptr<Packet>> copies;
  std::vector<OpenJob> jobs(20);
  for (auto& job : jobs) {
    copies.push_back(std::make_unique<Packet>(sealed, 0, 0));
    job.set(*in, copies.back()->view);
  }
  push_through(std::span(jobs));
  EXPECT_EQ(std::count_if(jobs.begin(), jobs.end(), [](const auto& job) { return job.ok(); }), 1);
  EXPECT_TRUE(jobs[0].ok());
}

TEST_P(Submission, RefusedJobsComeBackToo) {
  const Keys keys(s);
  auto in = inbound(*engine, keys.parameters(s));
  Packet tiny(random.bytes(5));
  OpenJob job;
  job.set(*in, tiny.view);
  const auto came = push_through(std::span(&job, 1));
  ASSERT_EQ(came.size(), 1U);
  EXPECT_EQ(came[0]->result, DropReason::kTooShort);
}

TEST_P(Submission, WaitingCallsDoNotDisturbJobsUnderWay) {
  const Keys keys(s);
  auto out = outbound(*engine, keys.parameters(s));
  auto other = outbound(*engine, keys.parameters(s));
  Packet packet(random.bytes(64));
  SealJob job;
  job.set(*out, packet.view, kUdp);
  ASSERT_EQ(engine->submit({&job, 1}), 1U);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(seal_one(*engine, *other, random.bytes(20)).empty());
  EXPECT_EQ(engine->in_flight(), 1U);
  const auto came = push_through(std::span<SealJob>{});
  ASSERT_EQ(came.size(), 1U);
  EXPECT_EQ(came[0], &job);
  EXPECT_TRUE(job.ok());
}

INSTANTIATE_TEST_SUITE_P(All, Submission, testing::ValuesIn(engine_names()),
                         [](const auto& one) { return case_name(one.param); });

/// A broken device: jobs go in and nothing is done to every third.
class LosingEngine final : public Engine {
 public:
  explicit LosingEngine(RandomSource& random) : Engine(random), inner_(random) {}
  std::string_view name() const override { return "losing"; }
  std::string_view backend(const Suite&) const override { return name(); }
  std::size_t key_state_size(const Suite& s, bool sealing) const override {
    return inner_.key_state_size(s, sealing);
  }
  bool load_key(void* state, const KeyMaterial& key) override { return inner_.load_key(state, key); }
  void drop_key(void* state, const Suite& s) override { inner_.drop_key(state, s); }
  void run(std::span<CryptoJob* const> jobs) override {
    for (auto* job : jobs) {
      if (++count_ % 3 != 0) inner_.run({&job, 1});
    }
  }

 private:
  BotanEngine inner_;
  std::size_t count_ = 0;
};

TEST(LosingEngine, NothingLeavesThatWasNotDone) {
  SeededRandom random;
  LosingEngine engine(random);
  const Suite& s = suite(SuiteId::kAesGcm128);
  auto out = outbound(engine, Keys(s).parameters(s));
  auto in = inbound(engine, Keys(s).parameters(s));
  std::vector<std::unique_ptr<Packet>> packets;
  std::vector<SealJob> seals(9);
  for (auto& job : seals) {
    packets.push_back(std::make_unique<Packet>(random.bytes(30)));
    job.set(*out, packets.back()->view, kUdp);
  }
  engine.seal(seals);
  std::vector<OpenJob> opens(9);
  for (std::size_t i = 0; i < seals.size(); ++i) {
    EXPECT_EQ(seals[i].result, i % 3 == 2 ? DropReason::kEngineFailure : DropReason::kNone);
    opens[i].set(*in, seals[i].packet);
  }
  engine.open(opens);
  for (std::size_t i = 0; i < seals.size(); ++i) {
    EXPECT_EQ(opens[i].result, i % 3 == 2 ? DropReason::kEngineFailure : DropReason::kNone);
  }
}

TEST(AsyncTestEngine, IsLateAndOutOfOrderInside) {
  // Otherwise the tests above prove nothing: jobs of different SAs have to overtake one another.
  auto engine = engine_named("async_test");
  const Suite& s = suite(SuiteId::kAesGcm128);
  SeededRandom random;
  std::vector<OutboundSaPtr> out;
  std::vector<std::unique_ptr<Packet>> packets;
  std::vector<SealJob> jobs(40);
  for (auto& job : jobs) {
    out.push_back(outbound(*engine, Keys(s).parameters(s)));
    packets.push_back(std::make_unique<Packet>(random.bytes(30)));
    job.set(*out.back(), packets.back()->view, kUdp);
  }
  ASSERT_EQ(engine->submit(jobs), jobs.size());
  Job* done[64];
  std::vector<Job*> came;
  std::size_t polls = 0;
  while (engine->in_flight() > 0 && ++polls < 100) {
    const std::size_t count = engine->poll(done);
    came.insert(came.end(), done, done + count);
  }
  EXPECT_GT(polls, 2U);
  EXPECT_FALSE(std::is_sorted(came.begin(), came.end()));
}

TEST(AsyncTestEngine, TakesNoMoreThanItsQueueHolds) {
  auto engine = engine_named("async_test");
  const Suite& s = suite(SuiteId::kAesGcm128);
  auto out = outbound(*engine, Keys(s).parameters(s));
  SeededRandom random;
  std::vector<std::unique_ptr<Packet>> packets;
  std::vector<SealJob> jobs(400);
  for (auto& job : jobs) {
    packets.push_back(std::make_unique<Packet>(random.bytes(30)));
    job.set(*out, packets.back()->view, kUdp);
  }
  std::size_t taken = 0;
  while (const std::size_t more = engine->submit(std::span(jobs).subspan(taken))) taken += more;
  EXPECT_EQ(taken, 256U);
  EXPECT_EQ(out->last_sequence(), taken) << "no number is used for a job not taken";
  Job* done[64];
  while (engine->in_flight() > 0) engine->poll(done);
}

}  // namespace
}  // namespace sluice::esp
