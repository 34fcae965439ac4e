#include "l2tp/message.hpp"

#include <gtest/gtest.h>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using test::mutate;
using test::read;
using test::SeededRandom;

ByteVector sample_sccrq() {
  MessageBuilder b(MessageType::kSccrq);
  test::add_sccrq(b).u16(AvpType::kFirmwareRevision, 0x690).text(AvpType::kVendorName, "Vendor");
  return b.finish(TunnelId{}, SessionId{}, 0, 0);
}

TEST(L2tpMessage, SccrqSurvivesARoundTrip) {
  const auto packet = sample_sccrq();
  const auto [header, message] = read(packet);
  EXPECT_TRUE(header.control && header.has_length && header.has_sequence);
  EXPECT_EQ(load_be16(packet.data() + 2), packet.size());  // Android compares Length with the datagram
  EXPECT_TRUE(message.is(MessageType::kSccrq));
  EXPECT_FALSE(message.fault());
  EXPECT_EQ(message.u16(AvpType::kProtocolVersion), 0x0100);
  EXPECT_EQ(message.u32(AvpType::kFramingCapabilities), 3u);
  EXPECT_EQ(message.text(AvpType::kHostName), "client");
  EXPECT_EQ(message.text(AvpType::kVendorName), "Vendor");
  EXPECT_EQ(message.assigned_tunnel(), TunnelId{77});
  EXPECT_EQ(message.u16(AvpType::kReceiveWindowSize), 4);
  EXPECT_FALSE(message.has(AvpType::kChallenge));
}

TEST(L2tpMessage, EveryAvpOfTheTableSurvivesARoundTripPlainAndHidden) {
  SeededRandom random(1);
  const Secret secret("tunnel secret");
  int rows = 0;
  for (std::uint16_t type = 0; type < 200; ++type) {
    const AvpInfo* info = avp_info(type);
    if (!info || info->type == AvpType::kMessageType) continue;
    ++rows;
    ByteVector value(std::max<std::size_t>(info->min_size, std::min<std::size_t>(info->max_size, 40)));
    random.fill(value);
    if (!value.empty()) value[0] = 1;
    const auto plain = MessageBuilder(MessageType::kHello).bytes(info->type, value).finish({}, {}, 0, 0);
    const auto [header, message] = read(plain);
    ASSERT_TRUE(message.has(info->type)) << info->name;
    EXPECT_TRUE(equal(message.bytes(info->type), value)) << info->name;
    EXPECT_EQ(message.avps()[0].mandatory, info->mandatory) << info->name;

    const auto hidden =
        MessageBuilder(MessageType::kHello).hidden(info->type, value, secret, random).finish({}, {}, 0, 0);
    const auto [hidden_header, revealed] = read(hidden, &secret);
    EXPECT_EQ(revealed.has(info->type), info->may_hide || info->type == AvpType::kRandomVector) << info->name;
    if (info->may_hide) {
      EXPECT_TRUE(equal(revealed.bytes(info->type), value)) << info->name;
      const auto [unused, blind] = read(hidden);
      EXPECT_FALSE(blind.has(info->type)) << info->name;
      EXPECT_EQ(blind.fault().has_value(), info->mandatory) << info->name;
    }
  }
  EXPECT_EQ(rows, 65);
}

TEST(L2tpMessage, HidingSpansBlocksAndNeedsTheRightSecret) {
  SeededRandom random(2);
  const Secret secret("right"), wrong("wrong");
  const std::string number(100, '7');
  const auto packet = MessageBuilder(MessageType::kHello)
                          .hidden(AvpType::kCalledNumber, as_bytes(number), secret, random)
                          .finish({}, {}, 0, 0);
  EXPECT_EQ(to_hex(packet).find(to_hex(as_bytes(number.substr(0, 16)))), std::string::npos);
  EXPECT_EQ(read(packet, &secret).second.text(AvpType::kCalledNumber), number);
  const auto [header, message] = read(packet, &wrong);
  EXPECT_NE(message.text(AvpType::kCalledNumber), number);
}

