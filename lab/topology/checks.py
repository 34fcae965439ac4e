"""What the demo and the scenarios demand of the running system. Each returns its figures as one line."""

import json
import re
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from . import network, report
from .client import Client, Link, NotConnected, Pings
from .lab import Lab, together
from .process import eventually
from .report import Failed, demand
from .traffic import both_ways, transfer

NOTICE = 3.0  # seconds in which the edge must see that an agent is dead
TOLD = 10.0  # and in which the dead agent's clients must hear of it


def dial_all(lab: Lab) -> None:
    """All clients at once; each must get an address of its own, and the load must be spread."""
    links: list[Link] = together(Client.dial, lab.clients)
    for client, link in zip(lab.clients, links):
        agent = lab.agent_of(client)
        report.good(f"{client.name} ({client.how.user}) is up after {link.seconds:.1f} s: {link.address} on {link.device}, from {agent.name}")
    demand(len({link.address for link in links}) == len(links), f"two clients have one address: {[link.address for link in links]}")
    counts = [sum(agent.gave(link.address) for link in links) for agent in lab.agents]
    demand(max(counts) - min(counts) <= 1, f"the load is not spread: sessions of {[agent.name for agent in lab.agents]}: {counts}")
    encapsulated = lab.plan.nat != "none"
    for client in lab.clients:
        demand(client.esp_is_encapsulated() == encapsulated, f"{client.name}: ESP in UDP should be {encapsulated}:\n{client.sas()}")


def sessions_are_joined(lab: Lab) -> None:
    """`sluicectl sessions` has each client's session, from IKE (public address) to PPP (user, address)."""

    def missing() -> list[str]:
        table = lab.edge.ctl("sessions").splitlines()
        return [c.name for c in lab.clients if c.link and not any(c.link.address in row and c.how.user in row for row in table)]

    eventually("every client's address and user in one row of `sluicectl sessions`", lambda: not missing(), 20)


def show(lab: Lab) -> None:
    """What a newcomer wants to see: the client's SA and the operator's tables."""
    first = lab.clients[0]
    report.block(f"{first.name}: swanctl --list-sas", first.sas())
    for what in ("sessions", "backends", "peers"):
        report.block(f"sluicectl {what}", lab.edge.ctl(what))


def ping_all(lab: Lab, count: int = 10) -> list[Pings]:
    results = together(lambda client: client.ping(network.INSIDE_HOST, count), lab.clients)
    for client, pings in zip(lab.clients, results):
        pings.demand_all(client.name)
    report.good(f"{count} pings of {len(results)} client(s) to the inside host: none lost, {max(p.average_ms for p in results):.2f} ms at most on average")
    return results


def bulk(client: Client, size: int) -> str:
    """A large file each way."""
    up = transfer(client, "send", size)
    report.good(f"{client.name} to inside: {up}")
    down = transfer(client, "fetch", size)
    report.good(f"inside to {client.name}: {down}")
    return f"{up.mbit:.0f} Mbit/s up, {down.mbit:.0f} Mbit/s down"


def dial(lab: Lab) -> str:
    """A client dials in, gets an address, and moves 100 MB each way."""
    dial_all(lab)
    sessions_are_joined(lab)
    show(lab)
    pings = ping_all(lab)
    rates = bulk(lab.clients[0], 100_000_000)
    return f"dial {lab.clients[0].link.seconds:.1f} s, ping {pings[0].average_ms:.2f} ms, {rates}"


def side_by_side(lab: Lab, seconds: int = 60, rate: int = 500_000) -> str:
    """All clients up at once, each with its own address and its own traffic, none disturbing another."""
    dial_all(lab)
    sessions_are_joined(lab)
    show(lab)
    marks = [client.events.mark() for client in lab.clients]
    report.step(f"traffic of {len(lab.clients)} client(s) both ways at once for {seconds} s, {rate / 1e6:g} MB/s each, with pings")
    results = together(lambda client: both_ways(client, seconds, rate), lab.clients)
    for client, mark, (pings, up, down) in zip(lab.clients, marks, results):
        pings.demand_all(client.name)
        demand(client.events.find("^down", mark) is None, f"{client.name}'s link went down meanwhile")
        report.good(f"{client.name}: {pings.sent} pings, none lost; {(up.size + down.size) / 1e6:.0f} MB with equal checksums")
    sessions_are_joined(lab)
    total = sum(up.size + down.size for _, up, down in results) / 1e6
    return f"{len(results)} sessions for {seconds} s, {sum(p.sent for p, _, _ in results)} pings, 0 lost, {total:.0f} MB"


