"""What is demanded of placement and of draining."""

import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from . import checks, network, report
from .lab import Lab
from .process import eventually
from .product import AgentHost
from .report import Failed, demand
from .swarm import Swarm, shares

DEADLINE = 12  # seconds
KICK_RATE = 8  # tunnels a second
PINGS = 75  # of a client that stays: five a second, over all of the drain


def _state(lab: Lab, agent: AgentHost) -> dict[str, object]:
    return next(row for row in lab.edge.ctl_json("backends") if row["name"] == agent.name and row["state"] != "down")


def _chosen(lab: Lab, identity: str) -> str:
    return json.loads(lab.edge.ctl("explain", "placement", identity, "--json"))["placement"]["chosen"]


def _begin_and_undo(lab: Lab, agent: AgentHost, other: AgentHost) -> None:
    lab.edge.ctl("drain", "agent", agent.name)
    state = _state(lab, agent)
    demand(state["state"] == "draining" and int(state["sessions"]) > 0, f"{agent.name} is to be draining with its sessions: {state}")
    table = lab.edge.ctl("explain", "placement", "somebody@example.net")
    report.block("sluicectl explain placement somebody@example.net", table)
    demand(re.search(rf"{agent.name} +out .* draining", table) is not None, f"{agent.name} should be out, for it drains")
    demand(_chosen(lab, "somebody@example.net") == other.name, f"new clients should go to {other.name}")
    lab.edge.ctl("drain", "agent", agent.name, "--undo")
    demand(_state(lab, agent)["state"] == "up", f"{agent.name} is to be up again")
    demand("no drains" in lab.edge.ctl("drains"), "nothing is drained any more")
    report.good(f"{agent.name} drained and put back; nobody was touched")


