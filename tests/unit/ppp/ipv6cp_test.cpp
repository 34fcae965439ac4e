#include "ppp/ipv6cp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::ip;
using test::Pair;

PppConfig dual_client() {
  PppConfig config = test::client_config();
  config.want_ipv6 = true;
  return config;
}

/// One end by itself.
struct Ipv6cpEnd {
  explicit Ipv6cpEnd(std::uint64_t local = 0x11, std::uint64_t remote = 0) {
    protocol.assign(local, remote);
    protocol.open(now);
    protocol.up(now);
    request = *out.pop();
  }
  /// Feeds a packet and gives the answer without its frame header.
  ByteVector feed(Code code, std::uint8_t id, Bytes body) {
    const ByteVector frame = test::control_frame(kIpv6cp, static_cast<std::uint8_t>(code), id, body);
    protocol.on_packet(Bytes(frame).subspan(4), now);
    auto answer = out.pop();
    return answer ? ByteVector(answer->begin() + 4, answer->end()) : ByteVector{};
  }
  PppConfig config = test::server_config();
  Drops drops;
  test::SeededRandom random{5};
  Outbox out;
  Instant now{std::chrono::hours(1)};
  Ipv6cp protocol{config, random, out, drops};
  ByteVector request;
};

ByteVector id_option(std::uint64_t id) {
  ByteVector option{1, 10, 0, 0, 0, 0, 0, 0, 0, 0};
  store_be64(option.data() + 2, id);
  return option;
}
std::uint64_t id_of(Bytes packet) {
  return load_be64(packet.data() + 6);
}

TEST(Ipv6cp, AsksForItsOwnIdentifier) {
  Ipv6cpEnd end;
  EXPECT_EQ(ByteVector(end.request.begin() + 8, end.request.end()), id_option(0x11));
}

TEST(Ipv6cp, AnIdentifierOfThePeersOwnIsAcknowledged) {  // RFC 5072 §4.1
  Ipv6cpEnd end;
  const auto answer = end.feed(Code::kConfigureRequest, 3, id_option(0x22));
  EXPECT_EQ(answer[0], static_cast<int>(Code::kConfigureAck));
  EXPECT_EQ(end.protocol.remote_id(), 0x22U);
}

TEST(Ipv6cp, ZeroAndEqualIdentifiersAreNakedWithAnother) {  // RFC 5072 §4.1
  for (const std::uint64_t asked : {std::uint64_t{0}, std::uint64_t{0x11}}) {
    Ipv6cpEnd end;
    const auto answer = end.feed(Code::kConfigureRequest, 3, id_option(asked));
    ASSERT_EQ(answer.size(), 14U);
    EXPECT_EQ(answer[0], static_cast<int>(Code::kConfigureNak));
    EXPECT_NE(id_of(answer), 0U);
    EXPECT_NE(id_of(answer), 0x11U);
    EXPECT_EQ(id_of(answer) & 0x0200'0000'0000'0000U, 0U)
        << "the universal/local bit of a made up one is clear";
  }
}

TEST(Ipv6cp, AnAssignedIdentifierIsSuggested) {
  Ipv6cpEnd end(0x11, 0x77);
  EXPECT_EQ(id_of(end.feed(Code::kConfigureRequest, 3, id_option(0))), 0x77U);
}

TEST(Ipv6cp, AMissingIdentifierIsAskedFor) {  // RFC 5072 §4.1: appended to a Configure-Nak
  Ipv6cpEnd end;
  const auto answer = end.feed(Code::kConfigureRequest, 3, {});
  EXPECT_EQ(answer[0], static_cast<int>(Code::kConfigureNak));
  EXPECT_NE(id_of(answer), 0U);
}

TEST(Ipv6cp, CompressionIsRejected) {
  Ipv6cpEnd end;
  const auto answer = end.feed(Code::kConfigureRequest, 3, ByteVector{2, 4, 0, 0x61});
  EXPECT_EQ(answer[0], static_cast<int>(Code::kConfigureReject));
}

TEST(Ipv6cp, ANakedIdentifierIsReplacedByWhatIsSuggestedUnlessThatIsNoUse) {  // RFC 5072 §4.1
  Ipv6cpEnd end;
  auto next = end.feed(Code::kConfigureNak, end.request[5], id_option(0x99));
  EXPECT_EQ(id_of(next), 0x99U);
  next = end.feed(Code::kConfigureNak, next[1], id_option(0));
  EXPECT_NE(id_of(next), 0U);
  EXPECT_NE(id_of(next), 0x99U);
}

TEST(Ipv6cp, EndlessNaksEndWithoutTheOption) {
  Ipv6cpEnd end;
  std::uint8_t id = end.request[5];
  ByteVector next;
  for (int i = 0; i < 20; ++i) {
    next = end.feed(Code::kConfigureNak, id, id_option(0));
    ASSERT_FALSE(next.empty());
    id = next[1];
  }
  EXPECT_EQ(next.size(), 4U);
}

TEST(Ipv6cp, BothProtocolsComeUpOverGoodAndBadLines) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    Pair pair(dual_client(), test::server_config(), seed, seed < 3 ? test::Line{} : test::Line{15, 10, 15});
    pair.given = test::addresses_with_ipv6();
    pair.start();
    ASSERT_TRUE(pair.run_until([&] {
      return pair.client_up && pair.server_up && pair.client_v6 && pair.server_v6;
    })) << "seed "
        << seed;
    EXPECT_EQ(pair.server_v6->addresses.local_id, pair.client_v6->addresses.remote_id);
    EXPECT_EQ(pair.server_v6->addresses.remote_id, pair.client_v6->addresses.local_id);
    EXPECT_NE(pair.server_v6->addresses.local_id, pair.server_v6->addresses.remote_id);
    EXPECT_EQ(pair.server_v6->addresses.prefix, pair.given.v6->prefix);
  }
}

