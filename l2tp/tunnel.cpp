#include "l2tp/tunnel.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::l2tp {

Tunnel::Tunnel(Role role, TunnelConfig config, RandomSource& random)
    : role_(role),
      config_(std::move(config)),
      random_(random),
      control_(config_.receive_window, config_.retransmission) {
  assert(config_.local_tunnel);
}

Tunnel::~Tunnel() = default;

Received Tunnel::on_datagram(Bytes packet, Instant now) {
  set_now(now);
  const auto header = parse_header(packet);
  if (!header) return {.reason = header.error()};
  const Received received = header->control ? on_control(*header) : on_data(*header);
  check_consistent();
  return received;
}

Received Tunnel::on_data(const Header& header) {
  const auto drop = [](DropReason reason) { return Received{.reason = reason}; };
  if (header.tunnel != config_.local_tunnel) return drop(DropReason::kUnknownTunnel);
  Session* session = find(header.session);
  if (!session) return drop(DropReason::kUnknownSession);
  if (session->state != SessionState::kEstablished) return drop(DropReason::kSessionNotUp);
  control_.heard(now_);
  // §5.4: unless Sequencing Required was agreed, the LAC does as the LNS does.
  if (role_ == Role::kLac && !session->call.sequencing_required) session->sequencing = header.has_sequence;
  return {Received::Kind::kData, DropReason::kNone, header.session, header.payload};
}

// Unknown tunnel ids are never answered. Until it has seen SCCRP, the other side knows no id of ours and
// writes 0.
DropReason Tunnel::check_address(const Header& header) const {
  const bool idle = state_ == TunnelState::kIdle;
  if (header.tunnel == config_.local_tunnel) return idle ? DropReason::kWrongState : DropReason::kNone;
  if (header.tunnel || role_ == Role::kLac) return DropReason::kUnknownTunnel;
  if (header.zlb()) return DropReason::kWrongState;
  const auto message = parse_message(header.payload, config_.secret.get());
  if (!message) return message.error();
  if (idle) {
    const bool opens = message->is(MessageType::kSccrq) && header.ns == control_.expected();
    return opens ? DropReason::kNone : DropReason::kWrongState;
  }
  const bool fits = message->is(MessageType::kSccrq) || message->is(MessageType::kStopCcn);
  return fits && message->assigned_tunnel() == remote_ ? DropReason::kNone : DropReason::kUnknownTunnel;
}

Received Tunnel::on_control(const Header& header) {
  const auto drop = [](DropReason reason) { return Received{.reason = reason}; };
  if (state_ == TunnelState::kClosed) return drop(DropReason::kClosed);
  if (!within_rate()) return drop(DropReason::kControlRate);
  if (const DropReason wrong = check_address(header); wrong != DropReason::kNone) return drop(wrong);
  DropReason reason = DropReason::kNone;
  switch (control_.on_packet(header, now_)) {
    case ControlConnection::Verdict::kDeliver:
      reason = deliver(header);
      break;
    case ControlConnection::Verdict::kZlb:
    case ControlConnection::Verdict::kHeld:
      break;
    case ControlConnection::Verdict::kDuplicate:
      return drop(DropReason::kDuplicate);
    case ControlConnection::Verdict::kOutsideWindow:
      return drop(DropReason::kOutsideWindow);
    case ControlConnection::Verdict::kBadNr:
      return drop(DropReason::kBadNr);
  }
  while (auto held = control_.take_next()) {
    if (const auto next = parse_header(*held)) deliver(*next);
  }
  // Our StopCCN is acknowledged: nobody waits for us any more.
  if (state_ == TunnelState::kClosing && stop_sent_ && control_.idle()) linger_until_ = now_;
  if (reason != DropReason::kNone) return drop(reason);
  return {.kind = Received::Kind::kControl};
}

bool Tunnel::within_rate() {
  if (config_.max_control_per_second == 0) return true;
  if (rate_used_ == 0 || now_ - rate_start_ >= std::chrono::seconds(1)) {
    rate_start_ = now_;
    rate_used_ = 0;
  }
  if (rate_used_ >= config_.max_control_per_second) return false;
  ++rate_used_;
  return true;
}

std::optional<Instant> Tunnel::hello_at() const {
  const bool wanted = state_ == TunnelState::kEstablished && config_.hello_interval > Duration::zero();
  if (!wanted || !control_.idle() || !control_.last_heard()) return std::nullopt;
  return *control_.last_heard() + config_.hello_interval;
}

