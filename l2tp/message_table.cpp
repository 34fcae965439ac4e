#include <algorithm>

#include "l2tp/message.hpp"

namespace sluice::l2tp {
namespace {

using enum AvpType;

constexpr bool kTunnel = false;
constexpr bool kSession = true;

// RFC 2661 §6: the AVPs that MUST be present. StopCCN and CDN close whatever they lack, so nothing is
// required of them.
constexpr MessageInfo kMessages[] = {
    {MessageType::kSccrq,
     "SCCRQ",
     kTunnel,
     {kProtocolVersion, kHostName, kFramingCapabilities, kAssignedTunnelId},
     4},
    {MessageType::kSccrp,
     "SCCRP",
     kTunnel,
     {kProtocolVersion, kHostName, kFramingCapabilities, kAssignedTunnelId},
     4},
    {MessageType::kScccn, "SCCCN", kTunnel, {}, 0},
    {MessageType::kStopCcn, "StopCCN", kTunnel, {}, 0},
    {MessageType::kHello, "HELLO", kTunnel, {}, 0},
    {MessageType::kOcrq,
     "OCRQ",
     kSession,
     {kAssignedSessionId, kCallSerialNumber, kMinimumBps, kMaximumBps, kBearerType, kFramingType},
     6},
    {MessageType::kOcrp, "OCRP", kSession, {kAssignedSessionId}, 1},
    {MessageType::kOccn, "OCCN", kSession, {kTxConnectSpeed, kFramingType}, 2},
    {MessageType::kIcrq, "ICRQ", kSession, {kAssignedSessionId, kCallSerialNumber}, 2},
    {MessageType::kIcrp, "ICRP", kSession, {kAssignedSessionId}, 1},
    {MessageType::kIccn, "ICCN", kSession, {kTxConnectSpeed, kFramingType}, 2},
    {MessageType::kCdn, "CDN", kSession, {}, 0},
    {MessageType::kWen, "WEN", kSession, {kCallErrors}, 1},
    {MessageType::kSli, "SLI", kSession, {kAccm}, 1},
    {MessageType::kMdmst, "MDMST", kSession, {}, 0},
    {MessageType::kSrrq, "SRRQ", kTunnel, {}, 0},
    {MessageType::kSrrp, "SRRP", kTunnel, {}, 0},
    {MessageType::kAck, "ACK", kTunnel, {}, 0},
    {MessageType::kFsq, "FSQ", kTunnel, {}, 0},
    {MessageType::kFsr, "FSR", kTunnel, {}, 0},
    {MessageType::kMsrq, "MSRQ", kSession, {}, 0},
    {MessageType::kMsrp, "MSRP", kSession, {}, 0},
    {MessageType::kMse, "MSE", kSession, {}, 0},
    {MessageType::kMsi, "MSI", kSession, {}, 0},
    {MessageType::kMsen, "MSEN", kSession, {}, 0},
};

}  // namespace

const MessageInfo* message_info(std::uint16_t type) {
  const auto* row = std::find_if(std::begin(kMessages), std::end(kMessages), [type](const MessageInfo& info) {
    return static_cast<std::uint16_t>(info.type) == type;
  });
  return row == std::end(kMessages) ? nullptr : row;
}

std::string message_name(std::uint16_t type) {
  const auto* info = message_info(type);
  return info ? std::string(info->name) : "message " + std::to_string(type);
}

}  // namespace sluice::l2tp
