#include "tests/unit/radius/support.hpp"

namespace sluice::radius {
namespace {

using test::parsed;

constexpr std::string_view kSecret = "xyzzy5461";
// RFC 2865 §7.1 and §7.2.
const ByteVector kTelnet = *from_hex(
    "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d"
    "93 d4 13 ce 31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03");
const ByteVector kTelnetAccept = *from_hex(
    "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00"
    "0e 06 c0 a8 01 03");
const ByteVector kFramed = *from_hex(
    "01 01 00 47 2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2 01 08 66 6c 6f 70 73 79 03 13 16 e9"
    "75 57 c3 16 18 58 95 f2 93 ff 63 44 07 72 75 04 06 c0 a8 01 10 05 06 00 00 00 14 06 06 00 00 00"
    "02 07 06 00 00 00 01");
const ByteVector kFramedAccept = *from_hex(
    "02 01 00 38 15 ef bc 7d ab 26 cf a3 dc 34 d9 c0 3c 86 01 a4 06 06 00 00 00 02 07 06 00 00 00 01"
    "08 06 ff ff ff fe 0a 06 00 00 00 02 0d 06 00 00 00 01 0c 06 00 00 05 dc");

Authenticator authenticator_of(Bytes packet) {
  Authenticator out;
  std::copy_n(packet.begin() + 4, 16, out.begin());
  return out;
}

TEST(RadiusVectors, Rfc2865UserTelnet) {
  const Packet request = parsed(kTelnet);
  EXPECT_EQ(request.code(), Code::kAccessRequest);
  EXPECT_EQ(as_text(*request.first(attr::kUserName)), "nemo");
  const auto hidden = *request.first(attr::kUserPassword);
  const auto password = reveal_password(hidden, request.authenticator(), as_bytes(kSecret));
  EXPECT_EQ(password->text(), "arctangent");
  const auto again = hide_password(as_bytes("arctangent"), authenticator_of(kTelnet), as_bytes(kSecret));
  EXPECT_TRUE(equal(again, hidden));
  EXPECT_EQ(check_reply(parsed(kTelnetAccept), authenticator_of(kTelnet), as_bytes(kSecret), false),
            Proof::kGood);
  EXPECT_EQ(check_reply(parsed(kTelnetAccept), authenticator_of(kTelnet), as_bytes(kSecret), true),
            Proof::kNoMessageAuthenticator);
}

TEST(RadiusVectors, Rfc2865FramedChap) {
  EXPECT_EQ(parsed(kFramed).first(attr::kChapPassword)->size(), 17U);
  EXPECT_EQ(check_reply(parsed(kFramedAccept), authenticator_of(kFramed), as_bytes(kSecret), false),
            Proof::kGood);
  EXPECT_EQ(check_reply(parsed(kFramedAccept), authenticator_of(kFramed), as_bytes("other"), false),
            Proof::kBadAuthenticator);
}

Draft everything() {
  Draft draft(Code::kAccessRequest);
  draft.add(attr::kUserName, "nemo").add(attr::kNasPort, 7U).add(attr::kMsChapChallenge, "0123456789abcdef");
  draft.add(attr::kFramedIpAddress, *IpAddress::parse("192.0.2.1"));
  draft.add_long(attr::kEapMessage, ByteVector(600, 0x5a));
  draft.set_password(Secret(std::string_view("a password of more than sixteen octets")));
  return draft;
}

TEST(RadiusPacket, WhatIsDraftedIsRead) {
  Authenticator random{1, 2, 3};
  const auto bytes = sign_request(everything(), 77, random, as_bytes(kSecret));
  ASSERT_TRUE(bytes);
  const Packet packet = parsed(*bytes);
  EXPECT_EQ(packet.id(), 77);
  EXPECT_EQ(packet.attributes().front().type, attr::kMessageAuthenticator);
  EXPECT_EQ(as_text(*packet.first(attr::kUserName)), "nemo");
  EXPECT_EQ(as_text(*packet.first(attr::kMsChapChallenge)), "0123456789abcdef");
  EXPECT_EQ(packet.joined(attr::kEapMessage), ByteVector(600, 0x5a));
  EXPECT_EQ(check_access_request(packet, as_bytes(kSecret)), Proof::kGood);
  EXPECT_EQ(check_access_request(packet, as_bytes("wrong")), Proof::kBadMessageAuthenticator);
  const auto password =
      reveal_password(*packet.first(attr::kUserPassword), packet.authenticator(), as_bytes(kSecret));
  EXPECT_EQ(password->text(), "a password of more than sixteen octets");
}

TEST(RadiusPacket, OctetsAfterLengthArePadding) {
  ByteVector padded = kTelnet;
  padded.resize(padded.size() + 9, 0xff);
  EXPECT_EQ(parsed(padded).bytes().size(), kTelnet.size());
}

TEST(RadiusPacket, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < kFramed.size(); ++size) {
    EXPECT_FALSE(Packet::parse(Bytes(kFramed).first(size)));
    ByteVector shorter(kFramed.begin(), kFramed.begin() + static_cast<std::ptrdiff_t>(size));
    if (size < kHeaderSize) continue;
    store_be16(shorter.data() + 2,
               static_cast<std::uint16_t>(size));  // an honest length: whole attributes pass
    const auto packet = Packet::parse(shorter);
    if (packet) {
      EXPECT_NE(check_reply(*packet, {}, as_bytes(kSecret), true), Proof::kGood);
    }
  }
}

TEST(RadiusPacket, EverySingleBitFlipIsNoticed) {
  Draft draft(Code::kAccessAccept);
  draft.add(attr::kClass, "class").add(attr::kSluiceRateUp, 1000U);
  const ByteVector reply = test::reply_to(kFramed, draft, kSecret);
  const Authenticator request = authenticator_of(kFramed);
  ASSERT_EQ(check_reply(parsed(reply), request, as_bytes(kSecret), true), Proof::kGood);
  for (std::size_t bit = 0; bit < reply.size() * 8; ++bit) {
    ByteVector flipped = reply;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto packet = Packet::parse(flipped);
    if (packet) {
      EXPECT_NE(check_reply(*packet, request, as_bytes(kSecret), true), Proof::kGood) << bit;
    }
  }
}

TEST(RadiusPacket, ReplyWithTheWrongRequestIsRefused) {
  const ByteVector reply = test::reply_to(kFramed, Draft(Code::kAccessAccept), kSecret);
  EXPECT_EQ(check_reply(parsed(reply), authenticator_of(kTelnet), as_bytes(kSecret), true),
            Proof::kBadAuthenticator);
}

TEST(RadiusPacket, TwoMessageAuthenticatorsAreRefused) {
  Draft draft(Code::kAccessRequest);
  draft.add(attr::kMessageAuthenticator, ByteVector(16));
  Authenticator random{};
  const auto bytes = sign_request(draft, 1, random, as_bytes(kSecret));
  EXPECT_EQ(Packet::parse(*bytes).error(), ParseError::kBadMessageAuthenticator);
}

TEST(RadiusPacket, AccountingRequestProvesItselfAndSoDoesCoa) {
  for (const Code code : {Code::kAccountingRequest, Code::kCoaRequest, Code::kDisconnectRequest}) {
    Draft draft(code);
    draft.add(attr::kAcctSessionId, "x");
    Authenticator authenticator{};
    const auto bytes = sign_request(draft, 9, authenticator, as_bytes(kSecret));
    EXPECT_EQ(check_request(parsed(*bytes), as_bytes(kSecret), true), Proof::kGood);
    EXPECT_EQ(check_request(parsed(*bytes), as_bytes("other"), true), Proof::kBadAuthenticator);
    EXPECT_TRUE(equal(authenticator, parsed(*bytes).authenticator()));
  }
}

TEST(RadiusPacket, WhatDoesNotFitIsNotSent) {
  Authenticator random{};
  EXPECT_FALSE(Draft(Code::kAccessRequest).add(attr::kUserName, std::string(254, 'a')).ok());
  EXPECT_FALSE(Draft(Code::kAccessRequest).add(attr::kMsChapError, std::string(248, 'a')).ok());
  EXPECT_FALSE(Draft(Code::kAccessRequest).set_password(Secret(std::string(129, 'a'))).ok());
  Draft large(Code::kAccessRequest);
  large.add_long(attr::kEapMessage, ByteVector(4100));
  EXPECT_TRUE(large.ok());
  EXPECT_FALSE(sign_request(large, 1, random, as_bytes(kSecret)));
}

TEST(RadiusPacket, OddVendorAttributeStaysWhole) {
  for (const char* value : {"00000137", "000001371c", "000001371c01", "000001371c07aabbcc",
                            "00000000"
                            "1c03aa",
                            "0000"}) {
    Draft draft(Code::kAccessAccept);
    draft.add(attr::kVendorSpecific, *from_hex(value));
    const auto bytes = test::reply_to(kFramed, draft, kSecret);
    EXPECT_TRUE(equal(*parsed(bytes).first(attr::kVendorSpecific), *from_hex(value))) << value;
  }
}

}  // namespace
}  // namespace sluice::radius
