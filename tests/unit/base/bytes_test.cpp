#include "base/bytes.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(ByteReader, ReadsBigEndian) {
  const ByteVector data{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  ByteReader in(data);
  EXPECT_EQ(in.u8(), 1);
  EXPECT_EQ(in.u16(), 0x0203);
  EXPECT_EQ(in.u32(), 0x04050607U);
  EXPECT_EQ(in.u64(), 0x08090a0b0c0d0e0fULL);
  EXPECT_TRUE(in.ok());
  EXPECT_TRUE(in.at_end());
}

TEST(ByteReader, StaysBadAfterReadPastEnd) {
  const ByteVector data{1, 2, 3};
  ByteReader in(data);
  EXPECT_EQ(in.u32(), 0U);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0) << "a failed reader gives nothing more, even where bytes are left";
}

TEST(ByteReader, SubReaderIsConfined) {
  const ByteVector data{1, 2, 3, 4};
  ByteReader in(data);
  ByteReader inner = in.sub(2);
  EXPECT_EQ(inner.u16(), 0x0102);
  inner.u8();
  EXPECT_FALSE(inner.ok());
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.u16(), 0x0304);
  EXPECT_FALSE(in.sub(1).ok());
}

TEST(ByteWriter, NeverWritesPastItsBuffer) {
  std::array<std::uint8_t, 6> memory{0, 0, 0, 0, 0xaa, 0xaa};
  ByteWriter out(MutableBytes(memory).first(4));
  out.u16(0x1234);
  out.u32(1);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.size(), 2U);
  EXPECT_EQ(memory[4], 0xaa);
  out.u8(1);
  EXPECT_EQ(out.size(), 2U) << "a failed writer writes nothing more";
}

TEST(ByteWriter, PatchesWhatWasWritten) {
  std::array<std::uint8_t, 8> memory{};
  ByteWriter out(memory);
  out.u16(0);
  out.bytes(as_bytes("ab"));
  out.patch_u16(0, 4);
  EXPECT_EQ(to_integer<int>(std::byte{memory[1]}), 4);
  EXPECT_TRUE(out.ok());
  out.patch_u16(3, 1);
  EXPECT_FALSE(out.ok());
}

TEST(Narrow, RefusesWhatDoesNotFit) {
  EXPECT_EQ(narrow<std::uint16_t>(65535), std::uint16_t{65535});
  EXPECT_EQ(narrow<std::uint16_t>(65536), std::nullopt);
  EXPECT_EQ(narrow<std::uint8_t>(-1), std::nullopt);
}

}  // namespace
}  // namespace sluice
