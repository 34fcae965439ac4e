#include "backend-agent/radius/core/attributes.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::radius {
namespace {

struct Row {
  AttributeType type;
  std::string_view name;
};
constexpr std::array kNames{
    Row{attr::kUserName, "User-Name"},
    Row{attr::kFramedIpAddress, "Framed-IP-Address"},
    Row{attr::kServiceType, "Service-Type"},
    Row{attr::kFilterId, "Filter-Id"},
    Row{attr::kFramedRoute, "Framed-Route"},
    Row{attr::kSessionTimeout, "Session-Timeout"},
    Row{attr::kIdleTimeout, "Idle-Timeout"},
    Row{attr::kFramedPool, "Framed-Pool"},
    Row{attr::kAcctInterimInterval, "Acct-Interim-Interval"},
    Row{attr::kFramedInterfaceId, "Framed-Interface-Id"},
    Row{attr::kFramedIpv6Prefix, "Framed-IPv6-Prefix"},
    Row{attr::kFramedIpv6Route, "Framed-IPv6-Route"},
    Row{attr::kFramedIpv6Pool, "Framed-IPv6-Pool"},
    Row{attr::kDelegatedIpv6Prefix, "Delegated-IPv6-Prefix"},
    Row{attr::kDnsServerIpv6, "DNS-Server-IPv6-Address"},
    Row{attr::kDelegatedIpv6Pool, "Delegated-IPv6-Prefix-Pool"},
    Row{attr::kMsChapError, "MS-CHAP-Error"},
    Row{attr::kMsChap2Success, "MS-CHAP2-Success"},
    Row{attr::kMsPrimaryDns, "MS-Primary-DNS-Server"},
    Row{attr::kMsSecondaryDns, "MS-Secondary-DNS-Server"},
    Row{attr::kMsPrimaryNbns, "MS-Primary-NBNS-Server"},
    Row{attr::kMsSecondaryNbns, "MS-Secondary-NBNS-Server"},
    Row{attr::kSluiceRateUp, "Sluice-Rate-Up"},
    Row{attr::kSluiceRateDown, "Sluice-Rate-Down"},
};

}  // namespace

std::string name_of(AttributeType type) {
  const auto row = std::find_if(kNames.begin(), kNames.end(), [&](const Row& r) { return r.type == type; });
  if (row != kNames.end()) return std::string(row->name);
  const std::string number = std::to_string(type.type);
  return type.vendor == 0 ? number : "26." + std::to_string(type.vendor) + "." + number;
}

}  // namespace sluice::radius
