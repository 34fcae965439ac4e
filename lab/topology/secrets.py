"""What must never leave the daemons, and a search for it in what does."""

import base64
import gzip
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .client import PSK, Client
from .lab import Lab
from .process import run
from .radius import SECRET
from .report import demand

SHORTEST = 12  # a search for less finds what is there by chance


@dataclass(frozen=True)
class Secret:
    what: str
    value: bytes

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """The value as it is, in both kinds of hex, and in base64 at each of its three offsets."""
        yield "as it is", self.value
        yield "hex", self.value.hex().encode()
        yield "HEX", self.value.hex().upper().encode()
        for offset in range(3):
            # What is the same wherever in a longer text it begins: whole groups of three bytes.
            inner = self.value[(3 - offset) % 3 :]
            whole = base64.b64encode(inner[: len(inner) // 3 * 3])
            if len(whole) >= SHORTEST:
                yield f"base64 (offset {offset})", whole


class Search:
    """Places to look in, and what was found."""

    def __init__(self, secrets: list[Secret]) -> None:
        for secret in secrets:
            demand(len(secret.value) >= SHORTEST, f"{secret.what} is too short to be searched for")
        self.secrets = secrets
        self.places: dict[str, int] = {}
        self.found: set[str] = set()

    def look(self, place: str, content: bytes | str) -> list[str]:
        """What of the secrets is there."""
        data = content.encode() if isinstance(content, str) else content
        demand(len(data) > 0, f"{place} is empty: there is nothing to search")
        self.places[place] = len(data)
        here = [f"{what}, {form}, in {place}" for what, form in self._in(data)]
        self.found.update(here)
        return here

    def _in(self, data: bytes) -> list[tuple[str, str]]:
        return [(secret.what, form) for secret in self.secrets for form, needle in secret.forms() if needle in data]

    def look_in_archive(self, place: str, packed: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                content = file.read() if file else b""
                if content:
                    self.look(f"{place}: {member.name.partition('/')[2]}", content)

    def prove(self, ground: bytes) -> None:
        """A search that finds nothing must be able to find: each secret in each form, planted in the midst of what was searched."""
        middle = len(ground) // 2
        for secret in self.secrets:
            for form, needle in secret.forms():
                here = self._in(ground[:middle] + needle + ground[middle:])
                demand((secret.what, form) in here, f"the search does not find {secret.what}, {form}, where it is")

    def demand_nothing(self) -> None:
        demand(not self.found, f"{len(self.found)} secrets were found: {'; '.join(sorted(self.found)[:8])}")

    def figures(self) -> str:
        size = sum(self.places.values())
        return f"{len(self.secrets)} secrets in none of {len(self.places)} places ({size / 1e6:.1f} MB)"


def key_secrets(file: Path) -> list[Secret]:
    """The private key in FILE: the number itself, and a line of the file that tells most of it."""
    text = run(["openssl", "pkey", "-in", str(file), "-text", "-noout"])
    number = re.search(r"priv:\s+([0-9a-f:\s]+)", text)
    demand(number is not None, f"openssl does not show the private number of {file}")
    assert number is not None
    value = bytes.fromhex(re.sub(r"[:\s]", "", number[1])).lstrip(b"\0")
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("-----")]
    return [Secret(f"the private key {file.name}", value), Secret(f"a line of {file.name}", lines[1].encode())]


def sa_keys(client: Client) -> list[Secret]:
    """The keys of the client's ESP SAs, as its kernel has them: the edge has the same."""
    text = client.guest.run("ip", "xfrm", "state")
    keys = re.findall(r"(?:enc|auth-trunc|auth|aead) \S+ 0x([0-9a-f]{32,})", text)
    demand(len(keys) >= 4, f"the client's kernel shows the keys of both SAs: {len(keys)}")
    return [Secret(f"SA key {number}", bytes.fromhex(key)) for number, key in enumerate(keys, 1)]


def known(lab: Lab, passwords: dict[str, str]) -> list[Secret]:
    """Pre-shared key, RADIUS secret, passwords, private keys of the channel."""
    out = [Secret("the pre-shared key", PSK.encode()), Secret("the RADIUS secret", SECRET.encode())]
    out += [Secret(f"the password of {user}", password.encode()) for user, password in passwords.items()]
    for file in sorted((lab.run.folder / "certs").rglob("*.key")):
        out += key_secrets(file)
    return out
