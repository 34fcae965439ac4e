#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include "backend-agent/radius/endpoint.hpp"
#include "backend-agent/radius/radius_authenticator.hpp"
#include "tests/unit/radius/support.hpp"

namespace sluice::agent {
namespace {

namespace attr = radius::attr;
using boost::asio::ip::udp;

constexpr std::string_view kSecret = "testing123";

AuthAttempt attempt(ppp::AuthMethod method) {
  AuthAttempt out;
  out.request.method = method;
  out.request.user = "alice";
  out.request.id = 7;
  out.request.challenge = ByteVector(16, 0xcc);
  if (method == ppp::AuthMethod::kPap) out.request.password = Secret(std::string_view("pw"));
  if (method == ppp::AuthMethod::kChapMd5) out.request.response = ByteVector(16, 0x11);
  if (method == ppp::AuthMethod::kMsChapV2) {
    for (std::uint8_t i = 0; i < 49; ++i) out.request.response.push_back(i);
  }
  if (method == ppp::AuthMethod::kEap) out.request.eap = ByteVector(300, 0x22);
  out.caller.session = SessionSerial(5);
  out.caller.session_id = "run-5";
  out.caller.client = *Endpoint::parse("203.0.113.9:4500");
  return out;
}
ByteVector request_bytes(ppp::AuthMethod method, Bytes state = {}) {
  radius::Authenticator random{9};
  return radius::sign_request(access_request(attempt(method), {"agent1", {}}, state), 1, random,
                              as_bytes(kSecret))
      .value();
}
AuthDecision decided(const radius::Draft& draft, ppp::AuthMethod method) {
  const ByteVector request(radius::kHeaderSize, 1);
  const ByteVector reply = radius::test::reply_to(request, draft, kSecret);
  return decision_of(radius::test::parsed(reply), method, "server");
}

TEST(RadiusRequest, CarriesEachProof) {
  const ByteVector pap = request_bytes(ppp::AuthMethod::kPap);
  const auto pap_packet = radius::test::parsed(pap);
  EXPECT_EQ(radius::reveal_password(*pap_packet.first(attr::kUserPassword), pap_packet.authenticator(),
                                    as_bytes(kSecret))
                ->text(),
            "pw");
  const ByteVector chap = request_bytes(ppp::AuthMethod::kChapMd5);
  EXPECT_EQ(to_hex(*radius::test::parsed(chap).first(attr::kChapPassword)),
            "0711111111111111111111111111111111");
  EXPECT_EQ(radius::test::parsed(chap).first(attr::kChapChallenge)->size(), 16U);
  const ByteVector ms = request_bytes(ppp::AuthMethod::kMsChapV2);
  const auto response = *radius::test::parsed(ms).first(attr::kMsChap2Response);
  ASSERT_EQ(response.size(), 50U);  // RFC 2548 §2.3.2: Ident, Flags, then what PPP sent
  EXPECT_EQ(response[0], 7);
  EXPECT_EQ(response[1], 48);
  EXPECT_EQ(response[2], 0);
  EXPECT_EQ(response[49], 47);
  const ByteVector eap = request_bytes(ppp::AuthMethod::kEap, as_bytes("state"));
  EXPECT_EQ(radius::test::parsed(eap).joined(attr::kEapMessage), ByteVector(300, 0x22));
  EXPECT_EQ(as_text(*radius::test::parsed(eap).first(attr::kState)), "state");
}

TEST(RadiusReply, MsChapMustProveTheServer) {
  radius::Draft draft(radius::Code::kAccessAccept);
  EXPECT_EQ(decided(draft, ppp::AuthMethod::kMsChapV2).verdict.cause, "radius-bad-reply");
  EXPECT_TRUE(decided(draft, ppp::AuthMethod::kPap).verdict.accepted);
  const std::string proof = "S=" + std::string(40, 'A');
  draft.add(attr::kMsChap2Success, "\x07" + proof);
  const auto decision = decided(draft, ppp::AuthMethod::kMsChapV2);
  EXPECT_TRUE(decision.verdict.accepted);
  EXPECT_EQ(decision.verdict.message, proof);
}

TEST(RadiusReply, RejectPassesTextAndNumberOn) {
  radius::Draft draft(radius::Code::kAccessReject);
  draft
      .add(attr::kMsChapError,
           "\x07"
           "E=647 R=0 V=3")
      .add(attr::kReplyMessage, "account disabled");
  const auto verdict = decided(draft, ppp::AuthMethod::kMsChapV2).verdict;
  EXPECT_FALSE(verdict.accepted);
  EXPECT_EQ(verdict.error, 647U);
  EXPECT_EQ(verdict.message, "account disabled");
  EXPECT_EQ(verdict.cause, "authentication-failed");
}

TEST(RadiusReply, SenselessAcceptIsNotActedOn) {
  radius::Draft draft(radius::Code::kAccessAccept);
  draft.add(attr::kSessionTimeout, "x");
  const auto verdict = decided(draft, ppp::AuthMethod::kPap).verdict;
  EXPECT_EQ(verdict.cause, "radius-bad-reply");
  EXPECT_NE(verdict.detail.find("Session-Timeout"), std::string::npos);
}

TEST(RadiusReply, ChallengeIsForEapAlone) {
  radius::Draft draft(radius::Code::kAccessChallenge);
  draft.add_long(attr::kEapMessage, ByteVector(400, 1));
  const auto more = decided(draft, ppp::AuthMethod::kEap).verdict;
  EXPECT_TRUE(more.more);
  EXPECT_EQ(more.eap, ByteVector(400, 1));
  EXPECT_FALSE(decided(draft, ppp::AuthMethod::kPap).verdict.more);
}

/// A server on loopback that the test answers for.
struct Loopback {
  /// By default a request is not repeated while its test runs.
  explicit Loopback(std::chrono::milliseconds patience = std::chrono::minutes(1))
      : socket(io, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    radius::ClientSettings settings;
    settings.servers.push_back({from_asio(socket.local_endpoint()), Secret(kSecret), 1});
    settings.first_timeout = patience;
    settings.tries = 2;
    port.emplace(io, "authentication", std::move(settings), random);
    judge.emplace(*port, NasIdentity{"agent1", {}});
  }
  void ask(ppp::AuthMethod method) { ask(attempt(method)); }
  void ask(AuthAttempt what) {
    judge->authenticate(std::move(what), [this](AuthDecision d) { decision = std::move(d); });
  }
  /// Runs until the server has a request, and keeps it.
  Bytes request() {
    std::size_t got = 0;
    socket.async_receive_from(boost::asio::buffer(buffer), from,
                              [&](const boost::system::error_code&, std::size_t size) { got = size; });
    while (got == 0) io.run_one_for(std::chrono::seconds(5));
    return Bytes(buffer).first(got);
  }
  void reply(Bytes bytes) { socket.send_to(boost::asio::buffer(bytes.data(), bytes.size()), from); }
  void wait() {
    while (!decision && io.run_one_for(std::chrono::seconds(5)) > 0) {
    }
    ASSERT_TRUE(decision);
  }
  boost::asio::io_context io{1};
  udp::socket socket;
  udp::endpoint from;
  std::array<std::uint8_t, 4096> buffer{};
  sluice::test::SeededRandom random{1};
  std::optional<RadiusPort> port;
  std::optional<RadiusAuthenticator> judge;
  std::optional<AuthDecision> decision;
};

TEST(RadiusAuthenticator, AsksOverUdpAndTakesTheAnswer) {
  Loopback world;
  world.ask(ppp::AuthMethod::kPap);
  const Bytes request = world.request();
  radius::Draft accept(radius::Code::kAccessAccept);
  accept.add(attr::kFramedPool, "staff");
  world.reply(radius::test::reply_to(request, accept, kSecret));
  world.wait();
  EXPECT_TRUE(world.decision->verdict.accepted);
  EXPECT_TRUE(world.decision->by_radius);
  EXPECT_EQ(world.decision->grant.pool, "staff");
  EXPECT_EQ(world.port->figures().outcomes.read(RadiusOutcome::kAccept), 1U);
  EXPECT_EQ(world.port->figures().seconds.count(), 1U);
}

TEST(RadiusAuthenticator, EapDialogueKeepsItsState) {
  Loopback world;
  world.ask(ppp::AuthMethod::kEap);
  radius::Draft challenge(radius::Code::kAccessChallenge);
  challenge.add_long(attr::kEapMessage, ByteVector(10, 1)).add(attr::kState, "s1");
  world.reply(radius::test::reply_to(world.request(), challenge, kSecret));
  world.wait();
  EXPECT_TRUE(world.decision->verdict.more);
  world.decision.reset();
  world.ask(ppp::AuthMethod::kEap);
  const Bytes second = world.request();
  EXPECT_EQ(as_text(*radius::test::parsed(second).first(attr::kState)), "s1");
  world.reply(radius::test::reply_to(second, radius::Draft(radius::Code::kAccessAccept), kSecret));
  world.wait();
  EXPECT_TRUE(world.decision->verdict.accepted);
}

TEST(RadiusAuthenticator, WhatBeginsAnewHasNoStateOfWhatWas) {
  AuthAttempt identity = attempt(ppp::AuthMethod::kEap);
  identity.request.eap = {2, 1, 0, 6, 1, 'a'};
  for (auto* again : {&identity, static_cast<AuthAttempt*>(nullptr)}) {
    Loopback world;
    world.ask(ppp::AuthMethod::kEap);
    radius::Draft challenge(radius::Code::kAccessChallenge);
    challenge.add_long(attr::kEapMessage, ByteVector(10, 1)).add(attr::kState, "s1");
    world.reply(radius::test::reply_to(world.request(), challenge, kSecret));
    world.wait();
    if (again != nullptr) {
      world.ask(std::move(*again));
    } else {
      world.ask(ppp::AuthMethod::kPap);
    }
    EXPECT_FALSE(radius::test::parsed(world.request()).first(attr::kState));
  }
}

TEST(RadiusAuthenticator, SilenceIsARefusalWithItsCause) {
  Loopback world(std::chrono::milliseconds(20));
  world.ask(ppp::AuthMethod::kPap);
  world.wait();
  EXPECT_EQ(world.decision->verdict.cause, "radius-timeout");
  EXPECT_EQ(world.decision->verdict.error, 649U);
}

TEST(RadiusAuthenticator, ReplyWithoutMessageAuthenticatorIsNotBelieved) {
  Loopback world(std::chrono::milliseconds(300));
  world.ask(ppp::AuthMethod::kPap);
  const Bytes request = world.request();
  world.reply(radius::test::plain_reply_to(request, radius::Code::kAccessAccept, kSecret));
  world.wait();
  EXPECT_EQ(world.decision->verdict.cause, "radius-timeout");
  EXPECT_NE(world.decision->verdict.detail.find("no-message-authenticator"), std::string::npos);
}

TEST(RadiusAuthenticator, ForgottenSessionHearsNothing) {
  Loopback world;
  world.ask(ppp::AuthMethod::kPap);
  const Bytes request = world.request();
  world.judge->forget(SessionSerial(5));
  world.reply(radius::test::reply_to(request, radius::Draft(radius::Code::kAccessAccept), kSecret));
  world.io.run_one_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(world.decision);
  EXPECT_EQ(world.port->pending(), 0U);
}

}  // namespace
}  // namespace sluice::agent