TEST(L2tpMessage, RevealFollowsTheFormulaOfSection4_3) {
  // One block by hand: c1 = p1 xor MD5(type + secret + vector).
  const auto vector = *from_hex("000102030405060708090a0b0c0d0e0f");
  const Secret secret("s");
  ByteVector value = *from_hex("00020001");
  const ByteVector clear = value;
  hide(9, secret.bytes(), vector, value);
  // Computed with: printf '\x00\x09s\x00\x01...\x0f' | md5sum
  const auto pad = *from_hex("1d299f7f2068aa9c1047ee0374165fdf");
  for (std::size_t i = 0; i < value.size(); ++i) EXPECT_EQ(value[i], clear[i] ^ pad[i]);
  reveal(9, secret.bytes(), vector, value);
  EXPECT_EQ(value, clear);
}

TEST(L2tpMessage, ChallengeResponseIsMd5OfTypeSecretChallenge) {
  // printf '\x02secret0123456789abcdef' | md5sum
  EXPECT_EQ(to_hex(challenge_response(2, as_bytes("secret"), as_bytes("0123456789abcdef"))),
            "ea8b19d2a344584521fd0ff6f675cf47");
}

TEST(L2tpMessage, UnknownMandatoryAvpIsAFaultAndAnOptionalOneIsNot) {
  const ByteVector value = {1, 2, 3};
  for (const bool mandatory : {false, true}) {
    for (const std::uint16_t vendor : {std::uint16_t{0}, std::uint16_t{9}}) {
      MessageBuilder b(MessageType::kSccrq);
      test::add_sccrq(b).raw({.mandatory = mandatory, .vendor = vendor, .type = 20, .value = value});
      const auto packet = b.finish({}, {}, 0, 0);
      const auto [header, message] = read(packet);
      EXPECT_EQ(message.fault().has_value(), mandatory);
      if (mandatory) {
        EXPECT_EQ(message.fault()->reason, DropReason::kUnknownMandatoryAvp);
        EXPECT_EQ(fault_error(*message.fault()), ErrorCode::kUnknownAvp);
        EXPECT_EQ(fault_words(*message.fault()), "unknown mandatory AVP " + std::to_string(vendor) + ":20");
      }
      EXPECT_EQ(message.assigned_tunnel(), TunnelId{77});
    }
  }
}

TEST(L2tpMessage, AnAvpWithReservedBitsIsUnrecognised) {
  MessageBuilder b(MessageType::kHello);
  b.u16(AvpType::kReceiveWindowSize, 4);
  auto packet = b.finish({}, {}, 0, 0);
  packet[20] = static_cast<std::uint8_t>(packet[20] | 0x04);
  const auto [header, message] = read(packet);
  EXPECT_FALSE(message.has(AvpType::kReceiveWindowSize));
  ASSERT_TRUE(message.fault());
  EXPECT_EQ(message.fault()->reason, DropReason::kUnknownMandatoryAvp);
}

TEST(L2tpMessage, MalformedOptionalAvpIsPassedOver) {
  const auto packet = MessageBuilder(MessageType::kHello)
                          .bytes(AvpType::kFirmwareRevision, ByteVector{1})  // M=0, too short
                          .bytes(AvpType::kTieBreaker, ByteVector{1, 2, 3})  // M=0, too short
                          .finish({}, {}, 0, 0);
  const auto [header, message] = read(packet);
  EXPECT_FALSE(message.fault());
  EXPECT_FALSE(message.has(AvpType::kFirmwareRevision));
  EXPECT_EQ(message.avps().size(), 2u);
}

TEST(L2tpMessage, MalformedMandatoryAvpIsAFault) {
  const auto packet = MessageBuilder(MessageType::kHello)
                          .bytes(AvpType::kAssignedTunnelId, ByteVector{1})
                          .finish({}, {}, 0, 0);
  const auto [header, message] = read(packet);
  ASSERT_TRUE(message.fault());
  EXPECT_EQ(message.fault()->reason, DropReason::kMalformedAvp);
  EXPECT_EQ(fault_error(*message.fault()), ErrorCode::kLength);
}

TEST(L2tpMessage, AnIdOfZeroIsOutOfRange) {
  const auto packet = MessageBuilder(MessageType::kIcrq)
                          .u16(AvpType::kAssignedSessionId, 0)
                          .u32(AvpType::kCallSerialNumber, 1)
                          .finish({}, {}, 0, 0);
  const auto [header, message] = read(packet);
  ASSERT_TRUE(message.fault());
  EXPECT_EQ(message.fault()->reason, DropReason::kMalformedAvp);
  const auto cdn = MessageBuilder(MessageType::kCdn).u16(AvpType::kAssignedSessionId, 0).finish({}, {}, 0, 0);
  EXPECT_FALSE(read(cdn).second.fault());
}

