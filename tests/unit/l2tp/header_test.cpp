#include "l2tp/header.hpp"

#include <gtest/gtest.h>

#include <set>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using test::mutate;

ByteVector packet_of(const Header& header, Bytes payload) {
  ByteVector buffer(64 + header.offset_size + payload.size());
  ByteWriter out(buffer);
  write_header(header, payload.size(), out);
  out.bytes(payload);
  EXPECT_TRUE(out.ok());
  buffer.resize(out.size());
  return buffer;
}

const ByteVector kPpp = {0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4};

TEST(L2tpHeader, EveryCombinationOfDataFlagsSurvivesARoundTrip) {
  for (unsigned bits = 0; bits < 16; ++bits) {
    Header h{.has_length = (bits & 1) != 0,
             .has_sequence = (bits & 2) != 0,
             .has_offset = (bits & 4) != 0,
             .priority = (bits & 8) != 0,
             .tunnel = TunnelId{0x1234},
             .session = SessionId{0x5678},
             .payload = {}};
    if (h.has_sequence) h.ns = 0xfffe, h.nr = 7;
    if (h.has_offset) h.offset_size = 3;
    const auto packet = packet_of(h, kPpp);
    const auto parsed = parse_header(packet);
    ASSERT_TRUE(parsed.ok()) << bits;
    EXPECT_FALSE(parsed->control);
    EXPECT_EQ(parsed->has_length, h.has_length);
    EXPECT_EQ(parsed->has_sequence, h.has_sequence);
    EXPECT_EQ(parsed->has_offset, h.has_offset);
    EXPECT_EQ(parsed->priority, h.priority);
    EXPECT_EQ(parsed->tunnel, h.tunnel);
    EXPECT_EQ(parsed->session, h.session);
    EXPECT_EQ(parsed->ns, h.ns);
    EXPECT_EQ(parsed->nr, h.nr);
    EXPECT_EQ(parsed->offset_size, h.offset_size);
    EXPECT_TRUE(equal(parsed->payload, kPpp)) << bits;
    EXPECT_EQ(packet_of(*parsed, parsed->payload), packet);
  }
}

TEST(L2tpHeader, PayloadIsAViewIntoTheDatagram) {
  const auto packet = packet_of({.tunnel = TunnelId{1}, .session = SessionId{2}}, kPpp);
  EXPECT_EQ(packet.size(), kPlainDataHeaderSize + kPpp.size());
  EXPECT_EQ(parse_header(packet)->payload.data(), packet.data() + kPlainDataHeaderSize);
}

TEST(L2tpHeader, BytesBehindLengthAreNotPayload) {
  auto packet = packet_of({.has_length = true, .tunnel = TunnelId{1}, .session = SessionId{2}}, kPpp);
  packet.insert(packet.end(), {0xde, 0xad});
  EXPECT_TRUE(equal(parse_header(packet)->payload, kPpp));
  EXPECT_EQ(classify(packet).payload_size, kPpp.size());
}

