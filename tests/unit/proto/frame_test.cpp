#include "proto/channel/frame.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/seeded_random.hpp"

namespace sluice::channel {
namespace {

ByteVector payload_of(std::size_t size, std::uint8_t fill) {
  return ByteVector(size, fill);
}

TEST(Frame, RoundTripsWhateverTheCuts) {
  test::SeededRandom random(1);
  std::vector<ByteVector> sent;
  ByteVector stream;
  for (std::size_t i = 0; i < 50; ++i) {
    sent.push_back(payload_of(1 + random.below(700), static_cast<std::uint8_t>(i)));
    ASSERT_TRUE(append_frame(stream, sent.back()));
  }
  for (const std::size_t step :
       {std::size_t{1}, std::size_t{3}, std::size_t{4}, std::size_t{1000}, stream.size()}) {
    FrameDecoder decoder;
    std::size_t got = 0;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      decoder.feed(Bytes(stream).subspan(at, std::min(step, stream.size() - at)));
      while (true) {
        const auto frame = decoder.next();
        ASSERT_TRUE(frame.ok());
        if (!*frame) break;
        ASSERT_LT(got, sent.size());
        EXPECT_TRUE(equal(**frame, sent[got++]));
      }
    }
    EXPECT_EQ(got, sent.size());
    EXPECT_EQ(decoder.buffered(), 0U);
  }
}

TEST(Frame, RefusesToBuildEmptyOrTooLong) {
  ByteVector out;
  EXPECT_FALSE(append_frame(out, {}));
  EXPECT_FALSE(append_frame(out, payload_of(kMaxFrame + 1, 0)));
  EXPECT_TRUE(out.empty());
  EXPECT_TRUE(append_frame(out, payload_of(kMaxFrame, 0)));
}

TEST(FrameDecoder, JudgesTheLengthBeforeTheBytesCome) {
  ByteVector header(kFrameHeader);
  store_be32(header.data(), kMaxFrame + 1);
  FrameDecoder decoder;
  decoder.feed(header);
  const auto frame = decoder.next();
  ASSERT_FALSE(frame.ok());
  EXPECT_EQ(frame.error(), FrameError::kTooLong);
}

TEST(FrameDecoder, StaysFailed) {
  FrameDecoder decoder;
  decoder.feed(ByteVector(kFrameHeader, 0));
  EXPECT_EQ(decoder.next().error(), FrameError::kEmpty);
  ByteVector good;
  ASSERT_TRUE(append_frame(good, payload_of(3, 1)));
  decoder.feed(good);
  EXPECT_EQ(decoder.next().error(), FrameError::kEmpty);
}

}  // namespace
}  // namespace sluice::channel
