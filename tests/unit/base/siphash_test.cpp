#include "base/siphash.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace sluice {
namespace {

// The first, ninth and last of the designers' vectors (vectors.h of their reference code), and the example in
// their paper's appendix A, which is the sixteenth.
TEST(SipHash, AgreesWithItsDesignersVectors) {
  SipKey key;
  std::iota(key.begin(), key.end(), std::uint8_t{0});
  std::array<std::uint8_t, 63> data;
  std::iota(data.begin(), data.end(), std::uint8_t{0});
  EXPECT_EQ(siphash(key, Bytes(data).first(0)), 0x726fdb47dd0e0e31ULL);
  EXPECT_EQ(siphash(key, Bytes(data).first(8)), 0x93f5f5799a932462ULL);
  EXPECT_EQ(siphash(key, Bytes(data).first(15)), 0xa129ca6149be45e5ULL);
  EXPECT_EQ(siphash(key, Bytes(data).first(63)), 0x958a324ceb064572ULL);
}

TEST(SipHash, AnotherKeyGivesAnotherHash) {
  SipKey one{}, other{};
  other[15] = 1;
  EXPECT_NE(siphash(one, as_bytes("192.0.2.1")), siphash(other, as_bytes("192.0.2.1")));
}

}  // namespace
}  // namespace sluice
