// Requirements of docs/ppp-conformance.md that no other test shows by the way.
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::ip;
using test::Lone;
using test::Pair;

ByteVector body_of(const ByteVector& frame) {
  return {frame.begin() + 8, frame.end()};
}
/// The first frame of a protocol and code among those sent.
std::optional<ByteVector> find(const std::vector<ByteVector>& frames, Protocol protocol, int code) {
  for (const auto& frame : frames) {
    if (load_be16(frame.data() + 2) == protocol && frame[4] == code) return frame;
  }
  return std::nullopt;
}
PppConfig server_with(AuthMethod method) {
  PppConfig config = test::server_config();
  config.auth = {method};
  return config;
}
/// A server whose client proves itself by PAP, says nothing else and is up.
struct UpByPap : Lone {
  UpByPap() : Lone(server_with(AuthMethod::kPap)) {
    open_lcp(ByteVector{1, 4, 5, 120, 7, 2, 8, 2});
    feed(kPapProtocol, Code{1}, 1, request);
    AuthVerdict good;
    good.accepted = true;
    session.poll_event();
    session.auth_result(session.pending_attempt(), good, now);
    session.set_addresses(test::addresses(), now);
    for (const auto& frame : sent()) {
      if (load_be16(frame.data() + 2) == kIpcp) feed(kIpcp, Code::kConfigureAck, frame[5], body_of(frame));
    }
    feed(kIpcp, Code::kConfigureRequest, 1, ByteVector{3, 6, 10, 99, 0, 7});
    sent();
    while (session.poll_event()) continue;
  }
  const ByteVector request{1, 'u', 1, 'p'};
};

TEST(PppConformance, AnAckRepeatsIdentifierAndOptionsAsTheyStood) {
  Lone lone;
  lone.sent();
  const ByteVector options{8, 2, 5, 6, 1, 2, 3, 4, 1, 4, 5, 220, 7, 2, 2, 6, 0, 10, 0, 0};
  lone.feed(kLcp, Code::kConfigureRequest, 200, options);
  const auto ack = find(lone.sent(), kLcp, 2);
  ASSERT_TRUE(ack);
  EXPECT_EQ((*ack)[5], 200);
  EXPECT_EQ(body_of(*ack), options);
}

TEST(PppConformance, ANakHoldsTheOffendingOptionsOnlyAndBooleansAreRejectedInstead) {
  Lone lone;
  lone.sent();
  lone.feed(kLcp, Code::kConfigureRequest, 3, ByteVector{8, 2, 1, 4, 0, 10, 5, 6, 0, 0, 0, 0});
  const auto nak = find(lone.sent(), kLcp, 3);
  ASSERT_TRUE(nak);
  EXPECT_EQ((*nak)[5], 3);
  const ByteVector body = body_of(*nak);
  ASSERT_EQ(body.size(), 10U);
  EXPECT_EQ(load_be32(body.data()), 0x010405dcU) << "an MRU we would take, in the place it had";
  EXPECT_EQ(body[4], 5);
  EXPECT_NE(load_be32(body.data() + 6), 0U) << "a magic number of zero is no magic number";
  lone.feed(kLcp, Code::kConfigureRequest, 4, ByteVector{7, 3, 1});
  const auto reject = find(lone.sent(), kLcp, 4);
  ASSERT_TRUE(reject);
  EXPECT_EQ(body_of(*reject), (ByteVector{7, 3, 1}));
}

TEST(PppConformance, WhatWasRejectedIsNotAskedForAgain) {
  PppConfig config = test::server_config();
  config.request_compression = true;
  Lone lone(std::move(config));
  const auto first = lone.sent().at(0);
  CpOptionReader reader(Bytes(first).subspan(8));
  ByteVector rejected;
  std::set<std::uint8_t> types;
  while (const auto option = reader.next()) {
    types.insert(option->type);
    if (option->type == lcp_option::kAuth) continue;
    rejected.insert(rejected.end(), option->whole.begin(), option->whole.end());
  }
  EXPECT_EQ(types, (std::set<std::uint8_t>{1, 3, 5, 7, 8}));
  lone.feed(kLcp, Code::kConfigureReject, first[5], rejected);
  const auto second = find(lone.sent(), kLcp, 1);
  ASSERT_TRUE(second);
  EXPECT_NE((*second)[5], first[5]) << "other contents, another identifier";
  EXPECT_EQ(body_of(*second), (ByteVector{3, 5, 0xc2, 0x23, 0x81}));
}

