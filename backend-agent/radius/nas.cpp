#include "backend-agent/radius/nas.hpp"

namespace sluice::agent {

namespace attr = radius::attr;
namespace value = radius::value;

void add_nas(radius::Draft& draft, const NasIdentity& nas) {
  draft.add(attr::kNasIdentifier, nas.identifier);
  if (nas.address)
    draft.add(nas.address->is_v6() ? attr::kNasIpv6Address : attr::kNasIpAddress, *nas.address);
}

void add_caller(radius::Draft& draft, const std::string& user, const Caller& caller) {
  const std::string client = caller.client.address.to_string();
  draft.add(attr::kUserName, user);
  draft.add(attr::kServiceType, value::kServiceFramed).add(attr::kFramedProtocol, value::kFramedPpp);
  draft.add(attr::kNasPortType, value::kPortVirtual);
  // No two sessions of today share it, whichever worker they have (of which there are 64 at most).
  constexpr std::uint32_t kNumber = 0xffffff;
  draft.add(attr::kNasPort,
            worker_of(caller.session) << 24 | (static_cast<std::uint32_t>(caller.session.value()) & kNumber));
  draft.add(attr::kAcctSessionId, caller.session_id);
  if (!caller.correlation_id.empty()) draft.add(attr::kAcctMultiSessionId, caller.correlation_id);
  draft.add(attr::kCallingStationId, client);
  if (!caller.called.empty()) draft.add(attr::kCalledStationId, caller.called);
  draft.add(attr::kTunnelType, value::kTunnelL2tp);
  draft.add(attr::kTunnelMediumType, caller.client.address.is_v6() ? value::kMediumIpv6 : value::kMediumIpv4);
  draft.add(attr::kTunnelClientEndpoint, client);
}

}  // namespace sluice::agent
