"""Certificates of the channel, made as an operator makes them: by `sluicectl pki`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .process import run
from .product import program


class ChannelPki:
    """A CA in FOLDER: ca.pem, crl.pem, and NAME.pem and NAME.key of each edge and agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def make(cls, folder: Path, names: Sequence[str]) -> "ChannelPki":
        """Of "edge1" and "agent2" the letters are the role."""
        self = cls(folder)
        self._ctl("init", "--name", "Sluice lab CA")
        for name in names:
            self._ctl("issue", name.rstrip("0123456789"), name)
        return self

    def renew(self, name: str, *options: str) -> str:
        """The new certificate's serial number."""
        return self._ctl("renew", name, *options)["certificate"]["serial"]

    def revoke(self, name: str) -> int:
        """How many certificates were taken back."""
        return len(self._ctl("revoke", name)["revoked"])

    def _ctl(self, *words: str) -> Any:
        return json.loads(run([program("sluicectl"), "--json", "pki", *words, "--dir", str(self.folder)]))
