"""What is demanded of metrics: a real Prometheus scrapes them, they are right, tell nothing of users, and a lost agent raises an alert."""

import re
import signal
import time

from . import network, report
from .checks import dial_all, ping_all
from .client import PSK
from .lab import Lab
from .process import eventually
from .product import PROJECT
from .prometheus import EDGE, Prometheus, check_page, fetch, targets
from .report import demand

SERIES = re.compile(r"^(?:# (?:HELP|TYPE) )?([a-z_0-9]+)", re.MULTILINE)
# Families that are there only where something is configured or has happened that this scenario does without.
ABSENT = {
    "sluice_conntrack_entries", "sluice_conntrack_limit_entries", "sluice_agent_max_sessions", "sluice_edge_agent_max_sessions",
    "sluice_edge_ike_failures_total", "sluice_edge_agents_lost_total", "sluice_edge_sessions_ended_total", "sluice_agent_sessions_ended_total",
    "sluice_agent_login_refusals_total", "sluice_edge_agent_radius_seconds",
}  # fmt: skip


def _documented() -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", (PROJECT / "docs" / "metrics.md").read_text(), re.MULTILINE))


def _pages_are_right(lab: Lab) -> int:
    """Of all daemons: well-formed, as documented, and without a word about users. The number of samples."""
    places = targets(lab)
    pages = dict(zip(places, fetch(lab, *(f"{address}/metrics" for address in places.values()))))
    seen: set[str] = set()
    client = lab.clients[0]
    link = client.link
    assert link is not None
    private = (client.how.user, client.how.password, PSK, link.address, network.CARRIER_PUBLIC, network.HOME_CLIENT, "radius-secret")
    for name, (status, text) in pages.items():
        demand(status == 200, f"{name} answers /metrics with {status}")
        check_page(text)
        for word in private:
            demand(word not in text, f"\"{word}\" is in {name}'s metrics")
        seen |= {re.sub(r"_(bucket|sum|count)$", "", found) if found.endswith(("_bucket", "_sum", "_count")) else found for found in SERIES.findall(text)}
    documented = _documented()
    demand(seen <= documented, f"not in docs/metrics.md: {sorted(seen - documented)}")
    demand(documented - seen <= ABSENT, f"documented, and on no page: {sorted(documented - seen - ABSENT)}")
    return sum(not line.startswith("#") for _, text in pages.values() for line in text.splitlines())


SESSION = (
    "sum(up) == 3",
    "sum(sluice_edge_sessions) == 1",
    "sum(sluice_agent_sessions) == 1",
    "sum(sluice_edge_tunnels) == 1",
    "sluice_edge_ike_sas == 1",
    "sluice_edge_child_sas == 1",
    "sluice_edge_ike_probe_success == 1",
    "sum(sluice_edge_agent_l2tp_probe_success) == 2",
    'sum(sluice_agent_logins_total{outcome="accepted"}) == 1',
    'sum(sluice_agent_pool_addresses{state="used"}) == 1',
    'sum(sluice_agent_radius_requests_total{service="accounting",outcome="accounted"}) > 0',
    'min(sluice_agent_radius_up{service="authentication"}) == 1',
    'sum(sluice_agent_ip_packets_total{direction="up"}) >= 10',
    'sum(sluice_socket_packets_total{job="sluice-edge",socket="natt",direction="in"}) >= 10',
    'sum(sluice_worker_crypto_seconds_total{job="sluice-edge"}) > 0',
    'sum(sluice_worker_crypto_seconds_total{job="sluice-agent"}) > 0',
    "max(sluice_edge_channel_rtt_seconds) < 1 and min(sluice_edge_channel_rtt_seconds) > 0",
    'sum(sluice_edge_channel_paths{carrier="udp"}) > 0',
    "min(sluice_edge_channel_frames_received_total) > 0 and sum(sluice_edge_channel_frames_expected_total) >= 10",
    "min(sluice_agent_channel_frames_received_total) > 0 and sum(sluice_agent_channel_frames_expected_total) >= 10",
    *(f'sluice_edge_setup_seconds_count{{phase="{phase}"}} == 1' for phase in ("ike", "l2tp", "ppp")),
)


def _all_ready(lab: Lab) -> bool:
    return all(status == 200 for status, _ in fetch(lab, *(f"{address}/{path}" for address in targets(lab).values() for path in ("healthz", "readyz"))))


def metrics(lab: Lab) -> str:
    """A real Prometheus scrapes edge and agents; what it sees is right; an agent is killed and the alerts fire, it comes back and they end."""
    prometheus = Prometheus(lab)
    eventually("200 from every /healthz and /readyz", lambda: _all_ready(lab), 10)
    dial_all(lab)
    ping_all(lab)
    prometheus.demand_true(SESSION)
    samples = _pages_are_right(lab)
    report.good(f"{samples} samples on three pages are right, and promtool finds no fault")
    demand(not prometheus.firing(), f"alerts fire without cause: {prometheus.firing()}")

    victim = next(agent for agent in lab.agents if agent is not lab.agent_of(lab.clients[0]))
    place = targets(lab)[victim.name]
    wanted = {("SluiceAgentLost", victim.name), ("SluiceTargetDown", place)}
    killed = time.monotonic()
    victim.process.kill(signal.SIGKILL)
    eventually(f"{wanted} firing", lambda: wanted <= prometheus.firing(), 15, 0.3)
    fired = time.monotonic() - killed
    report.good(f"SIGKILL to {victim.name}: {', '.join(sorted(name for name, _ in prometheus.firing()))} fire after {fired:.1f} s")
    demand(fetch(lab, f"{EDGE}/readyz")[0][0] == 200, "the edge is not ready although an agent is left")
    victim.process.wait(20)
    victim.start()
    eventually("no alert firing", lambda: not prometheus.firing(), 15, 0.3)
    ended = time.monotonic() - killed - fired
    report.good(f"{victim.name} is back: no alert fires after {ended:.1f} s")

    lab.hang_up()
    for agent in lab.agents:
        agent.process.kill(signal.SIGKILL)
    lab.agents.clear()
    eventually("503 from the edge's /readyz", lambda: fetch(lab, f"{EDGE}/readyz")[0][0] == 503, 20)
    status, why = fetch(lab, f"{EDGE}/readyz")[0]
    demand("no agent takes tunnels" in why, f"/readyz says {status} {why.strip()}")
    report.good(f"all agents gone: /readyz says {status} {why.strip()}")
    return f"{samples} samples, alerts after {fired:.1f} s, over after {ended:.1f} s"
