#include "ppp/session.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::ip;
using test::Pair;

/// An IPv4 packet of `size` octets from one address to another; not TCP.
ByteVector ipv4(const IpAddress& from, const IpAddress& to, std::size_t size = 60) {
  ByteVector out(size, 0x5a);
  out[0] = 0x45;
  store_be16(out.data() + 2, static_cast<std::uint16_t>(size));
  store_be16(out.data() + 6, 0);
  out[9] = 17;
  store_be32(out.data() + 12, from.to_v4());
  store_be32(out.data() + 16, to.to_v4());
  return out;
}
/// The packet as a frame of `session`, or empty.
ByteVector framed(PppSession& session, const ByteVector& packet) {
  ByteVector buffer(16 + packet.size());
  std::copy(packet.begin(), packet.end(), buffer.begin() + 16);
  const MutableBytes frame = session.frame_ip(buffer, 16, packet.size());
  return {frame.begin(), frame.end()};
}

TEST(PppSession, BothEndsAgreeOnAddressesAndServers) {
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  EXPECT_EQ(pair.client_up->addresses.local, ip("10.99.0.7"));
  EXPECT_EQ(pair.client_up->addresses.remote, ip("10.99.0.1"));
  EXPECT_EQ(pair.client_up->addresses.dns, test::addresses().dns);
  EXPECT_EQ(pair.client_up->addresses.nbns, test::addresses().nbns);
  EXPECT_EQ(pair.server_up->addresses, test::addresses());
  EXPECT_EQ(pair.server_up->mtu, 1400);
}

TEST(PppSession, IpCrossesBothWaysInEveryCompression) {
  for (const bool compressed : {false, true}) {
    PppConfig client = test::client_config();
    client.request_compression = compressed;
    Pair pair(std::move(client), test::server_config());
    pair.start();
    ASSERT_TRUE(pair.run_until_up());
    const auto down = ipv4(ip("192.0.2.1"), ip("10.99.0.7"));
    ByteVector frame = framed(pair.server_session, down);
    ASSERT_EQ(frame.size(), down.size() + (compressed ? 1 : 4));
    EXPECT_TRUE(equal(pair.client_session.on_frame(frame, pair.now), down));
    const auto up = ipv4(ip("10.99.0.7"), ip("192.0.2.1"));
    frame = framed(pair.client_session, up);
    EXPECT_TRUE(equal(pair.server_session.on_frame(frame, pair.now), up));
  }
}

TEST(PppSession, PaddingBehindTheIpPacketIsCutOff) {
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  const auto packet = ipv4(ip("10.99.0.7"), ip("192.0.2.1"));
  ByteVector frame = framed(pair.client_session, packet);
  frame.resize(frame.size() + 9);
  EXPECT_TRUE(equal(pair.server_session.on_frame(frame, pair.now), packet));
}

TEST(PppSession, NetworkBehindThePeerMaySendAndItsNeighboursMayNot) {
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  pair.server_session.set_networks({*Prefix::parse("192.168.7.0/24")});
  const auto passes = [&](const char* source) {
    ByteVector frame = framed(pair.client_session, ipv4(ip(source), ip("192.0.2.1")));
    return !pair.server_session.on_frame(frame, pair.now).empty();
  };
  EXPECT_TRUE(passes("192.168.7.9"));
  EXPECT_TRUE(passes("10.99.0.7"));
  EXPECT_FALSE(passes("192.168.8.9"));
  EXPECT_EQ(pair.server_drops.read(Drop::kWrongSource), 1U);
}

TEST(PppSession, ForeignSourceAddressIsDropped) {
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  ByteVector frame = framed(pair.client_session, ipv4(ip("10.99.0.8"), ip("192.0.2.1")));
  EXPECT_TRUE(pair.server_session.on_frame(frame, pair.now).empty());
  EXPECT_EQ(pair.server_drops.read(Drop::kWrongSource), 1U);
}

TEST(PppSession, NoIpPassesBeforeTheLinkIsUp) {
  test::Lone lone;
  ByteVector frame{0xff, 0x03, 0x00, 0x21};
  const auto packet = ipv4(ip("10.99.0.7"), ip("192.0.2.1"));
  frame.insert(frame.end(), packet.begin(), packet.end());
  EXPECT_TRUE(lone.feed(frame).empty());
  EXPECT_EQ(lone.drops.read(Drop::kLinkClosed), 1U);
  EXPECT_TRUE(framed(lone.session, packet).empty());
}

