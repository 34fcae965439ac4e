#include "ppp/lcp.hpp"

#include <algorithm>
#include <array>

namespace sluice::ppp {
namespace {

constexpr std::uint8_t kChapMd5Algorithm = 5;
constexpr std::uint8_t kMsChapV2Algorithm = 0x81;
constexpr std::size_t kMaxMessage = 255;
/// A Protocol-Reject repeats so much of the frame, which must fit the peer's MRU (RFC 1661 §5.7).
constexpr std::size_t kMaxRejected = 1024;
/// Echo data repeated at most.
constexpr std::size_t kMaxEcho = 1400;

void write_option(ByteWriter& out, std::uint8_t type, Bytes value) {
  out.u8(type);
  out.u8(static_cast<std::uint8_t>(value.size() + 2));
  out.bytes(value);
}
void write_u16(ByteWriter& out, std::uint8_t type, std::uint16_t value) {
  out.u8(type);
  out.u8(4);
  out.u16(value);
}
void write_u32(ByteWriter& out, std::uint8_t type, std::uint32_t value) {
  out.u8(type);
  out.u8(6);
  out.u32(value);
}

}  // namespace

ByteVector auth_option_value(AuthMethod method) {
  switch (method) {
    case AuthMethod::kNone:
      return {};
    case AuthMethod::kPap:
      return {0xc0, 0x23};
    case AuthMethod::kChapMd5:
      return {0xc2, 0x23, kChapMd5Algorithm};
    case AuthMethod::kMsChapV2:
      return {0xc2, 0x23, kMsChapV2Algorithm};
    case AuthMethod::kEap:
      return {0xc2, 0x27};
  }
  return {};
}

std::optional<AuthMethod> parse_auth_option(Bytes value) {
  for (const AuthMethod method : all_auth_methods()) {
    if (equal(value, auth_option_value(method))) return method;
  }
  return std::nullopt;
}

Lcp::Lcp(const PppConfig& config, RandomSource& random, Outbox& out, Drops& drops)
    : ControlProtocol(kLcp, config.timers, out, drops), config_(config), random_(random) {}

AuthMethod Lcp::auth() const {
  if (config_.role == Role::kClient || config_.auth.empty()) return AuthMethod::kNone;
  return config_.auth[auth_index_];
}

void Lcp::reset_request() {
  mru_ = config_.mru;
  auth_index_ = 0;
  auth_tried_ = 1;
  ask_mru_ = mru_ != kDefaultMru;
  ask_magic_ = true;
  ask_pfc_ = ask_acfc_ = config_.request_compression;
  magic_ = new_magic();
}

void Lcp::write_request(ByteWriter& out) {
  if (ask_mru_) write_u16(out, lcp_option::kMru, mru_);
  if (const auto method = auth(); method != AuthMethod::kNone && !auth_refused_) {
    write_option(out, lcp_option::kAuth, auth_option_value(method));
  }
  if (ask_magic_) write_u32(out, lcp_option::kMagic, magic_);
  if (ask_pfc_) write_option(out, lcp_option::kPfc, {});
  if (ask_acfc_) write_option(out, lcp_option::kAcfc, {});
}

void Lcp::begin_request(Bytes options) {
  peer_ = {};
  own_request_seen_ = false;
  if (!ask_magic_) return;
  CpOptionReader reader(options);
  while (const auto option = reader.next()) {
    if (option->type == lcp_option::kMagic && option->value.size() == 4 &&
        load_be32(option->value.data()) == magic_) {
      own_request_seen_ = true;
    }
  }
  if (own_request_seen_) ++loop_count_;
}

ControlProtocol::Answer Lcp::judge(const CpOption& option, ByteWriter& nak) {
  // RFC 1661 §6.4: our own magic number coming back is answered with a Nak for that alone.
  if (own_request_seen_ && option.type != lcp_option::kMagic) return Answer::kAck;
  switch (option.type) {
    case lcp_option::kMru:
      return judge_mru(option, nak);
    case lcp_option::kAccm:
      // Octets are not escaped within L2TP: any map is as good as another.
      return option.value.size() == 4 ? Answer::kAck : Answer::kReject;
    case lcp_option::kAuth:
      return judge_auth(option, nak);
    case lcp_option::kMagic:
      return judge_magic(option, nak);
    case lcp_option::kPfc:
      peer_.pfc = option.value.empty();
      return peer_.pfc ? Answer::kAck : Answer::kReject;
    case lcp_option::kAcfc:
      peer_.acfc = option.value.empty();
      return peer_.acfc ? Answer::kAck : Answer::kReject;
    default:
      return Answer::kReject;  // callback, MRRU, endpoint discriminator, quality and whatever comes
  }
}

ControlProtocol::Answer Lcp::judge_mru(const CpOption& option, ByteWriter& nak) {
  if (option.value.size() != 2) return Answer::kReject;
  const std::uint16_t value = load_be16(option.value.data());
  if (value >= kMinMru) {
    peer_.mru = value;
    return Answer::kAck;
  }
  write_u16(nak, lcp_option::kMru, kDefaultMru);
  return Answer::kNak;
}

ControlProtocol::Answer Lcp::judge_auth(const CpOption& option, ByteWriter& nak) {
  if (config_.role == Role::kServer || config_.auth.empty()) return Answer::kReject;
  const auto method = parse_auth_option(option.value);
  if (method && std::find(config_.auth.begin(), config_.auth.end(), *method) != config_.auth.end()) {
    peer_.auth = *method;
    return Answer::kAck;
  }
  write_option(nak, lcp_option::kAuth, auth_option_value(config_.auth.front()));
  return Answer::kNak;
}

ControlProtocol::Answer Lcp::judge_magic(const CpOption& option, ByteWriter& nak) {
  if (option.value.size() != 4) return Answer::kReject;
  if (!own_request_seen_ && load_be32(option.value.data()) != 0) return Answer::kAck;
  write_u32(nak, lcp_option::kMagic, new_magic());
  return Answer::kNak;
}

void Lcp::on_nak(const CpOption& option) {
  switch (option.type) {
    case lcp_option::kMru:
      if (option.value.size() == 2) {
        mru_ = std::clamp(load_be16(option.value.data()), kMinMru, std::max(kMinMru, mru_));
      }
      return;
    case lcp_option::kAuth:
      return next_auth(parse_auth_option(option.value));
    case lcp_option::kMagic:
      magic_ = new_magic();
      return;
    case lcp_option::kPfc:
      ask_pfc_ = false;
      return;
    case lcp_option::kAcfc:
      ask_acfc_ = false;
      return;
    default:
      return;  // an option suggested to us that we do not wish for
  }
}

void Lcp::on_reject(const CpOption& option) {
  switch (option.type) {
    case lcp_option::kMru:
      ask_mru_ = false;
      return;
    case lcp_option::kAuth:
      auth_refused_ = config_.role == Role::kServer;
      return;
    case lcp_option::kMagic:
      ask_magic_ = false;
      magic_ = 0;
      return;
    case lcp_option::kPfc:
      ask_pfc_ = false;
      return;
    case lcp_option::kAcfc:
      ask_acfc_ = false;
      return;
    default:
      return;
  }
}

/// The peer's proposal if the operator allows it, else the next of the operator's list, each once.
void Lcp::next_auth(std::optional<AuthMethod> wanted) {
  if (config_.role == Role::kClient) return;
  std::optional<std::size_t> choice;
  for (std::size_t i = 0; i < config_.auth.size() && i < 8; ++i) {
    if ((auth_tried_ & (1U << i)) != 0) continue;
    if (!choice || config_.auth[i] == wanted) choice = i;
  }
  if (!choice) {
    auth_refused_ = true;
    return;
  }
  auth_index_ = static_cast<std::uint8_t>(*choice);
  auth_tried_ = static_cast<std::uint8_t>(auth_tried_ | (1U << *choice));
}

std::uint32_t Lcp::new_magic() {
  std::uint32_t value = random_.u32();
  return value == 0 ? 1 : value;
}

bool Lcp::on_extra(const CpPacket& packet, Instant now) {
  const Code code{packet.code};
  if (code < Code::kProtocolReject || code > Code::kTimeRemaining) return false;
  if (code == Code::kProtocolReject) {
    if (!opened()) return drop(Drop::kWrongPhase), true;  // §5.7: only in the opened state
    if (packet.body.size() < 2) return drop(Drop::kShortPacket), true;
    rejected_ = load_be16(packet.body.data());
    return true;
  }
  // All others begin with the sender's magic number (§5.8, RFC 1570 §2).
  if (packet.body.size() < 4) return drop(Drop::kShortPacket), true;
  if (code == Code::kEchoRequest) {
    if (!opened()) return drop(Drop::kWrongPhase), true;
    ByteVector body(std::min(packet.body.size(), kMaxEcho));
    ByteWriter out(body);
    out.u32(magic_);
    out.bytes(packet.body.subspan(4, body.size() - 4));
    send(Code::kEchoReply, packet.id, body);
  } else if (code == Code::kEchoReply) {
    echoes_unanswered_ = 0;
  } else if (code == Code::kIdentification || code == Code::kTimeRemaining) {
    const Bytes text = packet.body.subspan(code == Code::kTimeRemaining && packet.body.size() >= 8 ? 8 : 4);
    message_ = std::string(as_text(text.first(std::min(text.size(), kMaxMessage))));
  }
  last_heard_ = now;
  return true;
}

LcpSnapshot Lcp::snapshot(Instant now) const {
  LcpSnapshot out;
  out.cp = cp_snapshot(now);
  out.peer_mru = peer_.mru;
  out.peer_auth = peer_.auth;
  out.peer_pfc = peer_.pfc;
  out.peer_acfc = peer_.acfc;
  out.magic = magic_;
  out.mru = mru_;
  out.auth_index = auth_index_;
  out.auth_tried = auth_tried_;
  out.ask_mru = ask_mru_;
  out.ask_magic = ask_magic_;
  out.ask_pfc = ask_pfc_;
  out.ask_acfc = ask_acfc_;
  out.auth_refused = auth_refused_;
  out.echo_dead = echo_dead_;
  out.loop_count = loop_count_;
  out.echoes_unanswered = echoes_unanswered_;
  out.heard_ago = now - last_heard_;
  out.echo = time_left(echo_at_, now);
  return out;
}

bool Lcp::restore(const LcpSnapshot& from, Instant now) {
  const bool server = config_.role == Role::kServer;
  if (from.peer_mru < kMinMru || from.peer_auth > AuthMethod::kEap ||
      (server && from.auth_index >= config_.auth.size()) || !cp_restore(from.cp, now)) {
    return false;
  }
  peer_ = {from.peer_mru, from.peer_auth, from.peer_pfc, from.peer_acfc};
  magic_ = from.magic;
  mru_ = from.mru;
  auth_index_ = from.auth_index;
  auth_tried_ = from.auth_tried;
  ask_mru_ = from.ask_mru;
  ask_magic_ = from.ask_magic;
  ask_pfc_ = from.ask_pfc;
  ask_acfc_ = from.ask_acfc;
  auth_refused_ = from.auth_refused;
  echo_dead_ = from.echo_dead;
  loop_count_ = from.loop_count;
  echoes_unanswered_ = from.echoes_unanswered;
  last_heard_ = instant_ago(from.heard_ago, now);
  echo_at_ = timer_from(from.echo, now);
  return true;
}

void Lcp::reject_protocol(Protocol protocol, Bytes payload) {
  if (!opened()) return;
  const std::size_t limit = std::min<std::size_t>(kMaxRejected, peer_.mru > 6 ? peer_.mru - 6U : 0U);
  ByteVector body(2 + std::min(payload.size(), limit));
  ByteWriter out(body);
  out.u16(protocol);
  out.bytes(payload.first(body.size() - 2));
  send(Code::kProtocolReject, fresh_id(), body);
}

void Lcp::tell_time_remaining(std::chrono::seconds left, std::string_view text) {
  if (!opened()) return;
  text = text.substr(0, kMaxMessage);
  ByteVector body(8 + text.size());
  ByteWriter out(body);
  out.u32(magic_);
  out.u32(narrow<std::uint32_t>(left.count()).value_or(0xffffffff));
  out.bytes(as_bytes(text));
  send(Code::kTimeRemaining, fresh_id(), body);
}

void Lcp::start_echo(Instant now) {
  echoes_unanswered_ = 0;
  last_heard_ = now;
  echo_at_.reset();
  if (config_.echo_interval > Duration::zero()) echo_at_ = now + config_.echo_interval;
}

void Lcp::on_echo_timeout(Instant now) {
  if (!echo_at_ || now < *echo_at_) return;
  if (last_heard_ + config_.echo_interval > now) {
    echoes_unanswered_ = 0;
    echo_at_ = last_heard_ + config_.echo_interval;
    return;
  }
  if (echoes_unanswered_ >= config_.echo_failures) {
    echo_dead_ = true;
    echo_at_.reset();
    return;
  }
  ++echoes_unanswered_;
  std::array<std::uint8_t, 4> body;
  store_be32(body.data(), magic_);
  send(Code::kEchoRequest, fresh_id(), body);
  echo_at_ = now + config_.echo_interval;
}

}  // namespace sluice::ppp
