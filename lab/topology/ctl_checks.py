"""What is demanded of sluicectl while the system is up: JSON by its schemas, tables and `top` in terminals."""

import json
import re
import shlex
import sys
from pathlib import Path

from . import checks, report
from .lab import Lab
from .report import demand

PROJECT = Path(__file__).resolve().parents[2]
LISTS = ("sessions", "tunnels", "backends", "peers", "drops", "drains")
OTHERS = (["stats"], ["ready"], ["version"], ["probe", "ike"], ["peers", "--sas"], ["explain", "placement", "somebody@example.net"], ["top", "--interval", "0.5"])
SIZES = ((80, 24), (200, 50))


def operator_view(lab: Lab) -> None:
    """To be called with clients connected."""
    _json_is_as_documented(lab)
    for columns, rows in SIZES:
        _terminal_is_right(lab, columns, rows)


def _json_is_as_documented(lab: Lab) -> None:
    import jsonschema

    known = {}
    for file in (PROJECT / "docs" / "schema").glob("*.json"):
        schema = json.loads(file.read_text(encoding="utf-8"))
        known[schema["$id"]] = jsonschema.Draft202012Validator(schema)
    for words in [*([name] for name in LISTS), *OTHERS]:
        value = json.loads(lab.edge.ctl(*words, "--json"))
        known[value["schema"]].validate(value)
    for name in LISTS:
        for line in lab.edge.ctl(name, "--json=lines").splitlines():
            known[f"sluice.{name}/1"].validate(json.loads(line))
    tunnels = lab.edge.ctl_json("tunnels")
    demand(len(tunnels) == len(lab.clients), f"{len(lab.clients)} clients, but these tunnels: {tunnels}")
    for tunnel in tunnels:
        demand(tunnel["state"] == "established" and tunnel["sessions"] == 1, f"not a tunnel that is up: {tunnel}")
        demand(tunnel["control"]["client_window"] > 0 and tunnel["control"]["agent_window"] > 0, f"no windows were seen: {tunnel}")
    user = lab.edge.ctl_json("sessions")[0]["ppp"]["user"]
    one = json.loads(lab.edge.ctl("sessions", "--where", f"user={user}", "--columns", "user,ip", "--json"))["sessions"]
    demand([set(row["ppp"]) for row in one] == [{"user", "assigned_ip"}], f"--where and --columns give {one}")
    report.good(f"JSON of {len(LISTS) + len(OTHERS)} commands is as docs/schema says")


def _terminal_is_right(lab: Lab, columns: int, rows: int) -> None:
    sys.path.insert(0, str(PROJECT / "tests" / "ctl"))
    from terminal import Terminal

    with Terminal(columns, rows) as terminal:
        for name in ("sessions", "tunnels", "backends", "peers"):
            # Neither what was typed nor what stood there before looks like this.
            terminal.run(f"clear; {shlex.join(lab.edge.ctl_argv(name))} 2>/dev/null; echo end $((6 * 7)) {name}")
            end = f"end 42 {name}"
            lines = terminal.until(lambda lines, end=end: end in lines)
            table = lines[: lines.index(end)]
            demand(max(len(line) for line in table) <= columns and len(table) > 1, f"{name} does not fit {columns} columns: {table}")
            report.block(f"sluicectl {name}, {columns}x{rows}", "\n".join(table))
        terminal.run(f"clear; {shlex.join(lab.edge.ctl_argv('top', '--interval', '0.5'))}; echo code $?")
        users = {row["ppp"]["user"] for row in lab.edge.ctl_json("sessions")}
        # The terminal may be seen in the middle of a frame, so all that is demanded is waited for.
        lines = terminal.until(lambda lines: terminal.is_alternate() and _is_top(lines, users, {agent.name for agent in lab.agents}))
        demand(max(len(line) for line in lines) <= columns and len(lines) <= rows, f"top does not fit {columns}x{rows}: {lines}")
        report.block(f"sluicectl top, {columns}x{rows}", "\n".join(lines))
        terminal.type("q")
        terminal.until(lambda lines: "code 0" in lines and not terminal.is_alternate())
    report.good(f"tables and top fit {columns}x{rows}, and the screen is restored")


def _is_top(lines: list[str], users: set[str], agents: set[str]) -> bool:
    """The edge is ready, there are rates, and each agent and session has a row."""
    first = [line.split()[0] if line.strip() else "" for line in lines]
    if re.match(r"\S+  ready  up ", lines[0]) is None or "bit/s" not in lines[2] or "USER" not in first:
        return False
    return agents <= set(first) and {name for name in first[first.index("USER") + 1 :] if name} == users


def side_by_side(lab: Lab) -> str:
    figures = checks.side_by_side(lab)
    operator_view(lab)
    return f"{figures}; sluicectl as documented at {' and '.join(f'{columns}x{rows}' for columns, rows in SIZES)}"