TEST(L2tpMessage, EachRequiredAvpIsMissed) {
  const struct {
    MessageType type;
    std::vector<AvpType> required;
  } rows[] = {
      {MessageType::kSccrq,
       {AvpType::kProtocolVersion, AvpType::kHostName, AvpType::kFramingCapabilities,
        AvpType::kAssignedTunnelId}},
      {MessageType::kSccrp,
       {AvpType::kProtocolVersion, AvpType::kHostName, AvpType::kFramingCapabilities,
        AvpType::kAssignedTunnelId}},
      {MessageType::kIcrq, {AvpType::kAssignedSessionId, AvpType::kCallSerialNumber}},
      {MessageType::kIcrp, {AvpType::kAssignedSessionId}},
      {MessageType::kIccn, {AvpType::kTxConnectSpeed, AvpType::kFramingType}},
      {MessageType::kSli, {AvpType::kAccm}},
      {MessageType::kWen, {AvpType::kCallErrors}},
  };
  for (const auto& row : rows) {
    for (std::size_t leave_out = 0; leave_out <= row.required.size(); ++leave_out) {
      MessageBuilder b(row.type);
      for (std::size_t i = 0; i < row.required.size(); ++i) {
        const auto* info = avp_info(static_cast<std::uint16_t>(row.required[i]));
        if (i != leave_out) b.bytes(row.required[i], ByteVector(std::max<std::size_t>(info->min_size, 1), 1));
      }
      const auto packet = b.finish({}, {}, 0, 0);
      const auto [header, message] = read(packet);
      const bool complete = leave_out == row.required.size();
      ASSERT_EQ(message.fault().has_value(), !complete) << message_name(message.type_number()) << leave_out;
      if (!complete) {
        EXPECT_EQ(message.fault()->reason, DropReason::kMissingAvp);
        EXPECT_EQ(message.fault()->attribute, static_cast<std::uint16_t>(row.required[leave_out]));
      }
    }
  }
}

TEST(L2tpMessage, MessageTypeMustComeFirstAndPlain) {
  const auto first = [](Bytes avps) { return parse_message(avps).error(); };
  EXPECT_EQ(first(*from_hex("8008000000090001")), DropReason::kNoMessageType);
  EXPECT_EQ(first(*from_hex("c008000000000001")), DropReason::kNoMessageType);   // hidden
  EXPECT_EQ(first(*from_hex("8008000900000001")), DropReason::kNoMessageType);   // of a vendor
  EXPECT_EQ(first(*from_hex("80070000000001")), DropReason::kNoMessageType);     // one octet
  EXPECT_EQ(first(*from_hex("8008000000000001ff")), DropReason::kAvpStructure);  // trailing octet
  EXPECT_EQ(first(*from_hex("8005000000000001")), DropReason::kAvpStructure);    // Length below 6
  EXPECT_EQ(first(*from_hex("8009000000000001")), DropReason::kAvpStructure);    // Length beyond the end
}

TEST(L2tpMessage, MoreAvpsThanAnyoneSendsAreRefused) {
  MessageBuilder b(MessageType::kHello);
  for (std::size_t i = 0; i <= Message::kMaxAvps; ++i) b.empty(AvpType::kSequencingRequired);
  const auto packet = b.finish({}, {}, 0, 0);
  EXPECT_EQ(parse_message(parse_header(packet)->payload).error(), DropReason::kTooManyAvps);
}

TEST(L2tpMessage, UnknownTypeIsAFaultOnlyWhenMandatory) {
  for (const bool mandatory : {false, true}) {
    const auto packet = MessageBuilder(999, mandatory).finish({}, {}, 0, 0);
    const auto [header, message] = read(packet);
    EXPECT_EQ(message.info(), nullptr);
    EXPECT_EQ(message.fault().has_value(), mandatory);
  }
}

