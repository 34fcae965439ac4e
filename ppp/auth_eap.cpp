// EAP (RFC 3748) as PPP carries it: the authenticator's end, passed through or with methods of our own, and
// the peer's.

#include <algorithm>
#include <array>

#include "ppp/auth.hpp"

namespace sluice::ppp {
namespace {

constexpr std::size_t kChallengeSize = 16;
constexpr std::size_t kMsResponseSize = 49;
constexpr std::size_t kMd5Size = 16;
/// Longest text of a failure that is handed on.
constexpr std::size_t kMaxMessage = 200;

EapType type_of(AuthMethod method) {
  return method == AuthMethod::kChapMd5 ? EapType::kMd5 : EapType::kMsChapV2;
}

}  // namespace

void Auth::send_eap(ByteVector packet) {
  eap_packet_ = std::move(packet);
  out_.send(kEapProtocol, eap_packet_);
}

// ---- authenticator

/// RFC 3748 §4.1: each new Request under another Identifier, repeated until answered.
void Auth::request_eap(EapType type, Bytes data, Instant now) {
  state_ = State::kWaiting;
  tries_left_ = config_.timers.max_configure;
  retry_at_ = now + config_.timers.restart;
  if (!deadline_) deadline_ = now + config_.auth_timeout;
  send_eap(make_eap(EapCode::kRequest, ++id_, type, data));
}

void Auth::server_eap(Bytes bytes, Instant now) {
  const auto packet = parse_eap(bytes);
  if (!packet) return drops_.add(Drop::kBadAuthPacket);
  if (packet->code != EapCode::kResponse) return drops_.add(Drop::kUnexpectedPacket);
  if (packet->id != id_) return drops_.add(Drop::kUnexpectedId);
  // The peer has not heard how it ended.
  if (state_ == State::kAccepted || state_ == State::kRejected) return out_.send(kEapProtocol, eap_packet_);
  if (state_ != State::kWaiting) return;
  if (eap_stage_ != EapStage::kIdentity) return server_eap_method(*packet, now);
  if (packet->type != EapType::kIdentity) return drops_.add(Drop::kUnexpectedPacket);
  if (packet->data.size() > kMaxUser) return drops_.add(Drop::kBadAuthPacket);
  user_ = as_text(packet->data);
  eap_stage_ = EapStage::kMethod;
  if (config_.eap_passthrough) return server_eap_method(*packet, now);
  if (config_.eap_methods.empty()) return finish_eap(false, {}, now);
  offer_eap_method(config_.eap_methods.front(), now);
}

void Auth::server_eap_method(const EapPacket& packet, Instant now) {
  if (config_.eap_passthrough) {
    AuthRequest request;
    request.method = AuthMethod::kEap;
    request.user = user_;
    request.eap.assign(packet.whole.begin(), packet.whole.end());
    return raise(std::move(request));
  }
  switch (packet.type) {
    case EapType::kNak:
      return server_eap_nak(packet, now);
    case EapType::kMd5:
      return server_eap_md5(packet);
    case EapType::kMsChapV2:
      return server_eap_mschap(packet, now);
    case EapType::kIdentity:
    case EapType::kNotification:
      break;
  }
  drops_.add(Drop::kUnexpectedPacket);
}

void Auth::offer_eap_method(AuthMethod method, Instant now) {
  for (std::size_t i = 0; i < config_.eap_methods.size() && i < 8; ++i) {
    if (config_.eap_methods[i] == method) eap_tried_ = static_cast<std::uint8_t>(eap_tried_ | (1U << i));
  }
  challenge_.resize(kChallengeSize);
  random_.fill(challenge_);
  if (method == AuthMethod::kChapMd5) {
    return request_eap(EapType::kMd5, make_eap_md5(challenge_, config_.name), now);
  }
  const auto id = static_cast<std::uint8_t>(id_ + 1);
  request_eap(EapType::kMsChapV2, make_eap_mschap({EapMsOp::kChallenge, id, challenge_, config_.name}), now);
}

/// RFC 3748 §5.3.1: the peer names what it would take instead, each method of ours is offered once.
void Auth::server_eap_nak(const EapPacket& packet, Instant now) {
  if (eap_stage_ != EapStage::kMethod) return drops_.add(Drop::kUnexpectedPacket);
  for (const std::uint8_t wanted : packet.data) {
    for (std::size_t i = 0; i < config_.eap_methods.size() && i < 8; ++i) {
      const AuthMethod method = config_.eap_methods[i];
      if (EapType{wanted} == type_of(method) && (eap_tried_ & (1U << i)) == 0) {
        return offer_eap_method(method, now);
      }
    }
  }
  cause_ = "authentication-refused";
  detail_ = "the client accepts none of the EAP methods offered";
  finish_eap(false, {}, now);
}

void Auth::server_eap_md5(const EapPacket& packet) {
  const auto parsed = parse_eap_md5(packet.data);
  if (!parsed || parsed->value.size() != kMd5Size) return drops_.add(Drop::kBadAuthPacket);
  // Only the method that was asked for is answered (RFC 3748 §2.1).
  if (eap_packet_.size() < 5 || EapType{eap_packet_[4]} != EapType::kMd5) {
    return drops_.add(Drop::kUnexpectedPacket);
  }
  AuthRequest request;
  request.method = AuthMethod::kChapMd5;
  request.within_eap = true;
  request.user = user_;
  request.id = packet.id;
  request.challenge = challenge_;
  request.response.assign(parsed->value.begin(), parsed->value.end());
  raise(std::move(request));
}

void Auth::server_eap_mschap(const EapPacket& packet, Instant now) {
  const auto parsed = parse_eap_mschap(packet.data);
  if (!parsed) return drops_.add(Drop::kBadAuthPacket);
  if (eap_packet_.size() < 5 || EapType{eap_packet_[4]} != EapType::kMsChapV2) {
    return drops_.add(Drop::kUnexpectedPacket);
  }
  // A peer that gives up, or one that cannot be sure of us, answers with a failure at any time.
  if (eap_stage_ == EapStage::kFailing || parsed->op == EapMsOp::kFailure) {
    if (eap_stage_ != EapStage::kFailing) {
      cause_ = "authentication-failed";
      detail_ = "the client gave up its EAP-MSCHAPv2 exchange";
    }
    return finish_eap(false, {}, now);
  }
  if (eap_stage_ == EapStage::kProven) {
    return parsed->op == EapMsOp::kSuccess ? finish_eap(true, {}, now) : drops_.add(Drop::kUnexpectedPacket);
  }
  if (parsed->op != EapMsOp::kResponse) return drops_.add(Drop::kUnexpectedPacket);
  if (parsed->value.size() != kMsResponseSize || parsed->text.size() > kMaxUser) {
    return drops_.add(Drop::kBadAuthPacket);
  }
  AuthRequest request;
  request.method = AuthMethod::kMsChapV2;
  request.within_eap = true;
  // Whom the proof names is who came; the Identity before it is a hint (RFC 3748 §5.1).
  request.user = parsed->text.empty() ? user_ : std::string(parsed->text);
  request.id = parsed->id;
  request.challenge = challenge_;
  request.response.assign(parsed->value.begin(), parsed->value.end());
  raise(std::move(request));
}

void Auth::eap_result(const AuthVerdict& verdict, Instant now) {
  if (verdict.more) {
    const auto next = parse_eap(verdict.eap);
    if (!next || next->code != EapCode::kRequest) {
      cause_ = "bad-eap";
      detail_ = "the authenticator's next EAP packet is no Request";
      return finish_eap(false, {}, now);
    }
    state_ = State::kWaiting;
    id_ = next->id;
    tries_left_ = config_.timers.max_configure;
    retry_at_ = now + config_.timers.restart;
    deadline_ = now + config_.auth_timeout;
    return send_eap(ByteVector(next->whole.begin(), next->whole.end()));
  }
  const bool ms = eap_packet_.size() > 4 && EapType{eap_packet_[4]} == EapType::kMsChapV2;
  if (config_.eap_passthrough || !ms) return finish_eap(verdict.accepted, verdict.eap, now);
  EapMsChap last;
  std::string text;
  last.id = id_;
  if (verdict.accepted) {
    eap_stage_ = EapStage::kProven;
    last.op = EapMsOp::kSuccess;
    text = verdict.message + " M=OK";
  } else {
    eap_stage_ = EapStage::kFailing;
    last.op = EapMsOp::kFailure;
    std::array<std::uint8_t, kChallengeSize> next;
    random_.fill(next);
    text = failure_text(verdict, next, false);
    deadline_ = now + 2 * config_.timers.restart;
  }
  last.text = text;
  request_eap(EapType::kMsChapV2, make_eap_mschap(last), now);
}

/// The end: with the authenticator's own packet where it fits, else with one made here.
void Auth::finish_eap(bool accepted, Bytes packet, Instant now) {
  const EapCode code = accepted ? EapCode::kSuccess : EapCode::kFailure;
  const auto given = parse_eap(packet);
  const bool fits = given && given->code == code;
  settle(accepted, now);
  send_eap(fits ? ByteVector(given->whole.begin(), given->whole.end()) : make_eap_result(code, id_));
}

// ---- peer

void Auth::client_eap(Bytes bytes, Instant now) {
  const auto packet = parse_eap(bytes);
  if (!packet) return drops_.add(Drop::kBadAuthPacket);
  switch (packet->code) {
    case EapCode::kRequest:
      return client_eap_request(*packet);
    case EapCode::kSuccess:
      // RFC 3748 §4.2: not before the method is through.
      if (eap_stage_ != EapStage::kProven) return drops_.add(Drop::kUnexpectedPacket);
      return settle(true, now);
    case EapCode::kFailure:
      return refuse("authentication-failed", detail_.empty() ? "the server refuses the client" : detail_);
    case EapCode::kResponse:
      return drops_.add(Drop::kUnexpectedPacket);
  }
}

void Auth::client_eap_request(const EapPacket& packet) {
  // §4.1: the same Request again gets the same Response.
  if (equal(packet.whole, challenge_) && !eap_packet_.empty()) return out_.send(kEapProtocol, eap_packet_);
  ByteVector answer;
  switch (packet.type) {
    case EapType::kIdentity:
      user_ = config_.user;
      eap_stage_ = EapStage::kIdentity;
      answer = make_eap(EapCode::kResponse, packet.id, EapType::kIdentity, as_bytes(user_));
      break;
    case EapType::kNotification:
      answer = make_eap(EapCode::kResponse, packet.id, EapType::kNotification, {});
      break;
    case EapType::kNak:
      return drops_.add(Drop::kUnexpectedPacket);  // §5.3.1: never a Request
    case EapType::kMd5:
    case EapType::kMsChapV2:
    default:
      answer = client_eap_method(packet);
  }
  if (answer.empty()) return drops_.add(Drop::kBadAuthPacket);
  challenge_.assign(packet.whole.begin(), packet.whole.end());
  send_eap(std::move(answer));
}

/// The Response; empty when the Request makes no sense.
ByteVector Auth::client_eap_method(const EapPacket& packet) {
  const auto& known = config_.eap_methods;
  const auto allows = [&](AuthMethod m) { return std::find(known.begin(), known.end(), m) != known.end(); };
  if (packet.type == EapType::kMsChapV2 && allows(AuthMethod::kMsChapV2)) return client_eap_mschap(packet);
  if (packet.type == EapType::kMd5 && allows(AuthMethod::kChapMd5)) {
    const auto parsed = parse_eap_md5(packet.data);
    if (!parsed) return {};
    const auto value = make_response(AuthMethod::kChapMd5, packet.id, parsed->value);
    if (!value) return {};
    eap_stage_ = EapStage::kProven;
    return make_eap(EapCode::kResponse, packet.id, EapType::kMd5, make_eap_md5(*value, config_.user));
  }
  ByteVector wanted;
  for (const AuthMethod method : known) wanted.push_back(static_cast<std::uint8_t>(type_of(method)));
  if (wanted.empty()) wanted.push_back(0);  // §5.3.1: nothing would do
  return make_eap(EapCode::kResponse, packet.id, EapType::kNak, wanted);
}

ByteVector Auth::client_eap_mschap(const EapPacket& packet) {
  const auto parsed = parse_eap_mschap(packet.data);
  if (!parsed) return {};
  const auto answer = [&](Bytes data) {
    return make_eap(EapCode::kResponse, packet.id, EapType::kMsChapV2, data);
  };
  const auto op = static_cast<std::uint8_t>(parsed->op);
  switch (parsed->op) {
    case EapMsOp::kChallenge: {
      user_ = config_.user;
      const auto value = make_response(AuthMethod::kMsChapV2, parsed->id, parsed->value);
      if (!value) return {};
      eap_stage_ = EapStage::kMethod;
      return answer(make_eap_mschap({EapMsOp::kResponse, parsed->id, *value, user_}));
    }
    case EapMsOp::kSuccess:
      if (expected_.empty() || !parsed->text.starts_with(expected_)) {
        detail_ = "the server does not know the password";
        return answer(std::array{static_cast<std::uint8_t>(EapMsOp::kFailure)});
      }
      eap_stage_ = EapStage::kProven;
      return answer(std::array{op});
    case EapMsOp::kFailure:
      eap_stage_ = EapStage::kFailing;
      detail_ = std::string("the server says: ").append(parsed->text.substr(0, kMaxMessage));
      return answer(std::array{op});
    case EapMsOp::kResponse:
      break;
  }
  return {};
}

void Auth::on_network_packet(Instant now) {
  if (config_.role == Role::kServer && state_ == State::kAccepted) retry_at_.reset();
  if (config_.role == Role::kServer || method_ != AuthMethod::kEap) return;
  if (state_ == State::kWaiting && eap_stage_ == EapStage::kProven) settle(true, now);
}

}  // namespace sluice::ppp
