#include "vici/packet.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace sluice::vici {
namespace {

ByteVector framed(PacketType type, std::string_view name = {}, const Message& message = {}) {
  return encode_packet(type, name, message).value();
}
PacketFault fault_of(std::string_view hex) {
  const auto parsed = parse_packet(from_hex(hex).value());
  EXPECT_FALSE(parsed.ok());
  return parsed.ok() ? PacketFault::kCount : parsed.error().fault;
}

TEST(ViciPacket, HasTypeNameAndMessageInOrder) {
  EXPECT_EQ(to_hex(framed(PacketType::kCommandRequest, "version", Message().add("k", "v"))),
            "0000000f"
            "00"
            "07"
            "76657273696f6e"
            "03016b000176");
  EXPECT_EQ(to_hex(framed(PacketType::kEventRegister, "log")),
            "00000005"
            "03"
            "03"
            "6c6f67");
  EXPECT_EQ(to_hex(framed(PacketType::kEventConfirm)),
            "00000001"
            "05");
  EXPECT_EQ(to_hex(framed(PacketType::kCommandResponse)),
            "00000001"
            "01");
}

TEST(ViciPacket, EveryTypeComesBack) {
  for (std::uint8_t raw = 0; raw <= 7; ++raw) {
    const auto type = static_cast<PacketType>(raw);
    Message message;
    if (has_message(type)) message.add("k", "v");
    const auto bytes = framed(type, "name", message);
    const auto parsed = parse_packet(Bytes(bytes).subspan(4));
    ASSERT_TRUE(parsed.ok()) << int{raw};
    EXPECT_EQ(parsed.value().type, type);
    EXPECT_EQ(parsed.value().name, has_name(type) ? "name" : "");
    EXPECT_EQ(parsed.value().message, message);
  }
}

TEST(ViciPacket, NamesTheFault) {
  EXPECT_EQ(fault_of(""), PacketFault::kEmpty);
  EXPECT_EQ(fault_of("08"), PacketFault::kUnknownType);
  EXPECT_EQ(fault_of("00"), PacketFault::kName);
  EXPECT_EQ(fault_of("00 05 61 62"), PacketFault::kName);
  EXPECT_EQ(fault_of("01 02"), PacketFault::kMessage);
  EXPECT_EQ(fault_of("05 00"), PacketFault::kTrailing);
  const ByteVector large(kMaxPacket + 1, 0);
  EXPECT_EQ(parse_packet(large).error().fault, PacketFault::kOversize);
}

TEST(ViciPacket, MessageFaultIsPartOfTheText) {
  EXPECT_EQ(parse_packet(from_hex("01 02").value()).error().to_string(),
            "a malformed message: a section end without its start at byte 0");
}

TEST(ViciPacket, RefusesALongNameAndALargeMessage) {
  EXPECT_EQ(encode_packet(PacketType::kEventRegister, std::string(256, 'x')).error().fault,
            MessageFault::kNameTooLong);
  // A message that just fits alone does not fit beside a name.
  Message message;
  for (int i = 0; i < 7; ++i) message.add("n", std::string(65535, 'v'));
  const auto used = encode(message).value().size();
  ASSERT_LT(used, kMaxPacket);
  const auto overhead = std::size_t{5};
  message.add("n", std::string(kMaxPacket - used - overhead, 'v'));
  EXPECT_EQ(encode(message).value().size(), kMaxPacket);
  EXPECT_EQ(encode_packet(PacketType::kEvent, "e", message).error().fault, MessageFault::kMessageTooLong);
}

TEST(ViciPacketStream, CutsPacketsWhereverTheStreamIsCut) {
  ByteVector stream;
  for (const auto& part : {framed(PacketType::kEvent, "a", Message().add("k", "v")),
                           framed(PacketType::kEventConfirm), framed(PacketType::kCommandResponse)}) {
    stream.insert(stream.end(), part.begin(), part.end());
  }
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    PacketStream cutter;
    std::vector<PacketType> seen;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      cutter.feed(Bytes(stream).subspan(at, std::min(step, stream.size() - at)));
      while (auto packet = cutter.next()) {
        ASSERT_TRUE(packet->ok());
        seen.push_back((*packet)->type);
      }
    }
    EXPECT_EQ(seen,
              (std::vector{PacketType::kEvent, PacketType::kEventConfirm, PacketType::kCommandResponse}));
    EXPECT_EQ(cutter.buffered(), 0u);
  }
}

TEST(ViciPacketStream, RefusesALengthBeforeItsBytesCame) {
  PacketStream stream;
  stream.feed(from_hex("00080001").value());
  const auto packet = stream.next();
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->error().fault, PacketFault::kOversize);
}

TEST(ViciPacketStream, StaysBrokenOnceItLostItsPlace) {
  PacketStream stream;
  stream.feed(from_hex("00000000").value());
  EXPECT_EQ(stream.next()->error().fault, PacketFault::kEmpty);
  stream.feed(framed(PacketType::kEventConfirm));
  EXPECT_EQ(stream.next()->error().fault, PacketFault::kEmpty);
}

TEST(ViciPacketStream, HoldsManyLargePacketsInTurn) {
  Message message;
  message.add("v", std::string(60000, 'x'));
  const auto packet = framed(PacketType::kEvent, "e", message);
  PacketStream stream;
  for (int i = 0; i < 20; ++i) {
    stream.feed(packet);
    stream.feed(Bytes(packet).first(100));
    const auto out = stream.next();
    ASSERT_TRUE(out && out->ok());
    EXPECT_EQ(out->value().message, message);
    EXPECT_FALSE(stream.next().has_value());
    stream.feed(Bytes(packet).subspan(100));
    ASSERT_TRUE(stream.next()->ok());
  }
}

}  // namespace
}  // namespace sluice::vici
