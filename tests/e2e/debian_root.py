"""A machine of its own to install packages on: a copy-on-write root over this machine's files or over a new Debian 12, with a real systemd as process 1.

Its processes, mounts, host name and control groups end with the process that started it; its network is the caller's, or one of its own.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SLUICE_BUILD", PROJECT / "build" / "release"))
NAMES = ("sluice-edge", "sluice-agent", "sluicectl", "sluice-charon-plugin")
PATIENCE = 240  # seconds for all that happens inside
FRESH_PATIENCE = 1800  # seconds for a new Debian
# What such a command mounts and starts ends with it.
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
CGROUP = "sluice-machine-"

# Process 1 of the new root, until systemd takes its place. $1 where to, $2 over what, $3 what both sides see, $4 the program to run inside.
FIRST = r"""
set -e
root=$1 lower=$2 results=$3 program=$4
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/all"
mount -t overlay -o "lowerdir=$lower,upperdir=$root/upper,workdir=$root/work" overlay "$root/all"
cd "$root/all"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
for at in run tmp var/log; do mount -t tmpfs tmpfs $at; done
mkdir -p run/results
mount --bind "$results" run/results
# Nobody looks for a page in here.
rm -f var/lib/man-db/auto-update
# Of the machine's own units nothing is to start.
rm -rf etc/systemd/system/* lib/systemd/system/*.wants usr/lib/systemd/system/*.wants
printf '[Unit]\nDescription=nothing\nDefaultDependencies=no\n' >etc/systemd/system/nothing.target
: >run/console
mount --bind run/console dev/console
ip link set lo up
for address in $SLUICE_LO; do ip address add "$address/32" dev lo; done
chroot . /usr/bin/env SLUICE_INSIDE=1 /usr/bin/python3 "/run/results/$program" </dev/null >run/results/said 2>&1 &
export container=sluice-test
exec chroot . /lib/systemd/systemd --system --unit=nothing.target --log-target=console --show-status=no
"""


class Failed(Exception):
    pass


def run(*argv: object, patience: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=patience, check=False)


def must(*argv: object, patience: float = PATIENCE) -> str:
    done = run(*argv, patience=patience)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def eventually(what: str, holds: Callable[[], bool], patience: float = 60) -> float:
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > patience:
            raise Failed(f"not within {patience} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - started


def demand(holds: object, what: str) -> None:
    if not holds:
        raise Failed(what)


def text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def shown(unit: str, key: str) -> str:
    return must("systemctl", "show", "--value", "-p", key, unit).strip()


def has_sanitizers() -> bool:
    return "SLUICE_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")


def build_packages(to: Path) -> list[Path]:
    must(PROJECT / "lab" / "package", "--build", BUILD, "--out", to)
    packages = sorted(to.glob("*.deb"))
    demand(len(packages) == len(NAMES), f"{len(packages)} packages were built")
    return packages


def fresh_root(folder: Path, packages: Sequence[Path]) -> Path:
    """A new Debian 12 with nothing but what the packages and a test inside need; the packages themselves are not in it."""
    root = folder / "debian"
    must(*APART, "debootstrap", "--variant=minbase", "--include=systemd,python3,iproute2,curl,zsh,procps", "bookworm", root, patience=FRESH_PATIENCE)
    for file in packages:
        (root / "tmp" / file.name).write_bytes(file.read_bytes())
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n", encoding="utf-8")
    must("cp", "/etc/resolv.conf", root / "etc/resolv.conf")
    # With what they need, and without them: they are installed when systemd is there.
    script = "export DEBIAN_FRONTEND=noninteractive; apt-get -q update && apt-get -q -y --no-install-recommends install /tmp/*.deb && dpkg --purge " + " ".join(NAMES)
    must(*APART, "chroot", root, "sh", "-c", script, patience=FRESH_PATIENCE)
    (root / "usr/sbin/policy-rc.d").unlink()
    return root


def _groups() -> Path:
    """Where this machine's control groups of version 2 are."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        left, _, right = line.partition(" - ")
        if right.split()[0] == "cgroup2":
            return Path(left.split()[4])
    raise Failed("no cgroup2 is mounted here, which systemd needs")


def _forget(group: Path) -> None:
    """Empty groups only; the kernel refuses others."""
    for below in sorted(group.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        if below.is_dir():
            with contextlib.suppress(OSError):
                below.rmdir()
    with contextlib.suppress(OSError):
        group.rmdir()


@contextlib.contextmanager
def own_group() -> Iterator[Path]:
    """A control group for a machine: two machines must not share one. What a killed run left is removed, too."""
    groups = _groups()
    for old in groups.glob(CGROUP + "*"):
        if not Path(f"/proc/{old.name.removeprefix(CGROUP)}").exists():
            _forget(old)
    group = groups / f"{CGROUP}{os.getpid()}"
    group.mkdir()
    try:
        yield group
    finally:
        with contextlib.suppress(Failed):
            eventually("the end of all in the control group", lambda: "populated 0" in text_of(group / "cgroup.events"), 10)
        _forget(group)


def start(root: Path, lower: str, results: Path, program: str, group: Path, network: Sequence[str] = ("unshare", "--net"), addresses: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Boots the machine; `program`, a file of `results`, runs inside, and what it says comes to `results`/said. `network` is a command that
    puts it into a network. Killing it ends all that is inside."""
    argv = [*network, "unshare", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child", "sh", "-c", FIRST, "sh", str(root), lower, str(results), program]
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(group), *argv],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "SLUICE_LO": " ".join(addresses)},
    )  # fmt: skip


def finish_inside(work: Callable[[], None], results: Path, logs: Sequence[str]) -> None:
    """Carries out `work` inside the machine; the other side learns the result from the file `code`."""
    result = 0
    try:
        eventually("systemd is up", lambda: Path("/run/systemd/private").exists() and run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"), 60)
        work()
    except Exception as failed:  # whatever it is, the other side wants to know
        print(f"{type(failed).__name__}: {failed}")
        for file in logs:
            print(f"--- {file}\n" + "\n".join(text_of(Path(file)).splitlines()[-25:]))
        result = 1
    print(end="", flush=True)
    (results / "code.new").write_text(str(result), encoding="utf-8")
    (results / "code.new").rename(results / "code")
