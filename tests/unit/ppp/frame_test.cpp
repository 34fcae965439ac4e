#include "ppp/frame.hpp"

#include <gtest/gtest.h>

#include <array>

namespace sluice::ppp {
namespace {

struct Case {
  bool acfc, pfc;
  Protocol protocol;
};

TEST(Frame, ComesBackAsItWasWrittenInEveryCompression) {
  for (const Case c : {Case{false, false, kIpv4}, Case{true, false, kIpv4}, Case{false, true, kIpv4},
                       Case{true, true, kIpv4}, Case{true, true, kLcp}, Case{false, true, kIpcp}}) {
    std::array<std::uint8_t, 8> buffer{};
    ByteWriter out(buffer);
    write_header(out, c.protocol, c.acfc, c.pfc);
    ASSERT_EQ(out.size(), header_size(c.protocol, c.acfc, c.pfc));
    const auto parsed = parse_frame(out.written());
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed.value().protocol, c.protocol);
    EXPECT_EQ(parsed.value().header_size, out.size());
  }
}

TEST(Frame, CutHeadersAreRefused) {
  const std::array<std::uint8_t, 4> frame{0xff, 0x03, 0xc0, 0x21};
  EXPECT_EQ(parse_frame(Bytes{}).error(), Drop::kEmptyFrame);
  EXPECT_EQ(parse_frame(Bytes(frame).first(2)).error(), Drop::kEmptyFrame);
  EXPECT_EQ(parse_frame(Bytes(frame).first(3)).error(), Drop::kBadProtocolField);
  EXPECT_TRUE(parse_frame(frame).ok());
}

TEST(Frame, ProtocolWithoutItsLowBitIsRefused) {  // RFC 1661 §2
  const std::array<std::uint8_t, 4> frame{0xff, 0x03, 0xc0, 0x20};
  EXPECT_EQ(parse_frame(frame).error(), Drop::kBadProtocolField);
}

TEST(Frame, EverySingleByteAndPairEndsWithinTheFrame) {
  for (unsigned i = 0; i < 0x10000; ++i) {
    const std::array<std::uint8_t, 2> frame{static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
    for (std::size_t size = 1; size <= 2; ++size) {
      const auto parsed = parse_frame(Bytes(frame).first(size));
      if (parsed.ok()) {
        ASSERT_LE(parsed.value().header_size, size);
        ASSERT_NE(parsed.value().protocol & 1U, 0U);
      }
    }
  }
}

}  // namespace
}  // namespace sluice::ppp