def rekey(lab: Lab, seconds: int = 60, rate: int = 2_000_000) -> str:
    """The client rekeys its child SA every few seconds under traffic; no ping is lost."""
    every = lab.plan.rekey_seconds
    dial_all(lab)
    client = lab.clients[0]
    mark = client.charon.mark()
    report.step(f"{client.name} rekeys each {every} s during {seconds} s of traffic both ways at {rate / 1e6:g} MB/s, with pings")
    pings, up, down = both_ways(client, seconds, rate)
    rekeys = sum("CHILD_SA l2tp" in line and "established" in line for line in client.charon.since(mark))
    report.block("sluicectl peers", lab.edge.ctl("peers"))
    pings.demand_all(client.name)
    demand(rekeys >= seconds // every - 1, f"only {rekeys} rekeys in {seconds} s")
    report.block(f"{client.name}: swanctl --list-sas", client.sas())
    sessions_are_joined(lab)
    return f"{rekeys} rekeys in {seconds} s, {pings.sent} pings, {pings.lost} lost, {(up.size + down.size) / 1e6:.0f} MB"


def told(client: Client, marks: tuple[int, int, int], since: float) -> float:
    """Seconds from `since` until the client heard, by StopCCN or DELETE, that its connection is over."""
    l2tp, ike, events = marks

    def heard() -> bool:
        return bool(
            client.xl2tpd.find(r"Connection (\d+ )?closed|disconnected", l2tp)
            or client.charon.find(r"received DELETE for (ESP|IKE)", ike)
            or client.events.find("^down", events)
        )

    eventually(f"{client.name} being told that its connection is over", heard, TOLD, 0.02)
    return time.monotonic() - since


def kill_agent(lab: Lab) -> str:
    """An agent dies by SIGKILL: the edge says so in time, its clients are told and redial to another, others notice nothing."""
    return _lose_agent(lab, signal.SIGKILL)


def hang_agent(lab: Lab) -> str:
    """The same when an agent hangs (SIGSTOP), so that no closed connection gives it away."""
    return _lose_agent(lab, signal.SIGSTOP)


def _lose_agent(lab: Lab, how: signal.Signals) -> str:
    dial_all(lab)
    victims_agent = lab.agent_of(lab.clients[0])
    victims = [client for client in lab.clients if lab.agent_of(client) is victims_agent]
    others = [client for client in lab.clients if client not in victims]
    marks = {client.name: (client.xl2tpd.mark(), client.charon.mark(), client.events.mark()) for client in victims}
    mark = lab.edge.log.mark()
    with ThreadPoolExecutor(max_workers=max(1, len(others))) as pool:
        undisturbed: list[Future[Pings]] = [pool.submit(client.ping, network.INSIDE_HOST, 100) for client in others]
        killed = time.monotonic()
        victims_agent.process.kill(how)
        report.step(f"{how.name} to {victims_agent.name}")
        line = lab.edge.log.wait(rf"agent lost agent={victims_agent.name}\b", NOTICE + 0.5, mark)
        noticed = time.monotonic() - killed
        demand(noticed <= NOTICE, f"the edge noticed after {noticed:.2f} s; it must within {NOTICE:g} s")
        report.good(f"the edge noticed after {noticed:.2f} s: {line.string.strip()}")
        heard = max(told(client, marks[client.name], killed) for client in victims)
        report.good(f"{len(victims)} client(s) of {victims_agent.name} were told within {heard:.2f} s")
        for client in victims:
            client.forget()
        links = together(Client.dial, victims)
        for client, link in zip(victims, links):
            lands_on = lab.agent_of(client)
            demand(lands_on is not victims_agent, f"{client.name} has an address of the dead {victims_agent.name}")
            report.good(f"{client.name} redialled and is up after {link.seconds:.1f} s: {link.address} from {lands_on.name}")
        for client, pings in zip(others, undisturbed):
            pings.result().demand_all(client.name)
    if others:
        report.good(f"{len(others)} client(s) of other agents lost no ping meanwhile")
    lab.agents.remove(victims_agent)
    ping_all(lab)
    return f"noticed after {noticed:.2f} s, clients told after {heard:.2f} s, redial {max(link.seconds for link in links):.1f} s"


def _expect_refusal(client: Client, timeout: float) -> NotConnected:
    try:
        link = client.dial(timeout)
    except NotConnected as refused:
        return refused
    raise Failed(f"{client.name} connected ({link.address}) though it must not")


def _one_line(lines: list[str], pattern: str, where: str) -> str:
    """The only line that matches; a flood is as wrong as silence."""
    found = [line for line in lines if re.search(pattern, line)]
    demand(len(found) == 1, f"{where} should say /{pattern}/ once, but said it {len(found)} times: {found[:3]}")
    report.good(f"{where} said: {found[0].strip()}")
    return found[0]


def why(lab: Lab, who: str, words: str, error: int) -> None:
    """`sluicectl why` names the cause, the number that Windows shows, and what to do."""
    found = json.loads(lab.edge.ctl("why", who, "--json"))["failures"][0]
    demand(found.get("error") == error, f"`sluicectl why {who}` should say {error}: {found}")
    demand(re.search(words, found["text"]) is not None and found.get("advice"), f"`sluicectl why {who}` should say /{words}/ and what to do: {found}")
    report.block(f"sluicectl why {who}", lab.edge.ctl("why", who))


def wrong_psk(lab: Lab) -> str:
    """A client with a wrong pre-shared key: one line at the edge names peer and cause, and the client gets an answer."""
    client = lab.clients[0]
    mark, ike = lab.edge.log.mark(), client.charon.mark()
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=1) as pool:
        dialling = pool.submit(_expect_refusal, client, 12)
        # With different keys the notification cannot be read, but it is an answer: charon logs it so, Windows shows error 789.
        client.charon.wait(r"N\((PLD_MAL|AUTH_FAILED|INVAL_\w+)\)|received \w+ error notify|decryption failed", 8, ike)
        told = time.monotonic() - started
        report.good(f"the client was told after {told:.2f} s")
        refused = dialling.result()
    line = _one_line(lab.edge.log.since(mark), rf"(?i)id=[0-9a-f]{{12}} client={re.escape(network.CARRIER_PUBLIC)}.*(psk|pre-shared).*error 789", "the edge")
    why(lab, network.CARRIER_PUBLIC, "pre-shared key", 789)
    demand(client.how.psk not in line and "correct-horse" not in "\n".join(lab.edge.log.since(mark)), "a key is in the edge's log")
    return f"told after {told:.2f} s ({refused.cause})"


