#include <algorithm>
#include <array>

#include "l2tp/avp.hpp"

namespace sluice::l2tp {
namespace {

constexpr std::uint16_t kAny = kMaxAvpValue;

// Sorted by type. M bits and hiding as the RFCs prescribe; a Host Name may be empty, which costs nothing to
// allow.
constexpr AvpInfo kAvps[] = {
    // type, name, value, sizes, M, may hide, sensitive
    // clang-format off
    {AvpType::kMessageType, "Message Type", AvpValue::kUint16, 2, 2, true, false, false},
    {AvpType::kResultCode, "Result Code", AvpValue::kResultCode, 2, kAny, true, false, false},
    {AvpType::kProtocolVersion, "Protocol Version", AvpValue::kVersion, 2, 2, true, false, false},
    {AvpType::kFramingCapabilities, "Framing Capabilities", AvpValue::kUint32, 4, 4, true, true, false},
    {AvpType::kBearerCapabilities, "Bearer Capabilities", AvpValue::kUint32, 4, 4, true, true, false},
    {AvpType::kTieBreaker, "Tie Breaker", AvpValue::kUint64, 8, 8, false, false, false},
    {AvpType::kFirmwareRevision, "Firmware Revision", AvpValue::kUint16, 2, 2, false, true, false},
    {AvpType::kHostName, "Host Name", AvpValue::kText, 0, kAny, true, false, false},
    {AvpType::kVendorName, "Vendor Name", AvpValue::kText, 0, kAny, false, true, false},
    {AvpType::kAssignedTunnelId, "Assigned Tunnel ID", AvpValue::kUint16, 2, 2, true, true, false},
    {AvpType::kReceiveWindowSize, "Receive Window Size", AvpValue::kUint16, 2, 2, true, false, false},
    {AvpType::kChallenge, "Challenge", AvpValue::kBytes, 1, kAny, true, true, true},
    {AvpType::kQ931CauseCode, "Q.931 Cause Code", AvpValue::kQ931, 3, kAny, true, false, false},
    {AvpType::kChallengeResponse, "Challenge Response", AvpValue::kBytes, 16, 16, true, true, true},
    {AvpType::kAssignedSessionId, "Assigned Session ID", AvpValue::kUint16, 2, 2, true, true, false},
    {AvpType::kCallSerialNumber, "Call Serial Number", AvpValue::kUint32, 4, 4, true, true, false},
    {AvpType::kMinimumBps, "Minimum BPS", AvpValue::kUint32, 4, 4, true, true, false},
    {AvpType::kMaximumBps, "Maximum BPS", AvpValue::kUint32, 4, 4, true, true, false},
    {AvpType::kBearerType, "Bearer Type", AvpValue::kUint32, 4, 4, true, true, false},
    {AvpType::kFramingType, "Framing Type", AvpValue::kUint32, 4, 4, true, true, false},
    {AvpType::kCalledNumber, "Called Number", AvpValue::kText, 0, kAny, true, true, false},
    {AvpType::kCallingNumber, "Calling Number", AvpValue::kText, 0, kAny, true, true, false},
    {AvpType::kSubAddress, "Sub-Address", AvpValue::kText, 0, kAny, true, true, false},
    {AvpType::kTxConnectSpeed, "Tx Connect Speed", AvpValue::kUint32, 4, 4, true, true, false},
    {AvpType::kPhysicalChannelId, "Physical Channel ID", AvpValue::kUint32, 4, 4, false, true, false},
    {AvpType::kInitialReceivedLcpConfreq, "Initial Received LCP CONFREQ", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kLastSentLcpConfreq, "Last Sent LCP CONFREQ", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kLastReceivedLcpConfreq, "Last Received LCP CONFREQ", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kProxyAuthenType, "Proxy Authen Type", AvpValue::kUint16, 2, 2, false, true, false},
    {AvpType::kProxyAuthenName, "Proxy Authen Name", AvpValue::kText, 0, kAny, false, true, false},
    {AvpType::kProxyAuthenChallenge, "Proxy Authen Challenge", AvpValue::kBytes, 0, kAny, false, true, true},
    {AvpType::kProxyAuthenId, "Proxy Authen ID", AvpValue::kUint16, 2, 2, false, true, false},
    {AvpType::kProxyAuthenResponse, "Proxy Authen Response", AvpValue::kBytes, 0, kAny, false, true, true},
    {AvpType::kCallErrors, "Call Errors", AvpValue::kCallErrors, 26, 26, true, true, false},
    {AvpType::kAccm, "ACCM", AvpValue::kAccm, 10, 10, true, true, false},
    {AvpType::kRandomVector, "Random Vector", AvpValue::kBytes, 0, kAny, true, false, false},
    {AvpType::kPrivateGroupId, "Private Group ID", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kRxConnectSpeed, "Rx Connect Speed", AvpValue::kUint32, 4, 4, false, true, false},
    {AvpType::kSequencingRequired, "Sequencing Required", AvpValue::kEmpty, 0, 0, true, false, false},
    {AvpType::kRxMinimumBps, "Rx Minimum BPS", AvpValue::kUint32, 4, 4, false, true, false},
    {AvpType::kRxMaximumBps, "Rx Maximum BPS", AvpValue::kUint32, 4, 4, false, true, false},
    {AvpType::kServiceCategory, "Service Category", AvpValue::kUint16, 2, 2, false, true, false},
    {AvpType::kServiceName, "Service Name", AvpValue::kText, 0, kAny, false, true, false},
    {AvpType::kCallingSubAddress, "Calling Sub-Address", AvpValue::kText, 0, kAny, false, true, false},
    {AvpType::kVpiVciIdentifier, "VPI/VCI Identifier", AvpValue::kUint32, 4, 4, false, true, false},
    {AvpType::kPppDisconnectCause, "PPP Disconnect Cause Code", AvpValue::kDisconnectCause, 5, kAny, false, true, false},
    {AvpType::kControlConnectionDs, "Control Connection DS", AvpValue::kUint16, 2, 2, false, true, false},
    {AvpType::kSessionDs, "Session DS", AvpValue::kUint16, 2, 2, false, true, false},
    {AvpType::kLcpWantOptions, "LCP Want Options", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kLcpAllowOptions, "LCP Allow Options", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kLnsLastSentLcpConfreq, "LNS Last Sent LCP Confreq", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kLnsLastReceivedLcpConfreq, "LNS Last Received LCP Confreq", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kModemOnHoldCapable, "Modem On-Hold Capable", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kModemOnHoldStatus, "Modem On-Hold Status", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kPppoeRelay, "PPPoE Relay", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kPppoeRelayResponseCapability, "PPPoE Relay Response Capability", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kPppoeRelayForwardCapability, "PPPoE Relay Forward Capability", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kFailoverCapability, "Failover Capability", AvpValue::kBytes, 6, 6, false, true, false},
    {AvpType::kTunnelRecovery, "Tunnel Recovery", AvpValue::kBytes, 6, 10, false, true, false},
    {AvpType::kSuggestedControlSequence, "Suggested Control Sequence", AvpValue::kBytes, 6, 6, false, true, false},
    {AvpType::kFailoverSessionState, "Failover Session State", AvpValue::kBytes, 6, 10, false, true, false},
    {AvpType::kMulticastCapability, "Multicast Capability", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kNewOutgoingSessions, "New Outgoing Sessions", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kNewOutgoingSessionsAck, "New Outgoing Sessions Acknowledgement", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kWithdrawnOutgoingSessions, "Withdrawn Outgoing Sessions", AvpValue::kBytes, 0, kAny, false, true, false},
    {AvpType::kMulticastPacketsPriority, "Multicast Packets Priority", AvpValue::kBytes, 0, kAny, false, true, false},
    // clang-format on
};

static_assert(std::is_sorted(std::begin(kAvps), std::end(kAvps),
                             [](const AvpInfo& a, const AvpInfo& b) { return a.type < b.type; }));

constexpr std::size_t kIndexSize = static_cast<std::size_t>(AvpType::kMulticastPacketsPriority) + 1;

// Row + 1 by type; 0 where there is none.
constexpr auto kIndex = [] {
  std::array<std::uint8_t, kIndexSize> index{};
  for (std::size_t i = 0; i < std::size(kAvps); ++i) {
    index[static_cast<std::size_t>(kAvps[i].type)] = static_cast<std::uint8_t>(i + 1);
  }
  return index;
}();

}  // namespace

const AvpInfo* avp_info(std::uint16_t type) {
  if (type >= kIndexSize || kIndex[type] == 0) return nullptr;
  return &kAvps[kIndex[type] - 1];
}

}  // namespace sluice::l2tp
