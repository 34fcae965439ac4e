"""What is demanded of secrets: a client logs in by every protocol, and nothing that leaves the daemons tells a password or a key."""

import json
import os
import signal
import sys
from pathlib import Path

from . import network, prometheus, radius_checks, report
from .client import Client, NotConnected
from .lab import Lab
from .process import Process, eventually, run
from .product import BUILD, program
from .report import Failed, demand
from .secrets import Search, Secret, known, sa_keys

EDGE_SETTINGS = radius_checks.EDGE_SETTINGS + prometheus.EDGE_SETTINGS
MODULES = ("daemon", "config", "tunnel", "channel", "data", "session", "radius", "network", "operations")
AGENT_SETTINGS = prometheus.AGENT_SETTINGS + "\n[log.modules]\n" + "".join(f'{module} = "debug"\n' for module in MODULES)
WRONG = "this-is-not-the-password"
POINTS = ("esp", "l2tp", "ppp")
PATIENCE = 40  # seconds; a machine may be busy
# What sluicectl shows, all of it with --json, too.
SHOWN = (
    ("sessions",), ("tunnels",), ("peers",), ("peers", "--sas"), ("backends",), ("drops", "--all"), ("drains",), ("stats",), ("version",), ("ready",),
    ("log",), ("events",), ("trace", "silver"), ("why", "user1"), ("explain", "placement", "%any"), ("probe", "ike"),
)  # fmt: skip
AGENT_RUNS = "certificate of the channel"  # said once it has its users and its limits
# Limits that do not stand in the way of a core, and a folder of its own for it.
FREE = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2); os.chdir(sys.argv[1]); os.execv(sys.argv[2], sys.argv[2:])"


class Capture:
    """`sluicectl capture` beside the lab; it ends when it is told."""

    def __init__(self, lab: Lab, session: str) -> None:
        self.file = lab.run.folder / "captures" / "sluicectl.pcapng"
        mark = lab.edge.log.mark()
        argv = lab.edge.ctl_argv("capture", session, "--seconds", "300", "--out", str(self.file))
        self._process = Process("sluicectl-capture", argv, lab.run.path("logs", "sluicectl-capture.log"))
        lab.edge.log.wait(r"capture started", PATIENCE, mark)

    def end(self) -> str:
        """What it says it has."""
        self._process.kill(signal.SIGINT)
        said = self._process.log.wait(r"\d+ packets", PATIENCE)
        code = self._process.wait(PATIENCE)
        demand(code == 0, f"sluicectl capture ended with {code}: {self._process.log.lines}")
        return said.string.strip()


def _log_in(client: Client, auth: str, user: str) -> None:
    link = radius_checks._redial(client, auth, user)
    client.ping(network.INSIDE_HOST, 2).demand_all(client.name)
    report.good(f"{user} is in by {auth}: {link.address}")


def _log_in_wrongly(client: Client) -> None:
    try:
        radius_checks._redial(client, "pap", "user1", WRONG)
    except NotConnected as why:
        report.good(f"user1 with a wrong password is told: {why.cause}")
        return
    raise Failed("user1 got in with a wrong password")


def _tshark_sees_all(file: Path) -> str:
    """Each point has what it should, and IP is seen in PPP in L2TP."""
    argv = ["tshark", "-r", str(file), "-T", "fields", "-e", "frame.interface_name", "-e", "frame.protocols", "-e", "pap.password", "-e", "frame.comment"]
    rows = [line.split("\t") for line in run(argv, 60).splitlines()]
    counts = {point: sum(row[0] == point for row in rows) for point in POINTS}
    wanted = {
        "esp": (":isakmp", ":udpencap:esp"),
        "l2tp": (":l2tp", ":l2tp:ppp:pap", ":l2tp:ppp:chap", ":l2tp:ppp:eap", ":l2tp:ppp:ip:icmp"),
        "ppp": ("ppp:pap", "ppp:chap", "ppp:eap", "ppp:lcp", "ppp:ip:icmp"),
    }
    for point, parts in wanted.items():
        seen = {row[1] for row in rows if row[0] == point}
        for part in parts:
            demand(any(part in protocols for protocols in seen), f"tshark sees no {part} at point {point}, only {sorted(seen)}")
    passwords = {row[2] for row in rows if row[2]}
    demand(len(passwords) >= 2 and all(set(password) == {"*"} for password in passwords), f"the passwords of PAP are blanked, tshark sees {passwords}")
    demand("*" * len("password-of-user1") in passwords, f"a password keeps its length: {passwords}")
    demand(all(len(row[3]) == 12 for row in rows if row[0] != "esp"), "every packet inside ESP has its client's correlation id")
    return ", ".join(f"{point} {count}" for point, count in counts.items())


