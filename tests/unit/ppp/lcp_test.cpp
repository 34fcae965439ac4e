#include "ppp/lcp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::Lone;

/// The options that a Configure-Request to the peer holds.
std::vector<std::uint8_t> types_of(const ByteVector& frame) {
  std::vector<std::uint8_t> out;
  CpOptionReader reader(Bytes(frame).subspan(8));
  while (const auto option = reader.next()) out.push_back(option->type);
  return out;
}
std::optional<AuthMethod> auth_of(const ByteVector& frame) {
  CpOptionReader reader(Bytes(frame).subspan(8));
  while (const auto option = reader.next()) {
    if (option->type == lcp_option::kAuth) return parse_auth_option(option->value);
  }
  return std::nullopt;
}
ByteVector reply_to(Lone& lone, Bytes options) {
  lone.sent();
  lone.feed(kLcp, Code::kConfigureRequest, 33, options);
  const auto sent = lone.sent();
  return sent.empty() ? ByteVector{} : sent.back();
}

TEST(Lcp, AsksForMruAuthenticationAndMagic) {
  Lone lone;
  const auto request = lone.sent().at(0);
  EXPECT_EQ(types_of(request), (std::vector<std::uint8_t>{1, 3, 5}));
  EXPECT_EQ(auth_of(request), AuthMethod::kMsChapV2);
}

TEST(Lcp, WindowsRequestGetsItsExtrasRejectedAtOnce) {
  // MRU 1400, magic, PFC, ACFC, callback CBCP, MRRU, endpoint discriminator, short sequence numbers.
  const ByteVector options{1,  4, 0x05, 0x78, 5, 6, 1,    2,  3, 4, 7, 2, 8,  2,
                           13, 3, 6,    17,   4, 5, 0xdc, 19, 5, 1, 0, 0, 18, 2};
  Lone lone;
  const auto reply = reply_to(lone, options);
  ASSERT_FALSE(reply.empty());
  EXPECT_EQ(reply[4], static_cast<int>(Code::kConfigureReject));
  EXPECT_EQ(types_of(reply), (std::vector<std::uint8_t>{13, 17, 19, 18}));

  const auto second = reply_to(lone, Bytes(options).first(14));
  EXPECT_EQ(second[4], static_cast<int>(Code::kConfigureAck));
  EXPECT_TRUE(lone.session.lcp().send_pfc());
  EXPECT_TRUE(lone.session.lcp().send_acfc());
  EXPECT_EQ(lone.session.lcp().peer_mru(), 1400);
}

TEST(Lcp, AccmIsAcknowledgedAndWithoutEffect) {
  Lone lone;
  EXPECT_EQ(reply_to(lone, ByteVector{2, 6, 0, 0, 0, 0})[4], static_cast<int>(Code::kConfigureAck));
}

TEST(Lcp, TinyMruGetsANak) {
  Lone lone;
  const auto reply = reply_to(lone, ByteVector{1, 4, 0, 20});
  EXPECT_EQ(reply[4], static_cast<int>(Code::kConfigureNak));
  EXPECT_EQ(types_of(reply), (std::vector<std::uint8_t>{1}));
}

TEST(Lcp, NakTurnsToRejectAfterMaxFailure) {  // RFC 1661 §4.6
  Lone lone;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(reply_to(lone, ByteVector{1, 4, 0, 20})[4], static_cast<int>(Code::kConfigureNak)) << i;
  }
  EXPECT_EQ(reply_to(lone, ByteVector{1, 4, 0, 20})[4], static_cast<int>(Code::kConfigureReject));
}

TEST(Lcp, PeerThatWantsUsToAuthenticateIsRejected) {
  Lone lone;
  const auto reply = reply_to(lone, ByteVector{3, 5, 0xc2, 0x23, 5});
  EXPECT_EQ(reply[4], static_cast<int>(Code::kConfigureReject));
}

TEST(Lcp, NakLeadsToTheMethodThePeerPrefersIfAllowed) {
  Lone lone;
  const auto first = lone.sent().at(0);
  lone.feed(kLcp, Code::kConfigureNak, first[5], ByteVector{3, 4, 0xc0, 0x23});
  EXPECT_EQ(auth_of(lone.sent().at(0)), AuthMethod::kPap);
}

