"""Traffic of clients with the inside host, checked end to end."""

import json
from dataclasses import dataclass
from pathlib import Path

from . import network
from .client import Client
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


def transfer(client: Client, direction: str, size: int, target: str = network.INSIDE_HOST, patience: float = 150) -> Transfer:
    """`direction` "send" (towards inside) or "fetch". Demands equal checksums, and that inside saw the client's own PPP address."""
    text = client.guest.run(
        "/usr/bin/python3", str(PEER), direction, target, str(PORT), str(size), f"{client.name}-{direction}", timeout=patience
    )
    said = json.loads(text)
    demand(said["ours"] == said["theirs"], f"{client.name}: checksums differ after {direction}: {said['ours']} here, {said['theirs']} there")
    assert client.link is not None
    demand(said["seen_as"] == client.link.address, f"{client.name} has {client.link.address} but inside saw {said['seen_as']}")
    return Transfer(said["bytes"], said["seconds"], said["ours"])