def _captures_by_name(lab: Lab) -> str:
    """A session is found by its user, too; a capture ends by its limits, and knows when nobody is meant."""
    file = lab.run.folder / "captures" / "by-user.pcapng"
    mark = lab.edge.log.mark()
    argv = lab.edge.ctl_argv("capture", "silver", "--points", "ppp", "--packets", "4", "--seconds", "60", "--json", "--out", str(file))
    process = Process("sluicectl-capture-by-user", argv, lab.run.path("logs", "sluicectl-capture-by-user.log"))
    lab.edge.log.wait(r"capture started.* session=silver ", PATIENCE, mark)
    lab.clients[0].ping(network.INSIDE_HOST, 4).demand_all("client1")
    demand(process.wait(PATIENCE) == 0, f"the capture of silver failed: {process.log.lines}")
    said = json.loads("\n".join(process.log.lines))
    capture = said["capture"]
    demand(said["schema"] == "sluice.capture/1" and capture["packets"] == 4 and capture["ended_by"] == "packets", f"the capture of silver says {said}")
    seen = run(["tshark", "-r", str(file), "-T", "fields", "-e", "frame.protocols"], 60).split()
    demand(len(seen) == 4, f"tshark reads {len(seen)} packets instead of 4")
    try:
        lab.edge.ctl("capture", "nobody-here", "--out", str(file.with_name("nobody.pcapng")))
    except Failed as refused:
        demand("no session has" in str(refused), f"sluicectl does not say that nobody is meant: {refused}")
    else:
        raise Failed("sluicectl captures a user whom nobody knows")
    return "\n".join(process.log.lines)


def _look_everywhere(lab: Lab, search: Search, capture: Path) -> None:
    for process in (lab.edge.process, lab.agents[0].process):
        search.look(f"the log of {process.name}", process.log.path.read_bytes())
    for words in SHOWN:
        search.look(f"sluicectl {' '.join(words)}", lab.edge.ctl(*words))
        search.look(f"sluicectl {' '.join(words)} --json", lab.edge.ctl(*words, "--json"))
    pages = prometheus.targets(lab)
    for name, (_, body) in zip(pages, prometheus.fetch(lab, *(f"{place}/metrics" for place in pages.values()))):
        search.look(f"metrics of {name}", body)
    search.look("the capture", capture.read_bytes())
    bundle = lab.run.folder / "support.tar.gz"
    lab.edge.ctl("support-bundle", "--out", str(bundle))
    search.look_in_archive("the bundle", bundle.read_bytes())


def _canary_is_seen(search: Search, places: list[bytes]) -> None:
    """The name of a user is no secret, and must be where secrets are looked for: these are the right places."""
    for place in places:
        demand(b"silver" in place, "the name of a user is not in a log, a table, a capture or a bundle where it should be")


def _core_of(lab: Lab, name: str, space: str, argv: list[str], ready: str) -> Path | None:
    """Starts it free to dump, ends it as a crash does; the core, if one was written."""
    folder = lab.run.path("cores", name, "x").parent
    process = lab.spaces[space].start(f"{name}-crash", [sys.executable, "-c", FREE, str(folder), *argv])
    process.log.wait(ready, PATIENCE)
    process.kill(signal.SIGABRT)
    code = process.wait(PATIENCE)
    demand(code == -signal.SIGABRT, f"{name} ended with {code} instead of by SIGABRT")
    cores = list(folder.glob("core*"))
    return cores[0] if cores else None