TEST(PppSession, PacketsLargerThanThePeersMruAreDropped) {
  PppConfig client = test::client_config();
  client.mru = 600;
  Pair pair(std::move(client), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  EXPECT_EQ(pair.server_session.mtu(), 600);
  EXPECT_TRUE(framed(pair.server_session, ipv4(ip("192.0.2.1"), ip("10.99.0.7"), 601)).empty());
  EXPECT_EQ(pair.server_drops.read(Drop::kTooLarge), 1U);
  EXPECT_FALSE(framed(pair.server_session, ipv4(ip("192.0.2.1"), ip("10.99.0.7"), 600)).empty());
}

TEST(PppSession, TcpMssIsClampedBothWays) {
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  ByteVector syn = ipv4(ip("10.99.0.7"), ip("192.0.2.1"), 44);
  std::fill(syn.begin() + 20, syn.end(), std::uint8_t{0});
  syn[9] = 6;
  syn[32] = 0x60;
  syn[33] = 0x02;
  syn[40] = 2;
  syn[41] = 4;
  store_be16(syn.data() + 42, 1460);
  ByteVector frame{0xff, 0x03, 0x00, 0x21};
  frame.insert(frame.end(), syn.begin(), syn.end());
  const auto up = pair.server_session.on_frame(frame, pair.now);
  ASSERT_EQ(up.size(), 44U);
  EXPECT_EQ(load_be16(up.data() + 42), 1360);
  store_be32(syn.data() + 16, ip("10.99.0.7").to_v4());
  const auto down = framed(pair.server_session, syn);
  EXPECT_EQ(load_be16(down.data() + down.size() - 2), 1360);
}

/// A TCP SYN from one address to another with an MSS of 1460, in IPv4 or IPv6.
ByteVector syn(const IpAddress& from, const IpAddress& to) {
  const std::size_t header = from.is_v6() ? 40 : 20;
  ByteVector out(header + 24);
  ByteWriter writer(out);
  if (from.is_v6()) {
    writer.u32(0x60000000);
    writer.u32(0x00180640);
  } else {
    writer.u32(0x4500002c);
    writer.u32(0);
    writer.u32(0x40060000);
  }
  writer.bytes(from.bytes());
  writer.bytes(to.bytes());
  writer.zeros(12);
  writer.u32(0x60020000);
  writer.u32(0);
  writer.u32(0x020405b4);
  return out;
}

TEST(PppSession, TcpMssIsClampedBothWaysInBothFamiliesAndEveryCompression) {
  for (const bool compressed : {false, true}) {
    PppConfig client = test::client_config();
    client.request_compression = compressed;
    client.want_ipv6 = true;
    client.clamp_mss = false;
    Pair pair(std::move(client), test::server_config());
    pair.given = test::addresses_with_ipv6();
    pair.start();
    ASSERT_TRUE(pair.run_until([&] { return pair.client_up && pair.client_v6 && pair.server_v6; }));
    ASSERT_EQ(pair.server_session.lcp().send_pfc(), compressed);
    for (const bool six : {false, true}) {
      const IpAddress near = six ? ip("2001:db8:1:7::9") : ip("10.99.0.7");
      const IpAddress far = six ? ip("2001:db8:f::1") : ip("192.0.2.1");
      const int wanted = six ? 1340 : 1360;
      ByteVector frame = framed(pair.client_session, syn(near, far));
      EXPECT_EQ(load_be16(frame.data() + frame.size() - 2), 1460);
      const auto up = pair.server_session.on_frame(frame, pair.now);
      ASSERT_FALSE(up.empty());
      EXPECT_EQ(load_be16(up.data() + up.size() - 2), wanted);
      const auto down = framed(pair.server_session, syn(far, near));
      EXPECT_EQ(load_be16(down.data() + down.size() - 2), wanted);
    }
  }
}

TEST(PppSession, PeersTerminateRequestIsAnsweredAndEndsIt) {
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  pair.client_session.stop("test", "bye", pair.now);
  ASSERT_TRUE(pair.run_until([&] { return pair.server_down && pair.client_down; }));
  EXPECT_EQ(pair.server_down->cause, "user-request");
  EXPECT_NE(pair.server_down->text.find("bye"), std::string::npos);
  EXPECT_EQ(pair.client_down->cause, "test");
}

TEST(PppSession, StopTellsThePeerAndIsDownEvenWithoutAnswer) {
  test::Lone lone;
  lone.open_lcp();
  lone.session.stop("admin", "maintenance", lone.now);
  const auto sent = lone.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0][4], static_cast<int>(Code::kTerminateRequest));
  EXPECT_EQ(as_text(Bytes(sent[0]).subspan(8)), "maintenance");
  EXPECT_FALSE(lone.session.poll_event());
  lone.wait(std::chrono::seconds(3));
  lone.wait(std::chrono::seconds(3));
  const auto event = lone.session.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<Down>(*event).cause, "admin");
  EXPECT_FALSE(lone.session.next_timeout());
}

