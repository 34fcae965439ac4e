"""What is demanded of the system under a swarm."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import checks, network, report
from .lab import Lab
from .process import eventually
from .product import AgentHost, Edge, EdgePlace
from .report import Failed, demand
from .swarm import Swarm, all_good, charon_pid, edge_pid, memory_counts, phases, refused, resident_kib, shares

KIB_PER_TUNNEL = 16.0


def scale(lab: Lab, clients: int, rate: float, ike: int) -> str:
    """Many clients up at once through one edge and two agents; set-up times and the edge's memory for each tunnel."""
    pids = [edge_pid(lab), *([charon_pid(lab)] if ike else [])]
    before = [resident_kib(pid) for pid in pids]
    swarm = Swarm(lab, clients, rate, [], ike)
    seconds = swarm.wait_up(clients / rate * 4 + 60)
    eventually("every session at an agent", lambda: sum(shares(lab).values()) >= clients, 15)
    each = [(resident_kib(pid) - at_first) / clients for pid, at_first in zip(pids, before)]
    memory = f"{each[0]:.1f} KiB of the edge" + (f" and {each[1]:.1f} KiB of its charon" if ike else "") + " for each"
    report.good(f"{clients} clients are up after {seconds:.1f} s, by agent: {shares(lab)}; {memory}")
    result = swarm.finish(clients / rate + 90)
    all_good(result)
    eventually("no session at any agent", lambda: sum(shares(lab).values()) == 0, 15)
    wrong = str(lab.run.write("swarm/wrong", "a-wrong-word-of-a-stranger\n"))
    refused(lab, ike, ["--password-file", wrong], "PPP ended: authentication-failed")
    if ike:
        refused(lab, ike, ["--psk-file", wrong], "IKE: ")
    report.good("a wrong password and a wrong key are refused, and the swarm says so")
    demand(each[0] <= KIB_PER_TUNNEL or not memory_counts(), f"the edge takes {each[0]:.1f} KiB for each tunnel, more than {KIB_PER_TUNNEL:g}")
    return f"{clients} tunnels {'with IKEv%d' % ike if ike else 'without IKE'}, {result['connects_per_second']:.0f} a second, {phases(result)}; {memory}"


WARM, ROUNDS = 2, 4  # what is in flight at most, tunnels that linger included, is known after the first rounds
GROWTH_KIB = 2048  # what a process may take more at the end than after those
HANDSHAKES_KIB = 10240  # and an edge with IKE until it remembers as many handshakes as it ever does, 16384


def cycles(lab: Lab, count: int, rate: float, ike: int) -> str:
    """Clients connect and disconnect without end: the daemons' memory does not grow, and nothing is left behind."""
    daemons = {"edge": edge_pid(lab), **{agent.name: agent.process.pid for agent in lab.agents}}

    def turn(number: int) -> dict[str, int]:
        result = Swarm(lab, lab.plan.swarm, rate, ["--cycles", str(each)], ike, f"swarm-{number}").finish(each / rate * 4 + 60, end=False)
        demand(result["connected"] >= each and result["failed"] == 0, f"{result['connected']} of {each} connections: {result['causes']}")
        eventually("no session at any agent", lambda: sum(shares(lab).values()) == 0, 20)
        eventually("no peer at the edge", lambda: not lab.edge.ctl_json("peers"), 40)
        held = {name: resident_kib(pid) for name, pid in daemons.items()}
        report.good(f"{number * each} connections: {held} KiB; {result['connects_per_second']:.0f} a second, {phases(result)}")
        return held

    each = count // ROUNDS
    held = [turn(number) for number in range(1, WARM + ROUNDS + 1)]
    grown = {name: held[-1][name] - held[WARM - 1][name] for name in daemons}
    allowed = {name: GROWTH_KIB + (HANDSHAKES_KIB if ike and name == "edge" else 0) for name in daemons}
    demand(all(grown[name] <= allowed[name] for name in daemons) or not memory_counts(), f"memory grows by KiB: {grown}")
    return f"{count} connects and disconnects after {WARM * each} others; growth in KiB: {grown}"


