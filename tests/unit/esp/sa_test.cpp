// Sequence numbers, limits, padding, room: what the pipeline does whatever the engine.
#include "esp/sa.hpp"

#include <algorithm>

#include "support.hpp"

namespace sluice::esp {
namespace {

class SaTest : public testing::Test {
 protected:
  const Suite& s = suite(SuiteId::kAesGcm128);
  std::unique_ptr<Engine> engine = engine_named("auto");
  Keys keys{s};
  SaParameters p = keys.parameters(s);
  ByteVector payload = ByteVector(50, 7);

  DropReason seal_result(OutboundSa& sa) {
    Packet packet(payload);
    SealJob job;
    job.set(sa, packet.view, kUdp);
    engine->seal({&job, 1});
    last_event = job.event;
    return job.result;
  }
  /// An ESP packet whose text is given whole, trailer included.
  ByteVector packet_with_text(Bytes text, std::uint32_t sequence) {
    constexpr std::size_t kText = kEspHeaderSize + 8;
    ByteVector packet(kText + text.size() + s.icv_size);
    store_be32(packet.data(), 0x1234abcd);
    store_be32(packet.data() + 4, sequence);
    store_be64(packet.data() + 8, sequence);
    std::copy(text.begin(), text.end(), packet.begin() + kText);
    ByteVector key(engine->key_state_size(s, true) + 64);
    void* state = key.data();
    std::size_t space = key.size();
    std::align(64, engine->key_state_size(s, true), state, space);
    EXPECT_TRUE(engine->load_key(state, {&s, true, Bytes(keys.encryption).first(16), {}}));
    CryptoJob job;
    job.suite = &s;
    job.key = state;
    job.esp = packet.data();
    std::copy_n(keys.encryption.data() + 16, 4, job.nonce);
    std::copy_n(packet.data() + 8, 8, job.nonce + 4);
    job.iv = job.nonce;
    job.aad = packet.data();
    job.aad_length = 8;
    job.text_offset = 16;
    job.text_length = static_cast<std::uint32_t>(text.size());
    job.icv = packet.data() + 16 + text.size();
    job.sealing = true;
    CryptoJob* one = &job;
    engine->run({&one, 1});
    engine->drop_key(state, s);
    return packet;
  }
  LimitEvent last_event = LimitEvent::kNone;
};

TEST_F(SaTest, SequenceStopsAtTheLastNumberWithoutEsn) {
  p.last_sequence = 0xfffffffd;
  auto sa = outbound(*engine, p);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kHard);
  EXPECT_EQ(sa->last_sequence(), 0xffffffffU);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(seal_result(*sa), DropReason::kSequenceExhausted);
  EXPECT_EQ(sa->last_sequence(), 0xffffffffU);
}

TEST_F(SaTest, SequenceStopsAtTheLastNumberWithEsn) {
  p.extended_sequence = true;
  p.last_sequence = UINT64_MAX - 1;
  auto sa = outbound(*engine, p);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(seal_result(*sa), DropReason::kSequenceExhausted);
  EXPECT_EQ(sa->last_sequence(), UINT64_MAX);
}

TEST_F(SaTest, UsesNoNumberThatIsNotReservedAndAsksInTime) {
  p.last_sequence = 100;
  p.reserved = 104;
  auto sa = outbound(*engine, p);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kNone);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kReserve) << "half are used";
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kNone) << "asked once";
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(seal_result(*sa), DropReason::kNotReserved);
  EXPECT_EQ(sa->last_sequence(), 104U);
  sa->reserve(103);
  EXPECT_EQ(seal_result(*sa), DropReason::kNotReserved) << "leave is not taken back, and not given";
  sa->reserve(108);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kNone);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kReserve);
  sa->reserve(UINT64_MAX);
  EXPECT_EQ(sa->reserved(), UINT32_MAX);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seal_result(*sa), DropReason::kNone);
}

/// An edge that dies at any moment, and whoever reserves for it: the next one starts at what was reserved.
TEST_F(SaTest, NoNumberIsUsedTwiceWhereverTheEdgeDies) {
  constexpr std::uint64_t kChunk = 32;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    p.extended_sequence = seed % 2 == 0;
    std::uint64_t mark = p.extended_sequence ? 0xfffffff0 : 0;  // across the cycle where there is one
    std::uint64_t highest = 0;
    for (int life = 0; life < 10; ++life) {
      p.last_sequence = mark;
      mark += kChunk;  // written down before the SA is handed out
      p.reserved = mark;
      auto sa = outbound(*engine, p);
      std::optional<std::uint64_t> asked, granted;
      for (auto packets = random() % 300; packets > 0; --packets) {
        if (seal_result(*sa) == DropReason::kNone) {
          ASSERT_GT(sa->last_sequence(), highest);
          ASSERT_LE(sa->last_sequence(), mark);
          highest = sa->last_sequence();
        }
        if (last_event == LimitEvent::kReserve) asked = sa->reserved() + kChunk;
        // Question, note and answer each take their time, and the edge may die between any two.
        if (granted && random() % 3 == 0) sa->reserve(*std::exchange(granted, std::nullopt));
        if (asked && random() % 3 == 0) granted = mark = *std::exchange(asked, std::nullopt);
      }
    }
  }
}

