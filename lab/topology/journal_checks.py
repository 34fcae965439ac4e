"""What is demanded of the edge's memory: events, trace, why and kick."""

import json
import time
from typing import Any

from . import checks, network, report
from .client import Client
from .lab import Lab
from .process import eventually
from .report import demand

LIFE = ("ike-packet", "ike-up", "child-up", "placed", "tunnel-up", "session-open", "session-up")
PATIENCE = 40  # seconds; a machine may be busy


def _life(lab: Lab, who: str) -> dict[str, Any]:
    return json.loads(lab.edge.ctl("trace", who, "--json"))["lives"][0]


def _kinds(life: dict[str, Any]) -> list[str]:
    return [entry["kind"] for entry in life["entries"]]


def _whole_life(lab: Lab, client: Client) -> None:
    user = client.how.user
    eventually(f"all of {client.name}'s life in `sluicectl trace {user}`", lambda: set(LIFE) <= set(_kinds(_life(lab, user))), PATIENCE)
    life = _life(lab, user)
    demand(life["ended_ms"] == 0 and life["users"] == [user], f"{user} should be alive: {life}")
    steps = [life["entries"][_kinds(life).index(kind)] for kind in ("ike-packet", "ike-up", "placed", "session-up")]
    times = [step["time_ms"] for step in steps]
    demand(times == sorted(times), f"the steps are out of order: {steps}")
    demand(steps[2]["agent"] == lab.agent_of(client).name, f"placed elsewhere: {steps[2]}")
    demand(client.link is not None and steps[3]["address"] == client.link.address, f"another address: {steps[3]}")
    by_id, by_address = _life(lab, life["correlation"]), _life(lab, steps[3]["address"])
    demand(by_id["correlation"] == by_address["correlation"] == life["correlation"], f"{user} is found under several ids")
    report.block(f"sluicectl trace {user}", lab.edge.ctl("trace", user))


def remembers(lab: Lab) -> str:
    """Two clients dial; trace tells a life; one is kicked and told, the other notices nothing; events come in order, live and from memory."""
    follow = lab.spaces["edge"].start("sluicectl-events", lab.edge.ctl_argv("events", "--follow", "--last", "1000", "--json=lines"))
    follow.log.wait(r'"kind":\s?"agent-up"', PATIENCE, 0)
    checks.dial_all(lab)
    checks.sessions_are_joined(lab)
    for client in lab.clients:
        _whole_life(lab, client)
    gone, stays = lab.clients
    marks = gone.xl2tpd.mark(), gone.charon.mark(), gone.events.mark()
    shown = lab.edge.ctl("kick", "--where", f"user={gone.how.user}", "--dry-run")
    demand("1 tunnel would be ended" in shown, f"a dry run should mean one tunnel: {shown}")
    began = time.monotonic()
    said = lab.edge.ctl("kick", "--where", f"user={gone.how.user}", "--reason", "the lab tidies up", "--yes")
    demand("1 tunnel will be ended" in said, f"one tunnel is to be ended: {said}")
    heard = checks.told(gone, marks, began)
    report.good(f"{gone.name} was kicked and told after {heard:.1f} s")
    stays.ping(network.INSIDE_HOST, 10).demand_all(stays.name)
    eventually(f"{gone.name}'s end in its trace", lambda: {"ending", "session-down", "closed"} <= set(_kinds(_life(lab, gone.how.user))), PATIENCE)
    end = next(entry for entry in _life(lab, gone.how.user)["entries"] if entry["kind"] == "session-down")
    demand(end["cause"] == "kicked" and "the lab tidies up" in end["text"], f"the end should name the operator's reason: {end}")
    demand("session-down" not in _kinds(_life(lab, stays.how.user)), f"{stays.name} should have noticed nothing")
    report.block(f"sluicectl why {gone.how.user}", lab.edge.ctl("why", gone.how.user))
    gone.forget()
    kept = [json.loads(line) for line in lab.edge.ctl("events", "--last", "1000", "--json=lines").splitlines()]
    numbers = [event["sequence"] for event in kept]
    demand(numbers == list(range(1, len(numbers) + 1)), f"events are out of order, or some are missing: {numbers}")
    follow.log.wait(rf'"sequence":\s?{numbers[-1]}\b', PATIENCE, 0)
    live = [json.loads(line) for line in follow.log.lines if line.startswith("{")]
    demand([e["sequence"] for e in live][: len(numbers)] == numbers, f"--follow should have the same: {[e['sequence'] for e in live]}")
    return f"{len(numbers)} events in order, told as they came; a kicked client was told after {heard:.1f} s, the other lost no ping"