TEST(L2tpMessage, ResultAndDisconnectCausesAreReadAndWorded) {
  PppCause ppp{DisconnectCode::kAuthenticationFailed, 0xc223, DisconnectDirection::kAtPeer, "bad\npassword"};
  const auto packet = MessageBuilder(MessageType::kCdn)
                          .result(2, 4, "no \"room\"")
                          .u16(AvpType::kAssignedSessionId, 5)
                          .ppp_cause(ppp)
                          .finish({}, {}, 0, 0);
  const auto [header, message] = read(packet);
  const auto cause = message.close_cause();
  EXPECT_EQ(cause.by, ClosedBy::kPeer);
  EXPECT_EQ(cause.result, 2);
  EXPECT_EQ(cause.error, 4);
  ASSERT_TRUE(cause.has_ppp);
  EXPECT_EQ(cause.ppp.code, DisconnectCode::kAuthenticationFailed);
  EXPECT_EQ(cause.ppp.protocol, 0xc223);
  EXPECT_EQ(describe(cause),
            "closed by peer: 2 general error, error 4 insufficient resources to handle this operation now, "
            "\"no \\x22room\\x22\", PPP cause 16 authentication failed: bad name, password or secret (at the "
            "peer), "
            "protocol 0xc223, \"bad\\x0apassword\"");
  EXPECT_EQ(describe_reason({}), "no reason given");
  EXPECT_EQ(describe_reason({.of_tunnel = true, .result = 5, .error = 0x0100}),
            "5 protocol version of the requester is not supported");
  EXPECT_EQ(stop_result_words(999), "unknown code");
}

TEST(L2tpMessage, ResultCodeOfThreeOctetsIsMalformed) {
  const auto packet = MessageBuilder(MessageType::kStopCcn)
                          .bytes(AvpType::kResultCode, ByteVector{0, 1, 0})
                          .finish({}, {}, 0, 0);
  EXPECT_FALSE(read(packet).second.result_code().has_value());
}

TEST(L2tpMessage, DescriptionEscapesTextAndShowsNoSecret) {
  MessageBuilder b(MessageType::kSccrq);
  b.text(AvpType::kHostName, "a\x1b[31mb")
      .bytes(AvpType::kChallenge, as_bytes("sesame"))
      .u16(AvpType::kProtocolVersion, 0x0100);
  const auto words = describe_packet(b.finish(TunnelId{1}, SessionId{2}, 3, 4));
  EXPECT_EQ(
      words,
      "SCCRQ tunnel 1 session 2 Ns 3 Nr 4 Host Name=\"a\\x1b[31mb\" Challenge=not shown Protocol Version=1.0 "
      "(missing Framing Capabilities)");
  EXPECT_EQ(describe_packet(make_zlb(TunnelId{1}, 2, 3)), "ZLB tunnel 1 session 0 Ns 2 Nr 3");
  EXPECT_EQ(describe_packet(*from_hex("000200010002ff")), "data tunnel 1 session 2 1 octets");
  EXPECT_EQ(describe_packet(*from_hex("0003")), "not L2TPv2: version_3");
}

TEST(L2tpMessage, TextTooLongForAnAvpIsCut) {
  const std::string text(5000, 'x');
  MessageBuilder b(MessageType::kStopCcn);
  b.result(1, 0, text);
  EXPECT_TRUE(b.ok());
  const auto packet = b.finish({}, {}, 0, 0);
  EXPECT_EQ(read(packet).second.result_code()->text.size(), kMaxAvpValue - 4);
  b.result(1, 0, text);
  EXPECT_FALSE(b.ok());  // a second one does not fit the message
}

TEST(L2tpMessage, NoMutationMisleadsTheParser) {
  SeededRandom random(3);
  const Secret secret("s");
  MessageBuilder b(MessageType::kSccrq);
  test::add_sccrq(b).hidden(AvpType::kCallingNumber, as_bytes("0815"), secret, random);
  for (const auto& packet : {sample_sccrq(), b.finish({}, {}, 0, 0)}) {
    std::size_t refused = 0;
    mutate(packet, [&](const ByteVector& bytes) {
      for (const Secret* known : {static_cast<const Secret*>(nullptr), &secret}) {
        EXPECT_FALSE(describe_packet(bytes, known).empty());
        const auto header = parse_header(bytes);
        if (!header || !header->control || header->zlb()) continue;
        const auto message = parse_message(header->payload, known);
        if (!message) {
          ++refused;
          continue;
        }
        std::size_t total = 8;
        for (const Avp& avp : message->avps()) total += 6 + (avp.hidden || avp.usable ? avp.value.size() : 0);
        EXPECT_LE(total, bytes.size() + 64);
      }
    });
    EXPECT_GT(refused, 0u);
  }
}

}  // namespace
}  // namespace sluice::l2tp