TEST(PppConformance, ARetransmissionKeepsContentsAndIdentifier) {
  Lone lone;
  const auto first = lone.sent().at(0);
  lone.wait(std::chrono::seconds(2));
  for (const auto& again : lone.sent()) EXPECT_EQ(again, first);
}

TEST(PppConformance, OneAuthenticationProtocolIsAskedForAtATime) {
  Lone lone;
  std::set<ByteVector> asked;
  for (int i = 0; i < 5; ++i) {
    const auto request = find(lone.sent(), kLcp, 1);
    if (!request) break;
    CpOptionReader reader(Bytes(*request).subspan(8));
    int count = 0;
    while (const auto option = reader.next()) {
      if (option->type != lcp_option::kAuth) continue;
      ++count;
      EXPECT_TRUE(asked.insert(ByteVector(option->value.begin(), option->value.end())).second) << "each once";
    }
    EXPECT_LE(count, 1);
    lone.feed(kLcp, Code::kConfigureNak, (*request)[5], ByteVector{3, 4, 0xc2, 0x27});
  }
  EXPECT_EQ(asked.size(), 3U);
}

TEST(PppConformance, ATerminateRequestIsAcknowledgedUnderItsIdentifierInEveryState) {
  for (const bool open : {false, true}) {
    Lone lone;
    if (open) lone.open_lcp();
    lone.sent();
    lone.feed(kLcp, Code::kTerminateRequest, 143, {});
    const auto ack = find(lone.sent(), kLcp, 6);
    ASSERT_TRUE(ack);
    EXPECT_EQ((*ack)[5], 143);
  }
}

TEST(PppConformance, AProtocolRejectFitsThePeersMru) {
  UpByPap lone;
  const ByteVector large(1395, 0x55);
  lone.feed(Protocol{0x8235}, Code{1}, 1, large);
  const auto reject = find(lone.sent(), kLcp, 8);
  ASSERT_TRUE(reject);
  EXPECT_LE(reject->size() - 4, 1400U);
  EXPECT_EQ(load_be16(reject->data() + 8), 0x8235);
  EXPECT_EQ((*reject)[10], 1) << "the rejected packet from its first octet";
}

TEST(PppConformance, EchoesCountInTheOpenedStateOnly) {
  Lone lone;
  lone.sent();
  lone.feed(kLcp, Code::kEchoRequest, 4, ByteVector{0, 0, 0, 0});
  EXPECT_TRUE(lone.sent().empty());
  EXPECT_EQ(lone.drops.read(Drop::kWrongPhase), 1U);
}

TEST(PppConformance, LcpIsNeverCompressed) {
  UpByPap lone;
  EXPECT_TRUE(lone.session.lcp().send_pfc() && lone.session.lcp().send_acfc());
  lone.feed(kLcp, Code::kEchoRequest, 4, ByteVector{0, 0, 0, 0});
  const auto reply = lone.sent().at(0);
  EXPECT_EQ(load_be32(reply.data()), 0xff03c021U);
}

TEST(PppConformance, FramesOfTheDefaultMruAreTakenWhateverWasNegotiated) {
  UpByPap lone;
  ByteVector packet = make_udp({ip("10.99.0.7"), 1}, {ip("192.0.2.1"), 2}, ByteVector(1472, 1));
  ASSERT_EQ(packet.size(), 1500U);
  for (const ByteVector& header : {ByteVector{0xff, 3, 0, 0x21}, ByteVector{0, 0x21}, ByteVector{0x21}}) {
    ByteVector frame = header;
    frame.insert(frame.end(), packet.begin(), packet.end());
    EXPECT_TRUE(equal(lone.feed(frame), packet));
  }
}

