// A tunnel and its control connection as a value, and back. What comes back may have been written by anybody:
// a value that contradicts itself is refused as a whole.

#include <algorithm>
#include <set>
#include <utility>

#include "l2tp/snapshot.hpp"

namespace sluice::l2tp {
namespace {

/// A whole control message as MessageBuilder::finish() makes them.
std::optional<Header> whole_message(Bytes packet) {
  const auto header = parse_header(packet);
  if (!header || !header->control || header->zlb()) return std::nullopt;
  if (packet.size() != kControlHeaderSize + header->payload.size()) return std::nullopt;
  return *header;
}

bool plausible(const ControlSnapshot::Message& message, std::size_t place, std::size_t in_flight) {
  const bool flying = place < in_flight;
  return whole_message(message.packet) && flying == (message.sent > 0) &&
         flying == message.resend.has_value() && (!message.due || (flying && place == 0));
}

/// In the order of Ns, each once, none whose turn has come.
bool plausible_held(const ControlSnapshot& from, std::uint16_t window) {
  std::int16_t last = 0;
  return std::all_of(from.held.begin(), from.held.end(), [&](const ByteVector& packet) {
    const auto header = whole_message(packet);
    if (!header) return false;
    const std::int16_t ahead = sequence_ahead(header->ns, from.expected);
    return ahead < window && ahead > std::exchange(last, ahead);
  });
}

}  // namespace

ControlSnapshot ControlConnection::snapshot(Instant now) const {
  ControlSnapshot out;
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    const Outgoing& message = queue_[i];
    out.queue.push_back({message.packet, message.options.urgent, message.options.probe, message.sent,
                         message.due, i < in_flight_ ? time_left(message.resend_at, now) : std::nullopt});
  }
  for (std::size_t i = 0; i < held_.size(); ++i) {
    // The map's order breaks where Ns wraps around.
    out.held.push_back(std::next(held_.begin(), static_cast<std::ptrdiff_t>(i))->second);
  }
  std::sort(out.held.begin(), out.held.end(), [this](const ByteVector& a, const ByteVector& b) {
    return sequence_ahead(parse_header(a)->ns, nr_) < sequence_ahead(parse_header(b)->ns, nr_);
  });
  out.in_flight = in_flight_;
  out.next_ns = next_ns_;
  out.expected = nr_;
  out.peer_window = peer_window_;
  out.cwnd = cwnd_;
  out.ssthresh = ssthresh_;
  out.growth = growth_;
  out.failed = failed_;
  out.ack_owed = ack_owed_;
  out.retransmissions = retransmitted_;
  if (last_heard_) out.heard_ago = now - *last_heard_;
  return out;
}

bool ControlConnection::restore(const ControlSnapshot& from, Instant now) {
  constexpr std::size_t kHalfOfNs = 0x8000;  // beyond, serial numbers have no order
  if (from.in_flight > from.queue.size() || from.queue.size() >= kHalfOfNs) return false;
  for (std::size_t i = 0; i < from.queue.size(); ++i) {
    if (!plausible(from.queue[i], i, from.in_flight)) return false;
  }
  if (from.cwnd < 1 || from.cwnd > from.peer_window || from.ssthresh < 1 || from.growth > from.cwnd)
    return false;
  if (!plausible_held(from, receive_window_)) return false;

  auto ns = static_cast<std::uint16_t>(from.next_ns - from.in_flight);
  for (const auto& message : from.queue) {
    Outgoing& out = queue_.emplace_back();
    out.packet = message.packet;
    out.options = {message.urgent, message.probe};
    if (message.sent > 0) out.ns = ns++;
    out.sent = message.sent;
    out.due = message.due;
    if (const auto at = timer_from(message.resend, now)) out.resend_at = *at;
  }
  for (const auto& packet : from.held) held_.emplace(parse_header(packet)->ns, packet);
  in_flight_ = from.in_flight;
  next_ns_ = from.next_ns;
  nr_ = from.expected;
  peer_window_ = from.peer_window;
  cwnd_ = from.cwnd;
  ssthresh_ = from.ssthresh;
  growth_ = from.growth;
  failed_ = from.failed;
  ack_owed_ = from.ack_owed;
  retransmitted_ = from.retransmissions;
  if (from.heard_ago) last_heard_ = instant_ago(*from.heard_ago, now);
  now_ = now;
  return consistent();
}

