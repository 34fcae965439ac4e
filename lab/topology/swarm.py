"""sluice-swarm in the lab: many clients of one edge, from one namespace."""

import json
import re
import time
from typing import Any

from . import network
from .client import PSK
from .lab import Lab
from .product import BUILD, EDGE1, SWARM_PASSWORD, EdgePlace, plugin, program
from .process import Process
from .report import Failed, demand

# Without IKE the edge takes its SAs from the swarm, which is what charon would be.
VICI = "/run/sluice-swarm/vici.sock"
ATTACH = f'attach = "{VICI}"\n'
# Budgets that hold strangers off would hold the swarm off, which is one network; and its clients redial sooner than a tunnel that
# ended is forgotten.
NO_BUDGETS = """
[limits]
ike_per_source = 0
ike_per_prefix = 0
ike_new_sources = 0
tunnels_per_client = 0
"""


class Swarm:
    """Runs until finish(); `words` are more of its options."""

    def __init__(
        self, lab: Lab, clients: int, rate: float, words: list[str], ike: int = 2, name: str = "swarm", place: EdgePlace = EDGE1, sources: str = "10.9.0.0/16:4500-4501"
    ) -> None:
        self._lab = lab
        self.clients = clients
        folder = lab.run.folder
        psk, password = lab.run.write("swarm/psk", PSK + "\n"), lab.run.write("swarm/password", SWARM_PASSWORD + "\n")
        argv = [program("sluice-swarm"), "--edge", place.public, "--clients", str(clients), "--rate", str(rate), "--sources", sources]
        argv += ["--user", "swarm%", "--password-file", str(password), "--progress", "0.1", "--json"]
        if ike:
            argv += ["--psk-file", str(psk), "--ike-version", str(ike), "--plugin", str(plugin()), "--run-dir", f"/run/{name}"]
        else:
            argv += ["--no-ike", "--feed", f"{place.run_dir}/ike/feed.sock", "--vici", VICI]
        self._log = folder / "logs" / f"{name}.log"
        self.process: Process = lab.spaces["swarm"].start(name, argv + words)

    @property
    def log(self):  # noqa: ANN201
        return self.process.log

    def wait_up(self, timeout: float, mark: int = 0, may_fail: bool = False) -> float:
        """Until all are up; the seconds that it took from now. Fails at once when an attempt does, unless that may be."""
        started = time.monotonic()
        self.log.wait(rf": {self.clients} of \d+ up, 0 connecting", timeout, mark, None if may_fail else r", [1-9]\d* failed")
        return time.monotonic() - started

    def wait_down(self, timeout: float, mark: int = 0) -> None:
        """Until one of those that were up is not."""
        self.log.wait(rf": (?!{self.clients} )\d+ of \d+ up", timeout, mark)

    def answered(self) -> int:
        """Echoes, as it said last."""
        said = [found for line in self.log.lines[-5:] if (found := re.search(r", (\d+) of \d+ echoes", line))]
        return int(said[-1][1]) if said else 0

    def finish(self, patience: float = 60, end: bool = True) -> dict[str, Any]:
        """Has them hang up (or waits for the end of their cycles); what the run came to."""
        if end:
            self.process.kill(2)
        code = self.process.wait(patience)
        self.process._reader.join(5)
        lines = self.log.lines
        starts = [number for number, line in enumerate(lines) if line == "{"]
        if not starts:
            raise Failed(f"{self.process.name} ended without a result; it last said: {' | '.join(lines[-3:])} (log: {self._log})")
        text = "\n".join(line for line in lines[starts[-1] :] if not line.startswith("swarm:"))
        return {**json.loads(text), "exit_code": code}


def refused(lab: Lab, ike: int, words: list[str], cause: str) -> None:
    """Clients that must not come up: the swarm says so by its exit code and names the cause."""
    result = Swarm(lab, 3, 20, [*words, "--patience", "3", "--duration", "1"], ike, "swarm-refused").finish(30, end=False)
    demand(result["exit_code"] == 1 and result["never_up"] == 3, f"exit code {result['exit_code']}, {result['connected']} came up")
    demand(any(cause in text for text in result["causes"]), f"the causes do not name '{cause}': {result['causes']}")


def milliseconds(of: dict[str, float]) -> str:
    """Median, 95th and 99th percentile."""
    return f"{of['median_ms']:.0f}/{of['p95_ms']:.0f}/{of['p99_ms']:.0f} ms"


def phases(result: dict[str, Any]) -> str:
    times = result["phases"]
    return f"IKE {milliseconds(times['keys'])}, L2TP {milliseconds(times['l2tp'])}, PPP {milliseconds(times['ppp'])} (median/p95/p99)"


def shares(lab: Lab) -> dict[str, int]:
    """Sessions by agent, as the edge counts them."""
    return {row["name"]: int(row["sessions"]) for row in lab.edge.ctl_json("backends")}


def resident_kib(pid: int) -> int:
    """Memory of a process that is its own: pages of files do not count."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    raise Failed(f"process {pid} has no RssAnon")


def memory_counts() -> bool:
    """Not where a sanitizer keeps what was freed, and maps of it."""
    cache = BUILD / "CMakeCache.txt"
    return not (cache.exists() and re.search(r"^SLUICE_SANITIZE:\w+=\w", cache.read_text(), re.M))


def edge_pid(lab: Lab) -> int:
    return lab.edge.process.pid


def charon_pid(lab: Lab) -> int:
    """Of the edge's charon."""
    started = lab.edge.log.find(r"charon started.*pid=(\d+)")
    demand(started is not None, "the edge's log does not tell of its charon")
    return int(started[1])


def all_good(result: dict[str, Any]) -> None:
    clean = result["failed"] == 0 and result["lost"] == 0 and result["exit_code"] == 0
    demand(clean, f"exit code {result['exit_code']}: {result['failed']} attempts failed and {result['lost']} clients were cut off: {result['causes']}")