def wrong_password(lab: Lab) -> str:
    """A client with a wrong PPP password: one line at the agent names peer and cause, and the client is told so."""
    client = lab.clients[0]
    agent = lab.agents[0]
    mark = agent.log.mark()
    refused = _expect_refusal(client, 30)
    demand(refused.stage == "PPP", f"the client should have failed in PPP: {refused}")
    report.good(f"the client was told after {refused.seconds:.1f} s: {refused.cause}")
    pattern = rf"(?i)(?=.*{client.how.user})(?=.*{re.escape(network.CARRIER_PUBLIC)}).*(password|authentication)"
    line = _one_line(agent.log.since(mark), pattern, agent.name)
    demand(client.how.password not in line, "the password is in the agent's log")
    eventually("the refusal in the edge's memory", lambda: lab.edge.remembers(client.how.user), 20)
    why(lab, client.how.user, "wrong password", 691)
    client.forget()
    return f"told after {refused.seconds:.1f} s ({refused.cause})"


def raw_esp(lab: Lab) -> str:
    """Clients without NAT: ESP is protocol 50 on the wire, not in UDP."""
    dial_all(lab)
    sessions_are_joined(lab)
    ping_all(lab)
    rates = bulk(lab.clients[0], 20_000_000)
    capture = str(lab.run.folder / "captures" / "edge-wan-esp.pcap")
    raw = lab.spaces["edge"].run(["tcpdump", "-n", "-r", capture, "esp"]).count("ESP(spi=")
    in_udp = lab.spaces["edge"].run(["tcpdump", "-n", "-r", capture, "udp port 4500"]).count("\n")
    demand(raw > 0 and in_udp == 0, f"captured {raw} raw ESP packets and {in_udp} in UDP (capture: {capture})")
    return f"{raw} ESP packets captured, 0 in UDP, {rates}"


# Addresses of the inside by IPv6, where a scenario has it.
INSIDE6, AGENT6, POOL6 = "fd00:40::100", "fd00:40::11", "fd00:30:1::/48"
BLOCK_ICMP = """
    table inet quiet {
        chain out { type filter hook output priority 0; icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }
    }"""


def ipv6_and_mtu(lab: Lab) -> str:
    """IPv6 flows through the session; TCP gets through although both ends believe in 1500 bytes and nobody is told otherwise."""
    agent, inside, client = lab.spaces["agent1"], lab.spaces["inside"], lab.clients[0]
    agent.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"])
    agent.ip(f"addr add {AGENT6}/64 dev inside nodad")
    inside.ip(f"addr add {INSIDE6}/64 dev lan nodad")
    inside.ip(f"route add {POOL6} via {AGENT6}")
    client.guest.run("modprobe", "-d", "/run/kernel", "ipv6")
    client.reconfigure(replace(client.how, ipv6=True))
    dial_all(lab)
    device = client.link.device
    eventually("an IPv6 address by router advertisement", lambda: "fd00:30:1:" in client.guest.try_run("ip", "-6", "addr", "show", "dev", device)[1], 15)
    pings = client.ping(INSIDE6, 10)
    pings.demand_all(client.name)
    report.good(f"10 IPv6 pings of {client.name} to {INSIDE6}: none lost, {pings.average_ms:.2f} ms on average")
    for space in (agent, inside):
        space.run(["nft", "-f", "-"], stdin=BLOCK_ICMP)
    client.guest.run("ip", "link", "set", device, "mtu", "1500")
    capture = inside.capture("inside-syn", "lan", "tcp[tcpflags] & tcp-syn != 0")
    rates = bulk(client, 2_000_000)
    file = str(lab.run.folder / "captures" / "inside-syn.pcap")
    sizes = lambda: {int(size) for size in re.findall(r"mss (\d+)", inside.run(["tcpdump", "-n", "-r", file]))}  # noqa: E731
    eventually("a SYN of the client whose MSS was lowered to 1360", lambda: 1360 in sizes(), 10)  # the kernel hands packets on by the second
    capture.stop()
    return f"IPv6 ping {pings.average_ms:.2f} ms; MSS 1460 lowered to 1360 on the way, {rates}"
