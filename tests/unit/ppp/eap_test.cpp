#include "ppp/eap.hpp"

#include <gtest/gtest.h>

#include "ppp/mschap.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::Lone;
using test::Pair;

PppConfig eap_server(std::vector<AuthMethod> methods) {
  PppConfig config = test::server_config();
  config.auth = {AuthMethod::kEap};
  config.eap_methods = std::move(methods);
  return config;
}
PppConfig eap_client(std::vector<AuthMethod> methods, std::string_view password = "secret") {
  PppConfig config = test::client_config("alice", password);
  config.auth = {AuthMethod::kEap};
  config.eap_methods = std::move(methods);
  return config;
}

TEST(Eap, PacketsSurviveARoundTrip) {
  const ByteVector request = make_eap(EapCode::kRequest, 7, EapType::kIdentity, as_bytes("who"));
  const auto parsed = parse_eap(request);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->id, 7);
  EXPECT_EQ(as_text(parsed->data), "who");
  const auto success = parse_eap(make_eap_result(EapCode::kSuccess, 9));
  ASSERT_TRUE(success);
  EXPECT_EQ(success->code, EapCode::kSuccess);
  const ByteVector value(16, 3);
  const ByteVector md5_bytes = make_eap_md5(value, "lns");
  const auto md5 = parse_eap_md5(md5_bytes);
  ASSERT_TRUE(md5);
  EXPECT_TRUE(equal(md5->value, value));
  EXPECT_EQ(md5->name, "lns");
  for (const EapMsOp op : {EapMsOp::kChallenge, EapMsOp::kResponse, EapMsOp::kSuccess, EapMsOp::kFailure}) {
    const bool valued = op <= EapMsOp::kResponse;
    const ByteVector bytes = make_eap_mschap({op, 4, valued ? Bytes(value) : Bytes{}, "text"});
    const auto ms = parse_eap_mschap(bytes);
    ASSERT_TRUE(ms);
    EXPECT_EQ(ms->op, op);
    EXPECT_EQ(ms->id, 4);
    EXPECT_EQ(ms->value.size(), valued ? 16U : 0U);
    EXPECT_EQ(ms->text, "text");
  }
}

TEST(Eap, EveryTruncationAndBitFlipIsHandled) {
  const ByteVector value(49, 3);
  const ByteVector whole = make_eap(EapCode::kResponse, 1, EapType::kMsChapV2,
                                    make_eap_mschap({EapMsOp::kResponse, 1, value, "alice"}));
  const auto look = [](Bytes bytes) {
    const auto packet = parse_eap(bytes);
    if (!packet) return false;
    EXPECT_LE(packet->whole.size(), bytes.size());
    (void)parse_eap_md5(packet->data);
    const auto ms = parse_eap_mschap(packet->data);
    return ms && ms->value.size() + ms->text.size() <= packet->data.size();
  };
  EXPECT_TRUE(look(whole));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_FALSE(look(Bytes(whole).first(cut)));
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    ByteVector flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    look(flipped);
  }
}

class EapMethod : public testing::TestWithParam<AuthMethod> {};
INSTANTIATE_TEST_SUITE_P(Eap, EapMethod, testing::Values(AuthMethod::kChapMd5, AuthMethod::kMsChapV2),
                         [](const auto& p) { return p.param == AuthMethod::kChapMd5 ? "Md5" : "MsChapV2"; });

TEST_P(EapMethod, RightPasswordGetsInAndWrongOneIsTold) {
  for (const bool right : {true, false}) {
    Pair pair(eap_client({GetParam()}, right ? "secret" : "wrong"), eap_server({GetParam()}));
    pair.start();
    if (right) {
      ASSERT_TRUE(pair.run_until_up());
      EXPECT_EQ(pair.server_up->method, AuthMethod::kEap);
      EXPECT_EQ(pair.server_up->user, "alice");
    } else {
      ASSERT_TRUE(pair.run_until([&] { return pair.server_down && pair.client_down; }));
      EXPECT_EQ(pair.server_down->cause, "wrong-password");
      EXPECT_EQ(pair.client_down->cause, "authentication-failed");
    }
    EXPECT_EQ(pair.attempts, 1U);
  }
}

