#include "backend-agent/radius/radius_authenticator.hpp"

#include <algorithm>

namespace sluice::agent {
namespace {

namespace attr = radius::attr;

/// RFC 2759 §6: no permission to dial in, which makes no client ask for another password.
constexpr unsigned kNoDialinPermission = 649;
/// Octets of an EAP packet that fit every link with room to spare (RFC 3579 §2.4).
constexpr std::uint32_t kEapMtu = 1344;
constexpr std::size_t kMsResponseSize = 49, kMsSuccessSize = 42;
constexpr std::string_view kUnavailable = "The authentication server does not answer";

/// RFC 2865 §2.2; the challenge always in its own attribute, whatever its length.
void add_chap(radius::Draft& draft, const ppp::AuthRequest& request) {
  ByteVector password{request.id};
  password.insert(password.end(), request.response.begin(), request.response.end());
  draft.add(attr::kChapPassword, password).add(attr::kChapChallenge, request.challenge);
}

/// RFC 2548 §2.3.2: Ident, Flags, Peer-Challenge, Reserved, Response; PPP has the flags last (RFC 2759 §4).
void add_ms_chap(radius::Draft& draft, const ppp::AuthRequest& request) {
  draft.add(attr::kMsChapChallenge, request.challenge);
  if (request.response.size() != kMsResponseSize) return;
  ByteVector response{request.id, request.response.back()};
  response.insert(response.end(), request.response.begin(), request.response.end() - 1);
  draft.add(attr::kMsChap2Response, response);
}

AuthDecision bad_reply(const std::string& server, const std::string& what) {
  return refused("radius-bad-reply", "RADIUS server " + server + " " + what,
                 "The authentication server made an error", kNoDialinPermission);
}

AuthDecision accepted(radius::Grant grant, ppp::AuthMethod method, const std::string& server) {
  if (!grant.bad.empty())
    return bad_reply(server, "sent an accept with a senseless " + name_of(grant.bad[0]));
  AuthDecision out;
  out.verdict.accepted = true;
  out.by_radius = true;
  out.verdict.message = grant.reply_message;
  out.verdict.eap = grant.eap;
  if (method == ppp::AuthMethod::kMsChapV2) {
    // Without the proof that the server knows the password, the client must hang up (RFC 2759 §5).
    if (!grant.ms_success.starts_with("S=") || grant.ms_success.size() < kMsSuccessSize)
      return bad_reply(server, "accepted MS-CHAPv2 without MS-CHAP2-Success");
    out.verdict.message = grant.ms_success.substr(0, kMsSuccessSize);
  }
  out.grant = std::move(grant);
  return out;
}

/// An EAP Identity, like any other protocol's proof, is not part of a dialogue that there was (RFC 3579
/// §2.1).
bool begins(const ppp::AuthRequest& request) {
  constexpr std::size_t kTypeAt = 4;
  constexpr std::uint8_t kIdentity = 1;
  return request.method != ppp::AuthMethod::kEap ||
         (request.eap.size() > kTypeAt && request.eap[kTypeAt] == kIdentity);
}

}  // namespace

radius::Draft access_request(const AuthAttempt& attempt, const NasIdentity& nas, Bytes state) {
  radius::Draft draft(radius::Code::kAccessRequest);
  add_nas(draft, nas);
  add_caller(draft, attempt.request.user, attempt.caller);
  switch (attempt.request.method) {
    case ppp::AuthMethod::kPap:
      draft.set_password(attempt.request.password.clone());
      break;
    case ppp::AuthMethod::kChapMd5:
      add_chap(draft, attempt.request);
      break;
    case ppp::AuthMethod::kMsChapV2:
      add_ms_chap(draft, attempt.request);
      break;
    case ppp::AuthMethod::kEap:
      draft.add(attr::kFramedMtu, kEapMtu).add_long(attr::kEapMessage, attempt.request.eap);
      break;
    case ppp::AuthMethod::kNone:
      break;
  }
  if (!state.empty()) draft.add(attr::kState, state);
  return draft;
}

AuthDecision decision_of(const radius::Packet& reply, ppp::AuthMethod method, const std::string& server) {
  radius::Grant grant = read_grant(reply);
  if (reply.code() == radius::Code::kAccessAccept) return accepted(std::move(grant), method, server);
  const bool challenge = reply.code() == radius::Code::kAccessChallenge;
  if (challenge && (method != ppp::AuthMethod::kEap || grant.eap.empty())) {
    // RFC 2865 §2: who cannot carry a challenge on treats it as a reject.
    return refused("authentication-failed",
                   "RADIUS server " + server + " wants a dialogue, which this protocol does not carry",
                   grant.reply_message.empty() ? "Authentication failed" : grant.reply_message);
  }
  if (challenge) {
    AuthDecision out;
    out.verdict.more = true;
    out.verdict.eap = std::move(grant.eap);
    out.by_radius = true;
    return out;
  }
  std::string detail = "RADIUS server " + server + " refused";
  if (!grant.reply_message.empty()) detail += ": " + grant.reply_message;
  AuthDecision out = refused("authentication-failed", std::move(detail),
                             grant.reply_message.empty() ? "Authentication failed" : grant.reply_message,
                             radius::ms_error_code(grant.ms_error));
  out.verdict.eap = std::move(grant.eap);
  return out;
}

void RadiusAuthenticator::authenticate(AuthAttempt attempt, Done done) {
  const SessionSerial session = attempt.caller.session;
  Exchange& exchange = exchanges_[session];
  if (exchange.ticket) port_.cancel(exchange.ticket);
  if (begins(attempt.request)) exchange = Exchange{};
  const auto only = exchange.server;
  auto draft = access_request(attempt, nas_, exchange.state);
  exchange.ticket = port_.submit(
      std::move(draft),
      [this, session, method = attempt.request.method, finish = std::move(done)](const RadiusAnswer& answer) {
        answered(session, method, answer, finish);
      },
      only);
}

void RadiusAuthenticator::answered(SessionSerial session, ppp::AuthMethod method, const RadiusAnswer& answer,
                                   const Done& done) {
  Exchange& exchange = exchanges_[session];
  exchange = Exchange{};
  if (!answer.packet) {
    exchanges_.erase(session);
    AuthDecision nobody =
        refused("radius-timeout", answer.cause, std::string(kUnavailable), kNoDialinPermission);
    nobody.verdict.unavailable = true;
    return done(std::move(nobody));
  }
  AuthDecision decision = decision_of(*answer.packet, method, port_.server_name(answer.server));
  if (decision.verdict.more) {
    const auto state = answer.packet->first(attr::kState);
    if (state) exchange.state.assign(state->begin(), state->end());
    exchange.server = answer.server;
  } else {
    exchanges_.erase(session);
  }
  done(std::move(decision));
}

void RadiusAuthenticator::forget(SessionSerial session) {
  const auto found = exchanges_.find(session);
  if (found == exchanges_.end()) return;
  if (found->second.ticket) port_.cancel(found->second.ticket);
  exchanges_.erase(found);
}

}  // namespace sluice::agent
