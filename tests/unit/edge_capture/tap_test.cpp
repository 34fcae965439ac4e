#include "edge/capture/tap.hpp"

#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

const Endpoint kEdge = *Endpoint::parse("192.0.2.1:4500");
const Endpoint kClient = *Endpoint::parse("203.0.113.5:40000");
constexpr Instant kNow{std::chrono::seconds(5)};

CaptureTapConfig everything() {
  return {.id = 1,
          .filter = {.client = kClient.address, .peers = {}, .places = {}},
          .points = 7,
          .clock = std::chrono::seconds(1'700'000'000)};
}

/// UDP from the client, with an L2TP data message in it.
ByteVector udp_with(Bytes ppp) {
  ByteVector out(8 + 6 + ppp.size());
  ByteWriter writer(out);
  writer.u16(1701);
  writer.u16(1701);
  writer.u16(static_cast<std::uint16_t>(out.size()));
  writer.u16(0);
  writer.u16(0x0002);
  writer.u16(900);
  writer.u16(1);
  writer.bytes(ppp);
  return out;
}

TEST(CaptureTap, FitsByAddressPeerOrPlace) {
  const CaptureFilter by_address{.client = kClient.address, .peers = {}, .places = {}};
  EXPECT_TRUE(by_address.fits(PeerId(9), kClient));
  EXPECT_FALSE(by_address.fits(PeerId(9), kEdge));
  const CaptureFilter by_peer{.client = {}, .peers = {PeerId(9)}, .places = {kClient}};
  EXPECT_TRUE(by_peer.fits(PeerId(9), kEdge));
  EXPECT_FALSE(by_peer.fits(PeerId(8), kClient));
  EXPECT_TRUE(by_peer.fits(kClient));
  EXPECT_FALSE(by_peer.fits(kEdge));
}

TEST(CaptureTap, OuterPacketsGetTheHeadersTheyTravelledWith) {
  CaptureTap tap(everything());
  const ByteVector esp{1, 2, 3, 4};
  tap.outer({kEdge, kClient, true, PeerId(9)}, CaptureTap::Outer::kUdp, esp, kNow);
  const auto packet = tap.next();
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->point, CapturePoint::kEsp);
  EXPECT_TRUE(packet->from_client);
  EXPECT_EQ(packet->peer, PeerId(9));
  EXPECT_EQ(packet->time, 1'700'000'005'000'000'000U);
  const auto& b = packet->bytes;
  ASSERT_EQ(b.size(), 32U);
  EXPECT_EQ(load_be16(b.data() + 2), 32);
  EXPECT_EQ(b[9], 17);
  EXPECT_TRUE(equal(Bytes(b).subspan(12, 4), kClient.address.bytes()));
  EXPECT_TRUE(equal(Bytes(b).subspan(16, 4), kEdge.address.bytes()));
  EXPECT_EQ(load_be16(b.data() + 20), 40000);
  EXPECT_EQ(load_be16(b.data() + 22), 4500);
  EXPECT_TRUE(equal(Bytes(b).subspan(28), esp));
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) sum += load_be16(b.data() + i);
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffU);
}

TEST(CaptureTap, MarkedIkeAndRawEspToTheClient) {
  CaptureTap tap(everything());
  tap.outer({kEdge, kClient, false, {}}, CaptureTap::Outer::kUdpMarked, ByteVector{9}, kNow);
  tap.outer({kEdge, kClient, false, {}}, CaptureTap::Outer::kEsp, ByteVector{9}, kNow);
  const auto ike = tap.next(), esp = tap.next();
  ASSERT_TRUE(ike && esp);
  EXPECT_EQ(ike->bytes.size(), 20U + 8 + 4 + 1);
  EXPECT_EQ(load_be32(ike->bytes.data() + 28), 0U);
  EXPECT_EQ(esp->bytes.size(), 21U);
  EXPECT_EQ(esp->bytes[9], 50);
  EXPECT_TRUE(equal(Bytes(esp->bytes).subspan(16, 4), kClient.address.bytes()));
}

TEST(CaptureTap, InnerPacketsComeTwiceWithoutPasswords) {
  CaptureTap tap(everything());
  const ByteVector pap{0xc0, 0x23, 1, 1, 0, 9, 1, 'a', 2, 'p', 'w'};
  tap.inner({kEdge, kClient, true, {}}, udp_with(pap), kNow);
  const auto l2tp = tap.next(), ppp = tap.next();
  ASSERT_TRUE(l2tp && ppp);
  EXPECT_EQ(l2tp->point, CapturePoint::kL2tp);
  EXPECT_EQ(l2tp->bytes.size(), 20 + 8 + 6 + pap.size());
  EXPECT_EQ(ppp->point, CapturePoint::kPpp);
  const ByteVector expected{0xff, 0x03, 0xc0, 0x23, 1, 1, 0, 9, 1, 'a', 2, '*', '*'};
  EXPECT_EQ(ppp->bytes, expected);
  EXPECT_TRUE(equal(Bytes(l2tp->bytes).last(2), as_bytes("**")));
}

TEST(CaptureTap, PointsThatAreNotWantedAreLeftOut) {
  auto config = everything();
  config.points = 1U << static_cast<unsigned>(CapturePoint::kPpp);
  CaptureTap tap(config);
  tap.outer({kEdge, kClient, true, {}}, CaptureTap::Outer::kUdp, ByteVector{1}, kNow);
  tap.inner({kEdge, kClient, true, {}}, udp_with(ByteVector{0x00, 0x21, 'i'}), kNow);
  ASSERT_EQ(tap.next()->point, CapturePoint::kPpp);
  EXPECT_FALSE(tap.next());
}

TEST(CaptureTap, WhatNobodyTakesIsDroppedAndCountedAndTheNextFitsAgain) {
  CaptureTap tap(everything());
  const CaptureTap::Way way{kEdge, kClient, true, {}};
  for (std::size_t i = 0; i < CaptureTap::kMaxPackets + 3; ++i) {
    tap.outer(way, CaptureTap::Outer::kUdp, ByteVector{1}, kNow);
  }
  EXPECT_EQ(tap.dropped(CapturePoint::kEsp), 3U);
  while (tap.next()) {
  }
  const ByteVector large(60'000);
  for (int i = 0; i < 100; ++i) tap.outer(way, CaptureTap::Outer::kUdp, large, kNow);
  EXPECT_EQ(tap.dropped(CapturePoint::kEsp), 3 + 100 - CaptureTap::kMaxBytes / (large.size() + 28));
  ASSERT_TRUE(tap.next());
  tap.outer(way, CaptureTap::Outer::kUdp, large, kNow);
  EXPECT_EQ(tap.dropped(CapturePoint::kEsp), 3 + 100 - CaptureTap::kMaxBytes / (large.size() + 28));
}

TEST(CaptureTap, IpPacketsNeedOneFamilyAndAFittingLength) {
  const auto v6 = *IpAddress::parse("2001:db8::1");
  EXPECT_TRUE(ip_packet(kEdge.address, v6, 17, ByteVector{1}).empty());
  EXPECT_TRUE(ip_packet(kEdge.address, kClient.address, 17, ByteVector(65'530)).empty());
  EXPECT_TRUE(ip_packet(v6, v6, 17, ByteVector(65'536)).empty());
  const auto packet = ip_packet(v6, v6, 17, ByteVector{1});
  ASSERT_EQ(packet.size(), 41U);
  EXPECT_EQ(packet[0], 0x60);
  EXPECT_EQ(load_be16(packet.data() + 4), 1);
  EXPECT_EQ(packet[6], 17);
}

}  // namespace
}  // namespace sluice::edge