NOTICE = 3.0  # seconds in which the edge must see that an agent is gone
BACK = 10.0  # and in which all of its clients must be up again
REDIAL = 1.0  # seconds that a client waits before it dials again
RESULT = 60.0  # patience for the swarm's good-bye


@dataclass(frozen=True)
class Fall:
    """One way for an agent to go, and to come back."""

    name: str
    go: Callable[[Lab, AgentHost], None]
    come_back: Callable[[Lab, AgentHost], None]


def _cable(state: str) -> Callable[[Lab, AgentHost], None]:
    return lambda lab, agent: lab.spaces[agent.name].ip(f"link set core {state}")


def _come_back_anew(_lab: Lab, agent: AgentHost) -> None:
    agent.process.wait(20)
    agent.start()


KILLED = Fall("killed", lambda _lab, agent: agent.process.kill(signal.SIGKILL), _come_back_anew)
FROZEN = Fall("frozen", lambda _lab, agent: agent.process.kill(signal.SIGSTOP), lambda _lab, agent: agent.process.kill(signal.SIGCONT))
CUT_OFF = Fall("cut off", _cable("down"), _cable("up"))
DEAF = """
table ip deaf {
  chain in {
    type filter hook input priority 0
    iifname core drop
  }
}
"""


def _deafen(lab: Lab, agent: AgentHost) -> None:
    lab.spaces[agent.name].run(["nft", "-f", "-"], stdin=DEAF)


def _hear(lab: Lab, agent: AgentHost) -> None:
    lab.spaces[agent.name].run(["nft", "delete", "table", "ip", "deaf"])


# What it says still arrives, until its kernel has sent as much as it may without an acknowledgement.
ONE_WAY = Fall("cut off one way", _deafen, _hear)


def _with_guest(lab: Lab, agent: AgentHost, fall: Fall, swarm: Swarm) -> str:
    """The same with the real client watching: one that was at the agent is told and redials, another one's pings go on."""
    guest = lab.clients[0]
    victim = lab.agent_of(guest) is agent
    marks = guest.xl2tpd.mark(), guest.charon.mark(), guest.events.mark()
    with ThreadPoolExecutor(max_workers=1) as pool:
        pings = None if victim else pool.submit(guest.ping, network.INSIDE_HOST, 30)
        figures = _fall(lab, swarm, agent, fall)
        if pings:
            pings.result().demand_all(guest.name)
            return figures
    checks.told(guest, marks, time.monotonic())
    guest.forget()
    link = guest.dial()
    report.good(f"{guest.name} was told, redialled and is up after {link.seconds:.1f} s at {lab.agent_of(guest).name}")
    return figures


def _fall(lab: Lab, swarm: Swarm, agent: AgentHost, fall: Fall) -> str:
    """The agent goes; its clients come back elsewhere; it returns and nobody is disturbed."""
    everybody = swarm.clients + len(lab.clients)
    eventually("every session in the agents' reports", lambda: sum(shares(lab).values()) == everybody, 10)
    had = shares(lab)
    edge, mark = lab.edge.log.mark(), swarm.log.mark()
    began = time.monotonic()
    fall.go(lab, agent)
    lab.edge.log.wait(rf"agent lost.*agent={agent.name}\b", NOTICE, edge)
    noticed = time.monotonic() - began
    swarm.wait_down(NOTICE, mark)
    swarm.wait_up(BACK, swarm.log.mark() - 1, may_fail=True)
    back = time.monotonic() - began
    demand(back <= BACK, f"{agent.name} {fall.name}: its clients were back after {back:.1f} s only")
    report.good(f"{agent.name} {fall.name} with {had[agent.name]} sessions: noticed after {noticed:.2f} s, all back after {back:.1f} s")
    mark = lab.edge.log.mark()
    fall.come_back(lab, agent)
    lab.edge.log.wait(rf"agent up.*agent={agent.name}\b", 15, mark)
    eventually(f"{agent.name} without sessions of the time before", lambda: shares(lab).get(agent.name) == 0, 15)
    return f"{fall.name}: noticed {noticed:.2f} s, {had[agent.name]} clients back {back:.1f} s"


