#pragma once
// Control messages (RFC 2661 §6): reading, building, printing.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "l2tp/avp.hpp"
#include "l2tp/codes.hpp"
#include "l2tp/header.hpp"

namespace sluice::l2tp {

enum class MessageType : std::uint16_t {
  // RFC 2661 §3.2
  kSccrq = 1,
  kSccrp = 2,
  kScccn = 3,
  kStopCcn = 4,
  kHello = 6,
  kOcrq = 7,
  kOcrp = 8,
  kOccn = 9,
  kIcrq = 10,
  kIcrp = 11,
  kIccn = 12,
  kCdn = 14,
  kWen = 15,
  kSli = 16,
  // RFC 3573, 3817, 3931, 4951, 4045
  kMdmst = 17,
  kSrrq = 18,
  kSrrp = 19,
  kAck = 20,
  kFsq = 21,
  kFsr = 22,
  kMsrq = 23,
  kMsrp = 24,
  kMse = 25,
  kMsi = 26,
  kMsen = 27
};

/// One row of the message table.
struct MessageInfo {
  MessageType type;
  std::string_view name{};
  bool of_session;  ///< concerns one session, not the tunnel: faults in it end that session only (§4.1)
  std::array<AvpType, 6> required;
  std::uint8_t required_count;
};
/// The row of a message type; nullptr when unknown.
const MessageInfo* message_info(std::uint16_t type);
/// "SCCRQ", or "message 99".
std::string message_name(std::uint16_t type);

/// A fault that makes a message unacceptable although its structure holds (§4.1, §7.1).
struct MessageFault {
  DropReason reason = DropReason::kNone;
  std::uint16_t vendor = 0;
  std::uint16_t attribute = 0;
};
/// The general error code that tells the peer of a fault.
ErrorCode fault_error(const MessageFault& fault);
/// "unknown mandatory AVP 9:123", for the text of a StopCCN or CDN.
std::string fault_words(const MessageFault& fault);

/// A control message read from a packet. Views point into the packet (revealed AVPs into the message).
class Message {
 public:
  Message() = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  Message(Message&&) = default;
  Message& operator=(Message&&) = default;

  std::uint16_t type_number() const { return type_; }
  MessageType type() const { return static_cast<MessageType>(type_); }
  bool is(MessageType wanted) const { return type_ == static_cast<std::uint16_t>(wanted); }
  /// Row of the table; nullptr for an unknown type.
  const MessageInfo* info() const { return info_; }
  bool type_mandatory() const { return type_mandatory_; }
  /// All AVPs but the Message Type, in order; unknown and unreadable ones included.
  std::span<const Avp> avps() const { return {avps_.data(), count_}; }
  const std::optional<MessageFault>& fault() const { return fault_; }

  /// The first readable AVP of a type (right size, not hidden); nullptr if there is none.
  const Avp* find(AvpType type) const;
  bool has(AvpType type) const { return find(type) != nullptr; }
  std::optional<std::uint16_t> u16(AvpType type) const;
  std::optional<std::uint32_t> u32(AvpType type) const;
  std::optional<std::uint64_t> u64(AvpType type) const;
  /// Empty when absent.
  std::string_view text(AvpType type) const;
  Bytes bytes(AvpType type) const;
  TunnelId assigned_tunnel() const { return TunnelId{u16(AvpType::kAssignedTunnelId).value_or(0)}; }
  SessionId assigned_session() const { return SessionId{u16(AvpType::kAssignedSessionId).value_or(0)}; }

  struct ResultCode {
    std::uint16_t result = 0, error = 0;
    std::string_view text{};
  };
  std::optional<ResultCode> result_code() const;
  std::optional<PppCause> ppp_cause() const;
  /// The cause that a StopCCN or CDN tells.
  CloseCause close_cause() const;

  static constexpr std::size_t kMaxAvps = 48;

 private:
  friend Result<Message, DropReason> parse_message(Bytes, const Secret*);
  void check(Avp& avp, std::optional<Bytes> random_vector, const Secret* secret);
  bool uncover(Avp& avp, std::optional<Bytes> random_vector, const Secret* secret);
  void check_required();
  void fail(DropReason reason, const Avp& avp);

  std::uint16_t type_ = 0;
  bool type_mandatory_ = false;
  const MessageInfo* info_ = nullptr;
  std::array<Avp, kMaxAvps> avps_;
  std::size_t count_ = 0;
  std::vector<ByteVector> revealed_;
  std::optional<MessageFault> fault_;
};

/// Reads the AVPs of a control message (Header::payload, not empty). An error is a message whose structure
/// does not hold; a message that must be answered with a StopCCN or CDN comes back with fault() set. `secret`
/// reveals hidden AVPs.
Result<Message, DropReason> parse_message(Bytes avps, const Secret* secret = nullptr);

/// Builds one control message. M bits come from the table. Text too long for an AVP is cut.
class MessageBuilder {
 public:
  explicit MessageBuilder(MessageType type) : MessageBuilder(static_cast<std::uint16_t>(type), true) {}
  MessageBuilder(const MessageBuilder&) = delete;
  MessageBuilder& operator=(const MessageBuilder&) = delete;
  /// For tests and probes: any type number and M bit.
  MessageBuilder(std::uint16_t type, bool mandatory);

  MessageBuilder& empty(AvpType type) { return bytes(type, {}); }
  MessageBuilder& u16(AvpType type, std::uint16_t value);
  MessageBuilder& u32(AvpType type, std::uint32_t value);
  MessageBuilder& u64(AvpType type, std::uint64_t value);
  MessageBuilder& text(AvpType type, std::string_view value) { return bytes(type, as_bytes(value)); }
  MessageBuilder& bytes(AvpType type, Bytes value);
  MessageBuilder& result(std::uint16_t result, std::uint16_t error, std::string_view text);
  MessageBuilder& ppp_cause(const PppCause& cause);
  /// Hides the value (§4.3) with a Random Vector of its own in front.
  MessageBuilder& hidden(AvpType type, Bytes value, const Secret& secret, RandomSource& random);
  /// Any AVP at all, as it is.
  MessageBuilder& raw(const Avp& avp);

  /// False when something did not fit; finish() then gives what did.
  bool ok() const { return writer_.ok(); }
  std::uint16_t type_number() const { return type_; }
  /// The whole packet: header with L and S, right Length.
  ByteVector finish(TunnelId tunnel, SessionId session, std::uint16_t ns, std::uint16_t nr) const;

 private:
  std::uint16_t type_;
  std::array<std::uint8_t, 1400> buffer_{};
  ByteWriter writer_;
};

/// A bare acknowledgement.
ByteVector make_zlb(TunnelId tunnel, std::uint16_t ns, std::uint16_t nr);

/// One line for people: "SCCRQ tunnel 0 session 0 Ns 0 Nr 0 Host Name=\"pc\" ...". Secrets are not shown.
/// Data packets and packets that cannot be read are named as such.
std::string describe_packet(Bytes packet, const Secret* secret = nullptr);

}  // namespace sluice::l2tp
