"""What the scenarios about IKE demand of the running system. Each returns its figures as one line."""

import json
import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import network, report
from .client import Pings
from .lab import Lab
from .network import Namespace, plug
from .process import Process, eventually, run
from .product import program
from .report import demand
from .traffic import both_ways

CHARON_VICI = "unix:///run/sluice/ike/vici.sock"
RATE = 500_000  # bytes a second each way, beside five pings a second


def charon_pid(lab: Lab) -> int:
    """Of the charon that the edge started last."""
    lines = [line for line in lab.edge.log.lines if "charon started" in line]
    return int(re.search(r"pid=(\d+)", lines[-1])[1])  # type: ignore[index]


def one_id(lab: Lab) -> None:
    """The only peer's id is the same in the edge's log, in `sluicectl peers` and at its agent."""
    ident = lab.edge.ctl_json("peers")[0]["correlation"]
    demand(lab.edge.log.find(rf"IKE SA up id={ident}\b"), f"no 'IKE SA up' of {ident} in {lab.edge.log.path}")
    for agent in lab.agents:
        agent.log.wait(rf"session up id={ident}\b", 20)
    report.good(f"edge, `sluicectl peers` and agent call the client {ident}")


def charon_dies(lab: Lab, seconds: int = 12) -> str:
    """charon is killed under traffic: tunnels flow on, it is back and answers, SAs of the old one are tidied when idle."""
    first, second = lab.clients
    first.dial()
    report.good(f"{first.name} is up after {first.link.seconds:.1f} s")
    one_id(lab)
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


NAT_PORTS = ("20000-29999", "30000-39999")
NAT_CHANGE_SECONDS = 15


def change_nat_port(carrier: Namespace, turn: int) -> None:
    """The carrier NAT forgets what it knows and gives out ports of another range, as after a restart."""
    rules = f"""
        flush chain ip nat out
        add rule ip nat out oifname "wan" udp sport 0-65535 masquerade to :{NAT_PORTS[turn % 2]}
        add rule ip nat out oifname "wan" masquerade
        """
    carrier.run(["nft", "-f", "-"], stdin=rules)
    # The kernel drops the mappings of an address that goes.
    here = f"{network.CARRIER_PUBLIC}/24 dev wan"
    run(["ip", "-n", carrier.name, "-batch", "-"], stdin=f"addr del {here}\naddr add {here}\n")


class NatChanges:
    """Changes the NAT's port each so many seconds until it is told to stop."""

    def __init__(self, carrier: Namespace, every: float) -> None:
        self.times: list[float] = []
        self._stop = threading.Event()
        self._carrier, self._every = carrier, every
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.times.append(time.time())
            change_nat_port(self._carrier, len(self.times))

    def stop(self) -> list[float]:
        self._stop.set()
        self._thread.join()
        return self.times


def lost_at(pings: Pings, interval: float = 0.2) -> list[float]:
    """When the lost pings were sent, seconds since the epoch, from the times of the answers beside them."""
    answers = {int(n): float(at) for at, n in re.findall(r"\[(\d+\.\d+)\].*icmp_seq=(\d+) ttl", pings.text)}
    missing = [n for n in range(1, pings.sent + 1) if n not in answers]
    times = []
    for number in missing:
        near = min(answers, key=lambda n: abs(n - number))  # noqa: B023
        times.append(answers[near] + (number - near) * interval)
    return times