void Tunnel::on_timeout(Instant now) {
  set_now(now);
  control_.on_timeout(now);
  if (state_ == TunnelState::kClosing) {
    if (control_.failed() || (linger_until_ && now >= *linger_until_)) state_ = TunnelState::kClosed;
  } else if (state_ != TunnelState::kClosed) {
    if (control_.failed()) {
      stop({.by = ClosedBy::kTimeout, .of_tunnel = true, .text = "control messages were not acknowledged"},
           false);
      state_ = TunnelState::kClosed;
    } else {
      check_half_open();
      // §5.5: HELLO only after a time without any packet from the peer.
      if (const auto at = hello_at(); at && now >= *at) {
        send(MessageBuilder(MessageType::kHello), SessionId{}, {.probe = true});
      }
    }
  }
  check_consistent();
}

void Tunnel::check_half_open() {
  if (opened_ && now_ >= *opened_ + config_.setup_timeout) {
    stop({.by = ClosedBy::kTimeout,
          .of_tunnel = true,
          .result = static_cast<std::uint16_t>(StopResult::kGeneral),
          .text = "tunnel was not established in time"},
         true);
    return;
  }
  std::vector<SessionId> late;
  for (const auto& [id, session] : sessions_) {
    const bool half_open = session.state != SessionState::kEstablished;
    if (half_open && now_ >= session.opened + config_.setup_timeout) late.push_back(id);
  }
  for (const SessionId id : late) {
    end_session(id,
                {.by = ClosedBy::kTimeout,
                 .result = static_cast<std::uint16_t>(CallResult::kTimeout),
                 .text = "call was not established in time"},
                true);
  }
}

std::optional<Instant> Tunnel::next_timeout() const {
  std::optional<Instant> next;
  const auto consider = [&next](std::optional<Instant> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (state_ == TunnelState::kClosed) return next;
  consider(control_.next_timeout());
  if (state_ == TunnelState::kClosing) {
    consider(linger_until_);
    return next;
  }
  if (opened_) consider(*opened_ + config_.setup_timeout);
  for (const auto& [id, session] : sessions_) {
    if (session.state != SessionState::kEstablished) consider(session.opened + config_.setup_timeout);
  }
  consider(hello_at());
  return next;
}

std::optional<ByteVector> Tunnel::poll_transmit() {
  if (state_ == TunnelState::kIdle || state_ == TunnelState::kClosed || !can_address()) return std::nullopt;
  return control_.poll_transmit();
}

// Only an SCCRQ may go out before the other side's id is known.
bool Tunnel::can_address() const {
  return remote_ || state_ == TunnelState::kWaitReply;
}

std::optional<Event> Tunnel::poll_event() {
  if (events_.empty()) return std::nullopt;
  std::optional<Event> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

std::optional<MutableBytes> Tunnel::frame_data(SessionId local, MutableBytes buffer, std::size_t ppp_offset) {
  Session* session = find(local);
  if (!session || session->state != SessionState::kEstablished) return std::nullopt;
  if (ppp_offset < kDataHeadroom || ppp_offset > buffer.size()) return std::nullopt;
  Header header{.has_length = config_.length_in_data,
                .has_sequence = session->sequencing,
                .tunnel = remote_,
                .session = session->remote};
  if (header.has_sequence) header.ns = session->data_ns++;  // §3.1: Nr is reserved in data messages
  const std::size_t size =
      kPlainDataHeaderSize + (header.has_length ? 2u : 0u) + (header.has_sequence ? 4u : 0u);
  const auto packet = buffer.subspan(ppp_offset - size);
  ByteWriter out(packet.first(size));
  write_header(header, packet.size() - size, out);
  if (!out.ok()) return std::nullopt;
  return packet;
}

SessionId Tunnel::remote_session(SessionId local) const {
  const auto found = sessions_.find(local);
  return found == sessions_.end() ? SessionId{} : found->second.remote;
}

std::size_t Tunnel::sessions_up() const {
  return static_cast<std::size_t>(std::count_if(sessions_.begin(), sessions_.end(), [](const auto& entry) {
    return entry.second.state == SessionState::kEstablished;
  }));
}

void Tunnel::send(const MessageBuilder& builder, SessionId remote_session,
                  ControlConnection::Options options) {
  assert(builder.ok());
  // Tunnel id, Ns and Nr are written when the message goes out.
  control_.send(builder.finish(TunnelId{}, remote_session, 0, 0), options);
}

bool Tunnel::consistent() const {
  if (!control_.consistent()) return false;
  if (state_ != TunnelState::kEstablished && !sessions_.empty()) return false;
  if (state_ == TunnelState::kEstablished && !remote_) return false;
  if (sessions_.size() > config_.max_sessions) return false;
  const bool half_open = state_ == TunnelState::kWaitReply || state_ == TunnelState::kWaitConnect;
  if (half_open != opened_.has_value()) return false;
  return std::all_of(sessions_.begin(), sessions_.end(), [](const auto& entry) {
    const Session& session = entry.second;
    return session.local == entry.first && session.local &&
           (session.remote || session.state == SessionState::kWaitReply);
  });
}

void Tunnel::check_consistent() const {
  assert(consistent());
}

}  // namespace sluice::l2tp