TEST(PppSession, LowerLayerDownIsImmediateAndReportedOnce) {
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  pair.server_session.lower_down("cdn", "the tunnel is gone");
  pair.server_session.lower_down("cdn", "the tunnel is gone");
  const auto event = pair.server_session.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<Down>(*event).user, "alice");
  EXPECT_FALSE(pair.server_session.poll_event());
  EXPECT_FALSE(pair.server_session.is_up());
}

TEST(PppSession, RenegotiationInTheOpenStateAuthenticatesAgainAndComesBack) {  // RFC 1661 §3.4
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  pair.server_up.reset();
  // The client forgets and begins anew.
  PppSession again(std::make_shared<const PppConfig>(test::client_config()), pair.random, pair.client_drops);
  again.start(pair.now);
  bool up = false;
  for (int i = 0; i < 50 && !up; ++i) {
    while (auto frame = again.poll_transmit()) pair.server_session.on_frame(*frame, pair.now);
    while (auto event = pair.server_session.poll_event()) {
      if (auto* need = std::get_if<AuthNeeded>(&*event)) {
        pair.server_session.auth_result(need->request.attempt, verify(need->request, pair.credential),
                                        pair.now);
      }
      if (auto* server_up = std::get_if<Up>(&*event)) pair.server_up = *server_up;
    }
    while (auto frame = pair.server_session.poll_transmit()) again.on_frame(*frame, pair.now);
    up = again.is_up() && pair.server_up.has_value();
  }
  ASSERT_TRUE(up);
  EXPECT_EQ(pair.server_up->addresses, test::addresses());
}

TEST(PppSession, AnotherUserInARenegotiationIsThrownOut) {
  Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  PppSession other(std::make_shared<const PppConfig>(test::client_config("mallory")), pair.random,
                   pair.client_drops);
  other.start(pair.now);
  std::string cause;
  for (int i = 0; i < 50 && cause.empty(); ++i) {
    while (auto frame = other.poll_transmit()) pair.server_session.on_frame(*frame, pair.now);
    while (auto event = pair.server_session.poll_event()) {
      if (auto* need = std::get_if<AuthNeeded>(&*event)) {
        pair.server_session.auth_result(need->request.attempt, verify(need->request, pair.credential),
                                        pair.now);
      }
      if (auto* down = std::get_if<Down>(&*event)) cause = down->cause;
    }
    while (auto frame = pair.server_session.poll_transmit()) other.on_frame(*frame, pair.now);
  }
  EXPECT_EQ(cause, "protocol-error");
  EXPECT_FALSE(pair.server_session.is_up());
}

TEST(PppSession, ComesUpOverALossyLineWhateverTheSeed) {
  unsigned up = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(test::client_config(), test::server_config(), seed, {15, 10, 15});
    pair.start();
    const bool done = pair.run_until([&] {
      return (pair.client_up && pair.server_up && pair.client_session.is_up() &&
              pair.server_session.is_up()) ||
             (pair.client_down && pair.server_down);
    });
    EXPECT_TRUE(done);  // up or properly down, never hanging
    if (pair.server_session.is_up() && pair.client_session.is_up()) {
      ++up;
      EXPECT_EQ(pair.client_up->addresses.local, ip("10.99.0.7"));
    }
  }
  EXPECT_GE(up, 57U);
}

TEST(PppSession, WrongPasswordOverALossyLineAlwaysEnds) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(test::client_config("alice", "wrong"), test::server_config(), seed, {25, 10, 20});
    pair.start();
    EXPECT_TRUE(pair.run_until([&] { return pair.client_down && pair.server_down; }));
    EXPECT_FALSE(pair.server_up);
  }
}

}  // namespace
}  // namespace sluice::ppp
