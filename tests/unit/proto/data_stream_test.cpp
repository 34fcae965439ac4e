#include "proto/channel/data_stream.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/seeded_random.hpp"

namespace sluice::channel {
namespace {

StreamToken a_token() {
  StreamToken token;
  for (std::size_t i = 0; i < token.size(); ++i) token[i] = static_cast<std::uint8_t>(i);
  return token;
}

ByteVector record(std::size_t size, std::uint8_t fill = 7) {
  ByteVector out(kRecordHeader + size, fill);
  store_be16(out.data(), static_cast<std::uint16_t>(size));
  return out;
}

/// The opening end's token has gone over.
struct Ends {
  Ends() { EXPECT_TRUE(accepting.on_bytes(opening.poll_transmit()).ok()); }
  DataStream opening{a_token()};
  DataStream accepting;
};

TEST(DataStream, TheTokenComesFirstAndOnce) {
  DataStream stream;
  EXPECT_EQ(stream.on_bytes(record(100)).error(), StreamError::kNoToken);
  DataStream other;
  const auto hello = DataStream(a_token()).poll_transmit();
  ASSERT_TRUE(other.on_bytes(hello).ok());
  EXPECT_EQ(other.token(), a_token());
  EXPECT_EQ(other.on_bytes(hello).error(), StreamError::kNoToken);
  DataStream opener(a_token());
  EXPECT_EQ(opener.on_bytes(hello).error(), StreamError::kNoToken) << "the accepting end has none";
}

TEST(DataStream, FramesComeOutWholeHoweverTheStreamIsCut) {
  test::SeededRandom random(11);
  for (int round = 0; round < 20; ++round) {
    Ends ends;
    ByteVector sent, got;
    std::size_t frames = 0;
    for (int i = 0; i < 50; ++i) {
      const auto one = record(kMinStreamFrame + random.below(kMaxStreamFrame - kMinStreamFrame + 1),
                              static_cast<std::uint8_t>(i));
      ASSERT_TRUE(ends.opening.send(one, 1));
      sent.insert(sent.end(), one.begin(), one.end());
    }
    const auto wire = ends.opening.poll_transmit();
    for (std::size_t at = 0; at < wire.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random.below(3000), wire.size() - at);
      const auto records = ends.accepting.on_bytes(Bytes(wire).subspan(at, size));
      ASSERT_TRUE(records.ok());
      got.insert(got.end(), records->begin(), records->end());
      at += size;
    }
    for_each_record(got, [&](Bytes) { ++frames; });
    EXPECT_EQ(frames, 50U);
    EXPECT_EQ(got, sent);
  }
}

TEST(DataStream, APeerThatDoesNotTakeCostsAWindowAndNoMore) {
  Ends ends;
  const auto one = record(1400);
  std::size_t taken = 0;
  for (int i = 0; i < 10'000; ++i) taken += ends.opening.send(one, 1) ? 1 : 0;
  EXPECT_EQ(taken, DataStream::kWindow / one.size());
  EXPECT_EQ(ends.opening.counts().read(StreamCount::kNoCredit), 10'000 - taken);
  EXPECT_LE(ends.opening.poll_transmit().size(), DataStream::kWindow);
}

TEST(DataStream, CreditLetsItGoOnForever) {
  Ends ends;
  const auto one = record(1000);
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(ends.opening.send(one, 1)) << i;
    ASSERT_TRUE(ends.accepting.on_bytes(ends.opening.poll_transmit()).ok());
    ASSERT_TRUE(ends.opening.on_bytes(ends.accepting.poll_transmit()).ok());
    EXPECT_LE(ends.opening.under_way(), DataStream::kCreditStep + one.size());
  }
  EXPECT_EQ(ends.accepting.counts().read(StreamCount::kFramesIn), 5000U);
}

TEST(DataStream, CreditForWhatWasNeverSentEndsIt) {
  Ends ends;
  ByteVector credit(kRecordHeader + kCreditBytes);
  store_be16(credit.data(), kCreditBytes);
  EXPECT_TRUE(ends.opening.on_bytes(credit).ok()) << "nothing for nothing";
  store_be64(credit.data() + kRecordHeader, 1);
  EXPECT_EQ(ends.opening.on_bytes(credit).error(), StreamError::kBadCredit);

  Ends others;
  ASSERT_TRUE(others.opening.send(record(500), 1));
  store_be64(credit.data() + kRecordHeader, 400);
  EXPECT_TRUE(others.opening.on_bytes(credit).ok());
  store_be64(credit.data() + kRecordHeader, 399);
  EXPECT_EQ(others.opening.on_bytes(credit).error(), StreamError::kBadCredit) << "credit is not taken back";
}

TEST(DataStream, OtherLengthsAreNoRecords) {
  for (const std::size_t size : {0, 1, 7, 9, 31, 33, 35, 2049, 65535}) {
    Ends ends;
    EXPECT_EQ(ends.accepting.on_bytes(record(size)).error(), StreamError::kBadLength) << size;
  }
  for (const std::size_t size : {kMinStreamFrame, kMaxStreamFrame}) {
    Ends ends;
    EXPECT_TRUE(ends.accepting.on_bytes(record(size)).ok()) << size;
  }
}

}  // namespace
}  // namespace sluice::channel