TEST_P(EapMethod, GetsInOverALineThatLosesAndDoubles) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    Pair pair(eap_client({GetParam()}), eap_server({GetParam()}), seed, {15, 15, 15});
    pair.start();
    EXPECT_TRUE(pair.run_until_up()) << "seed " << seed << " "
                                     << (pair.server_down ? pair.server_down->text : "")
                                     << (pair.client_down ? pair.client_down->text : "");
  }
}

TEST_P(EapMethod, ANakChoosesTheMethodThePeerHas) {  // RFC 3748 §5.3.1
  const AuthMethod other = GetParam() == AuthMethod::kChapMd5 ? AuthMethod::kMsChapV2 : AuthMethod::kChapMd5;
  Pair pair(eap_client({GetParam()}), eap_server({other, GetParam()}));
  pair.start();
  EXPECT_TRUE(pair.run_until_up());
}

TEST_P(EapMethod, APeerWithoutAnyCommonMethodIsRefused) {
  const AuthMethod other = GetParam() == AuthMethod::kChapMd5 ? AuthMethod::kMsChapV2 : AuthMethod::kChapMd5;
  Pair pair(eap_client({GetParam()}), eap_server({other}));
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.server_down.has_value(); }));
  EXPECT_EQ(pair.server_down->cause, "authentication-refused");
  EXPECT_EQ(pair.attempts, 0U);
}

TEST(Eap, ServerThatDoesNotKnowThePasswordIsFoundOut) {
  Pair pair(eap_client({AuthMethod::kMsChapV2}), eap_server({AuthMethod::kMsChapV2}));
  pair.judge = [](const AuthRequest&) {
    AuthVerdict verdict;
    verdict.accepted = true;
    verdict.message = "S=0000000000000000000000000000000000000000";
    return verdict;
  };
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.client_down.has_value(); }));
  EXPECT_EQ(pair.client_down->cause, "authentication-failed");
  EXPECT_FALSE(pair.client_up);
  EXPECT_FALSE(pair.server_up);
}

/// An authenticator elsewhere: it gets whole Responses and answers with whole packets, as RADIUS does.
class Outside {
 public:
  AuthVerdict judge(const AuthRequest& request) {
    AuthVerdict verdict;
    EXPECT_EQ(request.method, AuthMethod::kEap);
    EXPECT_EQ(request.user, "alice");
    const auto packet = parse_eap(request.eap);
    if (!packet || packet->code != EapCode::kResponse) return verdict;
    ++rounds;
    const auto next = static_cast<std::uint8_t>(packet->id + 1);
    if (packet->type != EapType::kMd5) {
      verdict.more = true;
      verdict.eap = make_eap(EapCode::kRequest, next, EapType::kMd5, make_eap_md5(challenge, "radius"));
      return verdict;
    }
    AuthRequest inner;
    inner.method = AuthMethod::kChapMd5;
    inner.id = packet->id;
    inner.challenge = challenge;
    const auto md5 = parse_eap_md5(packet->data);
    inner.response.assign(md5->value.begin(), md5->value.end());
    Credential credential;
    credential.password = Secret("secret");
    verdict = verify(inner, credential);
    verdict.eap = make_eap_result(verdict.accepted ? EapCode::kSuccess : EapCode::kFailure, packet->id);
    return verdict;
  }
  const ByteVector challenge = ByteVector(16, 0x42);
  unsigned rounds = 0;
};

TEST(Eap, PassedThroughTheOutsideDecides) {
  for (const bool right : {true, false}) {
    for (std::uint32_t seed = 1; seed <= 30; ++seed) {
      PppConfig server = eap_server({});
      server.eap_passthrough = true;
      Outside outside;
      Pair pair(eap_client({AuthMethod::kChapMd5}, right ? "secret" : "wrong"), std::move(server), seed,
                seed == 1 ? test::Line{} : test::Line{10, 20, 10});
      pair.judge = [&](const AuthRequest& request) { return outside.judge(request); };
      pair.start();
      if (right) {
        ASSERT_TRUE(pair.run_until_up()) << seed;
      } else {
        ASSERT_TRUE(pair.run_until([&] { return pair.server_down.has_value(); })) << seed;
        EXPECT_EQ(pair.server_down->cause, "wrong-password");
      }
      EXPECT_EQ(outside.rounds, 2U) << "each answer reaches the outside once";
    }
  }
}

