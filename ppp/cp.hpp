#pragma once
// The option negotiation automaton of RFC 1661 §4, shared by LCP and every network control protocol. The
// table is data; the protocols say only what their options mean.

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "ppp/config.hpp"
#include "ppp/outbox.hpp"
#include "ppp/protocol.hpp"
#include "ppp/snapshot.hpp"

namespace sluice::ppp {

enum class CpState : std::uint8_t {
  kInitial,
  kStarting,
  kClosed,
  kStopped,
  kClosing,
  kStopping,
  kReqSent,
  kAckRcvd,
  kAckSent,
  kOpened
};
enum class CpEvent : std::uint8_t {
  kUp,
  kDown,
  kOpen,
  kClose,
  kTimeout,      ///< TO+
  kTimeoutLast,  ///< TO-
  kRequestGood,  ///< RCR+
  kRequestBad,   ///< RCR-
  kAck,
  kNak,
  kTerminateRequest,
  kTerminateAck,
  kUnknownCode,
  kRejectMild,   ///< RXJ+
  kRejectFatal,  ///< RXJ-
  kEcho,         ///< RXR
};

/// The actions of §4.4 as bits, performed in this order.
enum CpAction : std::uint16_t {
  kActUp = 1 << 0,
  kActDown = 1 << 1,
  kActStarted = 1 << 2,
  kActFinished = 1 << 3,
  kInitCount = 1 << 4,
  kZeroCount = 1 << 5,
  kSendRequest = 1 << 6,
  kSendAck = 1 << 7,
  kSendNak = 1 << 8,
  kSendTerminate = 1 << 9,
  kSendTerminateAck = 1 << 10,
  kSendCodeReject = 1 << 11,
  kSendEchoReply = 1 << 12,
};
struct CpStep {
  CpState next;
  std::uint16_t actions;
};
/// One cell of the table of §4.1. A combination that cannot occur keeps the state and does nothing.
CpStep cp_step(CpState state, CpEvent event);
std::string_view to_string(CpState state);

/// Code, Identifier, Length, Data (§5); `body` ends where Length says, whatever follows is padding.
struct CpPacket {
  std::uint8_t code = 0;
  std::uint8_t id = 0;
  Bytes body;
  Bytes whole;
};
/// Nothing when shorter than four octets or than its Length, or when Length is below four.
std::optional<CpPacket> parse_cp_packet(Bytes packet);

struct CpOption {
  std::uint8_t type = 0;
  Bytes value;
  Bytes whole;  ///< with type and length
};
/// Walks options; ok() turns false at a length below two or past the end (§6).
class CpOptionReader {
 public:
  explicit CpOptionReader(Bytes options) : reader_(options) {}
  std::optional<CpOption> next();
  bool ok() const { return ok_; }

 private:
  ByteReader reader_;
  bool ok_ = true;
};

/// One end of one control protocol. Signals (layer up, down, finished) are bits to collect after each call.
class ControlProtocol {
 public:
  enum Signal : std::uint8_t { kLayerUp = 1, kLayerDown = 2, kLayerFinished = 4 };

  ControlProtocol(Protocol protocol, const CpTimers& timers, Outbox& out, Drops& drops);
  virtual ~ControlProtocol() = default;
  ControlProtocol(const ControlProtocol&) = delete;
  ControlProtocol& operator=(const ControlProtocol&) = delete;

  void up(Instant now);
  void down(Instant now) { run(CpEvent::kDown, now); }
  void open(Instant now) { run(CpEvent::kOpen, now); }
  /// Ends the protocol; the Terminate-Request carries `text`.
  void close(std::string_view text, Instant now);
  void on_packet(Bytes packet, Instant now);
  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const { return timer_; }
  /// The peer does not know this protocol at all (Protocol-Reject, §5.7).
  void protocol_rejected(Instant now) { run(CpEvent::kRejectFatal, now); }

  CpState state() const { return state_; }
  bool opened() const { return state_ == CpState::kOpened; }
  /// The signals since the last call.
  std::uint8_t take_signals() { return std::exchange(signals_, std::uint8_t{0}); }
  /// The peer sent Terminate-Request; its text (escape before printing).
  const std::optional<std::string>& terminated_by_peer() const { return terminated_by_peer_; }
  bool gave_up() const { return gave_up_; }  ///< the peer did not answer

 protected:
  enum class Answer : std::uint8_t { kAck, kNak, kReject };

  /// Our options for a Configure-Request.
  virtual void write_request(ByteWriter& out) = 0;
  /// Back to what we would like, at the start of each negotiation.
  virtual void reset_request() = 0;
  /// A peer's Configure-Request begins; forget what its last one said.
  virtual void begin_request(Bytes options) = 0;
  /// One option of it. On kNak the option we would take goes to `nak`.
  virtual Answer judge(const CpOption& option, ByteWriter& nak) = 0;
  /// Options that the peer left out and should name.
  virtual void add_missing(ByteWriter&) {}
  /// The peer refuses our value, `option` holds the one it would take; or refuses the option as a whole.
  virtual void on_nak(const CpOption& option) = 0;
  virtual void on_reject(const CpOption& option) = 0;
  /// Codes beyond 7. False: unknown, to be answered with Code-Reject.
  virtual bool on_extra(const CpPacket&, Instant) { return false; }

  void send(Code code, std::uint8_t id, Bytes body);
  std::uint8_t fresh_id() { return ++last_id_; }
  void drop(Drop reason) { drops_.add(reason); }
  CpSnapshot cp_snapshot(Instant now) const;
  /// False when the values cannot be a state of the automaton.
  bool cp_restore(const CpSnapshot& from, Instant now);

 private:
  struct Reply;
  void run(CpEvent event, Instant now, const Reply* reply = nullptr);
  void act(std::uint16_t actions, Instant now, const Reply* reply);
  void send_request(bool again);
  void on_request(const CpPacket& packet, Instant now);
  void on_answer(const CpPacket& packet, Instant now);
  void on_code_reject(const CpPacket& packet, Instant now);

  const Protocol protocol_;
  const CpTimers& timers_;
  Outbox& out_;
  Drops& drops_;
  CpState state_ = CpState::kInitial;
  std::uint8_t last_id_ = 0;
  std::uint8_t request_id_ = 0;
  std::uint8_t signals_ = 0;
  bool answered_ = true;  ///< the outstanding request has had its answer
  bool gave_up_ = false;
  unsigned restarts_left_ = 0;
  Duration interval_{};  // until the next retransmission
  unsigned naks_sent_ = 0;
  std::optional<Instant> timer_;
  ByteVector request_;  ///< options of the outstanding request
  std::string terminate_text_;
  std::optional<std::string> terminated_by_peer_;
};

}  // namespace sluice::ppp
