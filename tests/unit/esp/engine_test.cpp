// Properties every engine has, with every suite.
#include <tuple>

#include "support.hpp"

namespace sluice::esp {
namespace {

class EngineSuite : public testing::TestWithParam<std::tuple<std::string_view, std::size_t>> {
 protected:
  const Suite& s = suites()[std::get<1>(GetParam())];
  std::unique_ptr<Engine> engine = engine_named(std::get<0>(GetParam()));
  Keys keys{s};
  SeededRandom random{3};
};

TEST_P(EngineSuite, OpensWhatItSealedAtEverySizeWithAndWithoutEsn) {
  for (const bool esn : {false, true}) {
    auto p = keys.parameters(s, esn);
    if (esn) p.last_sequence = 0x2fffffff0;  // so that the run passes from one cycle to the next
    auto out = outbound(*engine, p);
    auto in = inbound(*engine, p);
    std::uint64_t sequence = p.last_sequence;
    for (std::size_t size = 0; size < 1600; size += size < 80 ? 1 : 61) {
      const auto payload = random.bytes(size);
      const auto sealed = seal_one(*engine, *out, payload);
      ASSERT_EQ(sealed.size(), sealed_size(s, size));
      const auto opened = open_one(*engine, *in, sealed);
      ASSERT_EQ(opened.result, DropReason::kNone) << drop_reason_name(opened.result) << " size " << size;
      EXPECT_EQ(opened.payload, payload);
      EXPECT_EQ(opened.next_header, kUdp);
      EXPECT_EQ(opened.sequence, ++sequence);
    }
    EXPECT_EQ(out->bytes(), in->bytes());
    EXPECT_EQ(out->packets(), in->packets());
  }
}

TEST_P(EngineSuite, RefusesEveryTruncationAndExtension) {
  const auto p = keys.parameters(s);
  auto out = outbound(*engine, p);
  auto in = inbound(*engine, p);
  const auto sealed = seal_one(*engine, *out, random.bytes(40));
  for (std::size_t cut = 0; cut < sealed.size(); ++cut) {
    EXPECT_NE(open_one(*engine, *in, Bytes(sealed).first(cut)).result, DropReason::kNone) << cut;
  }
  auto longer = sealed;
  for (int i = 0; i < 32; ++i) {
    longer.push_back(0);
    EXPECT_NE(open_one(*engine, *in, longer).result, DropReason::kNone) << i;
  }
  EXPECT_EQ(in->packets(), 0U);
  EXPECT_EQ(open_one(*engine, *in, sealed).result, DropReason::kNone);
}

TEST_P(EngineSuite, RefusesEveryBitFlip) {
  for (const bool esn : {false, true}) {
    const auto p = keys.parameters(s, esn);
    auto out = outbound(*engine, p);
    auto in = inbound(*engine, p);
    auto sealed = seal_one(*engine, *out, random.bytes(29));
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      sealed[bit / 8] = static_cast<std::uint8_t>(sealed[bit / 8] ^ (1U << (bit % 8)));
      EXPECT_NE(open_one(*engine, *in, sealed).result, DropReason::kNone) << "bit " << bit;
      sealed[bit / 8] = static_cast<std::uint8_t>(sealed[bit / 8] ^ (1U << (bit % 8)));
    }
    EXPECT_EQ(in->replay().top(), 0U) << "a forged packet must not move the window";
    EXPECT_EQ(open_one(*engine, *in, sealed).result, DropReason::kNone);
  }
}

TEST_P(EngineSuite, RefusesAnotherKey) {
  auto out = outbound(*engine, keys.parameters(s));
  const Keys others(s, 8);
  auto in = inbound(*engine, others.parameters(s));
  EXPECT_EQ(open_one(*engine, *in, seal_one(*engine, *out, random.bytes(64))).result, DropReason::kBadIcv);
}

TEST_P(EngineSuite, RefusesAPacketOfAnotherCycle) {
  auto p = keys.parameters(s, true);
  auto out = outbound(*engine, p);
  const auto sealed = seal_one(*engine, *out, random.bytes(64));
  p.last_sequence = 0x100000000;  // its number 1 now means 0x100000001
  auto in = inbound(*engine, p);
  EXPECT_EQ(open_one(*engine, *in, sealed).result, DropReason::kBadIcv);
}

TEST_P(EngineSuite, AnswersARepeatedPacketOnceEvenWithinABurst) {
  const auto p = keys.parameters(s);
  auto out = outbound(*engine, p);
  auto in = inbound(*engine, p);
  const auto sealed = seal_one(*engine, *out, random.bytes(100));
  Packet a(sealed, 0, 0), b(sealed, 0, 0);
  OpenJob jobs[2];
  jobs[0].set(*in, a.view);
  jobs[1].set(*in, b.view);
  engine->open(jobs);
  EXPECT_EQ(jobs[0].result, DropReason::kNone);
  EXPECT_EQ(jobs[1].result, DropReason::kReplayed);
  EXPECT_EQ(open_one(*engine, *in, sealed).result, DropReason::kReplayed);
  EXPECT_EQ(in->packets(), 1U);
}

TEST_P(EngineSuite, MixedBurstsOfManySasComeOutRight) {
  constexpr std::size_t kSas = 9, kPackets = 150;
  std::vector<OutboundSaPtr> out;
  std::vector<InboundSaPtr> in;
  for (std::size_t i = 0; i < kSas; ++i) {
    const Keys own(s, 100 + i);
    out.push_back(outbound(*engine, own.parameters(s)));
    in.push_back(inbound(*engine, own.parameters(s)));
  }
  std::vector<ByteVector> payloads;
  std::vector<std::unique_ptr<Packet>> packets;
  std::vector<SealJob> seals(kPackets);
  for (std::size_t i = 0; i < kPackets; ++i) {
    payloads.push_back(random.bytes(random.below(1500)));
    packets.push_back(std::make_unique<Packet>(payloads.back()));
    seals[i].set(*out[random.below(kSas)], packets.back()->view, kUdp);
  }
  engine->seal(seals);
  std::vector<OpenJob> opens(kPackets);
  for (std::size_t i = 0; i < kPackets; ++i) {
    ASSERT_TRUE(seals[i].ok());
    std::size_t which = 0;
    while (out[which].get() != seals[i].sa) ++which;
    if (i % 10 == 3) seals[i].packet.data()[seals[i].packet.length - 1] ^= 1;
    opens[i].set(*in[which], seals[i].packet);
  }
  engine->open(opens);
  for (std::size_t i = 0; i < kPackets; ++i) {
    if (i % 10 == 3) {
      EXPECT_EQ(opens[i].result, DropReason::kBadIcv);
      continue;
    }
    ASSERT_EQ(opens[i].result, DropReason::kNone) << i;
    EXPECT_TRUE(equal(opens[i].packet.bytes(), payloads[i])) << i;
  }
}

TEST_P(EngineSuite, GivesEveryPacketItsOwnIv) {
  const auto p = keys.parameters(s);
  auto out = outbound(*engine, p);
  std::vector<ByteVector> ivs;
  for (int i = 0; i < 600; ++i) {  // more than one filling of the pool
    const auto sealed = seal_one(*engine, *out, random.bytes(4));
    ivs.emplace_back(sealed.begin() + kEspHeaderSize, sealed.begin() + kEspHeaderSize + s.iv_size);
  }
  std::sort(ivs.begin(), ivs.end());
  EXPECT_EQ(std::adjacent_find(ivs.begin(), ivs.end()), ivs.end());
}

TEST_P(EngineSuite, OnePairFitsFourKib) {
  const auto p = keys.parameters(s);
  EXPECT_LE(outbound(*engine, p)->footprint() + inbound(*engine, p)->footprint(), 4096U);
}

class OtherEngineSuite : public EngineSuite {};

TEST_P(OtherEngineSuite, AgreesWithBotanBitForBit) {
  auto botan = engine_named("botan", 5);
  auto other = engine_named(std::get<0>(GetParam()), 5);  // the same seed: the same CBC IVs
  for (const bool esn : {false, true}) {
    auto p = keys.parameters(s, esn);
    if (esn) p.last_sequence = 0x5ffffff80;
    auto a = outbound(*botan, p);
    auto b = outbound(*other, p);
    constexpr std::size_t kPackets = 256;
    std::vector<std::unique_ptr<Packet>> packets;
    std::vector<SealJob> ones(kPackets), others(kPackets);
    for (std::size_t i = 0; i < kPackets; ++i) {
      const auto payload = random.bytes(random.below(i < 128 ? 128 : 2000));
      packets.push_back(std::make_unique<Packet>(payload));
      ones[i].set(*a, packets.back()->view, kUdp);
      packets.push_back(std::make_unique<Packet>(payload));
      others[i].set(*b, packets.back()->view, kUdp);
    }
    botan->seal(ones);
    other->seal(others);
    for (std::size_t i = 0; i < kPackets; ++i) {
      ASSERT_TRUE(equal(ones[i].packet.bytes(), others[i].packet.bytes())) << i;
    }
  }
}

std::string suite_case(const testing::TestParamInfo<std::tuple<std::string_view, std::size_t>>& one) {
  return case_name(std::get<0>(one.param)) + "_" + case_name(suites()[std::get<1>(one.param)].name);
}
std::vector<std::string_view> others() {
  auto names = engine_names();
  std::erase(names, "botan");
  return names;
}
INSTANTIATE_TEST_SUITE_P(All, EngineSuite,
                         testing::Combine(testing::ValuesIn(engine_names()),
                                          testing::Range(std::size_t{0}, kSuiteCount)),
                         suite_case);
INSTANTIATE_TEST_SUITE_P(All, OtherEngineSuite,
                         testing::Combine(testing::ValuesIn(others()),
                                          testing::Range(std::size_t{0}, kSuiteCount)),
                         suite_case);

}  // namespace
}  // namespace sluice::esp
