#pragma once
// The edge's state as vici messages, as docs/operations-socket.md describes them. Pure.

#include "edge/admin/state_view.hpp"
#include "vici/message.hpp"

namespace sluice::edge {

vici::Message to_message(const SessionView& session);
vici::Message to_message(const TunnelView& tunnel);
vici::Message to_message(const BackendView& backend);
vici::Message to_message(const ProbeView& probe);
/// As the answer to `probe-ike`.
vici::Message to_message(const IkeProbeView& probe);
vici::Message to_message(const PeerView& peer);
vici::Message to_message(const DropView& drop);
vici::Message to_message(const VersionView& version);
/// `now` gives the uptime.
vici::Message to_message(const StatsView& stats, UnixSeconds now);

}  // namespace sluice::edge
