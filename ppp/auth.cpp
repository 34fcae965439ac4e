#include "ppp/auth.hpp"

#include <botan/hash.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace sluice::ppp {
namespace {

constexpr std::uint8_t kRequest = 1, kPapAck = 2, kPapNak = 3;
constexpr std::uint8_t kChallenge = 1, kResponse = 2, kSuccess = 3, kFailure = 4, kChangePassword = 7;
/// RFC 2759 §6: numbers behind E=.
constexpr unsigned kAuthenticationFailure = 691, kChangingPassword = 709;
constexpr std::size_t kChallengeSize = 16;
constexpr std::size_t kMsResponseSize = 49;
constexpr std::size_t kMd5Size = 16;
/// Longest text for the peer's user in a verdict.
constexpr std::size_t kMaxMessage = 200;
/// Longest packet or value a snapshot may bring.
constexpr std::size_t kMaxStored = 4096;
constexpr unsigned kToldAgain = 3;

Protocol protocol_of(AuthMethod method) {
  if (method == AuthMethod::kEap) return kEapProtocol;
  return method == AuthMethod::kPap ? kPapProtocol : kChapProtocol;
}

bool is_chap(AuthMethod method) {
  return method == AuthMethod::kChapMd5 || method == AuthMethod::kMsChapV2;
}

std::string upper_hex(Bytes bytes) {
  std::string text = to_hex(bytes);
  for (char& c : text) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

}  // namespace

Auth::Auth(const PppConfig& config, RandomSource& random, Outbox& out, Drops& drops)
    : config_(config), random_(random), out_(out), drops_(drops) {}

void Auth::reset() {
  state_ = State::kIdle;
  method_ = AuthMethod::kNone;
  retry_at_.reset();
  deadline_.reset();
  rechallenge_at_.reset();
  request_.reset();
  challenge_.clear();
  response_.clear();
  eap_packet_.clear();
}

void Auth::start(AuthMethod method, Instant now) {
  reset();
  method_ = method;
  if (method == AuthMethod::kNone) {
    state_ = State::kAccepted;
    return;
  }
  retries_left_ = config_.auth_retries;
  id_ = static_cast<std::uint8_t>(random_.u32());
  ask(now);
}

/// Begins an exchange: the server's question, or a client's PAP request.
void Auth::ask(Instant now) {
  state_ = State::kWaiting;
  deadline_ = now + config_.auth_timeout;
  tries_left_ = config_.timers.max_configure;
  eap_stage_ = EapStage::kIdentity;
  eap_tried_ = 0;
  const bool server = config_.role == Role::kServer;
  if (server && is_chap(method_)) {
    challenge_.resize(kChallengeSize);
    random_.fill(challenge_);
    send_challenge();
    retry_at_ = now + config_.timers.restart;
  } else if (server && method_ == AuthMethod::kEap) {
    request_eap(EapType::kIdentity, {}, now);
  } else if (!server && method_ == AuthMethod::kPap) {
    user_ = config_.user;
    send_pap_request();
    retry_at_ = now + config_.timers.restart;
  }
}

std::optional<Instant> Auth::next_timeout() const {
  std::optional<Instant> best = retry_at_;
  for (const auto& other : {deadline_, rechallenge_at_}) {
    if (other && (!best || *other < *best)) best = other;
  }
  return best;
}

void Auth::on_timeout(Instant now) {
  if (deadline_ && now >= *deadline_) {
    deadline_.reset();
    retry_at_.reset();
    request_.reset();
    // A peer that does not acknowledge its refusal is refused all the same.
    const bool failing = method_ == AuthMethod::kEap && eap_stage_ == EapStage::kFailing;
    state_ = failing ? State::kRejected : State::kTimedOut;
    return;
  }
  if (rechallenge_at_ && now >= *rechallenge_at_) return rechallenge(now);
  if (!retry_at_ || now < *retry_at_) return;
  retry_at_.reset();
  const bool told = state_ == State::kAccepted;
  if ((state_ != State::kWaiting && !told) || tries_left_ == 0) return;
  --tries_left_;
  retry_at_ = now + config_.timers.restart;
  repeat();
}

/// RFC 1994 §2: the same again at any time, under another identifier. IP flows until the verdict.
void Auth::rechallenge(Instant now) {
  rechallenge_at_.reset();
  ++id_;
  ask(now);
}

void Auth::repeat() {
  if (method_ == AuthMethod::kEap) return out_.send(kEapProtocol, eap_packet_);
  if (state_ == State::kAccepted) return send_verdict();
  if (config_.role == Role::kServer) return send_challenge();
  // RFC 1994 §4.2: a Success may be lost; a repeated Response brings another.
  is_chap(method_) ? send(kResponse, id_, response_) : send_pap_request();
}

void Auth::on_packet(Protocol protocol, Bytes bytes, Instant now) {
  if (state_ == State::kIdle || state_ == State::kTimedOut || method_ == AuthMethod::kNone ||
      protocol != protocol_of(method_)) {
    return drops_.add(Drop::kWrongPhase);
  }
  const bool server = config_.role == Role::kServer;
  if (method_ == AuthMethod::kEap) return server ? server_eap(bytes, now) : client_eap(bytes, now);
  const auto packet = parse_cp_packet(bytes);
  if (!packet) return drops_.add(Drop::kShortPacket);
  if (server) {
    is_chap(method_) ? server_chap(*packet) : server_pap(*packet);
  } else {
    is_chap(method_) ? client_chap(*packet, now) : client_pap(*packet);
  }
}

void Auth::server_pap(const CpPacket& packet) {
  const auto parsed = parse_pap_request(packet.body);
  if (packet.code != kRequest) return drops_.add(Drop::kUnexpectedPacket);
  if (!parsed) return drops_.add(Drop::kBadAuthPacket);
  id_ = packet.id;
  // RFC 1334 §2.2.2: a repeated request gets the same answer again.
  if (state_ == State::kAccepted || state_ == State::kRejected) return send_verdict();
  if (state_ != State::kWaiting) return;
  AuthRequest request;
  request.method = method_;
  request.user = parsed->user;
  request.password = Secret(parsed->password);
  raise(std::move(request));
}

void Auth::server_chap(const CpPacket& packet) {
  const bool retrying = state_ == State::kWaiting && !response_.empty();
  // RFC 2759 §6: a second attempt answers the Failure; some count the identifier up, some do not.
  const bool next_id = retrying && packet.id == static_cast<std::uint8_t>(id_ + 1);
  if (packet.code == kChangePassword && method_ == AuthMethod::kMsChapV2)
    return refuse_password_change(packet);
  if (packet.code != kResponse) return drops_.add(Drop::kUnexpectedPacket);
  if (packet.id != id_ && !next_id) return drops_.add(Drop::kUnexpectedId);
  // RFC 1994 §4.2: a repeated response gets the same answer again.
  if (state_ == State::kAccepted || state_ == State::kRejected) return send_verdict();
  if (state_ != State::kWaiting) return;
  if (retrying && equal(packet.body, response_)) return send(kFailure, id_, as_bytes(verdict_text_));
  const auto parsed = parse_chap_value(packet.body);
  const std::size_t size = method_ == AuthMethod::kMsChapV2 ? kMsResponseSize : kMd5Size;
  if (!parsed || parsed->value.size() != size) return drops_.add(Drop::kBadAuthPacket);
  id_ = packet.id;
  response_.assign(packet.body.begin(), packet.body.end());
  AuthRequest request;
  request.method = method_;
  request.user = parsed->name;
  request.id = id_;
  request.challenge = challenge_;
  request.response.assign(parsed->value.begin(), parsed->value.end());
  raise(std::move(request));
}

/// RFC 2759 §7: a new password is taken by nobody here; the peer is told so.
void Auth::refuse_password_change(const CpPacket& packet) {
  if (state_ != State::kWaiting) return drops_.add(Drop::kUnexpectedPacket);
  AuthVerdict verdict;
  verdict.error = kChangingPassword;
  verdict.message = "Passwords cannot be changed here";
  const std::string text = failure_text(verdict, challenge_, false);
  send(kFailure, packet.id, as_bytes(text));
  refuse("password-change-refused", "the client wants to change its password, which is not possible here");
}

void Auth::raise(AuthRequest request) {
  user_ = request.user;
  request.again = again_;
  last_attempt_ = AttemptId(last_attempt_.value() + 1);
  request.attempt = last_attempt_;
  state_ = State::kPending;
  retry_at_.reset();
  request_ = std::move(request);
}

bool Auth::result(AttemptId attempt, const AuthVerdict& verdict, Instant now) {
  if (!attempt || attempt != pending()) return false;
  request_.reset();
  if (!verdict.accepted && !verdict.more) {
    cause_ = verdict.cause;
    detail_ = verdict.detail;
  }
  if (method_ == AuthMethod::kEap) {
    eap_result(verdict, now);
    return true;
  }
  const bool ms = method_ == AuthMethod::kMsChapV2;
  if (!verdict.accepted && ms && retries_left_ > 0 && verdict.error == kAuthenticationFailure) {
    allow_retry(verdict, now);
    return true;
  }
  std::array<std::uint8_t, kChallengeSize> next;  // RFC 2759 §6: C= is there though R=0 allows no retry
  random_.fill(next);
  verdict_text_ =
      ms && !verdict.accepted ? failure_text(verdict, next, false) : verdict.message.substr(0, kMaxMessage);
  settle(verdict.accepted, now);
  send_verdict();
  return true;
}

bool Auth::postpone(AttemptId attempt, Instant now) {
  if (!attempt || attempt != pending()) return false;
  request_.reset();
  deadline_.reset();
  retry_at_.reset();
  response_.clear();
  ++id_;  // a Response that comes again is not answered with the verdict on an earlier one
  state_ = State::kAccepted;
  if (config_.rechallenge_interval > Duration::zero()) rechallenge_at_ = now + config_.rechallenge_interval;
  return true;
}

/// RFC 2759 §6: R=1, and the peer's next Response answers the challenge in C=.
void Auth::allow_retry(const AuthVerdict& verdict, Instant now) {
  --retries_left_;
  challenge_.resize(kChallengeSize);
  random_.fill(challenge_);
  verdict_text_ = failure_text(verdict, challenge_, true);
  state_ = State::kWaiting;
  // Its user may have to type: no repetition of ours, and a new span of time.
  deadline_ = now + config_.auth_timeout;
  send(kFailure, id_, as_bytes(verdict_text_));
}

std::string Auth::failure_text(const AuthVerdict& verdict, Bytes challenge, bool retry) const {
  return "E=" + std::to_string(verdict.error) + (retry ? " R=1 C=" : " R=0 C=") + upper_hex(challenge) +
         " V=3 M=" + verdict.message.substr(0, kMaxMessage);
}

void Auth::settle(bool accepted, Instant now) {
  state_ = accepted ? State::kAccepted : State::kRejected;
  deadline_.reset();
  retry_at_.reset();
  if (!accepted) return;
  again_ = true;
  response_.clear();
  if (config_.role == Role::kClient) return;
  // A client that has lost our Success says nothing and waits: it is told again until it is heard to go on.
  tries_left_ = kToldAgain;
  retry_at_ = now + config_.timers.restart;
  const bool repeatable = method_ != AuthMethod::kPap;
  if (repeatable && config_.rechallenge_interval > Duration::zero()) {
    rechallenge_at_ = now + config_.rechallenge_interval;
  }
}

void Auth::send_verdict() {
  const bool good = state_ == State::kAccepted;
  if (is_chap(method_)) return send(good ? kSuccess : kFailure, id_, as_bytes(verdict_text_));
  ByteVector body;
  body.push_back(narrow<std::uint8_t>(verdict_text_.size()).value_or(0));
  body.insert(body.end(), verdict_text_.begin(), verdict_text_.end());
  send(good ? kPapAck : kPapNak, id_, body);
}

void Auth::send_challenge() {
  ByteVector body;
  body.push_back(static_cast<std::uint8_t>(challenge_.size()));
  body.insert(body.end(), challenge_.begin(), challenge_.end());
  body.insert(body.end(), config_.name.begin(), config_.name.end());
  send(kChallenge, id_, body);
}

void Auth::send_pap_request() {
  const Bytes password = config_.password.bytes();
  ByteVector body(2 + config_.user.size() + password.size());
  ByteWriter out(body);
  out.u8(narrow<std::uint8_t>(config_.user.size()).value_or(0));
  out.bytes(as_bytes(config_.user));
  out.u8(narrow<std::uint8_t>(password.size()).value_or(0));
  out.bytes(password);
  send(kRequest, id_, body);
  wipe(body);
}

void Auth::send(std::uint8_t code, std::uint8_t id, Bytes body) {
  ByteVector packet(4 + body.size());
  ByteWriter out(packet);
  out.u8(code);
  out.u8(id);
  out.u16(narrow<std::uint16_t>(packet.size()).value_or(0));
  out.bytes(body);
  out_.send(is_chap(method_) ? kChapProtocol : kPapProtocol, packet);
}

void Auth::refuse(std::string_view cause, std::string_view detail) {
  state_ = State::kRejected;
  cause_ = cause;
  detail_ = detail;
  retry_at_.reset();
  deadline_.reset();
}

void Auth::client_pap(const CpPacket& packet) {
  if (packet.id != id_ || state_ != State::kWaiting) return drops_.add(Drop::kUnexpectedId);
  if (packet.code != kPapAck && packet.code != kPapNak) return drops_.add(Drop::kUnexpectedPacket);
  if (packet.code == kPapNak) return refuse("authentication-failed", "the server refuses the password");
  state_ = State::kAccepted;
  retry_at_.reset();
  deadline_.reset();
}

void Auth::client_chap(const CpPacket& packet, Instant now) {
  if (packet.code == kChallenge) return answer_challenge(packet, now);
  // A server may ask again at any time, so a verdict may come after the first Success, too.
  const bool open = state_ == State::kWaiting || state_ == State::kAccepted;
  if (!open || packet.id != id_ || response_.empty()) return drops_.add(Drop::kUnexpectedId);
  if (packet.code == kFailure) {
    const std::string_view text = as_text(packet.body);
    return refuse("authentication-failed",
                  std::string("the server says: ").append(text.substr(0, kMaxMessage)));
  }
  if (packet.code != kSuccess) return drops_.add(Drop::kUnexpectedPacket);
  if (method_ == AuthMethod::kMsChapV2 && !as_text(packet.body).starts_with(expected_)) {
    return refuse("server-not-authentic", "the server does not know the password");
  }
  state_ = State::kAccepted;
  retry_at_.reset();
  deadline_.reset();
}

void Auth::answer_challenge(const CpPacket& packet, Instant now) {
  const auto parsed = parse_chap_value(packet.body);
  if (!parsed) return drops_.add(Drop::kBadAuthPacket);
  const bool again = packet.id == id_ && equal(parsed->value, challenge_);
  if (!again) {
    id_ = packet.id;
    challenge_.assign(parsed->value.begin(), parsed->value.end());
    user_ = config_.user;
    auto value = make_response(method_, id_, parsed->value);
    if (!value) return drops_.add(Drop::kBadAuthPacket);
    response_.assign(1, static_cast<std::uint8_t>(value->size()));
    response_.insert(response_.end(), value->begin(), value->end());
    response_.insert(response_.end(), user_.begin(), user_.end());
  }
  send(kResponse, id_, response_);
  if (state_ == State::kWaiting) retry_at_ = now + config_.timers.restart;
}

/// The Value of a Response to this challenge.
std::optional<ByteVector> Auth::make_response(AuthMethod method, std::uint8_t id, Bytes challenge) {
  if (method == AuthMethod::kChapMd5) {
    const auto hash = Botan::HashFunction::create_or_throw("MD5");
    hash->update(id);
    hash->update(config_.password.bytes().data(), config_.password.size());
    hash->update(challenge.data(), challenge.size());
    ByteVector value(kMd5Size);
    hash->final(value.data());
    return value;
  }
  MsChallenge authenticator, peer;
  const auto hash = nt_hash(config_.password.text());
  if (challenge.size() != authenticator.size() || !hash) return std::nullopt;
  std::copy(challenge.begin(), challenge.end(), authenticator.begin());
  random_.fill(peer);
  const NtResponse response = nt_response(authenticator, peer, user_, *hash);
  expected_ = authenticator_response(*hash, response, peer, authenticator, user_);
  ByteVector value(peer.begin(), peer.end());
  value.resize(value.size() + 8);
  value.insert(value.end(), response.begin(), response.end());
  value.push_back(0);
  return value;
}

AuthSnapshot Auth::snapshot(Instant now) const {
  AuthSnapshot out;
  out.state = static_cast<std::uint8_t>(state_);
  out.method = method_;
  out.id = id_;
  out.tries_left = tries_left_;
  out.retries_left = retries_left_;
  out.again = again_;
  out.attempts = last_attempt_.value();
  out.retry = time_left(retry_at_, now);
  out.deadline = time_left(deadline_, now);
  out.rechallenge = time_left(rechallenge_at_, now);
  out.user = user_;
  out.cause = cause_;
  out.detail = detail_;
  out.verdict_text = verdict_text_;
  out.challenge = challenge_;
  out.response = response_;
  out.expected = expected_;
  out.eap_stage = static_cast<std::uint8_t>(eap_stage_);
  out.eap_tried = eap_tried_;
  out.eap_packet = eap_packet_;
  return out;
}

bool Auth::restore(const AuthSnapshot& from, Instant now) {
  if (from.state > static_cast<std::uint8_t>(State::kTimedOut) || from.method > AuthMethod::kEap ||
      from.eap_stage > static_cast<std::uint8_t>(EapStage::kFailing) || from.user.size() > kMaxUser ||
      from.challenge.size() > kMaxStored || from.response.size() > kMaxStored ||
      from.eap_packet.size() > kMaxStored) {
    return false;
  }
  state_ = static_cast<State>(from.state);
  method_ = from.method;
  id_ = from.id;
  tries_left_ = std::min<unsigned>(from.tries_left, config_.timers.max_configure);
  retries_left_ = std::min<unsigned>(from.retries_left, config_.auth_retries);
  again_ = from.again;
  last_attempt_ = AttemptId(from.attempts);
  retry_at_ = timer_from(from.retry, now);
  deadline_ = timer_from(from.deadline, now);
  rechallenge_at_ = timer_from(from.rechallenge, now);
  user_ = from.user;
  cause_ = from.cause;
  detail_ = from.detail;
  verdict_text_ = from.verdict_text;
  challenge_ = from.challenge;
  response_ = from.response;
  expected_ = from.expected;
  eap_stage_ = static_cast<EapStage>(from.eap_stage);
  eap_tried_ = from.eap_tried;
  eap_packet_ = from.eap_packet;
  resume(now);
  return true;
}

/// An attempt under decision is not part of the value, nor is what an outside authenticator remembers of it:
/// the peer is asked again.
void Auth::resume(Instant now) {
  const bool open = state_ == State::kWaiting || state_ == State::kPending;
  if (config_.role != Role::kServer || !open) return;
  const bool outside = method_ == AuthMethod::kEap && config_.eap_passthrough;
  if (state_ == State::kPending || outside) {
    ++id_;
    response_.clear();
    ask(now);
  }
  if (!deadline_) deadline_ = now + config_.auth_timeout;
}

}  // namespace sluice::ppp
