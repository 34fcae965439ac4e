"""Traffic of clients with the inside host, checked end to end."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import network
from .client import Client, Pings
from .report import demand

PEER = Path(__file__).with_name("transfer_peer.py")
PORT = 5001


@dataclass(frozen=True)
class Transfer:
    size: int
    seconds: float
    sha256: str

    @property
    def mbit(self) -> float:
        return self.size * 8 / self.seconds / 1e6

    def __str__(self) -> str:
        return f"{self.size / 1e6:.0f} MB in {self.seconds:.1f} s, {self.mbit:.0f} Mbit/s, sha256 {self.sha256[:16]}... at both ends"


def transfer(client: Client, direction: str, size: int, rate: int = 0, patience: float = 150) -> Transfer:
    """`direction` "send" (towards inside) or "fetch"; `rate` in bytes a second, 0 for as fast as it goes.

    Demands equal checksums at both ends, and that inside saw the client's own PPP address.
    """
    seed = f"{client.name}-{direction}"
    words = [str(PEER), direction, network.INSIDE_HOST, str(PORT), str(size), seed, str(rate)]
    said = json.loads(client.guest.run("/usr/bin/python3", *words, timeout=patience))
    demand(said["ours"] == said["theirs"], f"{client.name}: checksums differ after {direction}: {said['ours']} here, {said['theirs']} there")
    assert client.link is not None
    demand(said["seen_as"] == client.link.address, f"{client.name} has {client.link.address} but inside saw {said['seen_as']}")
    return Transfer(said["bytes"], said["seconds"], said["ours"])


def both_ways(client: Client, seconds: int, rate: int) -> tuple[Pings, Transfer, Transfer]:
    """Traffic in both directions at once for about `seconds`, at `rate` bytes a second each, with five pings a second beside it."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        patience = seconds * 3 + 30
        pings = pool.submit(client.ping, network.INSIDE_HOST, seconds * 5)
        up = pool.submit(transfer, client, "send", seconds * rate, rate, patience)
        down = pool.submit(transfer, client, "fetch", seconds * rate, rate, patience)
        return pings.result(), up.result(), down.result()