def agent_dies(lab: Lab, clients: int) -> str:
    """Agents are killed, frozen and cut off, both ways and one, under a swarm and one real client: noticed in time, all back in 10 s, others lose no ping."""
    guest = lab.clients[0]
    guest.dial()
    first = lab.agent_of(guest)
    second, bystander = [agent for agent in lab.agents if agent is not first]
    swarm = Swarm(lab, clients, max(60, clients / 3), ["--traffic", "ping", "--target", network.INSIDE_HOST, "--redial", str(REDIAL)])
    swarm.wait_up(60)
    report.good(f"{clients} clients and {guest.name} are up: {shares(lab)}")
    falls = [_with_guest(lab, agent, fall, swarm) for agent, fall in ((first, KILLED), (second, FROZEN), (first, CUT_OFF), (second, ONE_WAY))]
    result = swarm.finish(RESULT)
    calm, hit = result["echo"]["undisturbed"], result["echo"]["disturbed"]
    demand(calm["clients"] > 0 and calm["lost"] == 0, f"clients of {bystander.name} lost {calm['lost']} of {calm['sent']} pings")
    demand(result["never_up"] == 0, f"{result['never_up']} clients never came up: {result['causes']}")
    return f"{'; '.join(falls)}; {calm['clients']} others lost 0 of {calm['sent']} pings, {hit['clients']} hit lost {hit['lost']} of {hit['sent']}"


EDGE2 = EdgePlace("edge2", network.edge_extra(1), "10.20.0.2", "/run/sluice2")


def two_edges(lab: Lab, clients: int) -> str:
    """Two edges share three agents; one edge restarts, in order and by SIGKILL: no client is cut off, the other's lose no ping."""
    words = ["--traffic", "ping", "--target", network.INSIDE_HOST]
    rate = max(40, clients / 4)
    stays = Swarm(lab, clients, rate, words, name="swarm1", sources="10.9.0.0/17:4500")
    restarts = Swarm(lab, clients, rate, words, name="swarm2", place=EDGE2, sources="10.9.128.0/17:4501")
    for swarm in (stays, restarts):
        swarm.wait_up(60)
    edge2 = lab.more_edges[0]

    def held(edge: Edge) -> int:
        return sum(int(row["sessions"]) for row in edge.ctl_json("backends"))

    for edge in lab.edges():
        eventually(f"all sessions at the agents, for {edge.place.name}", lambda edge=edge: held(edge) == 2 * clients or len(edge.ctl_json("sessions")) == clients, 15)
    report.good(f"{clients} clients at each edge; sessions by agent: {shares(lab)}")
    for how in (signal.SIGTERM, signal.SIGKILL):
        began = time.monotonic()
        edge2.restart(how)
        eventually("its sessions at the edge again", lambda: _answers(edge2) and len(edge2.ctl_json("sessions")) == clients, 20)
        report.good(f"edge2 ended by {how.name} and has all {clients} sessions again after {time.monotonic() - began:.1f} s")
        before = restarts.answered()
        eventually("answers to two pings of each of its clients", lambda before=before: restarts.answered() >= before + 2 * clients, 10)
    results = [swarm.finish(RESULT) for swarm in (stays, restarts)]
    for result in results:
        all_good(result)
    calm, hit = (result["echo"]["undisturbed"] for result in results)
    demand(calm["lost"] == 0, f"clients of the other edge lost {calm['lost']} of {calm['sent']} pings")
    return f"{clients} clients at each of two edges; restarts cost the one's {hit['lost']} of {hit['sent']} pings, the other's {calm['lost']} of {calm['sent']}; nobody was cut off"


def _answers(edge: Edge) -> bool:
    try:
        edge.ctl_json("sessions")
    except Failed:
        return False
    return True
