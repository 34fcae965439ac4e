#pragma once
// The agent's families, besides those in base/metrics. Pools and RADIUS servers are called as the
// configuration calls them.

#include "base/metrics/family.hpp"

namespace sluice::agent {

using metrics::Kind;

inline constexpr metrics::Family kAgentFamilies[] = {
    {"sluice_agent_edges_connected", Kind::kGauge, {}, "Edges whose channel is up."},
    {"sluice_agent_edges_configured", Kind::kGauge, {}, "Edges that the configuration names."},
    {"sluice_agent_channel_frames_expected_total",
     Kind::kCounter,
     {},
     "Data frames that edges sent here, by their sequence numbers. Those that did not come are the loss on "
     "the way."},
    {"sluice_agent_channel_frames_received_total", Kind::kCounter, {}, "Data frames that came from edges."},
    {"sluice_agent_tunnels", Kind::kGauge, {}, "L2TP tunnels."},
    {"sluice_agent_sessions", Kind::kGauge, {}, "PPP sessions."},
    {"sluice_agent_max_sessions", Kind::kGauge, {}, "How many are taken; absent where there is no limit."},
    {"sluice_agent_sessions_started_total", Kind::kCounter, {}, "PPP sessions that came up."},
    {"sluice_agent_sessions_ended_total",
     Kind::kCounter,
     {"cause"},
     "PPP sessions that ended, those that never came up included, by cause."},
    {"sluice_agent_ip_packets_total",
     Kind::kCounter,
     {"worker", "direction"},
     "IP packets of clients; direction is up (from the client) or down."},
    {"sluice_agent_ip_bytes_total", Kind::kCounter, {"worker", "direction"}, "Bytes of these."},
    {"sluice_agent_logins_total",
     Kind::kCounter,
     {"outcome"},
     "Proofs of clients that were judged, by file or RADIUS: accepted, refused, or challenged where a "
     "dialogue goes "
     "on."},
    {"sluice_agent_login_refusals_total", Kind::kCounter, {"cause"}, "Refusals among these, by cause."},
    {"sluice_agent_login_seconds", Kind::kHistogram, {}, "How long a judgement took."},
    {"sluice_agent_logins_throttled_total",
     Kind::kCounter,
     {"by"},
     "Logins refused unjudged after too many failures of a user, a source address or a peer."},
    {"sluice_agent_pool_addresses", Kind::kGauge, {"pool", "state"}, "Addresses of a pool: used or free."},
    {"sluice_agent_pool_prefixes_used",
     Kind::kGauge,
     {"kind"},
     "IPv6 prefixes that are out: link (a /64 each) or delegated."},
    {"sluice_agent_radius_up",
     Kind::kGauge,
     {"service", "server"},
     "1 while a RADIUS server counts as alive; service is authentication or accounting."},
    {"sluice_agent_radius_requests_total",
     Kind::kCounter,
     {"service", "outcome"},
     "Requests to RADIUS that ended: accept, reject, challenge, accounted, timeout, too-long or overload."},
    {"sluice_agent_radius_seconds",
     Kind::kHistogram,
     {"service"},
     "How long an answered request took, with the times it was sent again."},
    {"sluice_agent_radius_pending", Kind::kGauge, {"service"}, "Requests that wait for an answer."},
    {"sluice_agent_radius_drops_total",
     Kind::kCounter,
     {"service", "reason"},
     "Datagrams to RADIUS ports that were no answer to be trusted."},
    {"sluice_agent_accounting_queue", Kind::kGauge, {}, "Stop records that no server has taken yet."},
    {"sluice_agent_accounting_lost_total",
     Kind::kCounter,
     {},
     "Stop records given up because too many were kept."},
};

consteval const metrics::Family& family(std::string_view name) {
  return metrics::row_of(kAgentFamilies, name);
}

}  // namespace sluice::agent
