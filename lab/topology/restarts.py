"""The edge ends and starts again under traffic: nobody may lose a session, and no ESP number may be sent twice."""

import re
import signal
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import network, report
from .checks import dial_all, ping_all, sessions_are_joined
from .client import Client, Pings
from .lab import Lab, together
from .process import eventually
from .report import demand

PAUSE = 2.0  # seconds without traffic that a restart may cost
INTERVAL = 0.05  # between pings
RECORD = Path("/run/sluice/ike.charon")  # the edge's note of the charon it keeps
ESP_OUT = f"src host {network.EDGE_PUBLIC} and (esp or (udp src port 4500 and udp[8:4] != 0))"


@dataclass(frozen=True)
class Pause:
    seconds: float  # the longest time between two answers
    lost: int


def _pause(pings: Pings, whose: str) -> Pause:
    """Answers must be missing in one place only."""
    seen = {int(number): float(stamp) for stamp, number in re.findall(r"\[(\d+\.\d+)\] .*icmp_seq=(\d+) ttl", pings.text)}
    demand(len(seen) > 0, f"{whose} got no answer at all")
    missing = [number for number in range(1, pings.sent + 1) if number not in seen]
    holes = [number for number in missing if number - 1 not in missing]
    demand(len(holes) <= 1, f"{whose} lost pings in {len(holes)} places: {missing[:20]}")
    stamps = sorted(seen.values())
    return Pause(max(later - earlier for earlier, later in zip(stamps, stamps[1:])), len(missing))


def _charon() -> int:
    return int(RECORD.read_text().split()[0])


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and "Z" not in re.sub(r".*\)", "", Path(f"/proc/{pid}/stat").read_text())[:3]


def _numbers(capture: Path) -> dict[int, list[int]]:
    """Of the ESP packets that the edge sent: sequence numbers in order, by SPI."""
    data = capture.read_bytes()
    out: dict[int, list[int]] = {}
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        packet = data[at + 16 : at + 16 + size]
        at += 16 + size
        if len(packet) < size or len(packet) < 14 + 20 + 16:
            continue
        header = 14 + (packet[14] & 15) * 4
        if packet[14 + 9] == 17:
            header += 8
        spi, sequence = struct.unpack_from(">II", packet, header)
        out.setdefault(spi, []).append(sequence)
    return out


def _restart(lab: Lab, how: signal.Signals) -> Pause:
    """One restart under pings of all clients."""
    charon = _charon()
    agents = [(agent.log, agent.log.mark()) for agent in lab.agents]
    marks = [(client, client.events.mark(), client.xl2tpd.mark(), client.link) for client in lab.clients]
    with ThreadPoolExecutor(max_workers=len(lab.clients)) as pool:
        running = [pool.submit(Client.ping, client, network.INSIDE_HOST, 120, INTERVAL) for client in lab.clients]
        time.sleep(1.5)  # pings on both sides of the restart
        report.step(f"{how.name} to the edge, and another one at once")
        lab.edge.restart(how)
        pauses = [_pause(future.result(), client.name) for future, client in zip(running, lab.clients)]
    for client, events, tunnel, link in marks:
        demand(client.link == link and not client.events.since(events), f"{client.name}'s link changed: {client.events.since(events)}")
        demand(not client.xl2tpd.find(r"closed|Connecting|Call .* disconnected", tunnel), f"{client.name}'s tunnel was opened anew")
    for log, mark in agents:
        again = [line for line in log.since(mark) if re.search(r"\bsession (up|down|ended)\b", line)]
        demand(not again, f"sessions began or ended at the agent: {again[:3]}")
    demand(_charon() == charon and _alive(charon), f"charon was {charon} and is {_charon()} now")
    sessions_are_joined(lab)
    worst = max(pauses, key=lambda pause: pause.seconds)
    demand(worst.seconds <= PAUSE, f"traffic paused for {worst.seconds:.2f} s; at most {PAUSE:g} s are allowed")
    report.good(f"{how.name}: traffic paused {worst.seconds:.2f} s, {worst.lost} pings of one client lost in it; same sessions, same charon ({charon})")
    return worst


def _rekey(client: Client) -> None:
    mark = client.charon.mark()
    client.guest.run("swanctl", "--rekey", "--child", "l2tp")
    client.charon.wait(r"CHILD_SA l2tp\{\d+\} established", 10, mark)


def edge_restarts(lab: Lab) -> str:
    """The edge is killed, and later ended by SIGTERM, and starts again at once, under traffic of clients with equal private addresses."""
    dial_all(lab)
    sessions_are_joined(lab)
    capture = lab.spaces["edge"].capture("esp-out", "wan", ESP_OUT, 1_000_000)
    lab.processes.append(capture)
    killed = _restart(lab, signal.SIGKILL)
    together(_rekey, lab.clients)
    report.good("the clients rekeyed with the new edge")
    ping_all(lab)
    ended = _restart(lab, signal.SIGTERM)
    ping_all(lab)
    capture.stop()
    numbers = _numbers(lab.run.path("captures", "esp-out.pcap"))
    sent = sum(map(len, numbers.values()))
    for spi, sequence in numbers.items():
        demand(len(set(sequence)) == len(sequence), f"the edge sent numbers of SPI {spi:08x} twice")
        demand(all(a < b for a, b in zip(sequence, sequence[1:])), f"the edge's numbers of SPI {spi:08x} went back")
    report.good(f"{sent} ESP packets from the edge on {len(numbers)} SAs: no (SPI, sequence number) twice, none smaller than one before")
    eventually("both clients in `sluicectl peers`", lambda: lab.edge.ctl("peers").count(network.CARRIER_PUBLIC) >= len(lab.clients), 20)
    return (
        f"SIGKILL: pause {killed.seconds:.2f} s, {killed.lost} pings lost; SIGTERM: pause {ended.seconds:.2f} s, {ended.lost} lost; "
        f"0 new logins, 0 L2TP reconnects, charon stayed, {sent} ESP numbers none twice"
    )