TEST(Lcp, NakOfAMethodNotAllowedGoesDownTheOperatorsListThenEnds) {
  PppConfig config = test::server_config();
  config.auth = {AuthMethod::kMsChapV2, AuthMethod::kChapMd5};
  Lone lone(std::move(config));
  auto request = lone.sent().at(0);
  lone.feed(kLcp, Code::kConfigureNak, request[5], ByteVector{3, 4, 0xc0, 0x23});
  request = lone.sent().at(0);
  EXPECT_EQ(auth_of(request), AuthMethod::kChapMd5);
  lone.feed(kLcp, Code::kConfigureNak, request[5], ByteVector{3, 4, 0xc0, 0x23});
  lone.wait(std::chrono::seconds(20));
  const auto event = lone.session.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<Down>(*event).cause, "authentication-refused");
}

TEST(Lcp, PeerThatRejectsAuthenticationNeverGetsIn) {
  Lone lone;
  const auto request = lone.sent().at(0);
  CpOptionReader reader(Bytes(request).subspan(8));
  while (const auto option = reader.next()) {
    if (option->type == lcp_option::kAuth) lone.feed(kLcp, Code::kConfigureReject, request[5], option->whole);
  }
  for (const auto& frame : lone.sent()) {
    if (frame[4] == 1) lone.feed(kLcp, Code::kConfigureAck, frame[5], Bytes(frame).subspan(8));
  }
  lone.feed(kLcp, Code::kConfigureRequest, 1, {});
  EXPECT_NE(lone.session.phase(), PppSession::Phase::kNetwork);
  lone.wait(std::chrono::seconds(20));
  EXPECT_EQ(std::get<Down>(*lone.session.poll_event()).cause, "authentication-refused");
}

TEST(Lcp, LoopedLineIsNoticed) {  // RFC 1661 §6.4
  Lone lone;
  for (int i = 0; i < 10; ++i) {
    for (auto frame : lone.sent()) lone.feed(frame);
  }
  const auto event = lone.session.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<Down>(*event).cause, "loopback");
}

TEST(Lcp, EchoIsAnsweredWithOurMagicAndItsData) {  // §5.8
  Lone lone;
  lone.open_lcp();
  lone.feed(kLcp, Code::kEchoRequest, 4, ByteVector{9, 9, 9, 9, 'h', 'i'});
  const auto sent = lone.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0][4], static_cast<int>(Code::kEchoReply));
  EXPECT_EQ(load_be32(sent[0].data() + 8), lone.session.lcp().magic());
  EXPECT_EQ(sent[0].back(), 'i');
}

TEST(Lcp, SilenceAfterEchoesEndsTheLinkAndDataCountsAsLife) {
  PppConfig config = test::server_config();
  config.auth_timeout = std::chrono::hours(2);
  Lone lone(std::move(config));
  lone.open_lcp();
  for (int i = 0; i < 20; ++i) {
    lone.wait(std::chrono::seconds(30));
    lone.feed(ByteVector{0xff, 0x03, 0x00, 0x21, 0x45});  // any frame of the peer
  }
  EXPECT_TRUE(lone.session.lcp().opened());
  for (int i = 0; i < 6; ++i) lone.wait(std::chrono::seconds(30));
  std::string cause;
  while (const auto event = lone.session.poll_event()) {
    if (const auto* down = std::get_if<Down>(&*event)) cause = down->cause;
  }
  EXPECT_EQ(cause, "echo-timeout");
}

TEST(Lcp, IdentificationReachesTheOperator) {  // RFC 1570 §2.1
  Lone lone;
  lone.feed(kLcp, Code::kIdentification, 1, ByteVector{0, 0, 0, 0, 'M', 'S', 'R', 'A', 'S'});
  const auto event = lone.session.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<PeerSays>(*event).text, "MSRAS");
}

TEST(Lcp, ProtocolRejectOfUnknownProtocolsCarriesThem) {  // §5.7
  test::Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  for (const Protocol protocol : {kCcp, kIpv6cp, Protocol{0x8235}, Protocol{0x8053}}) {
    ByteVector frame = test::control_frame(protocol, 1, 1, {});
    pair.server_session.on_frame(frame, pair.now);
    const auto reply = pair.server_session.poll_transmit();
    ASSERT_TRUE(reply) << protocol;
    EXPECT_EQ((*reply)[4], static_cast<int>(Code::kProtocolReject));
    EXPECT_EQ(load_be16(reply->data() + 8), protocol);
  }
  EXPECT_TRUE(pair.server_session.is_up());
}

TEST(Lcp, TimeRemainingIsTold) {  // RFC 1570 §2.2
  Lone lone;
  lone.session.tell_time_remaining(std::chrono::seconds(60), "soon");
  lone.open_lcp();
  lone.sent();
  lone.session.tell_time_remaining(std::chrono::seconds(60), "soon");
  const auto sent = lone.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0][4], static_cast<int>(Code::kTimeRemaining));
  EXPECT_EQ(load_be32(sent[0].data() + 8), lone.session.lcp().magic());
  EXPECT_EQ(load_be32(sent[0].data() + 12), 60U);
  EXPECT_EQ(as_text(Bytes(sent[0]).subspan(16)), "soon");
  lone.feed(kLcp, Code::kCodeReject, 1, Bytes(sent[0]).subspan(4));
  EXPECT_TRUE(lone.session.lcp().opened()) << "a client without it says so and stays";
}

