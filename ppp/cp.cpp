#include "ppp/cp.hpp"

#include <algorithm>
#include <array>

namespace sluice::ppp {
namespace {

constexpr std::size_t kHeader = 4;
/// Our own Configure-Request is never longer than this.
constexpr std::size_t kMaxRequest = 128;
/// A rejected packet is echoed at most this far: it must fit the peer's MRU (RFC 1661 §5.6).
constexpr std::size_t kMaxEchoed = 1024;
constexpr std::size_t kMaxText = 255;
/// Room for Naks beyond the size of what they answer.
constexpr std::size_t kNakRoom = 256;

bool timer_runs(CpState state) {
  return state >= CpState::kClosing && state <= CpState::kAckSent;
}

}  // namespace

std::optional<CpPacket> parse_cp_packet(Bytes packet) {
  ByteReader reader(packet);
  CpPacket out;
  out.code = reader.u8();
  out.id = reader.u8();
  const std::uint16_t length = reader.u16();
  if (!reader.ok() || length < kHeader || length > packet.size()) return std::nullopt;
  out.whole = packet.first(length);
  out.body = out.whole.subspan(kHeader);
  return out;
}

std::optional<CpOption> CpOptionReader::next() {
  if (reader_.at_end() || !ok_) return std::nullopt;
  ByteReader header = reader_;
  CpOption option;
  option.type = header.u8();
  const std::uint8_t length = header.u8();
  option.whole = reader_.bytes(length);
  ok_ = header.ok() && reader_.ok() && length >= 2;
  if (!ok_) return std::nullopt;
  option.value = option.whole.subspan(2);
  return option;
}

/// What a transition may need of the packet that caused it.
struct ControlProtocol::Reply {
  Code code = Code::kConfigureAck;
  std::uint8_t id = 0;
  Bytes body;
};

ControlProtocol::ControlProtocol(Protocol protocol, const CpTimers& timers, Outbox& out, Drops& drops)
    : protocol_(protocol), timers_(timers), out_(out), drops_(drops) {}

void ControlProtocol::up(Instant now) {
  reset_request();
  run(CpEvent::kUp, now);
}

void ControlProtocol::close(std::string_view text, Instant now) {
  terminate_text_ = text.substr(0, kMaxText);
  run(CpEvent::kClose, now);
}

void ControlProtocol::on_timeout(Instant now) {
  if (!timer_ || now < *timer_) return;
  timer_.reset();
  if (restarts_left_ > 0) {
    run(CpEvent::kTimeout, now);
    return;
  }
  gave_up_ = state_ >= CpState::kReqSent;
  run(CpEvent::kTimeoutLast, now);
}

void ControlProtocol::run(CpEvent event, Instant now, const Reply* reply) {
  const CpStep step = cp_step(state_, event);
  const bool again = event == CpEvent::kTimeout;
  state_ = step.next;
  if ((step.actions & kActDown) != 0) {
    signals_ |= kLayerDown;
    reset_request();
  }
  if ((step.actions & kInitCount) != 0) {
    restarts_left_ = (step.actions & kSendTerminate) != 0 ? timers_.max_terminate : timers_.max_configure;
    if ((step.actions & kSendRequest) != 0) naks_sent_ = 0;
    interval_ = std::min(timers_.first_restart, timers_.restart);
  }
  if ((step.actions & kZeroCount) != 0) {
    restarts_left_ = 0;
    timer_ = now + timers_.restart;
  }
  if ((step.actions & kSendRequest) != 0) {
    send_request(again);
    timer_ = now + interval_;
    interval_ = std::min(interval_ * 2, timers_.restart);
  }
  act(step.actions, now, reply);
  if (!timer_runs(state_)) timer_.reset();
  if (timer_runs(state_) && !timer_) timer_ = now + interval_;
}

void ControlProtocol::act(std::uint16_t actions, Instant now, const Reply* reply) {
  const std::uint8_t id = reply != nullptr ? reply->id : std::uint8_t{0};
  const Bytes body = reply != nullptr ? reply->body : Bytes{};
  if ((actions & (kSendAck | kSendNak)) != 0 && reply != nullptr) send(reply->code, id, body);
  if ((actions & kSendTerminate) != 0) {
    if (restarts_left_ > 0) --restarts_left_;
    send(Code::kTerminateRequest, fresh_id(), as_bytes(terminate_text_));
    timer_ = now + timers_.restart;
  }
  if ((actions & kSendTerminateAck) != 0) send(Code::kTerminateAck, id, {});
  if ((actions & kSendCodeReject) != 0) send(Code::kCodeReject, fresh_id(), body);
  if ((actions & kActUp) != 0) {
    signals_ |= kLayerUp;
    gave_up_ = false;
  }
  if ((actions & kActFinished) != 0) signals_ |= kLayerFinished;
}

void ControlProtocol::send(Code code, std::uint8_t id, Bytes body) {
  ByteVector packet(kHeader + body.size());
  ByteWriter out(packet);
  out.u8(static_cast<std::uint8_t>(code));
  out.u8(id);
  out.u16(narrow<std::uint16_t>(packet.size()).value_or(0));
  out.bytes(body);
  out_.send(protocol_, packet);
}

void ControlProtocol::send_request(bool again) {
  if (restarts_left_ > 0) --restarts_left_;
  if (!again || answered_) {
    std::array<std::uint8_t, kMaxRequest> buffer;
    ByteWriter out(buffer);
    write_request(out);
    request_.assign(out.written().begin(), out.written().end());
    request_id_ = fresh_id();
  }
  answered_ = false;
  send(Code::kConfigureRequest, request_id_, request_);
}

void ControlProtocol::on_packet(Bytes bytes, Instant now) {
  const auto packet = parse_cp_packet(bytes);
  if (!packet) return drop(Drop::kShortPacket);
  if (state_ <= CpState::kStarting) return drop(Drop::kWrongPhase);
  const Reply same_id{Code::kTerminateAck, packet->id, {}};
  switch (Code{packet->code}) {
    case Code::kConfigureRequest:
      return on_request(*packet, now);
    case Code::kConfigureAck:
    case Code::kConfigureNak:
    case Code::kConfigureReject:
      return on_answer(*packet, now);
    case Code::kTerminateRequest:
      terminated_by_peer_ = std::string(as_text(packet->body.first(std::min(packet->body.size(), kMaxText))));
      return run(CpEvent::kTerminateRequest, now, &same_id);
    case Code::kTerminateAck:
      return run(CpEvent::kTerminateAck, now);
    case Code::kCodeReject:
      return on_code_reject(*packet, now);
    case Code::kProtocolReject:
    case Code::kEchoRequest:
    case Code::kEchoReply:
    case Code::kDiscardRequest:
    case Code::kIdentification:
    case Code::kTimeRemaining:
      break;
  }
  if (on_extra(*packet, now)) return;
  const Reply reject{Code::kCodeReject, 0, packet->whole.first(std::min(packet->whole.size(), kMaxEchoed))};
  run(CpEvent::kUnknownCode, now, &reject);
}

void ControlProtocol::on_request(const CpPacket& packet, Instant now) {
  ByteVector nak_buffer(packet.body.size() + kNakRoom);
  ByteVector reject;
  ByteWriter nak(nak_buffer);
  const bool patient = naks_sent_ < timers_.max_failure;
  CpOptionReader check(packet.body);
  while (check.next()) continue;
  if (!check.ok()) return drop(Drop::kBadOption);
  begin_request(packet.body);
  CpOptionReader options(packet.body);
  while (const auto option = options.next()) {
    const Answer answer = judge(*option, nak);
    if (answer == Answer::kAck || (answer == Answer::kNak && patient)) continue;
    reject.insert(reject.end(), option->whole.begin(), option->whole.end());
  }
  if (patient) add_missing(nak);
  if (!nak.ok()) return drop(Drop::kBadOption);

  Reply reply{Code::kConfigureAck, packet.id, packet.body};
  if (!reject.empty()) {
    reply = {Code::kConfigureReject, packet.id, reject};
  } else if (nak.size() > 0 && patient) {
    reply = {Code::kConfigureNak, packet.id, nak.written()};
    ++naks_sent_;
  } else {
    naks_sent_ = 0;
  }
  run(reply.code == Code::kConfigureAck ? CpEvent::kRequestGood : CpEvent::kRequestBad, now, &reply);
}

void ControlProtocol::on_answer(const CpPacket& packet, Instant now) {
  const Reply same_id{Code::kTerminateAck, packet.id, {}};
  const bool idle = state_ == CpState::kClosed || state_ == CpState::kStopped;
  const bool ack = Code{packet.code} == Code::kConfigureAck;
  if (idle) return run(ack ? CpEvent::kAck : CpEvent::kNak, now, &same_id);
  // A second answer to one request is a duplicate made on the way, not a renegotiation.
  if (packet.id != request_id_ || answered_) return drop(Drop::kUnexpectedId);
  if (ack) {
    if (!equal(packet.body, request_)) return drop(Drop::kMismatchedAck);
    answered_ = true;
    return run(CpEvent::kAck, now);
  }
  CpOptionReader check(packet.body);
  while (check.next()) continue;
  if (!check.ok()) return drop(Drop::kBadOption);
  answered_ = true;
  CpOptionReader options(packet.body);
  const bool nak = Code{packet.code} == Code::kConfigureNak;
  while (const auto option = options.next()) nak ? on_nak(*option) : on_reject(*option);
  run(CpEvent::kNak, now);
}

CpSnapshot ControlProtocol::cp_snapshot(Instant now) const {
  CpSnapshot out;
  out.state = static_cast<std::uint8_t>(state_);
  out.last_id = last_id_;
  out.request_id = request_id_;
  out.answered = answered_;
  out.gave_up = gave_up_;
  out.restarts_left = restarts_left_;
  out.naks_sent = naks_sent_;
  out.interval = interval_;
  out.timer = time_left(timer_, now);
  out.request = request_;
  out.terminate_text = terminate_text_;
  out.terminated_by_peer = terminated_by_peer_;
  return out;
}

bool ControlProtocol::cp_restore(const CpSnapshot& from, Instant now) {
  if (from.state > static_cast<std::uint8_t>(CpState::kOpened) || from.request.size() > kMaxRequest ||
      from.terminate_text.size() > kMaxText) {
    return false;
  }
  state_ = static_cast<CpState>(from.state);
  last_id_ = from.last_id;
  request_id_ = from.request_id;
  answered_ = from.answered;
  gave_up_ = from.gave_up;
  restarts_left_ =
      std::min<unsigned>(from.restarts_left, std::max(timers_.max_configure, timers_.max_terminate));
  naks_sent_ = from.naks_sent;
  interval_ = std::clamp(from.interval, Duration::zero(), timers_.restart);
  timer_ = timer_from(from.timer, now);
  if (!timer_runs(state_)) timer_.reset();
  if (timer_runs(state_) && !timer_) timer_ = now + interval_;
  request_ = from.request;
  terminate_text_ = from.terminate_text;
  terminated_by_peer_ = from.terminated_by_peer;
  signals_ = 0;
  return true;
}

void ControlProtocol::on_code_reject(const CpPacket& packet, Instant now) {
  if (packet.body.empty()) return drop(Drop::kShortPacket);
  // Without codes 1 to 4 there is no negotiating; the rest a peer may lack (§5.6).
  const bool fatal = packet.body[0] >= 1 && packet.body[0] <= 4;
  run(fatal ? CpEvent::kRejectFatal : CpEvent::kRejectMild, now);
}

}  // namespace sluice::ppp
