#include "ppp/auth.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::Lone;
using test::Pair;

PppConfig server_with(std::vector<AuthMethod> methods) {
  PppConfig config = test::server_config();
  config.auth = std::move(methods);
  return config;
}

class EachMethod : public testing::TestWithParam<AuthMethod> {};
INSTANTIATE_TEST_SUITE_P(Auth, EachMethod,
                         testing::Values(AuthMethod::kPap, AuthMethod::kChapMd5, AuthMethod::kMsChapV2),
                         [](const auto& param) {
                           std::string name(to_string(param.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(EachMethod, RightPasswordGetsIn) {
  Pair pair(test::client_config(), server_with({GetParam()}));
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  EXPECT_EQ(pair.server_up->method, GetParam());
  EXPECT_EQ(pair.server_up->user, "alice");
  EXPECT_EQ(pair.attempts, 1U);
}

TEST_P(EachMethod, WrongPasswordIsToldAndTheLinkEnds) {
  Pair pair(test::client_config("alice", "wrong"), server_with({GetParam()}));
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.server_down && pair.client_down; }));
  EXPECT_EQ(pair.server_down->cause, "wrong-password");
  EXPECT_EQ(pair.server_down->user, "alice");
  EXPECT_EQ(pair.client_down->cause, "authentication-failed");
  EXPECT_FALSE(pair.server_up);
  EXPECT_EQ(pair.attempts, 1U);
}

TEST_P(EachMethod, NtHashServesWhereTheProtocolAllows) {
  Pair pair(test::client_config(), server_with({GetParam()}));
  pair.credential.password.reset();
  pair.credential.nt_hash = nt_hash("secret");
  pair.start();
  if (GetParam() == AuthMethod::kChapMd5) {
    ASSERT_TRUE(pair.run_until([&] { return pair.server_down.has_value(); }));
    EXPECT_EQ(pair.server_down->cause, "no-plain-password");
  } else {
    ASSERT_TRUE(pair.run_until_up());
  }
}

TEST_P(EachMethod, SilentAuthenticatorEndsInATimeout) {
  PppConfig config = server_with({GetParam()});
  Lone lone(std::move(config));
  lone.open_lcp();
  lone.wait(std::chrono::seconds(31));
  lone.wait(std::chrono::seconds(20));
  std::string cause;
  while (const auto event = lone.session.poll_event()) {
    if (const auto* down = std::get_if<Down>(&*event)) cause = down->cause;
  }
  EXPECT_EQ(cause, "authentication-timeout");
}

TEST(Auth, MsChapFailureTextIsThatOfRfc2759) {
  Pair pair(test::client_config("alice", "wrong"), server_with({AuthMethod::kMsChapV2}));
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.client_down.has_value(); }));
  const std::string& text = pair.client_down->text;
  const auto at = text.find("E=691 R=0 C=");
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_TRUE(from_hex(text.substr(at + 12, 32)));
  EXPECT_NE(text.find(" V=3 M=Authentication failed"), std::string::npos) << text;
}

TEST(Auth, ServerThatDoesNotKnowThePasswordIsFoundOut) {
  Pair pair(test::client_config(), server_with({AuthMethod::kMsChapV2}));
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.server_up.has_value(); }));
  Lone lone(test::client_config());
  lone.open_lcp(ByteVector{3, 5, 0xc2, 0x23, 0x81});
  ByteVector challenge(17, 7);
  challenge[0] = 16;
  lone.feed(kChapProtocol, Code{1}, 9, challenge);
  lone.feed(kChapProtocol, Code{3}, 9, as_bytes("S=0000000000000000000000000000000000000000"));
  lone.wait(std::chrono::seconds(20));
  const auto event = lone.session.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<Down>(*event).cause, "server-not-authentic");
}

/// A server in the middle of CHAP-MD5, with its challenge.
struct ChapServer : Lone {
  ChapServer() : Lone(server_with({AuthMethod::kChapMd5})) {
    open_lcp();
    challenge = sent_on_open.back();
  }
  void respond() {
    ByteVector body(17, 1);
    body[0] = 16;
    body.push_back('u');
    feed(kChapProtocol, Code{2}, challenge[5], body);
  }
  ByteVector challenge;
};

TEST(Auth, ChallengeIsRepeatedUntilAnswered) {  // RFC 1994 §4.1
  ChapServer server;
  server.wait(std::chrono::seconds(3));
  const auto sent = server.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0], server.challenge);
}

TEST(Auth, RepeatedResponseAsksOnceAndIsAnsweredAgain) {  // RFC 1994 §4.2
  ChapServer server;
  server.respond();
  server.respond();
  ASSERT_TRUE(std::holds_alternative<AuthNeeded>(*server.session.poll_event()));
  EXPECT_FALSE(server.session.poll_event());
  AuthVerdict verdict;
  verdict.accepted = true;
  server.session.auth_result(verdict, server.now);
  EXPECT_EQ(server.sent().size(), 1U);
  server.respond();
  const auto again = server.sent();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0][4], 3);
}

TEST(Auth, ResponseWithAnotherIdIsDropped) {
  ChapServer server;
  server.challenge[5] ^= 1;
  server.respond();
  EXPECT_EQ(server.drops.read(Drop::kUnexpectedId), 1U);
  EXPECT_FALSE(server.session.poll_event());
}

TEST(Auth, VerdictOutOfTurnChangesNothing) {
  ChapServer server;
  AuthVerdict verdict;
  verdict.accepted = true;
  server.session.auth_result(verdict, server.now);
  EXPECT_EQ(server.session.phase(), PppSession::Phase::kAuthenticate);
}

TEST(Auth, ProofByAnotherProtocolThanAgreedIsDropped) {
  ChapServer server;
  server.feed(kPapProtocol, Code{1}, 1, ByteVector{1, 'u', 1, 'p'});
  EXPECT_EQ(server.drops.read(Drop::kWrongPhase), 1U);
  EXPECT_FALSE(server.session.poll_event());
}

TEST(Auth, PapRequestsOfEveryLengthAndBitAreHandled) {
  const ByteVector good{5, 'a', 'l', 'i', 'c', 'e', 6, 's', 'e', 'c', 'r', 'e', 't'};
  const auto parsed = parse_pap_request(good);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->user, "alice");
  EXPECT_EQ(as_text(parsed->password), "secret");
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(parse_pap_request(Bytes(good).first(cut)));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    ByteVector flipped = good;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    const auto p = parse_pap_request(flipped);
    EXPECT_TRUE(!p || p->user.size() + p->password.size() <= good.size() - 2);
  }
}

TEST(Auth, ChapValuesOfEveryLengthAreHandled) {
  const ByteVector good{3, 1, 2, 3, 'u'};
  ASSERT_TRUE(parse_chap_value(good));
  for (std::size_t cut = 0; cut < 4; ++cut) EXPECT_FALSE(parse_chap_value(Bytes(good).first(cut))) << cut;
  EXPECT_FALSE(parse_chap_value(ByteVector{0, 'u'}));  // RFC 1994 §4.1: at least one octet
  EXPECT_FALSE(parse_chap_value(ByteVector(300, 1)));  // a name longer than any we know
}

}  // namespace
}  // namespace sluice::ppp
