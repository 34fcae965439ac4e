#pragma once
// Result, error and disconnect cause codes, with the words an operator reads.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::l2tp {

/// Result codes of StopCCN (RFC 2661 §4.4.2).
enum class StopResult : std::uint16_t {
  kGeneral = 1,            ///< general request to clear the control connection
  kError = 2,              ///< general error, see the error code
  kAlreadyExists = 3,      ///< control channel already exists
  kNotAuthorized = 4,      ///< requester is not authorised
  kVersion = 5,            ///< protocol version not supported; the error code tells the highest supported
  kShuttingDown = 6,       ///< requester is being shut down
  kFiniteStateMachine = 7  ///< state machine error
};

/// Result codes of CDN (§4.4.2).
enum class CallResult : std::uint16_t {
  kLostCarrier = 1,
  kError = 2,  ///< general error, see the error code
  kAdministrative = 3,
  kNoFacilities = 4,      ///< temporary lack of facilities
  kNoFacilitiesEver = 5,  ///< permanent lack of facilities
  kInvalidDestination = 6,
  kNoCarrier = 7,
  kBusy = 8,
  kNoDialTone = 9,
  kTimeout = 10,  ///< call not established in the time allotted
  kNoFraming = 11
};

/// General error codes (§4.4.2).
enum class ErrorCode : std::uint16_t {
  kNone = 0,
  kNoControlConnection = 1,
  kLength = 2,
  kValue = 3,      ///< a value out of range, or a reserved field not zero
  kResources = 4,  ///< insufficient resources now
  kSessionId = 5,  ///< session id invalid in this context
  kVendor = 6,
  kTryAnother = 7,
  kUnknownAvp = 8  ///< unknown AVP with the M bit set
};

/// Causes of RFC 3145 §2.
enum class DisconnectCode : std::uint16_t {
  kNoInformation = 0,
  kAdministrative = 1,
  kRenegotiationDisabled = 2,
  kNormal = 3,
  kEncryptionRefused = 4,
  kLcpTimeout = 5,
  kNoLcp = 6,
  kLoopback = 7,
  kEchoTimeout = 8,
  kBundleDiscriminator = 9,
  kBundleMrru = 10,
  kBundleShortSequence = 11,
  kCallbackRefused = 12,
  kAuthenticationTimeout = 13,
  kBundleName = 14,
  kAuthenticationProtocol = 15,
  kAuthenticationFailed = 16,
  kNcpTimeout = 17,
  kNoNcp = 18,
  kNcpAddresses = 19,
  kAddressNotPermitted = 20
};

/// Whose side a cause of RFC 3145 speaks of.
enum class DisconnectDirection : std::uint8_t { kGlobal = 0, kAtPeer = 1, kAtLocal = 2 };

/// The PPP Disconnect Cause Code AVP (RFC 3145 §2).
struct PppCause {
  DisconnectCode code = DisconnectCode::kNoInformation;
  std::uint16_t protocol = 0;  ///< PPP protocol number of the control protocol concerned; 0 none
  DisconnectDirection direction = DisconnectDirection::kGlobal;
  std::string text{};  ///< from a peer: escape before printing
};

std::string_view stop_result_words(std::uint16_t result);
std::string_view call_result_words(std::uint16_t result);
std::string_view error_words(std::uint16_t error);
std::string_view disconnect_words(std::uint16_t code);
std::string describe(const PppCause& cause);

/// Who ended a tunnel or session.
enum class ClosedBy : std::uint8_t {
  kPeer,     ///< the other side said so
  kLocal,    ///< our command
  kTimeout,  ///< no acknowledgement, or set-up took too long
  kProtocol  ///< the other side broke the protocol
};
std::string_view to_string(ClosedBy by);

/// How a tunnel or session ended.
struct CloseCause {
  ClosedBy by = ClosedBy::kLocal;
  bool of_tunnel = false;    ///< `result` is a StopResult, not a CallResult
  std::uint16_t result = 0;  ///< StopResult or CallResult; 0 when the other side gave none
  std::uint16_t error = 0;   ///< ErrorCode
  std::string text{};        ///< optional words; from a peer: escaped by describe()
  bool has_ppp = false;      ///< `ppp` holds the peer's PPP Disconnect Cause
  PppCause ppp{};
};
/// One line without secrets, peers' text escaped: "closed by peer: 3 call disconnected for administrative
/// reasons".
std::string describe(const CloseCause& cause);
/// The same without who: "3 call disconnected for administrative reasons".
std::string describe_reason(const CloseCause& cause);

}  // namespace sluice::l2tp
