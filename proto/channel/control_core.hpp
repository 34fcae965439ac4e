#pragma once
// What both ends of the control stream share: framing, counting, the bounded outgoing queue, the way it ends.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/counters.hpp"
#include "base/time.hpp"
#include "proto/channel/frame.hpp"
#include "proto/channel/messages.hpp"

namespace sluice::channel {

enum class DeadCause : std::uint8_t {
  kPeerGoodbye,       ///< the peer ended it in order
  kLocalClose,        ///< we did
  kStreamClosed,      ///< TCP or TLS ended without a goodbye
  kSilent,            ///< no load report, or no keepalive, within the time allowed
  kHandshakeTimeout,  ///< the peer did not get through hello, welcome, data paths in time
  kVersionMismatch,   ///< no version in common
  kCarrierMismatch,   ///< one wants UDP alone, the other TLS alone
  kBadFrame,          ///< a frame empty or too long
  kMalformed,         ///< not protobuf
  kBadField,          ///< a value out of range
  kUnexpected,        ///< a message that this side or this state never gets
  kBadPaths,          ///< data paths that are not those offered
  kStalled,           ///< the peer does not read what we send
  kFlood,             ///< more messages in a second than any honest peer sends
  kCount,
};
std::string_view to_string(DeadCause cause);

/// The channel is over; nothing follows. `text` says more, free of secrets, strings of the peer escaped.
struct Dead {
  DeadCause cause = DeadCause::kLocalClose;
  std::string text;
};

enum class ControlCount : std::uint8_t {
  kFramesIn,
  kFramesOut,
  kUnknownMessage,  ///< a later version's message, passed over
  kStaleRelay,      ///< a message on a relay id that is not open (it crossed a close), passed over
  kCount,
};

/// Limits and intervals both sides keep; the defaults are the product's.
struct ControlTimes {
  Duration handshake = std::chrono::seconds(5);
  Duration report_interval = std::chrono::seconds(1);
  Duration report_timeout =
      std::chrono::milliseconds(2500);  ///< an edge calls its agent dead after this silence
  Duration keepalive_interval = std::chrono::milliseconds(500);
  /// An edge calls its agent dead when what it sent, a keepalive at least, stays unacknowledged for so long.
  std::chrono::milliseconds acknowledge_timeout{1750};
  Duration keepalive_timeout = std::chrono::seconds(5);  ///< an agent calls its edge dead after this silence
  Duration open_timeout = std::chrono::seconds(2);       ///< an agent's answer to TunnelOpen
  Duration renew_timeout = std::chrono::seconds(10);     ///< an agent's answer to a new key epoch
};

/// Base of EdgeControl and AgentControl. No I/O: bytes and time in, bytes and events out. One thread.
class ControlCore {
 public:
  /// Bytes that may wait for the peer to read before it counts as stalled.
  static constexpr std::size_t kMaxPending = 1024 * 1024;
  /// Messages that a peer may send in one second.
  static constexpr std::uint32_t kMaxPerSecond = 50'000;

  virtual ~ControlCore() = default;
  void on_bytes(Bytes bytes, Instant now);
  /// The stream ended under us. `text` is the transport's reason.
  void on_stream_closed(std::string text);
  /// The peer's machine acknowledges nothing any more, though the stream stands.
  void on_silent(std::string text);
  /// The transport's queue is full: the peer reads too slowly or not at all.
  void on_stalled(std::string text);
  virtual void on_timeout(Instant now) = 0;
  virtual std::optional<Instant> next_timeout() const = 0;

  /// All bytes to send now; empty when there are none. To be drained after each call, also once dead().
  ByteVector poll_transmit();
  /// Ends the channel in order: Goodbye goes out, Dead{kLocalClose} follows.
  void close(const std::string& reason);
  bool dead() const { return dead_; }
  bool established() const { return established_; }

  const CounterArray<ControlCount>& counts() const { return counts_; }

 protected:
  virtual void on_message(Message message, Instant now) = 0;
  /// Queues the Dead event behind what is queued already.
  virtual void push_dead(Dead dead) = 0;

  void send(const Message& message);
  /// Says Goodbye with the cause's name and dies.
  void fail(DeadCause cause, std::string text);
  void die(DeadCause cause, std::string text);
  void unexpected(const Message& message);
  /// Whether the peer let `deadline` pass. When it was us who slept through it (a stopped process, a starved
  /// thread), the peer's messages may wait unread in the socket: it gets a little more time, once.
  bool expired(Instant& deadline, Instant now);

  bool established_ = false;
  CounterArray<ControlCount> counts_;

 private:
  bool flooded(Instant now);

  FrameDecoder decoder_;
  ByteVector out_;
  Instant second_began_;
  std::uint32_t in_this_second_ = 0;
  bool overslept_ = false;
  bool dead_ = false;
};

}  // namespace sluice::channel
