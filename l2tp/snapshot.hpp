#pragma once
// The whole state of a tunnel with its sessions as a plain value, so that it can continue in another object,
// process or machine. Times are relative to the instant the snapshot was taken. It holds no secret and no
// password.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/time_left.hpp"
#include "l2tp/tunnel.hpp"

namespace sluice::l2tp {

/// Where the reliable delivery of control messages stands (control_connection.hpp).
struct ControlSnapshot {
  /// A control message of ours that is not acknowledged. Its Ns follows from its place in the queue.
  struct Message {
    ByteVector packet{};  ///< whole, header included
    bool urgent = false, probe = false;
    std::uint32_t sent = 0;  ///< transmissions so far; 0 beyond `in_flight`
    bool due = false;        ///< to be retransmitted; the first only
    TimeLeft resend{};       ///< while in flight
    bool operator==(const Message&) const = default;
  };
  std::vector<Message> queue;    ///< in flight first, then unsent
  std::vector<ByteVector> held;  ///< the peer's packets that are ahead of their turn, by Ns
  std::uint16_t in_flight = 0;
  std::uint16_t next_ns = 0, expected = 0;
  std::uint16_t peer_window = 4, cwnd = 1, ssthresh = 4, growth = 0;
  bool failed = false, ack_owed = false;
  std::uint64_t retransmissions = 0;
  std::optional<Duration> heard_ago;
  bool operator==(const ControlSnapshot&) const = default;
};

struct TunnelSnapshot {
  struct Session {
    SessionId local{}, remote{};
    std::uint8_t state = 0;  ///< wait-reply, wait-connect, established
    Duration opened_ago{};
    CallInfo call;  ///< without the proxy authentication response
    bool sequencing = false;
    std::uint16_t data_ns = 0;
    bool operator==(const Session&) const = default;
  };
  struct Resting {
    SessionId local{};
    TimeLeft until;
    bool operator==(const Resting&) const = default;
  };
  Role role = Role::kLns;
  TunnelState state = TunnelState::kIdle;
  TunnelUp peer;  ///< both tunnel ids, and what the peer said of itself
  std::uint32_t peer_framing = 0;
  ByteVector challenge;  ///< ours
  bool announced = false, stop_sent = false;
  std::optional<Duration> opened_ago;  ///< while half open
  TimeLeft linger;                     ///< once closing
  std::vector<Session> sessions;       ///< by local id
  std::vector<Resting> resting;        ///< the soonest first
  std::uint32_t call_serial = 0;
  ControlSnapshot control;
  bool operator==(const TunnelSnapshot&) const = default;
};

}  // namespace sluice::l2tp
