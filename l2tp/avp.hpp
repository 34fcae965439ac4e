#pragma once
// Attribute value pairs (RFC 2661 §4): the table of those we know, and reading and writing one.
//
//   M H rsvd(4) Length(10) | Vendor ID | Attribute Type | value

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "l2tp/drop_reason.hpp"

namespace sluice::l2tp {

/// Attribute types of vendor 0 (the IETF), by IANA's l2tp-parameters.
enum class AvpType : std::uint16_t {
  // RFC 2661 §4.4
  kMessageType = 0,
  kResultCode = 1,
  kProtocolVersion = 2,
  kFramingCapabilities = 3,
  kBearerCapabilities = 4,
  kTieBreaker = 5,
  kFirmwareRevision = 6,
  kHostName = 7,
  kVendorName = 8,
  kAssignedTunnelId = 9,
  kReceiveWindowSize = 10,
  kChallenge = 11,
  kQ931CauseCode = 12,
  kChallengeResponse = 13,
  kAssignedSessionId = 14,
  kCallSerialNumber = 15,
  kMinimumBps = 16,
  kMaximumBps = 17,
  kBearerType = 18,
  kFramingType = 19,
  kCalledNumber = 21,
  kCallingNumber = 22,
  kSubAddress = 23,
  kTxConnectSpeed = 24,
  kPhysicalChannelId = 25,
  kInitialReceivedLcpConfreq = 26,
  kLastSentLcpConfreq = 27,
  kLastReceivedLcpConfreq = 28,
  kProxyAuthenType = 29,
  kProxyAuthenName = 30,
  kProxyAuthenChallenge = 31,
  kProxyAuthenId = 32,
  kProxyAuthenResponse = 33,
  kCallErrors = 34,
  kAccm = 35,
  kRandomVector = 36,
  kPrivateGroupId = 37,
  kRxConnectSpeed = 38,
  kSequencingRequired = 39,
  // RFC 3301 (ATM)
  kRxMinimumBps = 40,
  kRxMaximumBps = 41,
  kServiceCategory = 42,
  kServiceName = 43,
  kCallingSubAddress = 44,
  kVpiVciIdentifier = 45,
  // RFC 3145
  kPppDisconnectCause = 46,
  // RFC 3308 (differentiated services)
  kControlConnectionDs = 47,
  kSessionDs = 48,
  // RFC 3437 (LCP extensions)
  kLcpWantOptions = 49,
  kLcpAllowOptions = 50,
  kLnsLastSentLcpConfreq = 51,
  kLnsLastReceivedLcpConfreq = 52,
  // RFC 3573 (modem on hold)
  kModemOnHoldCapable = 53,
  kModemOnHoldStatus = 54,
  // RFC 3817 (PPPoE relay)
  kPppoeRelay = 55,
  kPppoeRelayResponseCapability = 56,
  kPppoeRelayForwardCapability = 57,
  // RFC 4951 (failover)
  kFailoverCapability = 76,
  kTunnelRecovery = 77,
  kSuggestedControlSequence = 78,
  kFailoverSessionState = 79,
  // RFC 4045 (multicast)
  kMulticastCapability = 80,
  kNewOutgoingSessions = 81,
  kNewOutgoingSessionsAck = 82,
  kWithdrawnOutgoingSessions = 83,
  kMulticastPacketsPriority = 84
};

/// How an AVP's value is read and printed.
enum class AvpValue : std::uint8_t {
  kEmpty,
  kUint16,
  kUint32,
  kUint64,
  kText,
  kBytes,
  kResultCode,      ///< result, optional error, optional text
  kVersion,         ///< version and revision octets
  kQ931,            ///< cause, message octet, optional text
  kCallErrors,      ///< reserved 16 bits, six 32-bit counts
  kAccm,            ///< reserved 16 bits, send and receive ACCM
  kDisconnectCause  ///< RFC 3145
};

/// One row of the table.
struct AvpInfo {
  AvpType type;
  std::string_view name{};
  AvpValue value;
  std::uint16_t min_size, max_size;  ///< of the value
  bool mandatory;                    ///< the M bit as we send it
  bool may_hide;                     ///< the H bit may be set
  bool sensitive;                    ///< never printed
};

/// Largest value that fits the 10-bit length.
inline constexpr std::size_t kMaxAvpValue = 1023 - 6;

/// The row of a type of vendor 0; nullptr when unknown.
const AvpInfo* avp_info(std::uint16_t type);

/// One AVP as a view.
struct Avp {
  bool mandatory = false;
  bool hidden = false;    ///< still hidden: `value` is what travelled
  bool reserved = false;  ///< a reserved bit was set: to be treated as unrecognised (§4.1)
  bool usable =
      true;  ///< parse_message() clears it for an AVP that is unknown, malformed or not to be revealed
  std::uint16_t vendor = 0;
  std::uint16_t type = 0;
  Bytes value{};

  bool is(AvpType wanted) const { return vendor == 0 && type == static_cast<std::uint16_t>(wanted); }
};

/// The next AVP of `in`; kAvpStructure when the bytes do not hold one. `in` must not be at its end.
Result<Avp, DropReason> read_avp(ByteReader& in);
/// Writes one AVP; out.ok() turns false when it does not fit or the value exceeds kMaxAvpValue.
void write_avp(const Avp& avp, ByteWriter& out);

/// §4.3: hides or reveals `value` in place (the cipher is the same both ways but for the chaining), with the
/// given attribute type, shared secret and Random Vector.
void hide(std::uint16_t type, Bytes secret, Bytes random_vector, MutableBytes value);
void reveal(std::uint16_t type, Bytes secret, Bytes random_vector, MutableBytes value);

/// §4.4.3 Challenge Response: MD5 of the type of the message that carries it, the secret and the challenge.
ByteVector challenge_response(std::uint16_t message_type, Bytes secret, Bytes challenge);

/// "Host Name=\"x\"", for people; sensitive values are not shown, peers' text is escaped.
std::string describe(const Avp& avp);

}  // namespace sluice::l2tp
