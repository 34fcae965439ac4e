// Sessions: incoming calls (RFC 2661 §5.2, §7.4); outgoing ones are refused.

#include <algorithm>

#include "l2tp/tunnel.hpp"

namespace sluice::l2tp {
namespace {

constexpr std::uint32_t kSyncFraming = 1, kAsyncFraming = 2;  // §4.4.6 Framing Type

void read_request(const Message& icrq, CallInfo& call) {
  call.serial_number = icrq.u32(AvpType::kCallSerialNumber).value_or(0);
  call.bearer_type = icrq.u32(AvpType::kBearerType).value_or(0);
  call.physical_channel = icrq.u32(AvpType::kPhysicalChannelId).value_or(0);
  call.calling_number = icrq.text(AvpType::kCallingNumber);
  call.called_number = icrq.text(AvpType::kCalledNumber);
  call.sub_address = icrq.text(AvpType::kSubAddress);
}

void read_connected(const Message& iccn, CallInfo& call) {
  const auto copy = [&iccn](AvpType type) {
    const Bytes value = iccn.bytes(type);
    return ByteVector(value.begin(), value.end());
  };
  call.tx_speed = iccn.u32(AvpType::kTxConnectSpeed).value_or(0);
  // §4.4.6: without Rx Connect Speed, both directions have the same.
  call.rx_speed = iccn.u32(AvpType::kRxConnectSpeed).value_or(call.tx_speed);
  call.framing_type = iccn.u32(AvpType::kFramingType).value_or(0);
  call.sequencing_required = iccn.has(AvpType::kSequencingRequired);
  call.private_group = copy(AvpType::kPrivateGroupId);
  call.initial_lcp = copy(AvpType::kInitialReceivedLcpConfreq);
  call.last_sent_lcp = copy(AvpType::kLastSentLcpConfreq);
  call.last_received_lcp = copy(AvpType::kLastReceivedLcpConfreq);
  call.proxy_auth_type = iccn.u16(AvpType::kProxyAuthenType).value_or(0);
  call.proxy_auth_id = iccn.u16(AvpType::kProxyAuthenId).value_or(0);
  call.proxy_auth_name = iccn.text(AvpType::kProxyAuthenName);
  call.proxy_auth_challenge = copy(AvpType::kProxyAuthenChallenge);
  if (iccn.has(AvpType::kProxyAuthenResponse)) {
    call.proxy_auth_response = std::make_shared<const Secret>(iccn.bytes(AvpType::kProxyAuthenResponse));
  }
}

}  // namespace

Tunnel::Session* Tunnel::find(SessionId local) {
  const auto at = sessions_.find(local);
  return at == sessions_.end() ? nullptr : &at->second;
}

Tunnel::Session* Tunnel::find_by_remote(SessionId remote) {
  const auto at = std::find_if(sessions_.begin(), sessions_.end(),
                               [remote](const auto& entry) { return entry.second.remote == remote; });
  return !remote || at == sessions_.end() ? nullptr : &at->second;
}

// The header names our session; 0 while the peer does not know it, and then its own id tells.
Tunnel::Session* Tunnel::session_of(const Message& message, const Header& header) {
  return header.session ? find(header.session) : find_by_remote(message.assigned_session());
}

std::optional<SessionId> Tunnel::new_session_id() {
  while (!resting_.empty() && resting_.front().until <= now_) resting_.pop_front();
  if (resting_.size() >= kMaxResting) return std::nullopt;
  const auto taken = [this](SessionId id) {
    return !id || sessions_.contains(id) ||
           std::any_of(resting_.begin(), resting_.end(), [id](const Resting& r) { return r.local == id; });
  };
  SessionId id{random_.u16()};
  for (unsigned tries = 0; tries <= 0xffff; ++tries) {
    if (!taken(id)) return id;
    id = SessionId{static_cast<std::uint16_t>(id.value() + 1)};
  }
  return std::nullopt;
}

std::optional<SessionId> Tunnel::start_call(const CallInfo& call, Instant now) {
  set_now(now);
  if (state_ != TunnelState::kEstablished || sessions_.size() >= config_.max_sessions) return std::nullopt;
  const auto id = new_session_id();
  if (!id) return std::nullopt;
  Session& session = sessions_[*id];
  session = {.local = *id, .remote = {}, .state = SessionState::kWaitReply, .opened = now, .call = call};
  session.call.serial_number = ++call_serial_;
  session.call.sequencing_required = config_.sequencing;
  MessageBuilder icrq(MessageType::kIcrq);
  icrq.u16(AvpType::kAssignedSessionId, id->value())
      .u32(AvpType::kCallSerialNumber, session.call.serial_number);
  if (call.bearer_type != 0) icrq.u32(AvpType::kBearerType, call.bearer_type);
  if (!call.calling_number.empty()) icrq.text(AvpType::kCallingNumber, call.calling_number);
  if (!call.called_number.empty()) icrq.text(AvpType::kCalledNumber, call.called_number);
  if (!call.sub_address.empty()) icrq.text(AvpType::kSubAddress, call.sub_address);
  send(icrq, SessionId{});
  check_consistent();
  return id;
}

DropReason Tunnel::on_icrq(const Message& message, const Header&) {
  const SessionId remote = message.assigned_session();
  if (const Session* existing = find_by_remote(remote)) {
    // §7.4.2: ICRQ for a call that is there already ends that call.
    end_session_for(existing->local, CallResult::kError, ErrorCode::kSessionId,
                    "ICRQ for a session id in use");
    return DropReason::kWrongState;
  }
  const auto id = sessions_.size() < config_.max_sessions ? new_session_id() : std::nullopt;
  if (!id) {
    refuse_call(remote, CallResult::kNoFacilities, ErrorCode::kNone, "too many sessions in this tunnel");
    return DropReason::kNone;
  }
  Session& session = sessions_[*id];
  session = {.local = *id, .remote = remote, .state = SessionState::kWaitConnect, .opened = now_};
  read_request(message, session.call);
  MessageBuilder icrp(MessageType::kIcrp);
  icrp.u16(AvpType::kAssignedSessionId, id->value());
  send(icrp, remote);
  return DropReason::kNone;
}

DropReason Tunnel::on_icrp(const Message& message, const Header& header) {
  Session* session = find(header.session);
  if (!session) return DropReason::kUnknownSession;
  if (session->state != SessionState::kWaitReply) return on_call_out_of_place(message, header);
  session->remote = message.assigned_session();
  session->state = SessionState::kEstablished;
  session->call.tx_speed = session->call.rx_speed = config_.tx_connect_speed;
  session->sequencing = session->call.sequencing_required;
  // §4.4.3: only a framing that the LNS has named among its capabilities.
  const bool only_async = (peer_framing_ & kSyncFraming) == 0 && (peer_framing_ & kAsyncFraming) != 0;
  session->call.framing_type = only_async ? kAsyncFraming : kSyncFraming;
  MessageBuilder iccn(MessageType::kIccn);
  iccn.u32(AvpType::kTxConnectSpeed, config_.tx_connect_speed)
      .u32(AvpType::kFramingType, session->call.framing_type);
  if (session->call.sequencing_required) iccn.empty(AvpType::kSequencingRequired);
  send(iccn, session->remote);
  events_.emplace_back(SessionUp{session->local, session->remote, session->call});
  return DropReason::kNone;
}

DropReason Tunnel::on_iccn(const Message& message, const Header& header) {
  Session* session = find(header.session);
  if (!session) return DropReason::kUnknownSession;
  if (session->state != SessionState::kWaitConnect) return on_call_out_of_place(message, header);
  read_connected(message, session->call);
  session->sequencing = session->call.sequencing_required;
  session->state = SessionState::kEstablished;
  events_.emplace_back(SessionUp{session->local, session->remote, session->call});
  return DropReason::kNone;
}

// A call towards us that we do not take: outgoing calls on either side, incoming ones on a client.
DropReason Tunnel::on_ocrq(const Message& message, const Header&) {
  refuse_call(message.assigned_session(), CallResult::kNoFacilitiesEver, ErrorCode::kNone,
              "calls of this kind are not offered");
  return DropReason::kNone;
}

DropReason Tunnel::on_cdn(const Message& message, const Header& header) {
  const Session* session = session_of(message, header);
  if (!session) return DropReason::kUnknownSession;
  end_session(session->local, message.close_cause(), false);
  return DropReason::kNone;
}

DropReason Tunnel::on_sli(const Message& message, const Header& header) {
  const Session* session = find(header.session);
  if (!session) return DropReason::kUnknownSession;
  ByteReader in(message.bytes(AvpType::kAccm));
  in.skip(2);  // reserved
  LinkInfo info{.local = session->local};
  info.send_accm = in.u32();
  info.receive_accm = in.u32();
  events_.emplace_back(info);
  return DropReason::kNone;
}

// §6.13: call errors are for the LNS to note; we keep no record of a physical line.
DropReason Tunnel::on_wen(const Message&, const Header&) {
  return DropReason::kIgnoredMessage;
}

// §7.4: a session message out of sequence ends that session.
DropReason Tunnel::on_call_out_of_place(const Message& message, const Header& header) {
  if (const Session* session = find(header.session)) {
    end_session_for(session->local, CallResult::kError, ErrorCode::kSessionId,
                    message_name(message.type_number()) + " out of sequence");
    return DropReason::kWrongState;
  }
  return DropReason::kUnknownSession;
}

void Tunnel::refuse_call(SessionId remote, CallResult result, ErrorCode error, std::string_view text) {
  MessageBuilder cdn(MessageType::kCdn);
  // §4.4.4: no id of ours was assigned to this call.
  cdn.result(static_cast<std::uint16_t>(result), static_cast<std::uint16_t>(error), text)
      .u16(AvpType::kAssignedSessionId, 0);
  send(cdn, remote);
}

void Tunnel::close_session(SessionId local, CallResult result, std::string_view text, Instant now,
                           const PppCause* ppp, ErrorCode error) {
  set_now(now);
  end_session(local,
              {.by = ClosedBy::kLocal,
               .result = static_cast<std::uint16_t>(result),
               .error = static_cast<std::uint16_t>(error),
               .text = std::string(text)},
              true, ppp);
  check_consistent();
}

void Tunnel::end_session_for(SessionId local, CallResult result, ErrorCode error, std::string_view text) {
  end_session(local,
              {.by = ClosedBy::kProtocol,
               .result = static_cast<std::uint16_t>(result),
               .error = static_cast<std::uint16_t>(error),
               .text = std::string(text)},
              true);
}

void Tunnel::end_session(SessionId local, CloseCause cause, bool tell, const PppCause* ppp) {
  const Session* session = find(local);
  if (!session) return;
  const SessionId remote = session->remote;
  const bool was_up = session->state == SessionState::kEstablished;
  if (tell) {
    MessageBuilder cdn(MessageType::kCdn);
    cdn.result(cause.result, cause.error, cause.text).u16(AvpType::kAssignedSessionId, local.value());
    if (ppp) cdn.ppp_cause(*ppp);
    send(cdn, remote);
  }
  sessions_.erase(local);
  // §5.7: the id rests until no retransmission for it can be on its way.
  resting_.push_back({local, now_ + config_.retransmission.cycle()});
  events_.emplace_back(
      SessionDown{.local = local, .remote = remote, .was_up = was_up, .cause = std::move(cause)});
}

}  // namespace sluice::l2tp
