#include "edge/relay/capture_filter.hpp"

#include <algorithm>

namespace sluice::edge {
namespace {

void add_peer(CaptureFilter& filter, const Peer& peer) {
  if (std::ranges::find(filter.peers, peer.id) != filter.peers.end()) return;
  filter.peers.push_back(peer.id);
  filter.places.push_back(peer.remote);
}

}  // namespace

std::optional<CaptureFilter> capture_filter(const std::string& session, const Peers& peers,
                                            const Relays& relays) {
  CaptureFilter out;
  const auto address = IpAddress::parse(session);
  for (const auto& [id, peer] : peers.all()) {
    if (peer.correlation_id == session) add_peer(out, peer);
  }
  for (const auto& [id, relay] : relays.all()) {
    const auto* peer = peers.find(relay.peer);
    if (peer == nullptr) continue;
    const bool meant = std::ranges::any_of(relay.agent_sessions, [&](const auto& entry) {
      const AgentSession& known = entry.second;
      return known.user == session || (address && known.client_ip == address);
    });
    if (meant || relay.correlation_id == session) add_peer(out, *peer);
  }
  if (!out.peers.empty()) return out;
  if (!address) return std::nullopt;
  out.client = address;
  return out;
}

}  // namespace sluice::edge
