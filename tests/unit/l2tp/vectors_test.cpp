// Messages and packets that others made.
#include <gtest/gtest.h>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using test::mutate;
using test::read_hex_rows;

/// The AVPs of a buffer as "M vendor:type=hexvalue ...", or "refused".
std::string avps_of(Bytes bytes) {
  ByteReader in(bytes);
  std::string out;
  while (!in.at_end()) {
    const auto avp = read_avp(in);
    if (!avp) return "refused";
    out += std::string(out.empty() ? "" : " ") + (avp->mandatory ? "M" : "-") + std::to_string(avp->vendor) +
           ":" + std::to_string(avp->type) + "=" + to_hex(avp->value);
  }
  return out;
}

const std::string kProl2tp173 = "-0:8=" + to_hex(as_bytes("prol2tp 1.7.3 Linux-3.13.0-71-generic (x86_64)"));

TEST(GoL2tpVectors, AvpsDecodeToTheExpectedValues) {
  const std::map<int, std::string> expected = {
      {16, "M0:0=0006"},
      {25, "M0:0=0001 -0:2=0100 M0:3=00000003 " + kProl2tp173},
      {50, "refused"},  // bare text
      {63, "M0:0=0004 M0:1=0001 M0:9=5f2b"},
      {107, "M495:0=0006"},
      {139, "M0:7=" + to_hex(as_bytes("openv3"))},
      {145, "M0:10=000a"},
      {181, "M0:14=0000"},
      {186, "M0:9=5f2b"},
      {215, "-0:61=2846f181"},
      {220, "-0:60=00000000"},
      {225, "M0:4=00000003"},
      {254, "-0:75=000000003b9aca00"},
      {283, "M0:7=" + to_hex(as_bytes("whoosh"))},
      {288, "-0:8=" + to_hex(as_bytes("prol2tp 1.8.2 Linux-3.13.0-85-generic (x86_64)"))},
      {322, "M0:1=0001"},
      {331, "M0:1=00020003" + to_hex(as_bytes("Invalid Argument"))},
      {368, "M0:0=0001"},
      {373, "M0:0=0003"},
      {378, "M0:0=0014"},
      {515, "refused"},
      {591, "M0:0=0001 -0:2=0100 M0:3=00000003 " + kProl2tp173},
  };
  const auto rows = read_hex_rows("avp_test.hex");
  ASSERT_EQ(rows.size(), 22u);
  for (const auto& [line, bytes] : rows) {
    ASSERT_TRUE(expected.contains(line)) << "line " << line;
    EXPECT_EQ(avps_of(bytes), expected.at(line)) << "line " << line;
  }
}

TEST(GoL2tpVectors, MessagesDecodeToTheExpectedWords) {
  const auto rows = read_hex_rows("msg_test.hex");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(describe_packet(rows.at(22)), "HELLO tunnel 1 session 0 Ns 1 Nr 1");
  EXPECT_EQ(describe_packet(rows.at(32)), "ZLB tunnel 1 session 0 Ns 1 Nr 1");
  EXPECT_EQ(describe_packet(rows.at(41)), "not L2TPv2: version_3");
  EXPECT_EQ(describe_packet(rows.at(195)), "HELLO tunnel 1 session 0 Ns 1 Nr 1");
}

TEST(GoL2tpVectors, AMessageOfAvpsLacksWhatItLacks) {
  const auto rows = read_hex_rows("avp_test.hex");
  const auto sccrq = parse_message(rows.at(25));
  ASSERT_TRUE(sccrq.ok());
  EXPECT_TRUE(sccrq->is(MessageType::kSccrq));
  ASSERT_TRUE(sccrq->fault());  // no Assigned Tunnel ID, and its Host Name was cut from the real message
  EXPECT_EQ(sccrq->fault()->reason, DropReason::kMissingAvp);
  const auto stop = parse_message(rows.at(63));
  ASSERT_TRUE(stop.ok());
  EXPECT_EQ(stop->assigned_tunnel(), TunnelId{0x5f2b});
  EXPECT_EQ(describe_reason(stop->close_cause()), "1 general request to clear the control connection");
}

TEST(GoL2tpVectors, NoMutationReadsPastTheEnd) {
  for (const char* file : {"avp_test.hex", "msg_test.hex"}) {
    for (const auto& [line, bytes] : read_hex_rows(file)) {
      mutate(bytes, [](const ByteVector& changed) {
        EXPECT_FALSE(describe_packet(changed).empty());
        const auto message = parse_message(changed);
        if (message) {
          EXPECT_LE(message->avps().size(), Message::kMaxAvps);
        }
      });
    }
  }
}

TEST(L2tpCapture, OverflowingAvpsAreRefusedInEveryPacket) {
  std::ifstream in(test::vector_path("l2tp-avp-overflow.pcap"), std::ios::binary);
  const std::vector<std::uint8_t> file{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  ASSERT_GT(file.size(), 40u);
  // The capture is broken on purpose, record headers included. So: the UDP payload behind every place where
  // port 1701 is the destination, up to the end of the file.
  std::size_t tried = 0;
  test::SeededRandom random(1);
  for (std::size_t at = 0; at + 8 < file.size(); ++at) {
    if (load_be16(file.data() + at) != 1701) continue;
    const ByteVector payload(file.begin() + static_cast<std::ptrdiff_t>(at) + 6, file.end());
    EXPECT_EQ(parse_header(payload).error(), DropReason::kControlFlags);
    LnsTunnel tunnel({.local_tunnel = TunnelId{560}}, random);
    EXPECT_EQ(tunnel.on_datagram(payload, Instant{}).kind, Received::Kind::kDropped);
    // With its flags mended, it is the AVPs that do not add up.
    ByteVector mended = payload;
    store_be16(mended.data(), 0xc802);
    store_be16(mended.data() + 2, static_cast<std::uint16_t>(mended.size()));
    ASSERT_TRUE(parse_header(mended).ok());
    EXPECT_FALSE(parse_message(parse_header(mended)->payload).ok());
    ++tried;
  }
  EXPECT_GE(tried, 10u);
}

}  // namespace
}  // namespace sluice::l2tp