struct Bad {
  const char* hex;
  DropReason reason;
};
TEST(L2tpHeader, RefusesWithTheRightReason) {
  const Bad cases[] = {
      {"", DropReason::kTruncated},
      {"c8", DropReason::kTruncated},
      {"c802", DropReason::kTruncated},
      {"c80200140001", DropReason::kTruncated},
      {"00020001", DropReason::kTruncated},
      {"c803000c0000000000000000", DropReason::kVersion3},
      {"0003000000000001", DropReason::kVersion3},
      {"c801000c0000000000000000", DropReason::kVersionUnknown},  // L2F
      {"c804000c0000000000000000", DropReason::kVersionUnknown},
      {"8802000c0000000000000000", DropReason::kControlFlags},      // no L
      {"c002000c0000000000000000", DropReason::kControlFlags},      // no S
      {"ca02000e00000000000000000000", DropReason::kControlFlags},  // O
      {"c902000c0000000000000000", DropReason::kControlFlags},      // P
      {"c802000d0000000000000000", DropReason::kLengthField},       // beyond the end
      {"c802000b0000000000000000", DropReason::kLengthField},       // inside the header
      {"400200070001000200", DropReason::kLengthField},
      {"0202000100020001", DropReason::kOffset},
      {"420200090001000200ffaa", DropReason::kLengthField},
      {"4202000b000100020002aa", DropReason::kOffset},
  };
  for (const auto& c : cases) {
    const auto packet = *from_hex(c.hex);
    const auto parsed = parse_header(packet);
    ASSERT_FALSE(parsed.ok()) << c.hex;
    EXPECT_EQ(to_string(parsed.error()), to_string(c.reason)) << c.hex;
    EXPECT_EQ(classify(packet).kind, PacketKind::kBad) << c.hex;
    EXPECT_EQ(classify(packet).reason, c.reason) << c.hex;
  }
}

TEST(L2tpHeader, ReservedBitsAreIgnored) {
  // §3.1: x bits are ignored on incoming messages.
  EXPECT_TRUE(parse_header(*from_hex("fcf2000c0000000000000000")).ok());
  EXPECT_TRUE(parse_header(*from_hex("34f200010002")).ok());
}

TEST(L2tpHeader, ClassifyAgreesWithTheParserOnEveryMutation) {
  std::vector<ByteVector> packets;
  for (unsigned bits = 0; bits < 16; ++bits) {
    packets.push_back(packet_of({.has_length = (bits & 1) != 0,
                                 .has_sequence = (bits & 2) != 0,
                                 .has_offset = (bits & 4) != 0,
                                 .priority = (bits & 8) != 0,
                                 .tunnel = TunnelId{9},
                                 .session = SessionId{8},
                                 .payload = {}},
                                kPpp));
  }
  packets.push_back(make_zlb(TunnelId{3}, 1, 2));
  packets.push_back(MessageBuilder(MessageType::kHello).finish(TunnelId{3}, SessionId{}, 4, 5));
  for (const auto& packet : packets) {
    mutate(packet, [](const ByteVector& bytes) {
      const auto parsed = parse_header(bytes);
      const auto quick = classify(bytes);
      ASSERT_EQ(parsed.ok(), quick.kind != PacketKind::kBad) << to_hex(bytes);
      if (!parsed) {
        ASSERT_EQ(parsed.error(), quick.reason);
        return;
      }
      ASSERT_EQ(parsed->control, quick.is_control());
      ASSERT_EQ(parsed->tunnel, quick.tunnel);
      ASSERT_EQ(parsed->session, quick.session);
      ASSERT_EQ(parsed->payload.size(), quick.payload_size);
      ASSERT_EQ(parsed->payload.data(), bytes.data() + quick.payload_offset);
    });
  }
}

TEST(L2tpHeader, WriterRefusesWhatDoesNotFit) {
  std::array<std::uint8_t, 5> small{};
  ByteWriter out(small);
  write_header({.tunnel = TunnelId{1}, .session = SessionId{1}}, 0, out);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.size(), 0u);
  std::array<std::uint8_t, 16> room{};
  ByteWriter other(room);
  write_header({.has_length = true, .tunnel = TunnelId{1}, .session = SessionId{1}}, 0xffff, other);
  EXPECT_FALSE(other.ok());
}

TEST(L2tpHeader, ADatagramLongerThanAnyUdpPayloadIsRefused) {
  ByteVector huge(0x10000, 0);
  huge[1] = 2;
  EXPECT_FALSE(parse_header(huge).ok());
  EXPECT_EQ(classify(huge).kind, PacketKind::kBad);
}

TEST(L2tpDropReason, EachHasItsOwnName) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(DropReason::kCount); ++i) {
    names.insert(to_string(static_cast<DropReason>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(DropReason::kCount));
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace sluice::l2tp