TEST(Lcp, DiscardRequestsAreDiscarded) {  // RFC 1661 §5.9
  Lone lone;
  lone.open_lcp();
  lone.sent();
  lone.feed(kLcp, Code::kDiscardRequest, 3, ByteVector{1, 2, 3, 4, 5});
  EXPECT_TRUE(lone.sent().empty());
  EXPECT_TRUE(lone.session.lcp().opened());
}

TEST(Lcp, UnknownCodesAreRejectedWithTheirPacket) {  // RFC 1661 §5.6
  Lone lone;
  lone.open_lcp();
  lone.sent();
  lone.feed(kLcp, Code{42}, 3, ByteVector{1, 2});
  const auto sent = lone.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0][4], static_cast<int>(Code::kCodeReject));
  EXPECT_EQ(ByteVector(sent[0].begin() + 8, sent[0].end()), (ByteVector{42, 3, 0, 6, 1, 2}));
}

TEST(Lcp, ARejectionOfACodeWithoutWhichNothingGoesEndsTheLink) {  // RFC 1661 §5.6
  Lone lone;
  lone.open_lcp();
  lone.feed(kLcp, Code::kCodeReject, 1, ByteVector{1, 1, 0, 4});
  EXPECT_FALSE(lone.session.lcp().opened());
  lone.wait(std::chrono::seconds(10));
  bool down = false;
  while (const auto event = lone.session.poll_event()) down |= std::holds_alternative<Down>(*event);
  EXPECT_TRUE(down);
}

TEST(Lcp, PaddingBehindLengthIsIgnored) {  // RFC 1661 §5
  Lone lone;
  lone.open_lcp();
  lone.sent();
  ByteVector frame = test::control_frame(kLcp, 9, 4, ByteVector{9, 9, 9, 9});
  frame.resize(frame.size() + 7, 0xee);
  lone.feed(frame);
  const auto sent = lone.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].size(), 12U);
}

TEST(Lcp, WhatWeLackIsRejectedAllAtOnceInTheOrderAsked) {  // RFC 1661 §5.4
  Lone lone;
  lone.sent();
  // Quality, FCS alternatives, self-describing padding, callback, compound frames, MRRU, endpoint
  // discriminator, link discriminator.
  const ByteVector lacking{4, 4,  0xc0, 0x25, 9,  3,  1, 10, 3, 4, 13, 3, 6, 15,
                           2, 17, 4,    6,    78, 19, 5, 1,  9, 9, 23, 4, 0, 0};
  ByteVector asked{1, 4, 5, 120, 5, 6, 1, 2, 3, 4};
  asked.insert(asked.end(), lacking.begin(), lacking.end());
  for (const int b : {7, 2, 8, 2}) asked.push_back(static_cast<std::uint8_t>(b));
  lone.feed(kLcp, Code::kConfigureRequest, 9, asked);
  const auto sent = lone.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0][4], static_cast<int>(Code::kConfigureReject));
  EXPECT_EQ(sent[0][5], 9);
  EXPECT_EQ(ByteVector(sent[0].begin() + 8, sent[0].end()), lacking);
}

TEST(Lcp, NothingButLcpCountsBeforeItIsOpen) {  // RFC 1661 §3.4
  Lone lone;
  lone.sent();
  for (const Protocol protocol : {kPapProtocol, kChapProtocol, kEapProtocol, kIpcp, kIpv6cp, kCcp}) {
    lone.feed(protocol, Code::kConfigureRequest, 1, {});
  }
  EXPECT_TRUE(lone.sent().empty());
  EXPECT_EQ(lone.drops.read(Drop::kWrongPhase), 6U);
}

TEST(Lcp, NoRejectionOfAProtocolBeforeTheNetworkPhase) {  // RFC 1661 §3.5
  Lone lone;
  lone.open_lcp();
  lone.sent();
  for (const Protocol protocol : {kIpcp, kIpv6cp, kCcp, Protocol{0x8235}}) {
    lone.feed(protocol, Code::kConfigureRequest, 1, {});
  }
  EXPECT_TRUE(lone.sent().empty());
  EXPECT_EQ(lone.drops.read(Drop::kWrongPhase), 4U);
}

}  // namespace
}  // namespace sluice::ppp
