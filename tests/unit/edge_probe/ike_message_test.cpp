#include "edge/probe/ike_message.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "edge/dataplane/ike_view.hpp"
#include "tests/unit/edge_probe/ike_answers.hpp"
#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

ByteVector captured(const std::string& name) {
  std::ifstream in(std::string(SLUICE_VECTORS "/ike/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(IkeMessage, TakesCharonsCapturedAnswers) {
  const auto accepted = captured("sa-init-accepted.bin");
  const auto answer = read_sa_init_answer(accepted, load_be64(accepted.data()));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->outcome, SaInitOutcome::kAccepted);
  const auto cookie = captured("sa-init-cookie.bin");
  const auto demand = read_sa_init_answer(cookie, load_be64(cookie.data()));
  ASSERT_TRUE(demand);
  EXPECT_EQ(demand->outcome, SaInitOutcome::kCookie);
  EXPECT_EQ(view_ike(cookie)->cookie, load_be64(demand->cookie.data())) << "what the edge's guard remembers";
}

TEST(IkeMessage, ReadsRefusalsAndCookies) {
  const auto refused = read_sa_init_answer(notify_answer(7, 14, {}), 7);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->outcome, SaInitOutcome::kRefused);
  EXPECT_EQ(refused->notify, 14);
  const auto cookie = read_sa_init_answer(notify_answer(7, 16390, as_bytes("abcdefgh")), 7);
  ASSERT_TRUE(cookie);
  EXPECT_EQ(cookie->outcome, SaInitOutcome::kCookie);
  EXPECT_EQ(as_text(cookie->cookie), "abcdefgh");
  EXPECT_FALSE(read_sa_init_answer(notify_answer(7, 16388, {}), 7)) << "a status alone tells nothing";
  EXPECT_FALSE(read_sa_init_answer(notify_answer(7, 16390, ByteVector(65)), 7))
      << "RFC 7296 §2.6: 64 at most";
}

TEST(IkeMessage, TakesNobodyElsesAnswer) {
  EXPECT_FALSE(read_sa_init_answer(notify_answer(7, 14, {}), 8));
  auto request = notify_answer(7, 14, {});
  request[19] = 0x08;
  EXPECT_FALSE(read_sa_init_answer(request, 7)) << "not a response";
  SeededRandom random;
  const auto init = random_sa_init(random);
  EXPECT_FALSE(read_sa_init_answer(write_sa_init(init), init.initiator_spi)) << "our own question";
}

// What the edge's guard reads of a message is what the probe wrote.
TEST(IkeMessage, ARequestIsAFirstMessageAndShowsItsCookie) {
  SeededRandom random;
  auto init = random_sa_init(random);
  auto request = write_sa_init(init);
  auto view = view_ike(request);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->first());
  EXPECT_EQ(view->initiator_spi, init.initiator_spi);
  EXPECT_EQ(view->cookie, 0U);
  init.cookie.assign({1, 2, 3, 4, 5, 6, 7, 8, 9});
  request = write_sa_init(init);
  view = view_ike(request);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->cookie, 0x0102030405060708ULL);
  EXPECT_EQ(load_be32(request.data() + 24), request.size());
}

TEST(IkeMessage, RefusesEveryTruncation) {
  const auto whole = captured("sa-init-accepted.bin");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    auto cut = ByteVector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(read_sa_init_answer(cut, load_be64(whole.data())));
    // Nor one that says it is whole.
    if (size >= 28) store_be32(cut.data() + 24, static_cast<std::uint32_t>(size));
    const auto answer = read_sa_init_answer(cut, load_be64(whole.data()));
    EXPECT_FALSE(answer && answer->outcome == SaInitOutcome::kRefused);
  }
}

TEST(IkeMessage, SurvivesEveryFlippedBit) {
  const auto whole = captured("sa-init-accepted.bin");
  const auto spi = load_be64(whole.data());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    const auto answer = read_sa_init_answer(flipped, spi);
    const bool others_spi = bit < 64, other_length = bit >= 24 * 8 && bit < 28 * 8;
    EXPECT_FALSE(answer && (others_spi || other_length)) << "bit " << bit;
  }
}

}  // namespace
}  // namespace sluice::edge::testing
