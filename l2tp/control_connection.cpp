#include "l2tp/control_connection.hpp"

#include <algorithm>

namespace sluice::l2tp {
namespace {

// Where a control header, which always has L and S, keeps what changes from one transmission to the next
// (§3.1).
constexpr std::size_t kTunnelAt = 4, kNsAt = 8, kNrAt = 10;

}  // namespace

Duration Retransmission::wait(unsigned sent) const {
  Duration wait = first;
  for (unsigned i = 1; i < sent && wait < cap; ++i) wait *= 2;
  return std::min(wait, cap);
}

Duration Retransmission::cycle() const {
  Duration total{};
  for (unsigned sent = 1; sent <= tries + 1; ++sent) total += wait(sent);
  return total;
}

ControlConnection::ControlConnection(std::uint16_t receive_window, Retransmission retransmission)
    : retransmission_(retransmission), receive_window_(std::max<std::uint16_t>(receive_window, 1)) {}

void ControlConnection::set_peer_window(std::uint16_t window) {
  peer_window_ = std::max<std::uint16_t>(window, 1);
  ssthresh_ = peer_window_;
  cwnd_ = std::min(cwnd_, peer_window_);
}

void ControlConnection::set_first_sequence(std::uint16_t ns, std::uint16_t nr) {
  next_ns_ = ns;
  nr_ = nr;
}

ControlConnection::Verdict ControlConnection::on_packet(const Header& header, Instant now) {
  const std::uint16_t oldest = in_flight_ > 0 ? queue_.front().ns : next_ns_;
  if (sequence_ahead(header.nr, oldest) > static_cast<std::int32_t>(in_flight_)) return Verdict::kBadNr;
  heard(now);
  acknowledge(header.nr);
  if (header.zlb()) return Verdict::kZlb;

  const std::int16_t ahead = sequence_ahead(header.ns, nr_);
  if (ahead < 0) {
    ack_owed_ = true;  // §5.8: a duplicate MUST be acknowledged
    return Verdict::kDuplicate;
  }
  if (ahead == 0) {
    held_.erase(nr_);
    ++nr_;
    ack_owed_ = true;
    return Verdict::kDeliver;
  }
  if (ahead >= receive_window_) return Verdict::kOutsideWindow;
  if (!held_.contains(header.ns)) {
    // Rebuilt rather than copied: what lies behind Length is not kept.
    ByteVector packet(kControlHeaderSize + header.payload.size());
    ByteWriter out(packet);
    write_header(header, header.payload.size(), out);
    out.bytes(header.payload);
    held_.emplace(header.ns, std::move(packet));
  }
  return Verdict::kHeld;
}

std::optional<ByteVector> ControlConnection::take_next() {
  const auto at = held_.find(nr_);
  if (at == held_.end()) return std::nullopt;
  ByteVector packet = std::move(at->second);
  held_.erase(at);
  ++nr_;
  ack_owed_ = true;
  return packet;
}

void ControlConnection::acknowledge(std::uint16_t nr) {
  while (in_flight_ > 0 && sequence_ahead(nr, queue_.front().ns) > 0) {
    queue_.pop_front();
    --in_flight_;
    grow_window();
  }
}

// Appendix A: slow start below the threshold, then one more for each full window acknowledged.
void ControlConnection::grow_window() {
  if (cwnd_ >= peer_window_) return;
  if (cwnd_ < ssthresh_ || ++growth_ >= cwnd_) {
    ++cwnd_;
    growth_ = 0;
  }
}

void ControlConnection::send(ByteVector packet, Options options) {
  queue_.push_back({.packet = std::move(packet), .options = options});
  if (options.urgent) {
    // Ns is given out in order, so all that waits in front goes along.
    for (auto& message : queue_) message.options.urgent = true;
  }
}

bool ControlConnection::may_send(const Outgoing& message) const {
  if (message.options.urgent) return true;
  // Some clients take a HELLO and never acknowledge it: once resent, it does not hold up what follows.
  const auto counts = [](const Outgoing& sent) { return !sent.options.probe || sent.sent < 2; };
  const auto outstanding = std::count_if(queue_.begin(), queue_.begin() + in_flight_, counts);
  return outstanding < std::min(cwnd_, peer_window_);
}

void ControlConnection::stamp(Outgoing& message) const {
  store_be16(message.packet.data() + kTunnelAt, peer_.value());
  store_be16(message.packet.data() + kNsAt, message.ns);
  store_be16(message.packet.data() + kNrAt, nr_);
}

std::optional<ByteVector> ControlConnection::poll_transmit() {
  Outgoing* next = nullptr;
  if (in_flight_ > 0 && queue_.front().due) {
    next = &queue_.front();
    ++retransmitted_;
  } else if (in_flight_ < queue_.size() && !failed_ && may_send(queue_[in_flight_])) {
    next = &queue_[in_flight_];
    next->ns = next_ns_++;
    ++in_flight_;
  }
  if (next) {
    ++next->sent;
    next->due = false;
    next->resend_at = now_ + retransmission_.wait(next->sent);
    stamp(*next);
    ack_owed_ = false;
    return next->packet;
  }
  if (!ack_owed_) return std::nullopt;
  ack_owed_ = false;
  // §5.8: a ZLB carries the next Ns and does not use it up.
  const Header header{
      .control = true, .has_length = true, .has_sequence = true, .tunnel = peer_, .ns = next_ns_, .nr = nr_};
  ByteVector zlb(kControlHeaderSize);
  ByteWriter out(zlb);
  write_header(header, 0, out);
  return zlb;
}

void ControlConnection::on_timeout(Instant now) {
  now_ = now;
  if (failed_ || in_flight_ == 0) return;
  Outgoing& oldest = queue_.front();
  if (oldest.due || now < oldest.resend_at) return;
  if (oldest.sent > retransmission_.tries) {
    const bool alive = last_heard_ && now - *last_heard_ < retransmission_.cycle();
    if (!oldest.options.probe || !alive) {
      failed_ = true;
      return;
    }
  }
  oldest.due = true;
  // Appendix A: back to slow start, with half the window as the new threshold.
  ssthresh_ = std::max<std::uint16_t>(static_cast<std::uint16_t>(cwnd_ / 2), 1);
  cwnd_ = 1;
  growth_ = 0;
}

std::optional<Instant> ControlConnection::next_timeout() const {
  if (failed_ || in_flight_ == 0) return std::nullopt;
  return queue_.front().resend_at;
}

void ControlConnection::drop_queue() {
  queue_.clear();
  in_flight_ = 0;
}

void ControlConnection::drop_unsent() {
  queue_.erase(queue_.begin() + in_flight_, queue_.end());
}

bool ControlConnection::consistent() const {
  if (in_flight_ > queue_.size() || cwnd_ < 1 || cwnd_ > peer_window_) return false;
  for (std::size_t i = 0; i < in_flight_; ++i) {
    if (queue_[i].ns != static_cast<std::uint16_t>(next_ns_ - in_flight_ + i)) return false;
  }
  return std::all_of(held_.begin(), held_.end(), [this](const auto& held) {
    const auto ahead = sequence_ahead(held.first, nr_);
    return ahead >= 0 && ahead < receive_window_;
  });
}

}  // namespace sluice::l2tp