TEST_F(SaTest, AsksForARekeyLongBeforeNumbersRunOut) {
  p.last_sequence = 0xffffffff - (1U << 28) - 2;
  auto sa = outbound(*engine, p);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kNone);
  EXPECT_EQ(seal_result(*sa), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kSoft);
}

TEST_F(SaTest, TellsOfPacketLimitsOnceAndRefusesBeyondTheHardOne) {
  p.limits.soft_packets = 2;
  p.limits.hard_packets = 4;
  auto out = outbound(*engine, p);
  auto in = inbound(*engine, p);
  p.limits = {};
  auto unlimited = outbound(*engine, p);
  const LimitEvent wanted[] = {LimitEvent::kNone, LimitEvent::kSoft, LimitEvent::kNone, LimitEvent::kHard};
  for (const auto event : wanted) {
    EXPECT_EQ(seal_result(*out), DropReason::kNone);
    EXPECT_EQ(last_event, event);
    EXPECT_EQ(open_one(*engine, *in, seal_one(*engine, *unlimited, payload)).event, event);
  }
  EXPECT_EQ(seal_result(*out), DropReason::kExpired);
  EXPECT_EQ(last_event, LimitEvent::kNone);
  EXPECT_EQ(open_one(*engine, *in, seal_one(*engine, *unlimited, payload)).result, DropReason::kExpired);
  EXPECT_TRUE(out->expired());
  EXPECT_EQ(out->packets(), 4U);
}

TEST_F(SaTest, TellsOfByteLimits) {
  p.limits.soft_bytes = 100;
  p.limits.hard_bytes = 101;
  auto out = outbound(*engine, p);
  const LimitEvent wanted[] = {LimitEvent::kNone, LimitEvent::kSoft, LimitEvent::kHard};
  for (const auto event : wanted) {
    EXPECT_EQ(seal_result(*out), DropReason::kNone);
    EXPECT_EQ(last_event, event);
  }
  EXPECT_EQ(out->bytes(), 150U);
  EXPECT_EQ(seal_result(*out), DropReason::kExpired);
}

TEST_F(SaTest, OnePacketMayReachBothLimitsAtOnce) {
  p.limits.soft_bytes = 10;
  p.limits.hard_bytes = 20;
  auto out = outbound(*engine, p);
  EXPECT_EQ(seal_result(*out), DropReason::kNone);
  EXPECT_EQ(last_event, LimitEvent::kHard);
}

TEST_F(SaTest, SealingWithoutRoomIsRefusedAndTakesNoNumber) {
  auto out = outbound(*engine, p);
  for (const auto& [head, tail] : {std::pair{15, 64}, {64, 17}, {0, 0}}) {
    Packet packet(payload, static_cast<std::size_t>(head), static_cast<std::size_t>(tail));
    SealJob job;
    job.set(*out, packet.view, kUdp);
    engine->seal({&job, 1});
    EXPECT_EQ(job.result, DropReason::kNoRoom);
  }
  EXPECT_EQ(out->last_sequence(), 0U);
  Packet packet(payload, 16, 18);  // 50 bytes and two need no padding
  SealJob job;
  job.set(*out, packet.view, kUdp);
  engine->seal({&job, 1});
  EXPECT_EQ(job.result, DropReason::kNone);
}

TEST_F(SaTest, TooLongIsRefusedBothWays) {
  auto out = outbound(*engine, p);
  auto in = inbound(*engine, p);
  EXPECT_TRUE(seal_one(*engine, *out, ByteVector(65500)).empty());
  EXPECT_EQ(open_one(*engine, *in, ByteVector(65536)).result, DropReason::kTooLong);
  EXPECT_EQ(seal_one(*engine, *out, ByteVector(65400)).size(), sealed_size(s, 65400));
}

