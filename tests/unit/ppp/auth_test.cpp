#include "ppp/auth.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::control_frame;
using test::Lone;
using test::Pair;

PppConfig server_with(std::vector<AuthMethod> methods) {
  PppConfig config = test::server_config();
  config.auth = std::move(methods);
  return config;
}

/// Speaks every method.
PppConfig any_client(std::string_view password = "secret") {
  PppConfig config = test::client_config("alice", password);
  config.auth = all_auth_methods();
  return config;
}

class EachMethod : public testing::TestWithParam<AuthMethod> {};
INSTANTIATE_TEST_SUITE_P(Auth, EachMethod,
                         testing::Values(AuthMethod::kPap, AuthMethod::kChapMd5, AuthMethod::kMsChapV2,
                                         AuthMethod::kEap),
                         [](const auto& param) {
                           std::string name(to_string(param.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(EachMethod, RightPasswordGetsIn) {
  Pair pair(any_client(), server_with({GetParam()}));
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  EXPECT_EQ(pair.server_up->method, GetParam());
  EXPECT_EQ(pair.server_up->user, "alice");
  EXPECT_EQ(pair.attempts, 1U);
}

TEST_P(EachMethod, WrongPasswordIsToldAndTheLinkEnds) {
  Pair pair(any_client("wrong"), server_with({GetParam()}));
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.server_down && pair.client_down; }));
  EXPECT_EQ(pair.server_down->cause, "wrong-password");
  EXPECT_EQ(pair.server_down->user, "alice");
  EXPECT_EQ(pair.client_down->cause, "authentication-failed");
  EXPECT_FALSE(pair.server_up);
  EXPECT_EQ(pair.attempts, 1U);
}

TEST_P(EachMethod, NtHashServesWhereTheProtocolAllows) {
  Pair pair(any_client(), server_with({GetParam()}));
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
  explicit ChapServer(PppConfig config = server_with({AuthMethod::kChapMd5})) : Lone(std::move(config)) {
    open_lcp();
    challenge = sent_on_open.back();
  }
  void respond() {
    ByteVector body(18, 1);
    body[0] = 16;
    body[17] = 'u';
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
  server.session.auth_result(server.session.pending_attempt(), verdict, server.now);
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
  server.session.auth_result(server.session.pending_attempt(), verdict, server.now);
  EXPECT_EQ(server.session.phase(), PppSession::Phase::kAuthenticate);
}

TEST(Auth, VerdictOnAnAttemptBeforeARenegotiationLetsNobodyIn) {
  for (const bool moved : {false, true}) {
    Lone lone(server_with({AuthMethod::kPap}));
    const auto attempt_of = [&](PppSession& session, std::string_view user) {
      AttemptId attempt;
      while (const auto event = session.poll_event()) {
        const auto* need = std::get_if<AuthNeeded>(&*event);
        if (need != nullptr && need->request.user == user) attempt = need->request.attempt;
      }
      return attempt;
    };
    lone.open_lcp();
    lone.feed(kPapProtocol, Code{1}, 1, as_bytes("\7mallory\1m"));
    const AttemptId hers = attempt_of(lone.session, "mallory");
    ASSERT_TRUE(hers);
    PppSession other(std::make_shared<const PppConfig>(server_with({AuthMethod::kPap})), lone.random,
                     lone.drops);
    lone.feed(kLcp, Code::kConfigureRequest, 78, {});
    for (const auto& sent : lone.sent()) {
      if (sent[4] == 1) lone.feed(kLcp, Code::kConfigureAck, sent[5], Bytes(sent).subspan(8));
    }
    ASSERT_TRUE(!moved || other.restore(lone.session.snapshot(lone.now), lone.now));
    PppSession& session = moved ? other : lone.session;
    ByteVector frame = control_frame(kPapProtocol, 1, 2, as_bytes("\3bob\1x"));
    session.on_frame(frame, lone.now);
    const AttemptId bobs = attempt_of(session, "bob");
    ASSERT_TRUE(bobs);
    EXPECT_NE(hers, bobs);
    AuthVerdict good;
    good.accepted = true;
    session.auth_result(hers, good, lone.now);
    EXPECT_EQ(session.phase(), PppSession::Phase::kAuthenticate);
    EXPECT_FALSE(session.poll_event());
    session.auth_result(bobs, {}, lone.now);
    EXPECT_EQ(session.phase(), PppSession::Phase::kTerminate);
  }
}

TEST(Auth, ProofByAnotherProtocolThanAgreedIsDropped) {
  ChapServer server;
  server.feed(kPapProtocol, Code{1}, 1, ByteVector{1, 'u', 1, 'p'});
  EXPECT_EQ(server.drops.read(Drop::kWrongPhase), 1U);
  EXPECT_FALSE(server.session.poll_event());
}

/// A server that asks for MS-CHAPv2, and a hand that answers it.
struct MsChapServer : Lone {
  explicit MsChapServer(PppConfig config) : Lone(std::move(config)) {
    open_lcp();
    take_challenge(sent_on_open.back());
  }
  static PppConfig allowing(unsigned retries) {
    PppConfig config = server_with({AuthMethod::kMsChapV2});
    config.auth_retries = retries;
    return config;
  }
  void take_challenge(const ByteVector& frame) {
    id = frame[5];
    std::copy_n(frame.begin() + 9, challenge.size(), challenge.begin());
  }
  /// Answers the challenge; the last thing the server then sent, as text behind its code.
  std::string respond(std::string_view password, std::uint8_t with_id) {
    MsChallenge peer;
    random.fill(peer);
    const NtResponse response = nt_response(challenge, peer, "alice", *nt_hash(password));
    const std::string_view name = "alice";
    ByteVector body(50 + name.size());
    ByteWriter out(body);
    out.u8(49);
    out.bytes(peer);
    out.zeros(8);
    out.bytes(response);
    out.u8(0);
    out.bytes(as_bytes(name));
    last_body = body;
    feed(kChapProtocol, Code{2}, with_id, body);
    return judge();
  }
  std::string judge() {
    Credential credential;
    credential.password = Secret("secret");
    while (auto event = session.poll_event()) {
      if (auto* need = std::get_if<AuthNeeded>(&*event)) {
        ++attempts;
        session.auth_result(need->request.attempt, verify(need->request, credential), now);
      }
      if (auto* down = std::get_if<Down>(&*event)) cause = down->cause;
    }
    std::string text;
    for (const auto& frame : sent()) {
      if (load_be16(frame.data() + 2) != kChapProtocol) continue;
      text = std::to_string(frame[4]) + ":" + std::string(as_text(Bytes(frame).subspan(8)));
      answered_id = frame[5];
    }
    return text;
  }
  /// The challenge that a Failure carries.
  void take_retry(const std::string& text) {
    const auto bytes = from_hex(text.substr(text.find("C=") + 2, 32));
    ASSERT_TRUE(bytes);
    std::copy(bytes->begin(), bytes->end(), challenge.begin());
  }
  std::uint8_t id = 0, answered_id = 0;
  MsChallenge challenge{};
  ByteVector last_body;
  unsigned attempts = 0;
  std::string cause;
};

TEST(Auth, AMistypedPasswordMayBeCorrected) {  // RFC 2759 §6
  for (const bool counts_up : {false, true}) {
    MsChapServer server(MsChapServer::allowing(1));
    const std::string failure = server.respond("sicret", server.id);
    EXPECT_TRUE(failure.starts_with("4:E=691 R=1 C=")) << failure;
    EXPECT_EQ(server.session.phase(), PppSession::Phase::kAuthenticate);
    server.take_retry(failure);
    const auto next = static_cast<std::uint8_t>(server.id + (counts_up ? 1 : 0));
    EXPECT_TRUE(server.respond("secret", next).starts_with("3:S="));
    EXPECT_EQ(server.answered_id, next);
    EXPECT_EQ(server.session.phase(), PppSession::Phase::kNetwork);
    EXPECT_EQ(server.attempts, 2U);
  }
}

TEST(Auth, RetriesRunOut) {
  MsChapServer server(MsChapServer::allowing(1));
  server.take_retry(server.respond("sicret", server.id));
  EXPECT_TRUE(server.respond("secrat", server.id).starts_with("4:E=691 R=0 C="));
  EXPECT_EQ(server.session.phase(), PppSession::Phase::kTerminate);
}

TEST(Auth, ADoubledWrongResponseIsNoSecondAttempt) {
  MsChapServer server(MsChapServer::allowing(1));
  const std::string failure = server.respond("sicret", server.id);
  server.feed(kChapProtocol, Code{2}, server.id, server.last_body);
  EXPECT_EQ(server.judge(), failure) << "the same answer again";
  EXPECT_EQ(server.attempts, 1U);
}

TEST(Auth, AnAnswerToTheOldChallengeIsWrongAfterARetryWasAllowed) {
  MsChapServer server(MsChapServer::allowing(1));
  server.respond("sicret", server.id);
  EXPECT_TRUE(server.respond("secret", server.id).starts_with("4:E=691 R=0"));
}

TEST(Auth, OtherErrorsThanAWrongPasswordAllowNoRetry) {
  MsChapServer server(MsChapServer::allowing(3));
  server.feed(kChapProtocol, Code{2}, server.id, [] {
    ByteVector body(51, 1);
    body[0] = 49;
    body[50] = 'u';
    return body;
  }());
  AuthVerdict verdict;
  verdict.error = 648;
  verdict.message = "Password expired";
  ASSERT_TRUE(server.session.poll_event());
  server.session.auth_result(server.session.pending_attempt(), verdict, server.now);
  EXPECT_TRUE(server.judge().starts_with("4:E=648 R=0 C="));
}

TEST(Auth, AChangeOfPasswordIsRefused) {  // RFC 2759 §7
  MsChapServer server(MsChapServer::allowing(1));
  server.feed(kChapProtocol, Code{7}, server.id, ByteVector(582, 1));
  EXPECT_TRUE(server.judge().starts_with("4:E=709 R=0 C="));
  EXPECT_EQ(server.attempts, 0U);
  EXPECT_NE(server.session.phase(), PppSession::Phase::kNetwork);
}

TEST_P(EachMethod, ProofIsAskedForAgainWhileIpFlows) {  // RFC 1994 §2
  PppConfig config = server_with({GetParam()});
  config.rechallenge_interval = std::chrono::minutes(1);
  Pair pair(any_client(), std::move(config));
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  EXPECT_FALSE(
      pair.run_until([&] { return pair.server_down || pair.client_down; }, std::chrono::minutes(10)));
  EXPECT_TRUE(pair.server_session.is_up());
  if (GetParam() == AuthMethod::kPap) {
    EXPECT_EQ(pair.attempts, 1U) << "PAP has no challenge";
    return;
  }
  EXPECT_EQ(pair.attempts, 11U) << "at first, and after each of ten minutes";
  pair.credential.password = Secret("changed");
  ASSERT_TRUE(pair.run_until([&] { return pair.server_down.has_value(); }));
  EXPECT_EQ(pair.server_down->cause, "wrong-password");
}

TEST_P(EachMethod, WhoIsInStaysWhileNobodyCanJudgeAndIsAskedAgainLater) {
  if (GetParam() == AuthMethod::kPap) return;  // it has no challenge
  PppConfig config = server_with({GetParam()});
  config.rechallenge_interval = std::chrono::minutes(1);
  Pair pair(any_client(), std::move(config));
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  pair.judge = [&](const AuthRequest&) {
    AuthVerdict verdict;
    verdict.cause = "radius-timeout";
    verdict.unavailable = true;
    return verdict;
  };
  EXPECT_FALSE(
      pair.run_until([&] { return pair.server_down || pair.client_down; }, std::chrono::minutes(10)));
  EXPECT_EQ(pair.attempts, 11U);
  EXPECT_TRUE(pair.server_session.is_up() && pair.client_session.is_up());
  pair.judge = {};
  EXPECT_FALSE(
      pair.run_until([&] { return pair.server_down || pair.client_down; }, std::chrono::minutes(10)));
  EXPECT_GE(pair.attempts, 20U);
  pair.credential.password = Secret("changed");
  ASSERT_TRUE(pair.run_until([&] { return pair.server_down.has_value(); }));
  EXPECT_EQ(pair.server_down->cause, "wrong-password");
}

TEST_P(EachMethod, WithoutAJudgeNobodyGetsIn) {
  Pair pair(any_client(), server_with({GetParam()}));
  pair.judge = [](const AuthRequest&) {
    AuthVerdict verdict;
    verdict.cause = "radius-timeout";
    verdict.unavailable = true;
    return verdict;
  };
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.server_down.has_value(); }));
  EXPECT_EQ(pair.server_down->cause, "radius-timeout");
}

TEST(Auth, AClientThatIgnoresANewChallengeIsDisconnected) {
  PppConfig config = server_with({AuthMethod::kChapMd5});
  config.rechallenge_interval = std::chrono::minutes(1);
  config.echo_interval = Duration::zero();
  ChapServer server(std::move(config));
  server.respond();
  AuthVerdict verdict;
  verdict.accepted = true;
  ASSERT_TRUE(server.session.poll_event());
  server.session.auth_result(server.session.pending_attempt(), verdict, server.now);
  server.session.set_addresses(test::addresses(), server.now);
  for (const auto& frame : server.sent()) {
    if (load_be16(frame.data() + 2) == kIpcp)
      server.feed(kIpcp, Code::kConfigureAck, frame[5], Bytes(frame).subspan(8));
  }
  server.feed(kIpcp, Code::kConfigureRequest, 1, ByteVector{3, 6, 10, 99, 0, 7});
  ASSERT_TRUE(server.session.is_up());
  server.wait(std::chrono::minutes(2));
  std::string cause;
  while (const auto event = server.session.poll_event()) {
    if (const auto* down = std::get_if<Down>(&*event)) cause = down->cause;
  }
  EXPECT_EQ(cause, "authentication-timeout");
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
