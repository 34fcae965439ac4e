"""Runs the lab in a world of its own and proves afterwards that nothing of it is left.

    caller ── keeper ── init: process 1 of new process, mount, network, IPC and host-name namespaces

Everything the lab starts is a descendant of init, so the kernel ends all of it with init; mounts, named network
namespaces and devices exist only inside and go with it too. Init dies with the keeper and the keeper with the caller,
even by SIGKILL (PR_SET_PDEATHSIG). Only a run that is kept (`lab/demo --keep`) outlives its caller, until `lab/demo --stop`.
"""

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from . import kernel, report
from .process import run
from .report import Failed
from .runs import Run

READY = b"r"
PATIENCE = 20.0  # seconds from the first signal to SIGKILL

Body = Callable[[Callable[[], None]], int]


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP reached the lab."""


def _interrupt(number: int, _frame: object) -> None:
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    raise Interrupted(signal.Signals(number).name)


def _furnish() -> None:
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("proc", "/proc", "proc")
    kernel.mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    os.makedirs("/run/netns")
    os.makedirs("/run/uml")
    socket.sethostname("sluice-lab")
    run(["ip", "link", "set", "lo", "up"])


def _init(body: Body, to_caller: int) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)

    def ready() -> None:
        os.write(to_caller, READY)

    try:
        _furnish()
        return body(ready)
    except Interrupted as why:
        report.bad(f"interrupted ({why})")
        return 130
    except Failed as why:
        report.bad(str(why))
    except Exception:
        report.bad(f"the lab itself failed:\n{traceback.format_exc()}")
    return 1


def _keeper(run_: Run, body: Body, caller: int, to_caller: int, keep: bool) -> int:
    """Holds init; passes signals on; insists after a while."""
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != caller:
        return 1
    os.setpgid(0, 0)  # Ctrl-C reaches the caller alone, which passes it on
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
    host_proc = os.open("/proc", os.O_RDONLY)  # init lays its own over it
    sys.stdout.flush()
    init = os.fork()
    if init == 0:
        kernel.die_with_parent(signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        code = _init(body, to_caller)
        sys.stdout.flush()
        os._exit(code)
    os.close(to_caller)
    run_.note_inside(init, os.readlink(f"{init}/ns/pid", dir_fd=host_proc))
    deadline: float | None = None
    while True:
        left = 3600.0 if deadline is None else max(0.0, deadline - time.monotonic())
        got = signal.sigtimedwait(signals, left)
        ended, status = os.waitpid(init, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) if not os.WIFSIGNALED(status) else 137
        if got is None:
            if deadline is not None:
                os.kill(init, signal.SIGKILL)
        elif got.si_signo == signal.SIGUSR1 and keep:
            kernel.die_with_parent(0)
            _let_go_of_terminal()
        elif got.si_signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(init, signal.SIGTERM)
            deadline = deadline or time.monotonic() + PATIENCE


def _let_go_of_terminal() -> None:
    """Whoever reads the caller's output must see its end."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def enter(run_: Run, body: Body, keep: bool = False) -> int:
    """Carries out `body` inside; its return value. With `keep`, returns once `body` calls its argument, and the run stays."""
    before = Host.look()
    from_init, to_caller = os.pipe()
    sys.stdout.flush()
    caller = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        os.close(from_init)
        try:
            code = _keeper(run_, body, caller, to_caller, keep)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        os._exit(code)
    os.close(to_caller)
    run_.note_keeper(keeper)

    def pass_on(number: int, _frame: object) -> None:
        try:
            os.kill(keeper, number)
        except ProcessLookupError:
            pass

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    select.select([from_init], [], [])
    if os.read(from_init, 1) == READY and keep:
        os.kill(keeper, signal.SIGUSR1)
        return 0
    code = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
    clean = before.nothing_left(run_)
    return code or (0 if clean else 1)


class Host:
    """What of the host the lab must leave as it found it."""

    def __init__(self, mounts: set[str], devices: set[str], namespaces: set[str]) -> None:
        self.mounts, self.devices, self.namespaces = mounts, devices, namespaces

    @classmethod
    def look(cls) -> "Host":
        mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
        named = Path("/run/netns")
        return cls(mounts, set(os.listdir("/sys/class/net")), set(os.listdir(named)) if named.is_dir() else set())

    def nothing_left(self, run_: Run) -> bool:
        """Says what is left of the run, if anything. The kernel may need a moment for processes that were killed."""
        deadline = time.monotonic() + 3
        while processes_of(run_) and time.monotonic() < deadline:
            time.sleep(0.05)
        now = Host.look()
        left = [f"process {text}" for text in processes_of(run_)]
        left += [f"mount {text}" for text in now.mounts - self.mounts if run_.ident in text or text.startswith("/run/netns")]
        left += [f"device {text}" for text in (now.devices - self.devices) & run_.made("devices")]
        left += [f"namespace {text}" for text in (now.namespaces - self.namespaces) & run_.made("namespaces")]
        for text in left:
            report.bad(f"left behind: {text}")
        if not left:
            report.good("nothing of this run is left: no process, namespace, mount or device")
        return not left


def processes_of(run_: Run) -> list[str]:
    """Processes in the run's process namespace, or with its mark in their environment."""
    mark = f"SLUICE_LAB_RUN={run_.ident}".encode()
    namespace = run_.inside().get("namespace")
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            ours = os.readlink(f"/proc/{entry}/ns/pid") == namespace
            if ours or mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found.append(f"{entry} ({Path(f'/proc/{entry}/comm').read_text().strip()})")
        except OSError:
            continue
    return found