TEST_F(SaTest, PaddingIsCheckedOnceThePacketIsAuthentic) {
  auto in = inbound(*engine, p);
  const std::uint8_t right[] = {9, 9, 9, 1, 2, 3, 3, 17};
  const std::uint8_t wrong_bytes[] = {9, 9, 9, 1, 1, 3, 3, 17};
  const std::uint8_t too_long[] = {1, 2, 3, 4, 5, 6, 7, 17};
  const std::uint8_t all_padding[] = {1, 2, 3, 4, 5, 6, 6, 17};
  EXPECT_EQ(open_one(*engine, *in, packet_with_text(wrong_bytes, 1)).result, DropReason::kBadPadding);
  EXPECT_EQ(open_one(*engine, *in, packet_with_text(too_long, 2)).result, DropReason::kBadPadding);
  EXPECT_EQ(open_one(*engine, *in, packet_with_text(right, 3)).payload, ByteVector(3, 9));
  const auto whole = open_one(*engine, *in, packet_with_text(all_padding, 4));
  EXPECT_EQ(whole.result, DropReason::kNone);
  EXPECT_TRUE(whole.payload.empty());
  EXPECT_EQ(open_one(*engine, *in, packet_with_text(wrong_bytes, 1)).result, DropReason::kReplayed)
      << "an authentic packet with bad padding has used its number";
}

TEST_F(SaTest, LongPaddingIsTaken) {
  auto in = inbound(*engine, p);
  ByteVector text(4, 42);
  for (int i = 1; i <= 254; ++i) text.push_back(static_cast<std::uint8_t>(i));
  text.insert(text.end(), {254, 17});
  const auto opened = open_one(*engine, *in, packet_with_text(text, 1));
  EXPECT_EQ(opened.result, DropReason::kNone);
  EXPECT_EQ(opened.payload, ByteVector(4, 42));
}

TEST_F(SaTest, DummiesAreDropped) {
  auto out = outbound(*engine, p);
  auto in = inbound(*engine, p);
  EXPECT_EQ(open_one(*engine, *in, seal_one(*engine, *out, payload, 59)).result, DropReason::kDummy);
  EXPECT_EQ(in->packets(), 0U);
}

TEST_F(SaTest, UnalignedTextIsRefusedBeforeAnyWork) {
  auto in = inbound(*engine, p);
  for (std::size_t extra = 1; extra < 4; ++extra) {
    EXPECT_EQ(open_one(*engine, *in, ByteVector(8 + 8 + 8 + 16 + extra, 1)).result, DropReason::kMisaligned);
  }
}

TEST_F(SaTest, WrongKeySizesAreRefusedWithTheirSizes) {
  p.encryption_key = p.encryption_key.first(16);
  const auto made = engine->make_inbound(p);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().find("20 and 0 bytes, not 16 and 0"), std::string::npos) << made.error();
  p.suite = nullptr;
  EXPECT_FALSE(engine->make_outbound(p).ok());
}

TEST_F(SaTest, ComeAndGoInAnyNumber) {
  std::vector<OutboundSaPtr> many;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3000; ++i) many.push_back(outbound(*engine, p));
    for (const auto& sa : many) ASSERT_EQ(seal_result(*sa), DropReason::kNone);
    while (many.size() > 100)
      many.erase(many.begin() + static_cast<std::ptrdiff_t>(many.size() / 2), many.end());
  }
}

TEST(SaPool, GivesWholeLinesAndWritableMemoryOfItsOwn) {
  SaPool pool;
  std::vector<std::pair<std::uint8_t*, std::size_t>> blocks;
  for (const std::size_t size : {1, 64, 65, 1344, 4096, 3 << 20}) {
    auto* block = static_cast<std::uint8_t*>(pool.allocate(size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % SaPool::kLine, 0U);
    std::fill_n(block, size, static_cast<std::uint8_t>(blocks.size()));
    blocks.emplace_back(block, size);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, size] = blocks[i];
    EXPECT_EQ(std::count(block, block + size, static_cast<std::uint8_t>(i)),
              static_cast<std::ptrdiff_t>(size));
    pool.release(block, size);
  }
}

TEST(MakeEngine, SaysWhatThereIs) {
  SeededRandom random;
  const auto made = make_engine("fast", random);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().find("auto, botan"), std::string::npos) << made.error();
}

TEST(MakeEngine, AutoTakesTheFastOneWhereItIsBuilt) {
  const auto engine = engine_named("auto");
#ifdef SLUICE_HAVE_IPSEC_MB
  EXPECT_EQ(engine->name(), "ipsec_mb");
  EXPECT_EQ(engine->backend(suite(SuiteId::kAesGcm128)), "ipsec_mb");
  EXPECT_EQ(engine->backend(suite(SuiteId::kTripleDesCbcSha1)), "botan");
#else
  EXPECT_EQ(engine->name(), "botan");
#endif
}

}  // namespace
}  // namespace sluice::esp
