#include "lab/swarm/echo.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::swarm {
namespace {

using namespace std::chrono_literals;

/// What a host makes of a request: type 0, its checksum in proportion.
ByteVector reply_to(ByteVector request) {
  request[20] = 0;
  const std::uint32_t sum = load_be16(request.data() + 22) + 0x0800U;
  store_be16(request.data() + 22, static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16)));
  return request;
}

ByteVector request(std::size_t size) {
  ByteVector packet(size, 0xaa);
  write_echo(packet, IpAddress::v4(0x0a1e0102), IpAddress::v4(0x0a280064), 7, {70000, Instant(123456789ns)});
  return packet;
}

TEST(Echo, RequestIsAWellFormedIcmpEcho) {
  const auto packet = request(84);
  // RFC 791 §3.1 around RFC 792's echo; the checksums are looked at below.
  const ByteVector head{0x45, 0, 0, 84, 0, 0, 0, 0, 64, 1};
  const ByteVector rest{10, 30, 1, 2, 10, 40, 0, 100, 8, 0};
  EXPECT_TRUE(equal(Bytes(packet).first(10), head));
  EXPECT_TRUE(equal(Bytes(packet).subspan(12, 10), rest));
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) sum += load_be16(packet.data() + i);
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffU);
}

TEST(Echo, ReplyGivesBackNumberAndTime) {
  for (const std::size_t size : {kSmallestEcho, std::size_t{41}, std::size_t{84}, std::size_t{1400}}) {
    const auto echo = parse_echo_reply(reply_to(request(size)));
    ASSERT_TRUE(echo) << size;
    EXPECT_EQ(echo->number, 70000U);
    EXPECT_EQ(echo->sent, Instant(123456789ns));
  }
}

TEST(Echo, ARequestIsNoReply) {
  EXPECT_FALSE(parse_echo_reply(request(84)));
}

TEST(Echo, TruncatedRepliesAreNone) {
  const auto reply = reply_to(request(84));
  for (std::size_t size = 0; size < reply.size(); ++size) {
    const auto echo = parse_echo_reply(Bytes(reply).first(size));
    // What is cut off was zero, so that the checksum still holds once the numbers are whole.
    EXPECT_EQ(echo.has_value(), size >= kSmallestEcho) << size;
  }
}

TEST(Echo, FlippedBitsOfIcmpAreNoReply) {
  const auto reply = reply_to(request(84));
  for (std::size_t bit = 20 * 8; bit < reply.size() * 8; ++bit) {
    auto broken = reply;
    broken[bit / 8] = static_cast<std::uint8_t>(broken[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(parse_echo_reply(broken)) << bit;
  }
}

TEST(EchoCount, CountsEachAnswerOnce) {
  EchoCount count;
  for (int i = 0; i < 10; ++i) count.next();
  EXPECT_TRUE(count.answered(3));
  EXPECT_FALSE(count.answered(3));
  EXPECT_TRUE(count.answered(1));
  EXPECT_TRUE(count.answered(10));
  EXPECT_FALSE(count.answered(10));
  EXPECT_EQ(count.answered(), 3U);
  EXPECT_EQ(count.sent(), 10U);
}

TEST(EchoCount, RefusesWhatWasNotSent) {
  EchoCount count;
  EXPECT_FALSE(count.answered(0));
  EXPECT_FALSE(count.answered(1));
  count.next();
  EXPECT_FALSE(count.answered(2));
  EXPECT_EQ(count.answered(), 0U);
}

TEST(EchoCount, AnAnswerBehindTheWindowDoesNotCount) {
  EchoCount count;
  for (int i = 0; i < 200; ++i) count.next();
  EXPECT_TRUE(count.answered(100));
  EXPECT_TRUE(count.answered(37));
  EXPECT_FALSE(count.answered(36));
  EXPECT_TRUE(count.answered(200));
  EXPECT_FALSE(count.answered(100));
}

}  // namespace
}  // namespace sluice::swarm
