#include "ppp/auth.hpp"

#include <botan/hash.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace sluice::ppp {
namespace {

constexpr std::uint8_t kRequest = 1, kPapAck = 2, kPapNak = 3;
constexpr std::uint8_t kChallenge = 1, kResponse = 2, kSuccess = 3, kFailure = 4;
constexpr std::size_t kChallengeSize = 16;
constexpr std::size_t kMsResponseSize = 49;
constexpr std::size_t kMd5Size = 16;
/// Longest text for the peer's user in a verdict.
constexpr std::size_t kMaxMessage = 200;

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
  request_.reset();
  challenge_.clear();
  response_.clear();
}

void Auth::start(AuthMethod method, Instant now) {
  reset();
  method_ = method;
  if (method == AuthMethod::kNone) {
    state_ = State::kAccepted;
    return;
  }
  state_ = State::kWaiting;
  deadline_ = now + config_.auth_timeout;
  tries_left_ = config_.timers.max_configure;
  id_ = static_cast<std::uint8_t>(random_.u32());
  const bool server = config_.role == Role::kServer;
  if (server && is_chap(method)) {
    challenge_.resize(kChallengeSize);
    random_.fill(challenge_);
    send_challenge();
    retry_at_ = now + config_.timers.restart;
  } else if (!server && method == AuthMethod::kPap) {
    user_ = config_.user;
    send_pap_request();
    retry_at_ = now + config_.timers.restart;
  }
}

std::optional<Instant> Auth::next_timeout() const {
  if (!retry_at_ || !deadline_) return retry_at_ ? retry_at_ : deadline_;
  return std::min(*retry_at_, *deadline_);
}

void Auth::on_timeout(Instant now) {
  if (deadline_ && now >= *deadline_) {
    deadline_.reset();
    retry_at_.reset();
    request_.reset();
    state_ = State::kTimedOut;
    return;
  }
  if (!retry_at_ || now < *retry_at_) return;
  retry_at_.reset();
  if (state_ != State::kWaiting || tries_left_ == 0) return;
  --tries_left_;
  retry_at_ = now + config_.timers.restart;
  repeat();
}

void Auth::repeat() {
  if (config_.role == Role::kServer) return send_challenge();
  // RFC 1994 §4.2: a Success may be lost; a repeated Response brings another.
  is_chap(method_) ? send(kResponse, id_, response_) : send_pap_request();
}

void Auth::on_packet(Protocol protocol, Bytes bytes, Instant now) {
  if (state_ == State::kIdle || state_ == State::kTimedOut ||
      protocol != (is_chap(method_) ? kChapProtocol : kPapProtocol) || method_ == AuthMethod::kNone) {
    return drops_.add(Drop::kWrongPhase);
  }
  const auto packet = parse_cp_packet(bytes);
  if (!packet) return drops_.add(Drop::kShortPacket);
  if (config_.role == Role::kServer) {
    is_chap(method_) ? server_chap(*packet, now) : server_pap(*packet, now);
  } else {
    is_chap(method_) ? client_chap(*packet, now) : client_pap(*packet);
  }
}

void Auth::server_pap(const CpPacket& packet, Instant) {
  const auto parsed = parse_pap_request(packet.body);
  if (packet.code != kRequest) return drops_.add(Drop::kUnexpectedPacket);
  if (!parsed) return drops_.add(Drop::kBadAuthPacket);
  id_ = packet.id;
  // RFC 1334 §2.2.2: a repeated request gets the same answer again.
  if (state_ == State::kAccepted || state_ == State::kRejected) return send_verdict();
  if (state_ != State::kWaiting) return;
  AuthRequest request;
  request.user = parsed->user;
  request.password = Secret(parsed->password);
  raise(std::move(request));
}

void Auth::server_chap(const CpPacket& packet, Instant) {
  if (packet.code != kResponse) return drops_.add(Drop::kUnexpectedPacket);
  if (packet.id != id_) return drops_.add(Drop::kUnexpectedId);
  // RFC 1994 §4.2: a repeated response gets the same answer again.
  if (state_ == State::kAccepted || state_ == State::kRejected) return send_verdict();
  if (state_ != State::kWaiting) return;
  const auto parsed = parse_chap_value(packet.body);
  const std::size_t size = method_ == AuthMethod::kMsChapV2 ? kMsResponseSize : kMd5Size;
  if (!parsed || parsed->value.size() != size) return drops_.add(Drop::kBadAuthPacket);
  AuthRequest request;
  request.user = parsed->name;
  request.id = id_;
  request.challenge = challenge_;
  request.response.assign(parsed->value.begin(), parsed->value.end());
  raise(std::move(request));
}

void Auth::raise(AuthRequest request) {
  request.method = method_;
  user_ = request.user;
  state_ = State::kPending;
  retry_at_.reset();
  request_ = std::move(request);
}

bool Auth::result(const AuthVerdict& verdict) {
  if (state_ != State::kPending) return false;
  deadline_.reset();
  request_.reset();
  state_ = verdict.accepted ? State::kAccepted : State::kRejected;
  verdict_text_ = verdict.message.substr(0, kMaxMessage);
  if (!verdict.accepted) {
    cause_ = verdict.cause;
    detail_ = verdict.detail;
    if (method_ == AuthMethod::kMsChapV2) {
      std::array<std::uint8_t, kChallengeSize> next;  // RFC 2759 §6: C= is there though R=0 allows no retry
      random_.fill(next);
      verdict_text_ =
          "E=" + std::to_string(verdict.error) + " R=0 C=" + upper_hex(next) + " V=3 M=" + verdict_text_;
    }
  }
  send_verdict();
  return true;
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
  if (state_ != State::kWaiting || packet.id != id_) return drops_.add(Drop::kUnexpectedId);
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
    auto value = make_response(parsed->value);
    if (!value) return drops_.add(Drop::kBadAuthPacket);
    response_.assign(1, static_cast<std::uint8_t>(value->size()));
    response_.insert(response_.end(), value->begin(), value->end());
    response_.insert(response_.end(), user_.begin(), user_.end());
  }
  send(kResponse, id_, response_);
  if (state_ == State::kWaiting) retry_at_ = now + config_.timers.restart;
}

/// The Value of a Response to this challenge.
std::optional<ByteVector> Auth::make_response(Bytes challenge) {
  if (method_ == AuthMethod::kChapMd5) {
    const auto hash = Botan::HashFunction::create_or_throw("MD5");
    hash->update(id_);
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

}  // namespace sluice::ppp