TunnelSnapshot Tunnel::snapshot(Instant now) const {
  TunnelSnapshot out;
  out.role = role_;
  out.state = state_;
  out.peer = peer_;
  out.peer.local = config_.local_tunnel;
  out.peer_framing = peer_framing_;
  out.challenge = our_challenge_;
  out.announced = announced_;
  out.stop_sent = stop_sent_;
  if (opened_) out.opened_ago = now - *opened_;
  out.linger = time_left(linger_until_, now);
  for (const auto& [id, session] : sessions_) {
    auto& written = out.sessions.emplace_back();
    written = {session.local,        session.remote, static_cast<std::uint8_t>(session.state),
               now - session.opened, session.call,   session.sequencing,
               session.data_ns};
    written.call.proxy_auth_response.reset();
  }
  std::sort(out.sessions.begin(), out.sessions.end(),
            [](const auto& a, const auto& b) { return a.local < b.local; });
  for (const Resting& resting : resting_) {
    if (resting.until > now) out.resting.push_back({resting.local, resting.until - now});
  }
  out.call_serial = call_serial_;
  out.control = control_.snapshot(now);
  return out;
}

bool Tunnel::plausible(const TunnelSnapshot& from) const {
  if (from.role != role_ || from.peer.local != config_.local_tunnel || from.state >= TunnelState::kCount)
    return false;
  const bool over = from.state == TunnelState::kClosing || from.state == TunnelState::kClosed;
  const ControlSnapshot& control = from.control;
  switch (from.state) {
    case TunnelState::kIdle:
      if (from.peer.remote || !control.queue.empty() || !control.held.empty()) return false;
      break;
    case TunnelState::kWaitReply:
      if (role_ != Role::kLac || from.peer.remote) return false;
      break;
    case TunnelState::kWaitConnect:
      if (role_ != Role::kLns || !from.peer.remote) return false;
      // Nobody gets in by a value who would not by himself.
      if (config_.demand_authentication && from.challenge.empty()) return false;
      break;
    case TunnelState::kEstablished:
    case TunnelState::kClosing:
      if (!from.peer.remote) return false;
      break;
    case TunnelState::kClosed:
    case TunnelState::kCount:
      break;
  }
  if (from.linger.has_value() != over || (from.stop_sent && !over) || (control.failed && !over)) return false;
  if (!over && from.announced != (from.state == TunnelState::kEstablished)) return false;
  return plausible_sessions(from);
}

bool Tunnel::plausible_sessions(const TunnelSnapshot& from) const {
  std::set<SessionId> locals, remotes;
  for (const auto& session : from.sessions) {
    if (session.state > static_cast<std::uint8_t>(SessionState::kEstablished)) return false;
    const auto state = static_cast<SessionState>(session.state);
    const SessionState half_open =
        role_ == Role::kLac ? SessionState::kWaitReply : SessionState::kWaitConnect;
    if (state != half_open && state != SessionState::kEstablished) return false;
    if (!session.local || !locals.insert(session.local).second) return false;
    if ((state == SessionState::kWaitReply) != !session.remote) return false;
    if (session.remote && !remotes.insert(session.remote).second) return false;
  }
  if (from.resting.size() > kMaxResting) return false;
  Duration last = Duration::zero();
  return std::all_of(from.resting.begin(), from.resting.end(), [&](const auto& resting) {
    if (!resting.local || !resting.until || !locals.insert(resting.local).second) return false;
    return *resting.until >= std::exchange(last, *resting.until);
  });
}

bool Tunnel::restore(const TunnelSnapshot& from, Instant now) {
  if (state_ != TunnelState::kIdle || remote_ || !plausible(from)) return false;
  set_now(now);
  if (!control_.restore(from.control, now)) return spoil();
  state_ = from.state;
  remote_ = from.peer.remote;
  control_.set_peer(remote_);
  peer_ = from.peer;
  peer_framing_ = from.peer_framing;
  our_challenge_ = from.challenge;
  announced_ = from.announced;
  stop_sent_ = from.stop_sent;
  if (from.opened_ago) opened_ = instant_ago(*from.opened_ago, now);
  linger_until_ = timer_from(from.linger, now);
  for (const auto& session : from.sessions) {
    Session& placed = sessions_[session.local];
    placed = {session.local,
              session.remote,
              static_cast<SessionState>(session.state),
              instant_ago(session.opened_ago, now),
              session.call,
              session.sequencing,
              session.data_ns};
    placed.call.proxy_auth_response.reset();
  }
  for (const auto& resting : from.resting)
    resting_.push_back({resting.local, *timer_from(resting.until, now)});
  call_serial_ = from.call_serial;
  return consistent() || spoil();
}

bool Tunnel::spoil() {
  sessions_.clear();
  opened_.reset();
  control_ = ControlConnection(config_.receive_window, config_.retransmission);
  state_ = TunnelState::kClosed;
  return false;
}

}  // namespace sluice::l2tp