/// A server that has asked who is there.
struct Authenticator : Lone {
  explicit Authenticator(PppConfig config) : Lone(std::move(config)) {
    open_lcp();
    for (const auto& frame : sent_on_open) {
      if (load_be16(frame.data() + 2) == kEapProtocol) request = frame;
    }
  }
  void say(const ByteVector& packet) {
    ByteVector frame(4);
    ByteWriter out(frame);
    write_header(out, kEapProtocol, false, false);
    frame.insert(frame.end(), packet.begin(), packet.end());
    feed(std::move(frame));
  }
  void identify() { say(make_eap(EapCode::kResponse, request[5], EapType::kIdentity, as_bytes("alice"))); }
  ByteVector request;
};

PppConfig passing() {
  PppConfig config = eap_server({});
  config.eap_passthrough = true;
  return config;
}

TEST(Eap, ARequestIsRepeatedUntilAnsweredAndThenNot) {  // RFC 3748 §4.1
  Authenticator server(passing());
  ASSERT_FALSE(server.request.empty());
  server.wait(std::chrono::seconds(3));
  const auto again = server.sent();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0], server.request);
  server.identify();
  server.identify();
  ASSERT_TRUE(std::holds_alternative<AuthNeeded>(*server.session.poll_event()));
  EXPECT_FALSE(server.session.poll_event()) << "a doubled Response asks once";
  server.wait(std::chrono::seconds(9));
  EXPECT_TRUE(server.sent().empty()) << "while the outside thinks, nothing is repeated";
}

TEST(Eap, ResponsesWithAnotherIdentifierAreDropped) {  // RFC 3748 §4.1
  Authenticator server(passing());
  server.say(
      make_eap(EapCode::kResponse, static_cast<std::uint8_t>(server.request[5] + 1), EapType::kIdentity, {}));
  EXPECT_EQ(server.drops.read(Drop::kUnexpectedId), 1U);
  EXPECT_FALSE(server.session.poll_event());
}

TEST(Eap, AnOutsideThatAnswersNonsenseLetsNobodyIn) {
  Authenticator server(passing());
  server.identify();
  ASSERT_TRUE(server.session.poll_event());
  AuthVerdict verdict;
  verdict.more = true;
  verdict.eap = {1, 2, 3};
  server.session.auth_result(server.session.pending_attempt(), verdict, server.now);
  EXPECT_EQ(server.session.phase(), PppSession::Phase::kTerminate);
  server.wait(std::chrono::seconds(20));
  EXPECT_EQ(std::get<Down>(*server.session.poll_event()).cause, "bad-eap");
}

TEST(Eap, AClientTakesNoSuccessBeforeTheMethodIsThrough) {  // RFC 3748 §4.2
  Lone client(eap_client({AuthMethod::kMsChapV2}));
  client.open_lcp(ByteVector{3, 4, 0xc2, 0x27});
  const auto say = [&](const ByteVector& packet) {
    ByteVector frame{0xff, 0x03, 0xc2, 0x27};
    frame.insert(frame.end(), packet.begin(), packet.end());
    client.feed(std::move(frame));
  };
  say(make_eap(EapCode::kRequest, 1, EapType::kIdentity, {}));
  say(make_eap_result(EapCode::kSuccess, 1));
  EXPECT_EQ(client.session.phase(), PppSession::Phase::kAuthenticate);
  EXPECT_EQ(client.drops.read(Drop::kUnexpectedPacket), 1U);
}

TEST(Eap, AClientAnswersNotificationsAndNaksWhatItLacks) {  // RFC 3748 §5.2, §5.3
  Lone client(eap_client({AuthMethod::kMsChapV2}));
  client.open_lcp(ByteVector{3, 4, 0xc2, 0x27});
  const auto answer_to = [&](EapType type, std::uint8_t id) {
    ByteVector frame{0xff, 0x03, 0xc2, 0x27};
    const ByteVector packet = make_eap(EapCode::kRequest, id, type, as_bytes("x"));
    frame.insert(frame.end(), packet.begin(), packet.end());
    client.feed(std::move(frame));
    const auto sent = client.sent();
    return sent.empty() ? ByteVector{} : ByteVector(sent.back().begin() + 4, sent.back().end());
  };
  EXPECT_EQ(answer_to(EapType::kNotification, 1),
            make_eap(EapCode::kResponse, 1, EapType::kNotification, {}));
  EXPECT_EQ(answer_to(EapType{13}, 2), make_eap(EapCode::kResponse, 2, EapType::kNak, ByteVector{26}));
}

}  // namespace
}  // namespace sluice::ppp