def drain(lab: Lab, clients: int) -> str:
    """An agent is drained under traffic: it is empty at the deadline, who stays loses no packet, progress is shown, undo and restarts work."""
    checks.dial_all(lab)
    first = lab.clients[0]
    leaves = lab.agent_of(first)
    others = [client for client in lab.clients if lab.agent_of(client) is not leaves]
    stays = lab.agent_of(others[0])
    swarm = Swarm(lab, clients, 20, ["--traffic", "ping", "--target", network.INSIDE_HOST, "--redial", "1"])
    swarm.wait_up(40)
    _begin_and_undo(lab, leaves, stays)
    had = shares(lab)
    marks = first.xl2tpd.mark(), first.charon.mark(), first.events.mark()
    with ThreadPoolExecutor(max_workers=len(others)) as pool:
        undisturbed = [pool.submit(client.ping, network.INSIDE_HOST, PINGS) for client in others]
        began = time.monotonic()
        words = ["drain", "agent", leaves.name, "--deadline", f"{DEADLINE}s", "--kick-rate", str(KICK_RATE), "--wait"]
        shown = lab.spaces["edge"].start("sluicectl-drain", lab.edge.ctl_argv(*words))
        code = shown.wait(DEADLINE + 5)
        took = time.monotonic() - began
        demand(code == 0, f"sluicectl drain --wait ended with {code}: {shown.log.lines}")
        demand(took <= DEADLINE + 0.7, f"{leaves.name} was empty after {took:.1f} s only; the deadline was {DEADLINE} s")
        progress = [int(line.split(": ")[1].split()[0]) for line in shown.log.lines if " tunnels left" in line]
        demand(len(progress) >= 3 and progress == sorted(progress, reverse=True), f"no progress was shown: {shown.log.lines}")
        demand(int(_state(lab, leaves)["tunnels"]) == 0, f"{leaves.name} still has tunnels")
        report.good(f"{leaves.name} with {had[leaves.name]} sessions was empty after {took:.1f} s of {DEADLINE} s; left meanwhile: {progress}")
        heard = checks.told(first, marks, began)
        first.forget()
        link = first.dial()
        demand(lab.agent_of(first) is stays, f"{first.name} should have gone to {stays.name}")
        report.good(f"{first.name} was told after {heard:.1f} s and redialled to {stays.name} in {link.seconds:.1f} s")
        for client, pings in zip(others, undisturbed):
            pings.result().demand_all(client.name)
    swarm.wait_up(15, swarm.log.mark() - 1, may_fail=True)
    calm = swarm.finish(60)["echo"]["undisturbed"]
    demand(calm["clients"] >= clients // 3 and calm["lost"] == 0, f"clients that stayed lost {calm['lost']} of {calm['sent']} pings")
    _over_a_restart(lab, leaves)
    return (
        f"{had[leaves.name]} sessions gone {took:.1f} s after the order (deadline {DEADLINE} s), {KICK_RATE} a second; "
        f"{len(others)} client(s) and {calm['clients']} of the swarm stayed and lost 0 of {calm['sent'] + len(others) * PINGS} pings"
    )


def _over_a_restart(lab: Lab, agent: AgentHost) -> None:
    lab.edge.restart(signal.SIGTERM)
    lab.edge.log.wait(rf"agent up.*agent={agent.name}\b", 10, 0)
    demand(_state(lab, agent)["state"] == "draining", f"after its restart the edge has forgotten that {agent.name} drains")
    lab.edge.ctl("drain", "edge")
    said = _not_ready(lab)
    demand("draining" in said, f"an edge that drains should say so: {said}")
    lab.edge.ctl("drain", "edge", "--undo")
    lab.edge.ctl("drain", "agent", agent.name, "--undo")
    demand(_state(lab, agent)["state"] == "up", f"{agent.name} is to be up again")
    report.good(f"the edge restarted and {agent.name} went on draining; put back in service")


def _not_ready(lab: Lab) -> str:
    """What `sluicectl ready` says, which ends with 1."""
    try:
        said = lab.edge.ctl("ready")
    except Failed as refusal:
        return str(refusal)
    raise Failed(f"the edge calls itself ready: {said}")


@contextmanager
def _slowed(agent: AgentHost, stopped: float = 0.43, running: float = 0.04) -> Iterator[None]:
    """Gives it less than a tenth of a core: stopped and continued by turns, out of step with its timers."""
    over = threading.Event()

    def turns() -> None:
        while not over.is_set():
            agent.process.kill(signal.SIGSTOP)
            over.wait(stopped)
            agent.process.kill(signal.SIGCONT)
            over.wait(running)

    thread = threading.Thread(target=turns)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        agent.process.kill(signal.SIGCONT)


def _swarm(lab: Lab, clients: int, name: str, realm: str) -> Swarm:
    swarm = Swarm(lab, clients, 60, ["--identity", f"%-{name}@{realm}"], 2, f"swarm-{name}")
    swarm.wait_up(clients / 30 + 30)
    eventually("every session at an agent", lambda: sum(shares(lab).values()) >= clients, 10)
    return swarm


def _gone(lab: Lab, swarm: Swarm) -> None:
    swarm.finish(60)
    eventually("no session at any agent", lambda: sum(shares(lab).values()) == 0, 20)


def balance(lab: Lab, clients: int) -> str:
    """Shares follow the weights 1, 1, 2 within 5 %; a pool rule holds; a slow agent gets less; a newcomer is not stampeded."""
    one, slow, two, _ = lab.agents
    swarm = _swarm(lab, clients, "a", "example.net")
    weighted = shares(lab)
    report.good(f"{clients} clients on agents of weights 1, 1, 2: {weighted}")
    for agent, part in ((one, 0.25), (slow, 0.25), (two, 0.5)):
        demand(abs(weighted[agent.name] - clients * part) <= 0.05 * clients * part + 1, f"{agent.name} has {weighted[agent.name]} of {clients}")
    demand(weighted["agent4"] == 0, "agent4 is another pool's")
    _gone(lab, swarm)

    staff = clients // 8
    swarm = _swarm(lab, staff, "b", "staff.example.net")
    demand(shares(lab) == {"agent1": 0, "agent2": 0, "agent3": 0, "agent4": staff}, f"clients of staff.example.net should all be at agent4: {shares(lab)}")
    report.good(f"{staff} clients of the realm staff.example.net are all at agent4")
    _gone(lab, swarm)

    with _slowed(slow):
        eventually(f"{slow.name} reporting that it is slow", lambda: _busy(lab, slow.name) > 700, 15)
        swarm = _swarm(lab, clients // 4, "c", "example.net")
        slowed = shares(lab)
    demand(slowed[slow.name] <= 0.7 * slowed[one.name], f"{slow.name} has next to no CPU and still got its share: {slowed}")
    report.good(f"with a tenth of a core {slow.name} gets less: {slowed}")
    _gone(lab, swarm)

    one.process.stop()
    swarm = _swarm(lab, clients // 2, "d", "example.net")
    before = shares(lab)
    mark = lab.edge.log.mark()
    one.start()
    lab.edge.log.wait(rf"agent up.*agent={one.name}\b", 10, mark)
    late = clients // 8
    fresh = Swarm(lab, late, 20, ["--identity", "%-e@example.net"], 2, "swarm-e", sources="10.9.0.0/16:4502-4503")
    fresh.wait_up(late / 10 + 30)
    eventually("every session at an agent", lambda: sum(shares(lab).values()) >= clients // 2 + late, 10)
    report.block("sluicectl explain placement somebody@example.net", lab.edge.ctl("explain", "placement", "somebody@example.net"))
    after = shares(lab)
    got = after[one.name]
    demand(0 < got <= late * 0.6, f"of {late} new clients the newcomer {one.name} got {got}: {after}, before {before}")
    report.good(f"of {late} new clients the newcomer got {got}; a fair share is {late // 4}, and it had none where the others had {before}")
    fresh.finish(60)
    _gone(lab, swarm)
    return f"{weighted['agent1']}/{weighted['agent2']}/{weighted['agent3']} of {clients} at weights 1/1/2; slow agent {slowed[slow.name]} against {slowed[one.name]}; newcomer {got} of {late}; pool of the realm {staff} of {staff}"


def _busy(lab: Lab, agent: str) -> int:
    rows = json.loads(lab.edge.ctl("explain", "placement", "somebody@example.net", "--json"))["placement"]["agents"]
    return max(int(row["busy_permille"]) for row in rows if row["name"] == agent)
