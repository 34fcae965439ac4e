#pragma once
// The numbers of RADIUS: packet codes, attribute types, and the values that a PPP server says.

#include <compare>
#include <cstdint>
#include <string>

namespace sluice::radius {

/// RFC 2865 §4, 2866 §4, 5176 §3, 5997 §2.
enum class Code : std::uint8_t {
  kAccessRequest = 1,
  kAccessAccept = 2,
  kAccessReject = 3,
  kAccountingRequest = 4,
  kAccountingResponse = 5,
  kAccessChallenge = 11,
  kStatusServer = 12,
  kDisconnectRequest = 40,
  kDisconnectAck = 41,
  kDisconnectNak = 42,
  kCoaRequest = 43,
  kCoaAck = 44,
  kCoaNak = 45,
};

/// An attribute's name on the wire; vendor 0 is the RFCs' own space.
struct AttributeType {
  std::uint32_t vendor = 0;
  std::uint8_t type = 0;
  constexpr auto operator<=>(const AttributeType&) const = default;
};

inline constexpr std::uint32_t kMicrosoft = 311;
/// The enterprise number that RFC 5612 sets aside for examples: this project has none of its own.
inline constexpr std::uint32_t kSluice = 32473;

namespace attr {
// RFC 2865
inline constexpr AttributeType kUserName{0, 1}, kUserPassword{0, 2}, kChapPassword{0, 3}, kNasIpAddress{0, 4},
    kNasPort{0, 5}, kServiceType{0, 6}, kFramedProtocol{0, 7}, kFramedIpAddress{0, 8}, kFilterId{0, 11},
    kFramedMtu{0, 12}, kReplyMessage{0, 18}, kFramedRoute{0, 22}, kState{0, 24}, kClass{0, 25},
    kVendorSpecific{0, 26}, kSessionTimeout{0, 27}, kIdleTimeout{0, 28}, kCalledStationId{0, 30},
    kCallingStationId{0, 31}, kNasIdentifier{0, 32}, kProxyState{0, 33}, kChapChallenge{0, 60},
    kNasPortType{0, 61};
// RFC 2866
inline constexpr AttributeType kAcctStatusType{0, 40}, kAcctDelayTime{0, 41}, kAcctInputOctets{0, 42},
    kAcctOutputOctets{0, 43}, kAcctSessionId{0, 44}, kAcctAuthentic{0, 45}, kAcctSessionTime{0, 46},
    kAcctInputPackets{0, 47}, kAcctOutputPackets{0, 48}, kAcctTerminateCause{0, 49},
    kAcctMultiSessionId{0, 50};
// RFC 2869, 3579
inline constexpr AttributeType kAcctInputGigawords{0, 52}, kAcctOutputGigawords{0, 53},
    kEventTimestamp{0, 55}, kEapMessage{0, 79}, kMessageAuthenticator{0, 80}, kAcctInterimInterval{0, 85},
    kNasPortId{0, 87}, kFramedPool{0, 88};
// RFC 2868
inline constexpr AttributeType kTunnelType{0, 64}, kTunnelMediumType{0, 65}, kTunnelClientEndpoint{0, 66};
// RFC 3162, 4818, 6911
inline constexpr AttributeType kNasIpv6Address{0, 95}, kFramedInterfaceId{0, 96}, kFramedIpv6Prefix{0, 97},
    kFramedIpv6Route{0, 99}, kFramedIpv6Pool{0, 100}, kDelegatedIpv6Prefix{0, 123}, kDnsServerIpv6{0, 169},
    kDelegatedIpv6Pool{0, 171};
// RFC 5176
inline constexpr AttributeType kErrorCause{0, 101};
// RFC 2548
inline constexpr AttributeType kMsChapError{kMicrosoft, 2}, kMsChapChallenge{kMicrosoft, 11},
    kMsChap2Response{kMicrosoft, 25}, kMsChap2Success{kMicrosoft, 26}, kMsPrimaryDns{kMicrosoft, 28},
    kMsSecondaryDns{kMicrosoft, 29}, kMsPrimaryNbns{kMicrosoft, 30}, kMsSecondaryNbns{kMicrosoft, 31};
// Our own: docs/radius.md, docs/examples/dictionary.sluice
inline constexpr AttributeType kSluiceRateUp{kSluice, 1}, kSluiceRateDown{kSluice, 2};
}  // namespace attr

/// "User-Name", "MS-CHAP2-Success", or "26.9.1" for what is not known here.
std::string name_of(AttributeType type);

namespace value {
inline constexpr std::uint32_t kServiceFramed = 2, kServiceAuthorizeOnly = 17, kFramedPpp = 1,
                               kPortVirtual = 5, kTunnelL2tp = 3, kMediumIpv4 = 1, kMediumIpv6 = 2,
                               kAuthenticRadius = 1, kAuthenticLocal = 2;
inline constexpr std::uint32_t kAcctStart = 1, kAcctStop = 2, kAcctInterim = 3, kAcctOn = 7, kAcctOff = 8;
}  // namespace value

/// Why a request to change or end a session was not carried out (RFC 5176 §3.5).
enum class ErrorCause : std::uint32_t {
  kNone = 0,
  kUnsupportedAttribute = 401,
  kMissingAttribute = 402,
  kNasMismatch = 403,
  kInvalidRequest = 404,
  kUnsupportedService = 405,
  kInvalidValue = 407,
  kSessionNotFound = 503,
};

/// RFC 2866 §5.10.
enum class TerminateCause : std::uint32_t {
  kUserRequest = 1,
  kLostCarrier = 2,
  kLostService = 3,
  kIdleTimeout = 4,
  kSessionTimeout = 5,
  kAdminReset = 6,
  kAdminReboot = 7,
  kPortError = 8,
  kNasError = 9,
  kNasRequest = 10,
  kServiceUnavailable = 15,
  kUserError = 17,
};

}  // namespace sluice::radius
