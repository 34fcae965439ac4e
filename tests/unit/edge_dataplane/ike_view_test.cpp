#include "edge/dataplane/ike_view.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/unit/edge_dataplane/ike_messages.hpp"

namespace sluice::edge::testing {
namespace {

ByteVector captured(const std::string& name) {
  std::ifstream in(std::string(SLUICE_VECTORS "/ike/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(IkeView, ReadsCapturedMessages) {
  const auto first = view_ike(captured("main-mode-1.bin"));
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->first());
  EXPECT_EQ(first->major_version, 1);
  EXPECT_EQ(first->exchange, 2);
  EXPECT_EQ(first->token(), 0U);
  const auto answer = view_ike(captured("main-mode-2.bin"));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->first());
  EXPECT_EQ(answer->initiator_spi, first->initiator_spi);
  EXPECT_EQ(answer->token(), answer->responder_spi);
  const auto third = view_ike(captured("main-mode-3.bin"));
  ASSERT_TRUE(third);
  EXPECT_EQ(third->token(), answer->token()) << "the client sends back what only the answer told it";
}

TEST(IkeView, ReadsTheCookieOfARepeatedRequestAndOfTheAnswerThatDemandsIt) {
  for (const std::uint8_t flags : {std::uint8_t{0x08}, std::uint8_t{0x20}}) {
    const auto view = view_ike(sa_init_with_cookie(7, 0x0102030405060708ULL, flags));
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->first());
    EXPECT_EQ(view->response, flags == 0x20);
    EXPECT_EQ(view->token(), 0x0102030405060708ULL);
  }
}

TEST(IkeView, TakesNoOtherNotifyForACookie) {
  auto message = sa_init_with_cookie(7, 9);
  message[kIkeHeaderSize + 7] = 0x07;
  EXPECT_EQ(view_ike(message)->cookie, 0U);
  message = sa_init_with_cookie(7, 9);
  message[kIkeHeaderSize + 5] = 4;
  EXPECT_EQ(view_ike(message)->cookie, 0U) << "it has an SPI";
  message = sa_init_with_cookie(7, 9);
  message[kIkeHeaderSize + 3] = 17;
  EXPECT_EQ(view_ike(message)->cookie, 0U) << "longer than the message";
  message[kIkeHeaderSize + 3] = 3;
  EXPECT_EQ(view_ike(message)->cookie, 0U) << "shorter than its header";
}

TEST(IkeView, RefusesWhatNoDaemonWouldLookAt) {
  EXPECT_FALSE(view_ike(main_mode(0)));
  EXPECT_FALSE(view_ike(ike_message({.version = 0x30})));
  EXPECT_FALSE(view_ike(ike_message({.version = 0x00})));
  EXPECT_FALSE(view_ike(ike_message({.exchange = 32}))) << "Quick Mode begins nothing";
  EXPECT_FALSE(view_ike(ike_message({.version = 0x20, .exchange = 35}))) << "nor does IKE_AUTH";
  EXPECT_TRUE(view_ike(ike_message({.responder = 5, .version = 0x20, .exchange = 35})));
  auto longer = main_mode(1);
  longer.pop_back();
  EXPECT_FALSE(view_ike(longer)) << "Length is beyond the datagram";
  auto shorter = main_mode(1);
  store_be32(shorter.data() + 24, 27);
  EXPECT_FALSE(view_ike(shorter));
}

TEST(IkeView, RefusesEveryTruncation) {
  for (const auto& whole : {captured("main-mode-1.bin"), sa_init_with_cookie(1, 2)}) {
    ASSERT_TRUE(view_ike(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(view_ike(ByteVector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
  }
}

TEST(IkeView, SurvivesEveryFlippedBit) {
  const auto whole = sa_init_with_cookie(0x1122334455667788ULL, 0x99aabbccddeeff00ULL);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    const auto view = view_ike(flipped);
    if (bit < 64) {
      ASSERT_TRUE(view);
      EXPECT_NE(view->initiator_spi, 0x1122334455667788ULL);
    } else if (bit < 128) {
      ASSERT_TRUE(view);
      EXPECT_FALSE(view->first());
    } else if (bit >= kIkeHeaderSize * 8 + 64) {
      ASSERT_TRUE(view);
      EXPECT_NE(view->cookie, 0x99aabbccddeeff00ULL);
    }
  }
}

}  // namespace
}  // namespace sluice::edge::testing
