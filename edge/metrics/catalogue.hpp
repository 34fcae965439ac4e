#pragma once
// The edge's families, besides those in base/metrics. An agent's name is the one in its certificate.

#include "base/metrics/family.hpp"

namespace sluice::edge {

using metrics::Kind;

inline constexpr metrics::Family kEdgeFamilies[] = {
    // IKE
    {"sluice_edge_ike_ready", Kind::kGauge, {}, "1 while the IKE daemon is up and has its configuration."},
    {"sluice_edge_ike_probe_success",
     Kind::kGauge,
     {},
     "Whether the edge's own IKE answered its latest probe, made as a client would; absent before the "
     "first."},
    {"sluice_edge_ike_probe_duration_seconds", Kind::kGauge, {}, "How long that probe took."},
    {"sluice_edge_ike_probe_timestamp_seconds",
     Kind::kGauge,
     {},
     "When that probe ended, in seconds since 1970."},
    {"sluice_edge_peers", Kind::kGauge, {}, "Clients known, over all their SAs."},
    {"sluice_edge_ike_sas", Kind::kGauge, {}, "IKE SAs that are up."},
    {"sluice_edge_child_sas", Kind::kGauge, {}, "Pairs of ESP SAs that are installed."},
    {"sluice_edge_ike_established_total", Kind::kCounter, {}, "IKE SAs that came up, rekeys not counted."},
    {"sluice_edge_ike_rekeys_total", Kind::kCounter, {}, "IKE SAs that replaced another by a rekey."},
    {"sluice_edge_child_established_total",
     Kind::kCounter,
     {},
     "Pairs of ESP SAs that came up for a client that had none."},
    {"sluice_edge_child_rekeys_total",
     Kind::kCounter,
     {},
     "Pairs of ESP SAs that came up for a client that had one: rekeys, and re-authentications."},
    {"sluice_edge_ike_failures_total",
     Kind::kCounter,
     {"cause"},
     "Handshakes and IKE SAs that failed, by cause; in a burst those that the log tells of."},
    // Set-up
    {"sluice_edge_setup_seconds",
     Kind::kHistogram,
     {"phase"},
     "How long a client's set-up took: ike from its first packet to the IKE SA, l2tp from SCCRQ to ICCN, ppp "
     "from "
     "ICCN to the user's address."},
    {"sluice_edge_sessions_started_total", Kind::kCounter, {}, "Sessions that came up."},
    {"sluice_edge_sessions_ended_total", Kind::kCounter, {"cause"}, "Sessions that ended, by cause."},
    // What there is
    {"sluice_edge_tunnels", Kind::kGauge, {"agent"}, "L2TP tunnels relayed by this edge to an agent."},
    {"sluice_edge_sessions", Kind::kGauge, {"agent"}, "Sessions of this edge that are up on an agent."},
    // Agents
    {"sluice_edge_agents_ready", Kind::kGauge, {}, "Agents that take tunnels."},
    {"sluice_edge_agent_connected",
     Kind::kGauge,
     {"agent"},
     "1 while an agent's channel is up; 0 for one that was lost, or that channel.agents names and is not "
     "here."},
    {"sluice_edge_agents_lost_total",
     Kind::kCounter,
     {"agent"},
     "Channels of an agent that ended without a goodbye."},
    {"sluice_edge_agent_state",
     Kind::kGauge,
     {"agent", "state"},
     "1 for the state that an agent is in: up, draining, suspect, no-l2tp or down."},
    {"sluice_edge_agent_sessions",
     Kind::kGauge,
     {"agent"},
     "Sessions on an agent, of all edges, as it reports."},
    {"sluice_edge_agent_max_sessions",
     Kind::kGauge,
     {"agent"},
     "How many it takes; absent where it has no limit."},
    {"sluice_edge_agent_free_addresses",
     Kind::kGauge,
     {"agent"},
     "Addresses that an agent can still give; absent where it gives none itself."},
    {"sluice_edge_agent_cpu_ratio",
     Kind::kGauge,
     {"agent"},
     "Of one core, what an agent's busiest data worker uses."},
    {"sluice_edge_agent_cpu_wait_ratio",
     Kind::kGauge,
     {"agent"},
     "Of its time, what that worker waits for a core."},
    {"sluice_edge_agent_radius_seconds",
     Kind::kGauge,
     {"agent"},
     "How long RADIUS takes to answer an agent, lately; absent while not known."},
    {"sluice_edge_agent_report_age_seconds",
     Kind::kGauge,
     {"agent"},
     "Age of an agent's latest load report."},
    {"sluice_edge_agent_l2tp_probe_success",
     Kind::kGauge,
     {"agent"},
     "Whether an agent spoke L2TP when last probed; absent before the first probe."},
    {"sluice_edge_agent_l2tp_probe_duration_seconds", Kind::kGauge, {"agent"}, "How long that probe took."},
    // Channels
    {"sluice_edge_channel_paths",
     Kind::kGauge,
     {"agent", "carrier"},
     "Pairs of data workers between this edge and an agent, by what their data goes by: udp or tls."},
    {"sluice_edge_channel_rtt_seconds",
     Kind::kGauge,
     {"agent"},
     "Round trip of the control stream to an agent, as TCP measures it."},
    {"sluice_edge_channel_retransmits_total",
     Kind::kCounter,
     {"agent"},
     "Segments that TCP sent again on the control stream to an agent, since its channel came up."},
    {"sluice_edge_channel_frames_expected_total",
     Kind::kCounter,
     {"agent"},
     "Data frames that an agent sent here, by their sequence numbers, since its channel came up. Those that "
     "did not come "
     "are the loss on the way."},
    {"sluice_edge_channel_frames_received_total",
     Kind::kCounter,
     {"agent"},
     "Data frames that came from an agent, since its channel came up."},
};

consteval const metrics::Family& family(std::string_view name) {
  return metrics::row_of(kEdgeFamilies, name);
}

}  // namespace sluice::edge