def _charon_may_not_dump(edge: Process) -> None:
    """Whoever the edge started has its limits."""
    pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit()]
    children = {pid: Path(f"/proc/{pid}/limits").read_text() for pid in pids if _parent(pid) == edge.pid}
    demand(bool(children), "the edge has no child process: where is charon?")
    for pid, limits in children.items():
        line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        demand(line.split()[4:6] == ["1", "1"], f"process {pid} of the edge may leave a core: {line}")


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _cores(lab: Lab, passwords: list[Secret]) -> str:
    """No daemon leaves its memory behind, unless it is allowed to: then the passwords are in it, which shows that they would be found."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    _charon_may_not_dump(lab.edge.process)
    edge, agent = lab.edge, lab.agents[0]
    edge_argv, agent_argv = ([program(name), "--config", str(config)] for name, config in (("sluice-edge", edge._config), ("sluice-agent", agent._config)))
    agent.process.stop()
    edge.process.kill(signal.SIGINT)
    edge.process.wait(PATIENCE)
    demand(_core_of(lab, "edge1", "edge", edge_argv, r"IKE ready") is None, "the edge left a core")
    demand(_core_of(lab, "agent1", "agent1", agent_argv, AGENT_RUNS) is None, "the agent left a core")
    text = "no daemon left a core"
    # Elsewhere the kernel puts cores where this run does not look, and sanitizers forbid them.
    if not pattern.startswith(("|", "/")) and BUILD.name not in ("asan", "tsan"):
        loose = agent._config.with_name("loose.toml")
        loose.write_text(agent._config.read_text().replace("[agent]\n", "[agent]\ncore_dumps = true\n"))
        core = _core_of(lab, "agent1-loose", "agent1", [program("sluice-agent"), "--config", str(loose)], AGENT_RUNS)
        demand(core is not None, "an agent that may leave a core left none: then the ones before prove nothing")
        assert core is not None
        found = Search(passwords).look("a core", core.read_bytes())
        demand(bool(found), "the passwords of the users file are not in a core of the agent: then a search proves nothing")
        core.unlink()
        text += f", one that may does, with {len(found)} secrets in it"
    lab.edge.process = lab.edge._launch()
    agent.start()
    eventually("agent1 is back in `sluicectl backends`", lambda: _is_up(lab), PATIENCE)
    return text


def _is_up(lab: Lab) -> bool:
    try:
        return any(row["state"] == "up" for row in lab.edge.ctl_json("backends"))
    except Failed:
        return False


def secrets(lab: Lab) -> str:
    """Logins by PAP, CHAP, MS-CHAPv2 and EAP; then no secret is in logs, JSON, metrics, captures, the bundle or a core."""
    client = lab.clients[0]
    capture = Capture(lab, network.CARRIER_PUBLIC)
    client.negotiate()
    keys = sa_keys(client)
    for auth, user in (("pap", "user1"), ("pap", "silver"), ("chap-md5", "silver"), ("eap", "silver"), ("eap", "eapms"), ("mschapv2", "silver")):
        _log_in(client, auth, user)
    users = {user: f"password-of-{user}" for user in ("user1", "silver", "eapms")}
    search = Search([*known(lab, users | {"user1, mistyped": WRONG}), *keys])
    _log_in_wrongly(client)
    _log_in(client, "mschapv2", "silver")
    report.good(f"captured: {capture.end()}")
    seen = _tshark_sees_all(capture.file)
    report.good(f"tshark reads the capture ({seen}): IP in PPP in L2TP, passwords blanked")
    search.look("a capture's figures", _captures_by_name(lab))
    _look_everywhere(lab, search, capture.file)
    search.prove(lab.edge.log.path.read_bytes())
    _canary_is_seen(search, [lab.agents[0].log.path.read_bytes(), lab.edge.ctl("sessions", "--json").encode(), capture.file.read_bytes()])
    search.demand_nothing()
    report.good(search.figures())
    radius_checks._leave(client)
    client.forget()
    cores = _cores(lab, [secret for secret in search.secrets if secret.what.startswith("the password of user")])
    report.good(cores)
    return f"{search.figures()}; capture: {seen}; {cores}"
