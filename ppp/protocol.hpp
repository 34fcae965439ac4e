#pragma once
// The numbers of PPP: protocols (RFC 1661 §2, IANA "PPP DLL Protocol Numbers") and control codes (RFC 1661
// §5).

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/counters.hpp"

namespace sluice::ppp {

using Protocol = std::uint16_t;
inline constexpr Protocol kIpv4 = 0x0021;
inline constexpr Protocol kIpv6 = 0x0057;
inline constexpr Protocol kIpcp = 0x8021;
inline constexpr Protocol kIpv6cp = 0x8057;
inline constexpr Protocol kCcp = 0x80fd;
inline constexpr Protocol kLcp = 0xc021;
inline constexpr Protocol kPapProtocol = 0xc023;
inline constexpr Protocol kChapProtocol = 0xc223;
inline constexpr Protocol kEapProtocol = 0xc227;

/// Codes shared by every control protocol, then those of LCP alone (RFC 1661 §5, RFC 1570 §2).
enum class Code : std::uint8_t {
  kConfigureRequest = 1,
  kConfigureAck = 2,
  kConfigureNak = 3,
  kConfigureReject = 4,
  kTerminateRequest = 5,
  kTerminateAck = 6,
  kCodeReject = 7,
  kProtocolReject = 8,
  kEchoRequest = 9,
  kEchoReply = 10,
  kDiscardRequest = 11,
  kIdentification = 12,
  kTimeRemaining = 13,
};

/// How the peer proves who it is.
enum class AuthMethod : std::uint8_t { kNone, kPap, kChapMd5, kMsChapV2, kEap };

/// The names of the configuration and of the channel: "none", "pap", "chap-md5", "mschapv2", "eap".
std::string_view to_string(AuthMethod method);
/// All that a configuration may name, the safest first.
std::vector<AuthMethod> all_auth_methods();
/// Those in use unless the operator says otherwise: all but EAP.
std::vector<AuthMethod> default_auth_methods();
std::vector<AuthMethod> default_eap_methods();

/// Why a frame, or a part of one, was dropped. One counter for each.
enum class Drop : std::uint8_t {
  kEmptyFrame,        ///< no protocol field
  kBadProtocolField,  ///< RFC 1661 §2: low bit of the last octet clear
  kShortPacket,       ///< control or authentication packet shorter than its header or its Length
  kBadOption,         ///< option length 0, 1 or past the end
  kUnexpectedId,      ///< an answer to nothing that was asked
  kMismatchedAck,     ///< Configure-Ack that is not what was requested
  kWrongPhase,        ///< protocol not allowed yet (RFC 1661 §3.4, §3.5)
  kUnexpectedPacket,  ///< crossed or senseless packet of a known protocol
  kBadAuthPacket,     ///< PAP, CHAP or EAP body with lengths that do not fit
  kNotIp,             ///< IPv4 or IPv6 protocol number, other contents
  kWrongSource,       ///< a source address that was not given to this peer
  kLinkClosed,        ///< IP before IPCP or IPV6CP was open, or after the end
  kTooLarge,          ///< to send: larger than the peer's MRU
  kLinkScope,         ///< IPv6 meant for this link alone that nothing here answers
  kBadLinkPacket,     ///< router solicitation, DHCPv6 or DHCPINFORM that does not add up
  kCount,
};
std::string_view to_string(Drop reason);
using Drops = CounterArray<Drop>;

}  // namespace sluice::ppp
