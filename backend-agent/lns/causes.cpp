#include "backend-agent/lns/causes.hpp"

#include <algorithm>
#include <array>

#include "ppp/protocol.hpp"

namespace sluice::agent {
namespace {

using l2tp::CallResult;
using l2tp::DisconnectCode;
using l2tp::DisconnectDirection;

struct Row {
  std::string_view cause;
  CallResult result;
  DisconnectCode code;
  ppp::Protocol protocol;
  DisconnectDirection direction;
};

constexpr std::array kRows{
    Row{"user-request", CallResult::kAdministrative, DisconnectCode::kNormal, ppp::kLcp,
        DisconnectDirection::kAtPeer},
    Row{"lcp-timeout", CallResult::kTimeout, DisconnectCode::kLcpTimeout, ppp::kLcp,
        DisconnectDirection::kGlobal},
    Row{"echo-timeout", CallResult::kLostCarrier, DisconnectCode::kEchoTimeout, ppp::kLcp,
        DisconnectDirection::kAtLocal},
    Row{"loopback", CallResult::kAdministrative, DisconnectCode::kLoopback, ppp::kLcp,
        DisconnectDirection::kGlobal},
    Row{"authentication-timeout", CallResult::kTimeout, DisconnectCode::kAuthenticationTimeout, 0,
        DisconnectDirection::kGlobal},
    Row{"authentication-refused", CallResult::kAdministrative, DisconnectCode::kAuthenticationProtocol,
        ppp::kLcp, DisconnectDirection::kAtPeer},
    Row{"no-network-protocol", CallResult::kAdministrative, DisconnectCode::kNoNcp, 0,
        DisconnectDirection::kGlobal},
    Row{"ipcp-timeout", CallResult::kTimeout, DisconnectCode::kNcpTimeout, ppp::kIpcp,
        DisconnectDirection::kGlobal},
    Row{"no-address", CallResult::kNoFacilities, DisconnectCode::kNcpAddresses, ppp::kIpcp,
        DisconnectDirection::kAtLocal},
    Row{"protocol-error", CallResult::kAdministrative, DisconnectCode::kNoInformation, 0,
        DisconnectDirection::kGlobal},
};

/// Refusals that would tell a stranger which users there are, or how this server is built.
constexpr std::array<std::string_view, 10> kRefusals{
    "wrong-password", "unknown-user", "no-plain-password", "malformed-response", "authentication-failed",
    "throttled",      "busy",         "radius-timeout",    "radius-bad-reply",   "no-method"};

}  // namespace

CdnReason cdn_reason(std::string_view cause) {
  if (std::find(kRefusals.begin(), kRefusals.end(), cause) != kRefusals.end()) {
    return {
        CallResult::kAdministrative,
        {DisconnectCode::kAuthenticationFailed, 0, DisconnectDirection::kAtLocal, "authentication-failed"}};
  }
  const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.cause == cause; });
  if (row == kRows.end()) {
    return {CallResult::kAdministrative,
            {DisconnectCode::kAdministrative, 0, DisconnectDirection::kGlobal, std::string(cause)}};
  }
  return {row->result, {row->code, row->protocol, row->direction, std::string(cause)}};
}

}  // namespace sluice::agent