def ike_rekey(lab: Lab, seconds: int) -> str:
    """Child rekey each 5 s, IKE re-authentication each 20 s, another NAT port each 15 s, under traffic: only a ping in flight may be lost."""
    client = lab.clients[0]
    client.dial()
    mark, edge_mark = client.charon.mark(), lab.edge.log.mark()
    report.step(f"{seconds} s of traffic both ways at {RATE / 1e6:g} MB/s, with pings")
    changes = NatChanges(lab.spaces["carrier"], NAT_CHANGE_SECONDS if seconds > 30 else seconds / 3)
    try:
        pings, up, down = both_ways(client, seconds, RATE)
    finally:
        times = changes.stop()
    said = client.charon.since(mark)
    rekeys = sum("CHILD_SA l2tp" in line and "established" in line for line in said)
    reauths = sum("IKE_SA sluice" in line and "established" in line for line in said)
    moves = sum("client moved" in line for line in lab.edge.log.since(edge_mark))
    stray = [at for at in lost_at(pings) if not any(-0.5 <= at - change <= 1 for change in times)]
    demand(not stray, f"{len(stray)} pings were lost away from a NAT change (changes at {times}, lost at {stray})")
    demand(pings.lost <= len(times), f"{pings.lost} pings were lost at {len(times)} NAT changes")
    demand(rekeys >= seconds // 5 - 2, f"only {rekeys} child rekeys in {seconds} s")
    demand(reauths >= seconds // 20 - 1 and reauths > 0, f"only {reauths} re-authentications in {seconds} s")
    demand(moves > 0, "the edge saw no client move: the NAT did not change its port")
    peers = lab.edge.ctl_json("peers")
    demand(len(peers) == 1, f"one client should be one peer, but there are {len(peers)}")
    return (
        f"{rekeys} child rekeys, {reauths} re-authentications, {len(times)} NAT changes in {seconds} s; {pings.sent} pings, "
        f"{pings.lost} lost, none but at a change; {(up.size + down.size) / 1e6:.0f} MB"
    )


class MemoryWatch:
    """The largest resident memory of a process, in MB, looked at each half second."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.before = self.now()
        self.peak = self.before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def now(self) -> float:
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1]) / 1024  # type: ignore[index]

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            self.peak = max(self.peak, self.now())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


FLOOD_SOURCES, FLOOD_RATE = 10_000, 20_000
FLOOD_TRAFFIC = 1_000_000  # bytes a second each way
WHOLE_FLOOD = 30  # seconds; a shorter one is the short form


def ike_flood(lab: Lab, seconds: int) -> str:
    """20 000 forged IKE first messages a second from 10 000 addresses: traffic keeps its rate, a new client gets in, charon stays small."""
    first, second = lab.clients
    attacker = lab.space("attacker")
    plug(lab.run, attacker, "wan", f"{network.OUTSIDER}/24", lab.spaces["internet"])
    lab.spaces["edge"].ip(f"route add default via {network.OUTSIDER}")  # answers go to whoever is there
    first.dial()
    _, up, down = both_ways(first, 6, FLOOD_TRAFFIC)
    memory = MemoryWatch(charon_pid(lab))
    report.step(f"{FLOOD_RATE} forged first messages a second from {FLOOD_SOURCES} addresses for {seconds} s")
    flood = _start_flood(attacker, seconds)
    with ThreadPoolExecutor(max_workers=1) as pool:
        traffic = pool.submit(both_ways, first, seconds - 2, FLOOD_TRAFFIC)
        eventually("the flood in the edge's counters", lambda: _guard_drops(lab) > 5 * FLOOD_RATE, 30)
        link = second.dial()
        report.good(f"{second.name} connected during the flood in {link.seconds:.1f} s")
        probe = run([program("sluicectl"), "--socket", "/run/sluice/edge.sock", "probe", "ike"])
        report.good(f"meanwhile `sluicectl probe ike` says: {probe.strip()}")
        pings, up_flood, down_flood = traffic.result()
    demand(flood.wait(60) == 0, "the flood did not come to its end")
    said = json.loads(flood.log.lines[-1])
    memory.stop()
    kept = min(up_flood.mbit / up.mbit, down_flood.mbit / down.mbit)
    grown = memory.peak - memory.before
    report.block("sluicectl drops", lab.edge.ctl("drops"))
    demand(said["sent"] >= 0.95 * FLOOD_RATE * seconds and said["seconds"] < 1.1 * seconds, f"the flood was too weak: {said}")
    demand(kept >= 0.95, f"traffic fell to {kept:.0%} of its rate")
    demand(link.seconds < 5, f"a new client needed {link.seconds:.1f} s")
    demand(grown < 50, f"charon grew by {grown:.0f} MB, from {memory.before:.0f} MB")
    after = f", by {_second_flood(lab, attacker, memory):.1f} MB more in a second flood" if seconds >= WHOLE_FLOOD else ""
    return (
        f"{said['sent'] / said['seconds']:.0f} forged messages a second, traffic at {kept:.0%} of its rate, {pings.lost} of {pings.sent} pings lost, "
        f"new client in {link.seconds:.1f} s, charon grew by {grown:.1f} MB{after}"
    )


def _start_flood(attacker: Namespace, seconds: int) -> Process:
    words = ["--to", network.EDGE_PUBLIC, "--from", "198.18.0.0", "--sources", str(FLOOD_SOURCES), "--rate", str(FLOOD_RATE)]
    return attacker.start("ike_flood", [program("ike_flood"), *words, "--seconds", str(seconds)])


def _second_flood(lab: Lab, attacker: Namespace, first: MemoryWatch) -> float:
    """What the first flood took is given back to charon's own heap: another one after it takes hardly more. In MB."""
    # One of the edge's own probes may be among them.
    eventually("charon's half-open handshakes being over", lambda: _half_open() <= 2, 60, 1)
    memory = MemoryWatch(first.pid)
    demand(_start_flood(attacker, 15).wait(60) == 0, "the second flood did not come to its end")
    memory.stop()
    more = max(0.0, memory.peak - first.peak)
    demand(more < 5, f"charon does not give back what a flood takes: {more:.0f} MB more in the second")
    return more


def _guard_drops(lab: Lab) -> int:
    return sum(int(row["count"]) for row in lab.edge.ctl_json("drops") if row["stage"] == "ike")


def _half_open() -> int:
    text = run(["swanctl", "--stats", "--uri", CHARON_VICI])
    return int(re.search(r"IKE_SAs: \d+ total, (\d+) half-open", text)[1])  # type: ignore[index]
