// The control connection's messages (RFC 2661 §5.1, §7.2).

#include <algorithm>

#include "l2tp/tunnel.hpp"

namespace sluice::l2tp {
namespace {

constexpr std::uint16_t kVersion1Revision0 = 0x0100;
constexpr std::uint32_t kSyncAndAsync = 3;  // §4.4.3 Framing Capabilities
constexpr std::size_t kChallengeSize = 16;

}  // namespace

void Tunnel::start_connect(Instant now) {
  if (role_ != Role::kLac || state_ != TunnelState::kIdle) return;
  set_now(now);
  state_ = TunnelState::kWaitReply;
  opened_ = now;
  MessageBuilder sccrq(MessageType::kSccrq);
  add_capabilities(sccrq);
  if (config_.demand_authentication) add_challenge(sccrq);
  send(sccrq, SessionId{});
  check_consistent();
}

void Tunnel::add_capabilities(MessageBuilder& builder) const {
  builder.u16(AvpType::kProtocolVersion, kVersion1Revision0)
      .u32(AvpType::kFramingCapabilities, kSyncAndAsync)
      .u16(AvpType::kFirmwareRevision, config_.firmware_revision)
      .text(AvpType::kHostName, config_.host_name);
  if (!config_.vendor_name.empty()) builder.text(AvpType::kVendorName, config_.vendor_name);
  builder.u16(AvpType::kAssignedTunnelId, config_.local_tunnel.value())
      .u16(AvpType::kReceiveWindowSize, config_.receive_window);
}

void Tunnel::learn_peer(const Message& message) {
  remote_ = message.assigned_tunnel();
  control_.set_peer(remote_);
  // §4.4.3: without a Receive Window Size the peer takes 4.
  constexpr std::uint16_t kDefaultWindow = 4;
  const std::uint16_t window = message.u16(AvpType::kReceiveWindowSize).value_or(kDefaultWindow);
  peer_framing_ = message.u32(AvpType::kFramingCapabilities).value_or(0);
  control_.set_peer_window(window);
  peer_ = {.local = config_.local_tunnel,
           .remote = remote_,
           .peer_host = std::string(message.text(AvpType::kHostName)),
           .peer_vendor = std::string(message.text(AvpType::kVendorName)),
           .peer_firmware = message.u16(AvpType::kFirmwareRevision).value_or(0),
           .peer_window = window};
}

// §4.4.3: version 1; any revision is accepted.
bool Tunnel::acceptable_version(const Message& message) {
  if ((message.u16(AvpType::kProtocolVersion).value_or(0) >> 8) == kVersion1Revision0 >> 8) return true;
  // §4.4.2: the error code tells the highest version supported.
  stop_for(StopResult::kVersion, ErrorCode{kVersion1Revision0}, "only protocol version 1 is supported");
  return false;
}

void Tunnel::add_challenge(MessageBuilder& builder) {
  our_challenge_.resize(kChallengeSize);
  random_.fill(our_challenge_);
  builder.bytes(AvpType::kChallenge, our_challenge_);
}

bool Tunnel::answer_challenge(const Message& message, MessageBuilder& builder) const {
  const Bytes challenge = message.bytes(AvpType::kChallenge);
  if (challenge.empty()) return true;
  if (!config_.secret || config_.secret->empty()) return false;
  builder.bytes(AvpType::kChallengeResponse,
                challenge_response(builder.type_number(), config_.secret->bytes(), challenge));
  return true;
}

// §5.1.1: whoever sent a Challenge must see the right response.
bool Tunnel::check_response(const Message& message) {
  if (our_challenge_.empty()) return true;
  const Bytes response = message.bytes(AvpType::kChallengeResponse);
  const Bytes secret = config_.secret ? config_.secret->bytes() : Bytes{};
  const auto expected = challenge_response(message.type_number(), secret, our_challenge_);
  return !secret.empty() && equal_constant_time(response, expected);
}

DropReason Tunnel::on_sccrq(const Message& message, const Header&) {
  learn_peer(message);
  if (!acceptable_version(message)) return DropReason::kWrongState;
  MessageBuilder sccrp(MessageType::kSccrp);
  add_capabilities(sccrp);
  if (!answer_challenge(message, sccrp)) {
    stop_for(StopResult::kNotAuthorized, ErrorCode::kNone, "tunnel authentication is not configured here");
    return DropReason::kAuthentication;
  }
  // macOS and iOS do not connect to a server that sends a Challenge: only on demand.
  if (config_.demand_authentication) add_challenge(sccrp);
  state_ = TunnelState::kWaitConnect;
  opened_ = now_;
  send(sccrp, SessionId{});
  return DropReason::kNone;
}

DropReason Tunnel::on_sccrp(const Message& message, const Header&) {
  learn_peer(message);
  if (!acceptable_version(message)) return DropReason::kWrongState;
  MessageBuilder scccn(MessageType::kScccn);
  if (!check_response(message) || !answer_challenge(message, scccn)) {
    stop_for(StopResult::kNotAuthorized, ErrorCode::kNone, "tunnel authentication failed");
    return DropReason::kAuthentication;
  }
  send(scccn, SessionId{});
  tunnel_up();
  return DropReason::kNone;
}

DropReason Tunnel::on_scccn(const Message& message, const Header&) {
  if (!check_response(message)) {
    stop_for(StopResult::kNotAuthorized, ErrorCode::kNone, "tunnel authentication failed");
    return DropReason::kAuthentication;
  }
  tunnel_up();
  return DropReason::kNone;
}

void Tunnel::tunnel_up() {
  state_ = TunnelState::kEstablished;
  opened_.reset();
  announced_ = true;
  events_.emplace_back(peer_);
}

DropReason Tunnel::on_stop(const Message& message, const Header&) {
  stop(message.close_cause(), false);
  return DropReason::kNone;
}

// §6.5: being acknowledged is all a HELLO wants.
DropReason Tunnel::on_hello(const Message&, const Header&) {
  return DropReason::kNone;
}

// §7.2.1: a message out of sequence clears the control connection.
DropReason Tunnel::on_out_of_place(const Message& message, const Header&) {
  stop_for(StopResult::kFiniteStateMachine, ErrorCode::kNone,
           message_name(message.type_number()) + " in state " + std::string(to_string(state_)));
  return DropReason::kWrongState;
}

void Tunnel::close_tunnel(StopResult result, std::string_view text, Instant now, ErrorCode error) {
  if (state_ == TunnelState::kClosing || state_ == TunnelState::kClosed) return;
  set_now(now);
  stop({.by = ClosedBy::kLocal,
        .of_tunnel = true,
        .result = static_cast<std::uint16_t>(result),
        .error = static_cast<std::uint16_t>(error),
        .text = std::string(text)},
       true);
  check_consistent();
}

void Tunnel::stop_for(StopResult result, ErrorCode error, std::string_view text) {
  stop({.by = ClosedBy::kProtocol,
        .of_tunnel = true,
        .result = static_cast<std::uint16_t>(result),
        .error = static_cast<std::uint16_t>(error),
        .text = std::string(text)},
       true);
}

void Tunnel::stop(CloseCause cause, bool tell) {
  for (auto& [id, session] : sessions_) {
    events_.emplace_back(SessionDown{.local = id,
                                     .remote = session.remote,
                                     .was_up = session.state == SessionState::kEstablished,
                                     .cause = cause});
  }
  sessions_.clear();
  opened_.reset();
  if (tell && remote_) {
    // §6.4: StopCCN closes all sessions; nothing that still waits is worth sending first.
    control_.drop_unsent();
    MessageBuilder stop_ccn(MessageType::kStopCcn);
    stop_ccn.u16(AvpType::kAssignedTunnelId, config_.local_tunnel.value())
        .result(cause.result, cause.error, cause.text);
    send(stop_ccn, SessionId{}, {.urgent = true});
    stop_sent_ = true;
  } else {
    control_.drop_queue();
  }
  // §5.7: whoever received a StopCCN keeps acknowledging for a full retransmission cycle.
  const bool anyone = static_cast<bool>(remote_);
  state_ = anyone ? TunnelState::kClosing : TunnelState::kClosed;
  linger_until_ = now_ + config_.retransmission.cycle();
  events_.emplace_back(TunnelDown{.was_up = announced_, .cause = std::move(cause)});
}

}  // namespace sluice::l2tp