TEST(Ipv6cp, IsRejectedWhereNoIpv6IsGivenAndIpv4GoesOn) {
  Pair pair(dual_client(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  EXPECT_FALSE(pair.run_until([&] { return pair.client_v6.has_value(); }, std::chrono::seconds(20)));
  EXPECT_TRUE(pair.server_session.is_up());
}

TEST(Ipv6cp, IsRejectedOnALinkBelow1280Octets) {  // RFC 8200 §5
  PppConfig client = dual_client();
  client.mru = 1200;
  Pair pair(std::move(client), test::server_config());
  pair.given = test::addresses_with_ipv6();
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  EXPECT_FALSE(pair.run_until([&] { return pair.server_v6.has_value(); }, std::chrono::seconds(20)));
}

TEST(Ipv6cp, ALinkMayCarryIpv6Alone) {
  PppConfig client = dual_client();
  client.want_ipv4 = false;
  Pair pair(std::move(client), test::server_config());
  pair.given = test::addresses_with_ipv6();
  pair.given.remote = IpAddress{};
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.client_v6 && pair.server_v6; }));
  EXPECT_FALSE(pair.server_up);
  EXPECT_FALSE(pair.run_until([&] { return pair.server_down || pair.client_down; }, std::chrono::minutes(3)));
}

TEST(Ipv6cp, AClientWithoutIpv4IsTakenThoughWeHaveSome) {
  PppConfig client = dual_client();
  client.want_ipv4 = false;
  Pair pair(std::move(client), test::server_config());
  pair.given = test::addresses_with_ipv6();
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.client_v6 && pair.server_v6; }));
  EXPECT_FALSE(pair.run_until([&] { return pair.server_down || pair.client_down; }, std::chrono::minutes(3)));
}

TEST(Ipv6cp, IpCrossesBothWaysAndForeignSourcesDoNot) {
  Pair pair(dual_client(), test::server_config());
  pair.given = test::addresses_with_ipv6();
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.client_v6 && pair.server_v6; }));
  const auto packet = [](const char* from, const char* to) {
    return make_udp({ip(from), 1000}, {ip(to), 2000}, ByteVector(20, 7));
  };
  const auto cross = [&](PppSession& from, PppSession& to, const ByteVector& bytes) {
    ByteVector buffer(16 + bytes.size());
    std::copy(bytes.begin(), bytes.end(), buffer.begin() + 16);
    const MutableBytes frame = from.frame_ip(buffer, 16, bytes.size());
    return equal(to.on_frame(frame, pair.now), bytes);
  };
  auto& client = pair.client_session;
  auto& server = pair.server_session;
  EXPECT_TRUE(cross(client, server, packet("2001:db8:1:7::9", "2001:db8:f::1")));
  EXPECT_TRUE(cross(client, server, packet("2001:db8:100:3::9", "2001:db8:f::1")))
      << "of the delegated prefix";
  EXPECT_TRUE(cross(server, client, packet("2001:db8:f::1", "2001:db8:1:7::9")));
  EXPECT_FALSE(cross(client, server, packet("2001:db8:1:8::9", "2001:db8:f::1")));
  EXPECT_FALSE(cross(client, server, packet("fe80::1234:1", "2001:db8:f::1")));
  EXPECT_EQ(pair.server_drops.read(Drop::kWrongSource), 2U);
  EXPECT_FALSE(cross(client, server, packet("::", "2001:db8:f::1")))
      << "without a source nothing is forwarded";
  EXPECT_EQ(pair.server_drops.read(Drop::kLinkScope), 1U);
}

}  // namespace
}  // namespace sluice::ppp
