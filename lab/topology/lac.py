"""Our L2TP client against real servers: each in a network namespace, with a cable between, over plain UDP."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import report, runs, sandbox
from .network import Namespace
from .process import Process
from .product import BUILD, PROJECT
from .report import Failed, demand
from .runs import Run
from .scenario import need_root

SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
DIALLER = BUILD / "bin" / "lac_dial"


@dataclass
class Pair:
    """A server's place and a client's, and what runs there."""

    run: Run
    server: Namespace
    client: Namespace
    processes: list[Process] = field(default_factory=list)

    @classmethod
    def build(cls, run: Run) -> "Pair":
        server, client = Namespace(run, "server"), Namespace(run, "client")
        server.ip("link add eth0 type veth peer name eth0 netns client")
        for space, address in ((server, SERVER), (client, CLIENT)):
            space.ip(f"addr add {address}/24 dev eth0")
            space.ip("link set eth0 up")
        pair = cls(run, server, client)
        pair.processes.append(client.capture("l2tp", "eth0", "udp port 1701"))
        return pair

    def serve(self, name: str, argv: list[str], says: str, timeout: float = 15) -> Process:
        """Starts the server and waits until it says that it serves."""
        process = self.server.start(name, argv)
        self.processes.append(process)
        process.log.wait(says, timeout)
        report.good(f"{name} serves")
        return process

    def dial(self, *words: str, code: int = 0) -> list[str]:
        """Our client with these options; what it said."""
        dialler = self.client.start("lac_dial", [str(DIALLER), SERVER, "--trace", *words])
        got = dialler.wait(60)
        lines = list(dialler.log.lines)
        said = [line for line in lines if not line.startswith(("> ", "< "))]
        demand(got == code, f"lac_dial {' '.join(words)} ended with {got}, not {code}; it said: {' | '.join(said)} (log: {dialler.log.path})")
        return said

    def close(self) -> None:
        for process in reversed(self.processes):
            process.stop()


Check = Callable[[Pair], str]


def calls(pair: Pair, server: str, *words: str) -> float:
    """A tunnel with two calls, three HELLOs, and the end in order; seconds it took."""
    started = time.monotonic()
    said = pair.dial("--sessions", "2", "--hellos", "3", *words)
    seconds = time.monotonic() - started
    for wanted, count in (("tunnel up", 1), ("session up", 2), ("HELLO acknowledged", 3), ("StopCCN acknowledged", 1)):
        seen = sum(line.startswith(wanted) for line in said)
        demand(seen == count, f"'{wanted}' {seen} times, not {count}: {' | '.join(said)}")
    report.good(f"{server}: tunnel, two calls, three HELLOs and the end in {seconds:.1f} s")
    return seconds


def refused(pair: Pair, server: str, *words: str) -> None:
    """With the wrong secret there is no call."""
    said = pair.dial(*words, code=1)
    demand(any("tunnel down" in line for line in said), f"no 'tunnel down': {' | '.join(said)}")
    report.good(f"{server}: a wrong tunnel secret is told as such: {said[-1]}")


def _build_dialler() -> None:
    if not (BUILD / "CMakeCache.txt").exists():
        _must(["cmake", "--preset", "release", "--log-level=WARNING"])
    _must(["cmake", "--build", "--preset", "release", "--target", "lac_dial"])


def _must(argv: list[str]) -> None:
    done = subprocess.run(argv, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout, flush=True)
        raise SystemExit(f"'{' '.join(argv)}' failed; the cause is above")


def main(program: str, check: Check) -> None:
    """Entry of a scenario file; `program` is the server, which must be installed."""
    name = Path(sys.argv[0]).name
    argparse.ArgumentParser(prog=f"lab/run {name}", description=(check.__doc__ or "").strip()).parse_args()
    need_root(f"lab/run {name}")
    if not Path(program).exists():
        subprocess.run([str(PROJECT / "lab" / "install"), "test", "lab"], stdin=subprocess.DEVNULL, check=True)
    _build_dialler()
    run = runs.new_run(name)
    report.step(f"{name}: logs and captures in {run.folder}")

    def body(_ready: Callable[[], None]) -> int:
        os.environ["SLUICE_LAB_RUN"] = run.ident
        pair = Pair.build(run)
        try:
            run.write("figures", check(pair))
        except Failed:
            for process in pair.processes:
                report.block(f"last words of {process.name}", "\n".join(process.log.lines[-10:]))
            raise
        finally:
            pair.close()
        return 0

    code = sandbox.enter(run, body)
    figures = run.folder / "figures"
    if code == 0 and figures.exists():
        print(f"{name}: holds: {figures.read_text().strip()} ({run.folder})", flush=True)
    else:
        print(f"{name}: does not hold; see above and {run.folder}", flush=True)
    sys.exit(code)
