// Joining and splitting of packets: against each other, and against the kernel (tun_queue_test).

#include "backend-agent/tun/offload.hpp"

#include <gtest/gtest.h>

#include "backend-agent/tun/coalescer.hpp"
#include "tests/unit/agent/packets.hpp"

namespace sluice::agent {
namespace {

using test::Tcp;
using test::Udp;
using Kind = OffloadHeader::Kind;

/// What the device would be given: the header and the packet behind it.
struct Written {
  OffloadHeader header;
  ByteVector packet;
  std::size_t packets = 0;
};

std::vector<Written> coalesce(std::vector<ByteVector>& packets, bool udp = true) {
  Coalescer coalescer(udp);
  for (auto& packet : packets) coalescer.add(packet);
  std::vector<Written> out;
  coalescer.for_each_write([&](const Coalescer::Write& write) {
    Written one{*OffloadHeader::parse(write.header), {}, write.packets};
    for (std::size_t i = 1; i < write.pieces.size(); ++i) {
      one.packet.insert(one.packet.end(), write.pieces[i].begin(), write.pieces[i].end());
    }
    out.push_back(std::move(one));
  });
  return out;
}

std::vector<ByteVector> segment(const Written& written) {
  if (written.header.kind == Kind::kNone) return {written.packet};
  auto segments = Segmenter::make(written.header, written.packet);
  std::vector<ByteVector> out;
  if (!segments) return out;
  while (!segments->done()) {
    ByteVector packet(segments->next_size());
    segments->next(packet);
    out.push_back(std::move(packet));
  }
  return out;
}

/// Joined into `writes` writes, and split again into exactly what came in.
void expect_round_trip(const std::vector<ByteVector>& packets, std::size_t writes) {
  auto copies = packets;
  const auto written = coalesce(copies);
  EXPECT_EQ(written.size(), writes);
  std::vector<ByteVector> back;
  for (const auto& one : written) {
    for (auto& packet : segment(one)) back.push_back(std::move(packet));
  }
  EXPECT_EQ(back, packets);
}

std::vector<ByteVector> tcp_run(bool v6, std::size_t count, std::size_t payload, std::size_t last) {
  std::vector<ByteVector> out;
  Tcp tcp;
  tcp.v6 = v6;
  for (std::size_t i = 0; i < count; ++i) {
    tcp.payload = i + 1 == count ? last : payload;
    if (i + 1 == count) tcp.flags |= 0x08;
    out.push_back(tcp.packet());
    tcp.sequence += static_cast<std::uint32_t>(tcp.payload);
    ++tcp.id;
  }
  return out;
}
std::vector<ByteVector> udp_run(bool v6, std::size_t count, std::size_t payload, std::size_t last) {
  std::vector<ByteVector> out;
  Udp udp;
  udp.v6 = v6;
  for (std::size_t i = 0; i < count; ++i) {
    udp.payload = i + 1 == count ? last : payload;
    out.push_back(udp.packet());
    ++udp.id;
  }
  return out;
}

TEST(Offload, RunsOfOneFlowBecomeOneWriteAndComeApartUnchanged) {
  for (const bool v6 : {false, true}) {
    for (const std::size_t last : {1UL, 999UL, 1000UL}) {
      expect_round_trip(tcp_run(v6, 20, 1000, last), 1);
      expect_round_trip(udp_run(v6, 20, 1000, last), 1);
    }
  }
}

TEST(Offload, OneWriteHoldsNoMoreThanTheKernelTakes) {
  expect_round_trip(tcp_run(false, 64, 1360, 1360), 2);
  expect_round_trip(udp_run(false, 200, 20, 20), 4);
}

TEST(Offload, FlowsThatAreMixedAreJoinedEachForItself) {
  std::vector<ByteVector> packets;
  for (std::uint16_t i = 0; i < 10; ++i) {
    for (std::uint16_t port = 1; port <= 4; ++port) {
      Udp udp;
      udp.from = port;
      udp.id = i;
      packets.push_back(udp.packet());
    }
  }
  const auto written = coalesce(packets);
  EXPECT_EQ(written.size(), 4U);
  for (const auto& one : written) EXPECT_EQ(one.packets, 10U);
}

TEST(Offload, WhatIsNoPlainContinuationIsNotJoined) {
  const auto writes_for = [](const std::function<void(Tcp&)>& change) {
    Tcp first, second;
    second.sequence += static_cast<std::uint32_t>(first.payload);
    ++second.id;
    change(second);
    std::vector<ByteVector> packets{first.packet(), second.packet()};
    return coalesce(packets).size();
  };
  EXPECT_EQ(writes_for([](Tcp&) {}), 1U);
  EXPECT_EQ(writes_for([](Tcp& t) { ++t.sequence; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { ++t.id; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { ++t.acknowledgement; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { ++t.window; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { t.flags = 0x11; }), 2U);  // FIN
  EXPECT_EQ(writes_for([](Tcp& t) { t.flags = 0x18; }), 1U);  // PSH
  EXPECT_EQ(writes_for([](Tcp& t) { t.payload += 1; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { t.payload = 0; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { --t.ttl; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { t.tos = 3; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { t.dont_fragment = true; }), 2U);
  EXPECT_EQ(writes_for([](Tcp& t) { t.from += 1; }), 2U);
}

TEST(Offload, PacketsThatMustNotBeFragmentedNeedNoIdentification) {
  Udp udp;
  udp.dont_fragment = true;
  std::vector<ByteVector> packets{udp.packet(), udp.packet(), udp.packet()};
  EXPECT_EQ(coalesce(packets).size(), 1U);
}

TEST(Offload, DamagedPacketStaysDamaged) {
  auto packets = tcp_run(false, 3, 100, 100);
  packets[1].back() ^= 1;
  const auto damaged = packets[1];
  const auto written = coalesce(packets);
  ASSERT_EQ(written.size(), 3U);
  EXPECT_EQ(written[1].packet, damaged);
}

TEST(Offload, AcknowledgementIsNotOvertakenByWhatItsFlowSendsLater) {
  auto packets = tcp_run(false, 2, 100, 100);
  Tcp bare;
  bare.payload = 0;
  packets.insert(packets.begin() + 1, bare.packet());
  const auto expected = packets;
  const auto written = coalesce(packets);
  ASSERT_EQ(written.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(written[i].packet, expected[i]);
}

TEST(Offload, UdpIsLeftAloneWhereTheDeviceDoesNotTakeItInBunches) {
  auto packets = udp_run(false, 5, 100, 100);
  EXPECT_EQ(coalesce(packets, false).size(), 5U);
}

TEST(Offload, ChecksumLeftToTheDeviceIsCompleted) {
  Tcp tcp;
  const auto whole = tcp.packet();
  auto partial = whole;
  const std::uint16_t pseudo = test::pseudo_checksum(partial, 20, 6);
  store_be16(partial.data() + 36, pseudo);
  OffloadHeader header;
  header.needs_checksum = true;
  header.checksum_start = 20;
  header.checksum_offset = 16;
  ASSERT_TRUE(finish_checksum(header, partial));
  EXPECT_EQ(partial, whole);
  header.checksum_start = static_cast<std::uint16_t>(whole.size() - 1);
  EXPECT_FALSE(finish_checksum(header, partial));
  header.checksum_start = 0xffff;
  EXPECT_FALSE(finish_checksum(header, partial));
}

TEST(Offload, HeadersThatDoNotFitTheirPacketAreRefused) {
  auto packets = tcp_run(false, 4, 100, 50);
  const auto written = coalesce(packets);
  ASSERT_EQ(written.size(), 1U);
  std::array<std::uint8_t, OffloadHeader::kSize> wire;
  written[0].header.write(wire);
  // Every flipped bit and every cut: refused, or split without a write past the end (the sanitizer watches).
  for (std::size_t bit = 0; bit < wire.size() * 8; ++bit) {
    auto flipped = wire;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    if (const auto header = OffloadHeader::parse(flipped)) segment({*header, written[0].packet, 1});
  }
  for (std::size_t size = 0; size < written[0].packet.size(); ++size) {
    segment(
        {written[0].header,
         ByteVector(written[0].packet.begin(), written[0].packet.begin() + static_cast<std::ptrdiff_t>(size)),
         1});
  }
  for (std::size_t size = 0; size < wire.size(); ++size)
    EXPECT_FALSE(OffloadHeader::parse(Bytes(wire).first(size)));
  EXPECT_FALSE(Segmenter::make({}, written[0].packet));
}

TEST(Offload, CutAndFlippedPacketsNeverMakeTheCoalescerReadPastTheirEnd) {
  for (const bool v6 : {false, true}) {
    const auto good = tcp_run(v6, 2, 60, 60);
    for (std::size_t size = 0; size < good[1].size(); ++size) {
      std::vector<ByteVector> packets{
          good[0], ByteVector(good[1].begin(), good[1].begin() + static_cast<std::ptrdiff_t>(size))};
      EXPECT_EQ(coalesce(packets).size(), 2U);
    }
    for (std::size_t bit = 0; bit < good[1].size() * 8; ++bit) {
      auto packets = good;
      packets[1][bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto flipped = packets[1];
      const auto written = coalesce(packets);
      // A flow label or traffic class is in no checksum, but then the flow differs.
      ASSERT_EQ(written.size(), 2U) << bit;
      EXPECT_EQ(written[1].packet, flipped);
    }
  }
}

}  // namespace
}  // namespace sluice::agent
