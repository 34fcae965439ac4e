// The state machines of RFC 2661 §7 as one table: which message is taken in which state, and by whom.

#include <algorithm>

#include "l2tp/tunnel.hpp"

namespace sluice::l2tp {
namespace {

constexpr std::uint8_t bit(Role role) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(role));
}
constexpr std::uint8_t bit(TunnelState state) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(state));
}

constexpr std::uint8_t kLns = bit(Role::kLns), kLac = bit(Role::kLac), kBoth = kLns | kLac;
constexpr std::uint8_t kIdle = bit(TunnelState::kIdle), kReply = bit(TunnelState::kWaitReply),
                       kConnect = bit(TunnelState::kWaitConnect), kUp = bit(TunnelState::kEstablished);

}  // namespace

struct TunnelTable {
  struct Row {
    MessageType message;
    std::uint8_t roles, states;
    Tunnel::Handler handler;
  };
  // Messages not listed for a role and state break the protocol: see out_of_place().
  static constexpr Row kRows[] = {
      // §7.2.1 control connection establishment
      {MessageType::kSccrq, kLns, kIdle, &Tunnel::on_sccrq},
      {MessageType::kSccrp, kLac, kReply, &Tunnel::on_sccrp},
      {MessageType::kScccn, kLns, kConnect, &Tunnel::on_scccn},
      {MessageType::kStopCcn, kBoth, kReply | kConnect | kUp, &Tunnel::on_stop},
      {MessageType::kHello, kBoth, kConnect | kUp, &Tunnel::on_hello},
      // §7.4.1 and §7.4.2 incoming calls; each session has its own state, which the handlers check
      {MessageType::kIcrq, kLns, kUp, &Tunnel::on_icrq},
      {MessageType::kIcrp, kLac, kUp, &Tunnel::on_icrp},
      {MessageType::kIccn, kLns, kUp, &Tunnel::on_iccn},
      {MessageType::kCdn, kBoth, kUp, &Tunnel::on_cdn},
      {MessageType::kSli, kBoth, kUp, &Tunnel::on_sli},
      {MessageType::kWen, kBoth, kUp, &Tunnel::on_wen},
      // §7.5 outgoing calls are not offered
      {MessageType::kOcrq, kBoth, kUp, &Tunnel::on_ocrq},
      {MessageType::kIcrq, kLac, kUp, &Tunnel::on_ocrq},
      // Session messages that fit no session of ours
      {MessageType::kIcrp, kLns, kUp, &Tunnel::on_call_out_of_place},
      {MessageType::kIccn, kLac, kUp, &Tunnel::on_call_out_of_place},
      {MessageType::kOcrp, kBoth, kUp, &Tunnel::on_call_out_of_place},
      {MessageType::kOccn, kBoth, kUp, &Tunnel::on_call_out_of_place},
  };

  static bool speaks(MessageType type) {
    return std::any_of(std::begin(kRows), std::end(kRows),
                       [type](const Row& row) { return row.message == type; });
  }
  static Tunnel::Handler find(Role role, TunnelState state, MessageType type) {
    for (const Row& row : kRows) {
      if (row.message == type && (row.roles & bit(role)) && (row.states & bit(state))) return row.handler;
    }
    return &Tunnel::on_out_of_place;
  }
};

DropReason Tunnel::deliver(const Header& header) {
  if (state_ == TunnelState::kClosing || state_ == TunnelState::kClosed) return DropReason::kClosed;
  const auto parsed = parse_message(header.payload, config_.secret.get());
  if (!parsed) {
    // §7.1: an unrecoverable malformed message clears the control connection.
    stop_for(StopResult::kError, ErrorCode::kLength, "malformed control message");
    return parsed.error();
  }
  const Message& message = *parsed;
  // Extensions that we know by name but do not speak count as unknown (§4.4.1).
  if (!message.info() || !TunnelTable::speaks(message.type())) {
    if (!message.type_mandatory()) return DropReason::kIgnoredMessage;
    stop_for(StopResult::kError, ErrorCode::kUnknownAvp, "unknown mandatory message type");
    return DropReason::kUnknownMessage;
  }
  const bool closes = message.is(MessageType::kStopCcn) || message.is(MessageType::kCdn);
  if (message.fault() && !closes) return refuse_fault(message, header);
  const Handler handler = TunnelTable::find(role_, state_, message.type());
  return (this->*handler)(message, header);
}

// §4.1: a fault in a session's message ends that session, any other the tunnel.
DropReason Tunnel::refuse_fault(const Message& message, const Header& header) {
  const MessageFault& fault = *message.fault();
  const std::string words = message_name(message.type_number()) + ": " + fault_words(fault);
  const ErrorCode error = fault_error(fault);
  if (!message.info()->of_session) {
    if (!remote_) learn_peer(message);
    stop_for(StopResult::kError, error, words);
  } else if (Session* session = session_of(message, header)) {
    end_session_for(session->local, CallResult::kError, error, words);
  } else if (const SessionId remote = message.assigned_session();
             remote && state_ == TunnelState::kEstablished) {
    refuse_call(remote, CallResult::kError, error, words);
  }
  return fault.reason;
}

std::string_view to_string(TunnelState state) {
  switch (state) {
    case TunnelState::kIdle:
      return "idle";
    case TunnelState::kWaitReply:
      return "wait-reply";
    case TunnelState::kWaitConnect:
      return "wait-connect";
    case TunnelState::kEstablished:
      return "established";
    case TunnelState::kClosing:
      return "closing";
    case TunnelState::kClosed:
      return "closed";
    case TunnelState::kCount:
      break;
  }
  return "unknown";
}

}  // namespace sluice::l2tp
