"""What the scenarios about IKE demand of the running system. Each returns its figures as one line."""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from . import network, report
from .client import Client
from .lab import Lab
from .process import eventually, run
from .report import demand
from .traffic import both_ways

CHARON_VICI = "unix:///run/sluice/ike/vici.sock"
RATE = 500_000  # bytes a second each way, beside five pings a second


def charon_pid(lab: Lab) -> int:
    """Of the charon that the edge started last."""
    lines = [line for line in lab.edge.log.lines if "charon started" in line]
    return int(re.search(r"pid=(\d+)", lines[-1])[1])  # type: ignore[index]


def charon_dies(lab: Lab, seconds: int = 12) -> str:
    """charon is killed under traffic: tunnels flow on, it is back and answers, SAs of the old one are tidied when idle."""
    first, second = lab.clients
    first.dial()
    report.good(f"{first.name} is up after {first.link.seconds:.1f} s")
    mark = lab.edge.log.mark()
    with ThreadPoolExecutor(max_workers=1) as pool:
        traffic = pool.submit(both_ways, first, seconds, RATE)
        eventually("the traffic in the edge's counters", lambda: _packets(lab) > 100, 10)
        os.kill(charon_pid(lab), signal.SIGKILL)
        killed = time.monotonic()
        report.step("SIGKILL to charon")
        lab.edge.log.wait("charon ended", 2, mark)
        lab.edge.log.wait("IKE ready", 10, mark)
        back = time.monotonic() - killed
        link = second.dial()
        report.good(f"charon was back and answering after {back:.2f} s; {second.name} connected in {link.seconds:.1f} s")
        pings, up, down = traffic.result()
    pings.demand_all(first.name)
    report.good(f"{first.name}: {pings.sent} pings, none lost; {(up.size + down.size) / 1e6:.0f} MB with equal checksums")
    report.block("sluicectl peers", lab.edge.ctl("peers"))
    first.hang_up()
    again = first.dial()
    pings_after = first.ping(network.INSIDE_HOST, 5)
    pings_after.demand_all(first.name)
    eventually("the dead charon's SAs ended, the new ones kept", lambda: _pairs(lab) == 2, 15)
    report.good(f"{first.name} redialled in {again.seconds:.1f} s; what it had from the dead charon is tidied")
    for client in lab.clients:
        client.hang_up()
    eventually("no peer left", lambda: not lab.edge.ctl_json("peers"), 15)
    return (
        f"charon back after {back:.2f} s, {pings.sent} pings, {pings.lost} lost, new client in {link.seconds:.1f} s, "
        f"redial {again.seconds:.1f} s, no SA left behind"
    )


def _packets(lab: Lab) -> int:
    return sum(peer["traffic"]["packets_in"] for peer in lab.edge.ctl_json("peers"))


def _pairs(lab: Lab) -> int:
    return sum(peer["sa_count"] for peer in lab.edge.ctl_json("peers"))


OPERATOR_CONF = """
connections {
  operators-own {
    version = 2
    remote_addrs = 192.0.2.77
    local {
      auth = psk
    }
    remote {
      auth = psk
      id = office.example
    }
    children {
      office {
        remote_ts = 10.99.0.0/16
      }
    }
  }
}
secrets {
  ike-office {
    id = office.example
    secret = "a-secret-of-the-operator-only"
  }
}
"""


def _loaded() -> set[str]:
    return set(re.findall(r"^list-conn event \{(\S+) \{", run(["swanctl", "--list-conns", "--raw", "--uri", CHARON_VICI]), re.M))


def operator_load_all(lab: Lab) -> str:
    """`swanctl --load-all` with an operator's own files unloads the edge's objects: they are back within 2 s, his are left alone."""
    first, second = lab.clients
    first.dial()
    folder = lab.run.folder / "operator"
    lab.run.write("operator/swanctl.conf", OPERATOR_CONF)
    with ThreadPoolExecutor(max_workers=1) as pool:
        pinging = pool.submit(first.ping, network.INSIDE_HOST, 40)
        away = 0.0
        rounds = 3
        for _ in range(rounds):
            ours = _loaded() - {"operators-own"}
            run(["env", f"SWANCTL_DIR={folder}", "swanctl", "--load-all", "--noprompt", "--uri", CHARON_VICI])
            since = time.monotonic()
            eventually(f"{sorted(ours)} in charon again", lambda: ours <= _loaded(), 5, 0.02)  # noqa: B023
            away = max(away, time.monotonic() - since)
        demand(away <= 2, f"the edge's connection was away for {away:.2f} s; at most 2 s are allowed")
        report.good(f"after each of {rounds} `swanctl --load-all` the edge's objects were back, after {away:.2f} s at most")
        link = second.dial()
        pings = pinging.result()
    pings.demand_all(first.name)
    demand("operators-own" in _loaded(), f"the operator's connection is gone: {_loaded()}")
    keys = run(["swanctl", "--list-conns", "--uri", CHARON_VICI])
    demand("office.example" in keys, f"the operator's connection is changed:\n{keys}")
    report.good(f"the operator's own connection is untouched; {second.name} connected in {link.seconds:.1f} s")
    return f"away for {away:.2f} s at most, the operator's objects kept, {pings.sent} pings, {pings.lost} lost, new client in {link.seconds:.1f} s"
