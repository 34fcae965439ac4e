"""UDP between edge and agent is blocked in the middle of a transfer: tunnels live on over TLS, and return."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import network, report
from .checks import dial_all, sessions_are_joined
from .client import Pings
from .lab import Lab
from .process import eventually
from .report import demand
from .traffic import both_ways, transfer

PAUSE = 2.0  # seconds that data may stop for when UDP is cut off
INTERVAL = 0.05  # between pings
SECONDS = 10  # of traffic
RATE = 250_000  # bytes a second, each way
DATA_PORTS = "4601-4664"
# What is cut: a chain of the agent's, and which side of UDP names the data ports.
CUTS = {
    "both ways": "chain in { type filter hook input priority 0; udp dport %s drop; }\nchain out { type filter hook output priority 0; udp dport %s drop; }",
    "towards the agent": "chain in { type filter hook input priority 0; udp dport %s drop; }",
}


@dataclass(frozen=True)
class Pause:
    seconds: float  # the longest time between two answers
    lost: int


def _pause(pings: Pings) -> Pause:
    stamps = sorted(float(stamp) for stamp in re.findall(r"\[(\d+\.\d+)\] .*icmp_seq=\d+ ttl", pings.text))
    demand(len(stamps) > 1, "no ping was answered")
    return Pause(max(later - earlier for earlier, later in zip(stamps, stamps[1:])), pings.lost)


def _carrier(lab: Lab) -> str:
    return str(lab.edge.ctl_json("backends")[0]["carrier"])


def _cut(lab: Lab, way: str) -> tuple[float, float]:
    """Cuts UDP, waits for TLS, mends UDP, waits for its return. Seconds until each was noticed by both."""
    agent = lab.spaces["agent1"]
    logs = (lab.edge.log, lab.agents[0].log)
    took = []
    for change, carrier in ((lambda: agent.run(["nft", "-f", "-"], stdin="table ip cut {\n" + CUTS[way].replace("%s", DATA_PORTS) + "\n}"), "tls"),
                            (lambda: agent.run(["nft", "delete", "table", "ip", "cut"]), "udp")):
        marks = [log.mark() for log in logs]
        started = time.monotonic()
        change()
        for log, mark in zip(logs, marks):
            # Pairs of workers notice one after another: the last line is what counts.
            log.wait(rf"data carrier changed .*carrier={carrier}\b", 8, mark)
        took.append(time.monotonic() - started)
        eventually(f"carrier {carrier} in `sluicectl backends`", lambda wanted=carrier: _carrier(lab) == wanted, 20)
        if carrier == "tls":
            time.sleep(1.5)  # data both ways over TLS
    report.good(f"UDP cut {way}: on TLS after {took[0]:.2f} s; on UDP again {took[1]:.2f} s after it was mended")
    return took[0], took[1]


def udp_blocked(lab: Lab) -> str:
    """UDP between edge and agent is cut during transfers, both ways and one way only; keys are renewed all the while."""
    dial_all(lab)
    client = lab.clients[0]
    demand(_carrier(lab) == "udp", f"the carrier is {_carrier(lab)} to begin with")
    link, events = client.link, client.events.mark()
    agent_mark = lab.agents[0].log.mark()
    with ThreadPoolExecutor(max_workers=2) as pool:
        traffic = pool.submit(both_ways, client, SECONDS, RATE)
        pings = pool.submit(client.ping, network.INSIDE_HOST, int(SECONDS / INTERVAL), INTERVAL)
        time.sleep(1)
        cuts = [_cut(lab, way) for way in CUTS]
        _, up, down = traffic.result()
        pause = _pause(pings.result())
    demand(pause.seconds <= PAUSE, f"data stopped for {pause.seconds:.2f} s; at most {PAUSE:g} s are allowed")
    report.good(f"up {up}; down {down}; the longest pause was {pause.seconds:.2f} s, {pause.lost} of {int(SECONDS / INTERVAL)} pings lost")
    demand(client.link == link and not client.events.since(events), f"the client's link changed: {client.events.since(events)}")
    again = [line for line in lab.agents[0].log.since(agent_mark) if re.search(r"\bsession (up|down|ended)\b", line)]
    demand(not again, f"sessions began or ended at the agent: {again[:3]}")
    sessions_are_joined(lab)
    renewals = len([line for line in lab.edge.log.since(0) if "data keys renewed" in line])
    demand(renewals >= 3, f"keys were renewed {renewals} times; 3 at least were due")
    # Over UDP alone, with nothing cut, renewals lose nothing at all.
    whole = client.ping(network.INSIDE_HOST, 40, INTERVAL)
    whole.demand_all(client.name)
    transfer(client, "send", RATE)
    lost = [row for row in lab.edge.ctl_json("drops") if row["reason"] in ("unknown-channel-spi", "replayed", "bad-icv") and row["stage"] != "esp"]
    demand(not lost, f"the edge dropped data frames: {lost}")
    worst = max(cut[0] for cut in cuts)
    return (
        f"on TLS within {worst:.2f} s, back on UDP within {max(cut[1] for cut in cuts):.2f} s, longest pause {pause.seconds:.2f} s, "
        f"{renewals} epochs of keys, same session throughout"
    )