TEST(PppConformance, ARepeatedPapRequestGetsItsAnswerInTheNetworkPhaseToo) {
  UpByPap lone;
  lone.feed(kPapProtocol, Code{1}, 9, lone.request);
  const auto ack = find(lone.sent(), kPapProtocol, 2);
  ASSERT_TRUE(ack);
  EXPECT_EQ((*ack)[5], 9);
  EXPECT_FALSE(lone.session.poll_event()) << "and asks nobody";
}

TEST(PppConformance, ASuccessIsToldAgainUntilThePeerGoesOn) {
  for (const bool goes_on : {false, true}) {
    Lone lone(server_with(AuthMethod::kChapMd5));
    lone.open_lcp();
    const ByteVector challenge = *find(lone.sent_on_open, kChapProtocol, 1);
    ByteVector body(17, 1);
    body[0] = 16;
    lone.feed(kChapProtocol, Code{2}, challenge[5], body);
    AuthVerdict good;
    good.accepted = true;
    lone.session.poll_event();
    lone.session.auth_result(lone.session.pending_attempt(), good, lone.now);
    ASSERT_TRUE(find(lone.sent(), kChapProtocol, 3));
    if (goes_on) lone.feed(kIpcp, Code::kConfigureRequest, 1, {});
    lone.wait(std::chrono::seconds(20));
    unsigned again = 0;
    for (const auto& frame : lone.sent()) again += load_be16(frame.data() + 2) == kChapProtocol ? 1 : 0;
    EXPECT_EQ(again, goes_on ? 0U : 3U);
  }
}

TEST(PppConformance, EachChallengeHasAValueAndAnIdentifierOfItsOwn) {
  PppConfig config = server_with(AuthMethod::kChapMd5);
  config.rechallenge_interval = std::chrono::seconds(20);
  config.echo_interval = Duration::zero();
  Lone lone(std::move(config));
  lone.open_lcp();
  std::set<ByteVector> values;
  std::set<std::uint8_t> ids;
  auto challenge = find(lone.sent_on_open, kChapProtocol, 1);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(challenge);
    values.insert(body_of(*challenge));
    ids.insert((*challenge)[5]);
    ByteVector body(17, 1);
    body[0] = 16;
    lone.feed(kChapProtocol, Code{2}, (*challenge)[5], body);
    while (auto event = lone.session.poll_event()) {
      AuthVerdict good;
      good.accepted = true;
      if (std::holds_alternative<AuthNeeded>(*event))
        lone.session.auth_result(lone.session.pending_attempt(), good, lone.now);
    }
    if (i == 0) lone.session.set_addresses(test::addresses(), lone.now);
    if (const auto ours = find(lone.sent(), kIpcp, 1)) {
      lone.feed(kIpcp, Code::kConfigureAck, (*ours)[5], body_of(*ours));
      lone.feed(kIpcp, Code::kConfigureRequest, 1, ByteVector{3, 6, 10, 99, 0, 7});
    }
    lone.wait(std::chrono::seconds(20));
    challenge = find(lone.sent(), kChapProtocol, 1);
    lone.sent();
  }
  EXPECT_EQ(values.size(), 6U);
  EXPECT_EQ(ids.size(), 6U);
}

TEST(PppConformance, ResponsesOutsideTheirPhasesAreDiscarded) {
  Lone lone(server_with(AuthMethod::kChapMd5));
  lone.sent();
  lone.feed(kChapProtocol, Code{2}, 1, ByteVector(17, 16));
  EXPECT_TRUE(lone.sent().empty());
  lone.open_lcp();
  lone.session.stop("test", "", lone.now);
  lone.sent();
  lone.feed(kChapProtocol, Code{2}, 1, ByteVector(17, 16));
  EXPECT_TRUE(lone.sent().empty());
  EXPECT_FALSE(lone.session.poll_event());
}

TEST(PppConformance, NoMoreThanTwoServersOfAKindAreNamed) {
  Pair pair(test::client_config(), test::server_config());
  pair.given.dns.push_back(ip("8.8.8.8"));
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  EXPECT_EQ(pair.client_up->addresses.dns.size(), 2U);
}

}  // namespace
}  // namespace sluice::ppp
