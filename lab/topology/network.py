"""Network namespaces, links and NAT of the lab, and the plan of its addresses."""

import itertools
from collections.abc import Sequence

from .process import Process, run
from .runs import Run

# The internet's one segment. Everything on it reaches everything else on it.
EDGE_PUBLIC = "203.0.113.1"
CARRIER_PUBLIC = "203.0.113.10"
OUTSIDER = "203.0.113.200"
# Where the swarm's clients are, and what they dial from.
SWARM_PUBLIC = "203.0.113.50"
SWARM_NET = "10.9.0.0/16"
# What every client has at home, in every home.
HOME_GATEWAY = "192.168.1.1"
HOME_CLIENT = "192.168.1.10"
# Behind the edge.
EDGE_CORE = "10.20.0.1"
INSIDE_NET = "10.40.0.0/24"
INSIDE_HOST = "10.40.0.100"


def home_public(number: int) -> str:
    """WAN address of home NAT `number` (from 1) when no carrier NAT stands before it."""
    return f"203.0.113.{20 + number}"


def home_carrier(number: int) -> str:
    return f"100.64.0.{10 + number}"


def direct_client(number: int) -> str:
    return f"203.0.113.{100 + number}"


def edge_extra(number: int) -> str:
    """One more public address of the edge (from 1)."""
    return f"203.0.113.{1 + number}"


def agent_core(number: int) -> str:
    return f"10.20.0.{10 + number}"


def agent_inside(number: int) -> str:
    return f"10.40.0.{10 + number}"


def pool(number: int) -> str:
    """First three bytes of the addresses that agent `number` gives to clients."""
    return f"10.30.{number}"


def swarm_pool(number: int) -> str:
    """First two bytes of the addresses that agent `number` gives to more clients than its usual pool has room for."""
    return f"10.{100 + number}"


class Namespace:
    def __init__(self, run_: Run, name: str) -> None:
        self.name = name
        self._run = run_
        run_.note_made("namespaces", name)
        run(["ip", "netns", "add", name])
        self.ip("link set lo up")

    def argv(self, argv: Sequence[str]) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.name}", "--", *argv]

    def run(self, argv: Sequence[str], timeout: float = 20, stdin: str = "") -> str:
        return run(self.argv(argv), timeout, stdin)

    def ip(self, words: str) -> None:
        run(["ip", "-n", self.name, *words.split()])

    def start(self, name: str, argv: Sequence[str], env: dict[str, str] | None = None, pass_fds: Sequence[int] = ()) -> Process:
        return Process(name, self.argv(argv), self._run.path("logs", f"{name}.log"), env, pass_fds)

    def capture(self, name: str, device: str, expression: str, packets: int = 20000) -> Process:
        """A capture into the run's folder; it stands when this returns."""
        path = str(self._run.path("captures", f"{name}.pcap"))
        argv = ["tcpdump", "-i", device, "-n", "-U", "-Z", "root", "-c", str(packets), "-w", path, expression]
        process = self.start(f"tcpdump-{name}", argv)
        process.log.wait("listening on", 10)
        return process

    def forward(self) -> None:
        """Routes between its devices. The setting belongs to the namespace."""
        self.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])

    def masquerade(self, device: str) -> None:
        """A port-translating NAT towards `device`, and nothing let in that did not go out."""
        rules = f"""
            table ip nat {{
                chain out {{ type nat hook postrouting priority 100; oifname "{device}" masquerade; }}
                chain pass {{ type filter hook forward priority 0; iifname "{device}" ct state new drop; }}
            }}"""
        self.run(["nft", "-f", "-"], stdin=rules)
        self.forward()

    def bridge(self, name: str) -> None:
        self.ip(f"link add {name} type bridge")
        self.ip(f"link set {name} up")
        self._run.note_made("devices", name)

    def tap(self, name: str, address: str | None = None, bridge: str | None = None) -> None:
        """A tap device for a guest to sit on."""
        self.ip(f"tuntap add {name} mode tap")
        self._run.note_made("devices", name)
        if address:
            self.ip(f"addr add {address} dev {name}")
        if bridge:
            self.ip(f"link set {name} master {bridge}")
        self.ip(f"link set {name} up")


_link_numbers = itertools.count(1)


def plug(run_: Run, namespace: Namespace, device: str, address: str, segment: Namespace, bridge: str = "br0") -> None:
    """A cable from `namespace` (device, address/prefix) to the bridge of a segment."""
    port = f"port{next(_link_numbers)}"
    run_.note_made("devices", device)
    run_.note_made("devices", port)
    namespace.ip(f"link add {device} type veth peer name {port} netns {segment.name}")
    segment.ip(f"link set {port} master {bridge}")
    segment.ip(f"link set {port} up")
    namespace.ip(f"addr add {address} dev {device}")
    namespace.ip(f"link set {device} up")
