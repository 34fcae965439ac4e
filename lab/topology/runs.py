"""The folder of a run: logs, captures, generated configuration, and what is needed to find a run that was kept."""

import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path("/tmp/sluice-lab")
REMEMBERED = 30  # older folders of ended runs are removed


@dataclass(frozen=True)
class Run:
    ident: str
    folder: Path

    def path(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.path(name)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def note_keeper(self, pid: int) -> None:
        """Remembers the process that holds the run's namespaces, with its start time: a pid alone may be another's later."""
        self.write("keeper.json", json.dumps({"pid": pid, "start": start_time(pid)}))

    def keeper(self) -> int | None:
        try:
            noted = json.loads((self.folder / "keeper.json").read_text())
            return noted["pid"] if start_time(noted["pid"]) == noted["start"] else None
        except (OSError, ValueError, KeyError):
            return None

    def note_inside(self, pid: int, namespace: str) -> None:
        """Remembers process 1 of the run's namespaces, as the host numbers it, and its process namespace."""
        self.write("inside.json", json.dumps({"pid": pid, "namespace": namespace}))

    def inside(self) -> dict[str, Any]:
        try:
            return json.loads((self.folder / "inside.json").read_text())
        except (OSError, ValueError):
            return {}

    def note_made(self, kind: str, name: str) -> None:
        with open(self.path("made", kind), "a", encoding="utf-8") as file:
            file.write(name + "\n")

    def made(self, kind: str) -> set[str]:
        path = self.folder / "made" / kind
        return set(path.read_text().split()) if path.exists() else set()


def start_time(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[19])


def new_run(name: str) -> Run:
    ROOT.mkdir(mode=0o700, parents=True, exist_ok=True)
    if ROOT.stat().st_uid != os.getuid() or ROOT.is_symlink():
        raise SystemExit(f"{ROOT} belongs to somebody else; remove it first")
    _forget_old()
    ident = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{secrets.token_hex(2)}"
    folder = ROOT / ident
    folder.mkdir(mode=0o700)
    return Run(ident, folder)


def all_runs() -> list[Run]:
    if not ROOT.is_dir():
        return []
    return [Run(path.name, path) for path in sorted(ROOT.iterdir()) if path.is_dir()]


def kept_runs() -> list[Run]:
    return [run for run in all_runs() if run.keeper() is not None]


def _forget_old() -> None:
    for run in all_runs()[:-REMEMBERED]:
        if run.keeper() is None:
            shutil.rmtree(run.folder, ignore_errors=True)
