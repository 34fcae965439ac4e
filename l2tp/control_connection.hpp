#pragma once
// Reliable delivery of control messages (RFC 2661 §5.8): windows, retransmission, slow start and congestion
// avoidance, acknowledgement. Knows nothing of what the messages say.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "l2tp/drop_reason.hpp"
#include "l2tp/header.hpp"

namespace sluice::l2tp {

/// Serial number arithmetic on Ns and Nr (§5.8, Appendix A): how far `a` is ahead of `b`, -32768..32767.
constexpr std::int16_t sequence_ahead(std::uint16_t a, std::uint16_t b) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(a - b));
}

/// §5.8 with its recommended defaults: 1, 2, 4, 8, 8 s between five retransmissions.
struct Retransmission {
  Duration first = std::chrono::seconds(1);
  Duration cap = std::chrono::seconds(8);
  unsigned tries = 5;  ///< retransmissions before the peer is given up

  /// The wait after `sent` transmissions (1 or more) of the same message.
  Duration wait(unsigned sent) const;
  /// How long a peer may go on retransmitting one message: a full retransmission cycle (§5.7).
  Duration cycle() const;
};

struct ControlSnapshot;

class ControlConnection {
 public:
  ControlConnection(std::uint16_t receive_window, Retransmission retransmission);

  /// The peer's tunnel id, written into what is sent from then on, retransmissions included.
  void set_peer(TunnelId peer) { peer_ = peer; }
  /// The peer's Receive Window Size (§4.4.3); 0 is taken as 1.
  void set_peer_window(std::uint16_t window);
  /// First Ns to use and first Nr to expect, before anything was sent; for tests of wrap-around.
  void set_first_sequence(std::uint16_t ns, std::uint16_t nr);

  /// What to do with a received control packet.
  enum class Verdict : std::uint8_t {
    kDeliver,    ///< next in order: process its message now, then ask take_next()
    kHeld,       ///< ahead of its turn: kept for take_next()
    kZlb,        ///< acknowledgement only
    kDuplicate,  ///< delivered before; acknowledged again
    kOutsideWindow,
    kBadNr  ///< Nr is beyond what was sent: the packet is ignored
  };
  Verdict on_packet(const Header& header, Instant now);
  /// A held message whose turn has come. The packet is a whole one, header included.
  std::optional<ByteVector> take_next();

  /// Queues a whole packet from MessageBuilder::finish(); tunnel id, Ns and Nr are written when it is sent.
  /// An `urgent` message (StopCCN, CDN) passes the congestion window, so that a peer that acknowledges
  /// nothing still hears it. A `probe` (HELLO) that is not acknowledged does not fail the connection while
  /// the peer is heard otherwise.
  struct Options {
    bool urgent = false;
    bool probe = false;
  };
  void send(ByteVector packet, Options options);

  /// The time from which the next transmissions count.
  void set_now(Instant now) { now_ = now; }
  /// Any valid packet from the peer, data included.
  void heard(Instant now) {
    last_heard_ = now;
    now_ = now;
  }
  std::optional<Instant> last_heard() const { return last_heard_; }

  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const;
  /// What may go out now: new messages within the window, due retransmissions, then a ZLB when an
  /// acknowledgement is owed. Times start with the latest `now` given to any call.
  std::optional<ByteVector> poll_transmit();

  /// A message was retransmitted as often as allowed without an acknowledgement.
  bool failed() const { return failed_; }
  /// Everything sent is acknowledged.
  bool idle() const { return queue_.empty(); }
  /// Forgets what is queued and not acknowledged; acknowledging goes on.
  void drop_queue();
  /// Forgets what was queued but never sent.
  void drop_unsent();

  std::uint16_t next_ns() const { return next_ns_; }
  std::uint16_t expected() const { return nr_; }
  std::uint16_t congestion_window() const { return cwnd_; }
  std::uint16_t in_flight() const { return in_flight_; }
  std::size_t held() const { return held_.size(); }
  std::uint64_t retransmissions() const { return retransmitted_; }
  bool consistent() const;

  ControlSnapshot snapshot(Instant now) const;
  /// Instead of a start of its own; set_peer() is the caller's. False when the values contradict one another;
  /// then the object is of no use.
  bool restore(const ControlSnapshot& from, Instant now);

 private:
  struct Outgoing {
    ByteVector packet{};
    Options options;
    std::uint16_t ns = 0;
    unsigned sent = 0;  ///< transmissions so far
    bool due = false;   ///< to be retransmitted
    Instant resend_at{};
  };

  void acknowledge(std::uint16_t nr);
  void grow_window();
  bool may_send(const Outgoing& message) const;
  void stamp(Outgoing& message) const;

  Retransmission retransmission_;
  std::uint16_t receive_window_;
  TunnelId peer_;
  Instant now_{};
  std::optional<Instant> last_heard_;

  std::deque<Outgoing> queue_;  ///< in flight first, then unsent
  std::uint16_t in_flight_ = 0;
  std::uint16_t next_ns_ = 0;
  std::uint16_t peer_window_ = 4;  ///< §4.4.3: 4 when the AVP is absent
  std::uint16_t cwnd_ = 1, ssthresh_ = 4, growth_ = 0;
  bool failed_ = false;
  std::uint64_t retransmitted_ = 0;

  std::uint16_t nr_ = 0;  ///< next Ns expected
  std::map<std::uint16_t, ByteVector> held_;
  bool ack_owed_ = false;
};

}  // namespace sluice::l2tp
