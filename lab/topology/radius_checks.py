"""What is demanded of authentication and accounting: users file and FreeRADIUS, refusals, fail-over, CoA and Disconnect."""

import dataclasses
import re
import time

from . import network, report
from .checks import _one_line as one_line
from .client import Client, Link, NotConnected
from .lab import Lab
from .process import eventually
from .radius import OWN6, POOL6, SECRET, RadiusHost
from .report import Failed, demand
from .traffic import transfer

# pppd's words that leave it one protocol.
TAKES = {
    "pap": "refuse-eap\nrefuse-chap\nrefuse-mschap\nrefuse-mschap-v2",
    "chap-md5": "refuse-eap\nrefuse-pap\nrefuse-mschap\nrefuse-mschap-v2",
    "mschapv2": "refuse-eap\nrefuse-pap\nrefuse-chap\nrefuse-mschap",
    "eap": "refuse-pap\nrefuse-chap\nrefuse-mschap\nrefuse-mschap-v2",
}
# Tunnels that ended linger for half a minute (RFC 2661 §5.7), and one client dials all the time here.
EDGE_SETTINGS = "[limits]\ntunnels_per_client = 100\nsessions_per_client = 100\n"
PPP_SETTINGS = 'auth = ["eap", "mschapv2", "chap-md5", "pap"]'
BULK = 2_000_000
CHANGED_KBIT = 1000


def _redial(client: Client, auth: str, user: str, password: str = "") -> Link:
    """Another call on the tunnel that is there: xl2tpd's, between its dialling again and its letting go of a tunnel, may be lost."""
    _leave(client)
    client.log_in_as(dataclasses.replace(client.how, user=user, password=password or f"password-of-{user}", auth=TAKES[auth]))
    return client.call(time.monotonic(), 20)


def _leave(client: Client) -> None:
    """Ends the call as its user does, if there is one; the tunnel stays."""
    if client.link is None:
        return
    calls = client.xl2tpd.mark()
    client.guest.run("sh", "-c", f"kill $(head -n 1 /run/{client.link.device}.pid)")
    client.xl2tpd.wait(r"pppd exited for call|Connection closed .*serial", 10, calls)
    client.link = None


def _in(lab: Lab, auth: str, user: str, judge: str, password: str = "") -> Link:
    client, agent = lab.clients[0], lab.agents[0]
    mark = agent.log.mark()
    link = _redial(client, auth, user, password)
    up = agent.log.wait(rf"session up .*user={user} .*auth={auth} by=(\w+)", 20, mark)
    demand(up[1] == judge, f"{user} was judged by {up[1]}, not by {judge}")
    report.good(f"{user} by {auth} against {judge}: {link.address} after {link.seconds:.1f} s")
    return link


def _refused(lab: Lab, auth: str, user: str, cause: str, password: str = "") -> float:
    client, agent = lab.clients[0], lab.agents[0]
    mark = agent.log.mark()
    started = time.monotonic()
    try:
        link = _redial(client, auth, user, password)
    except NotConnected as why:
        told = why
    else:
        raise Failed(f"{user} got in ({link.address}) though it must not")
    line = one_line(agent.log.since(mark), rf"client refused .*user={user} .*cause={cause} ", agent.name)
    demand("password-of" not in line, "a password is in the log")
    report.good(f"{user}: refused after {time.monotonic() - started:.1f} s ({cause}); the client was told: {told.cause}")
    return time.monotonic() - started


def _stop_of(host: RadiusHost, session: str) -> dict[str, str]:
    def found() -> dict[str, str] | None:
        stops = [r for r in host.records() if r.get("Acct-Status-Type") == "Stop" and r.get("Acct-Session-Id") == session]
        return stops[0] if stops else None

    stop = eventually(f"a stop record of {session} at {host.name}", found, 20)
    assert isinstance(stop, dict)
    return stop


def _session_of(host: RadiusHost, user: str) -> str:
    def found() -> str | None:
        starts = [r for r in host.records() if r.get("Acct-Status-Type") == "Start" and r.get("User-Name") == user]
        return starts[-1]["Acct-Session-Id"] if starts else None

    return str(eventually(f"a start record of {user} at {host.name}", found, 20))


def _octets(record: dict[str, str], way: str) -> int:
    return int(record[f"Acct-{way}-Octets"]) + (int(record.get(f"Acct-{way}-Gigawords", "0")) << 32)


def methods(lab: Lab) -> None:
    """Each protocol against the users file and against FreeRADIUS."""
    lab.clients[0].negotiate()
    for auth in ("pap", "chap-md5", "mschapv2"):
        _in(lab, auth, "user1", "file")
    for auth in ("pap", "chap-md5", "mschapv2", "eap"):
        _in(lab, auth, "silver", "radius")
    _in(lab, "eap", "eapms", "radius")


def refusals(lab: Lab) -> None:
    """Wrong passwords, an unknown user, a pool without a free address: one line each, and the client is told."""
    _refused(lab, "mschapv2", "silver", "authentication-failed", "not-the-password")
    _refused(lab, "pap", "user1", "wrong-password", "not-the-password")
    _refused(lab, "chap-md5", "nobody", "authentication-failed")
    _refused(lab, "mschapv2", "tiny", "no-address")


def accounting(lab: Lab) -> str:
    """What a user is given arrives, and what flowed is what is accounted for."""
    client, agent, host = lab.clients[0], lab.agents[0], lab.radius[0]
    link = _in(lab, "mschapv2", "gold", "radius")
    demand(link.address == f"{network.pool(1)}.77", f"gold has {link.address}, not its Framed-IP-Address")
    demand(link.dns == "10.40.0.53", f"gold was told the name server {link.dns or 'none'}")
    route = lab.spaces["agent1"].run(["ip", "route", "show", "192.168.77.0/24"])
    demand("sluice0" in route, f"gold's Framed-Route is not there: {route!r}")
    session = _session_of(host, "gold")
    up, down = transfer(client, "send", BULK), transfer(client, "fetch", BULK)
    mark = agent.log.mark()
    _leave(client)
    gone = agent.log.wait(r"session down .*user=gold .*bytes_in=(\d+) bytes_out=(\d+)", 20, mark)
    stop = _stop_of(host, session)
    flowed = (int(gone[1]), int(gone[2]))
    told = (_octets(stop, "Input"), _octets(stop, "Output"))
    demand(told == flowed, f"accounting says {told} octets in and out, the agent counted {flowed}")
    demand(all(BULK <= count <= BULK * 1.15 for count in told), f"{told} octets do not fit {up.size} sent and {down.size} fetched")
    for name, wanted in (
        ("Acct-Terminate-Cause", "User-Request"),
        ("Calling-Station-Id", network.CARRIER_PUBLIC),
        ("Called-Station-Id", "edge1"),
        ("Class", "0x676f6c64"),
        ("NAS-Identifier", "agent1"),
        ("NAS-Port-Type", "Virtual"),
    ):
        demand(stop.get(name) == wanted, f"the stop record says {name} = {stop.get(name)}, not {wanted}")
    demand(lab.spaces["agent1"].run(["ip", "route", "show", "192.168.77.0/24"]) == "", "gold's route outlived it")
    report.good(f"{told[0]} octets in and {told[1]} out are accounted for, as many as flowed")
    return f"{told[0]}+{told[1]} octets accounted"


def dynamic(lab: Lab) -> str:
    """CoA changes the rate of a session, Disconnect ends it; who is not entitled is not heard."""
    client, agent, host = lab.clients[0], lab.agents[0], lab.radius[0]
    _in(lab, "mschapv2", "silver", "radius")
    session = _session_of(host, "silver")
    target = network.agent_core(1)
    free = transfer(client, "fetch", BULK).mbit

    def named(**more: str) -> dict[str, str]:
        words = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Acct-Session-Id": f'"{session}"', "Event-Timestamp": str(int(time.time())), **words}

    said = host.request("coa", target, named(Sluice_Rate_Down=str(CHANGED_KBIT)))
    demand("CoA-ACK" in said, f"CoA was not acknowledged: {said}")
    slow = transfer(client, "fetch", BULK // 8).mbit
    demand(slow <= CHANGED_KBIT / 1000 * 1.3 < free, f"{slow:.1f} Mbit/s after a CoA to {CHANGED_KBIT} kbit/s, {free:.1f} before")
    said = host.request("coa", target, named(Framed_Pool='"x"'))
    demand("Unsupported-Attribute" in said, f"CoA with an attribute that cannot change should say so: {said}")
    said = host.request("disconnect", target, {"User-Name": '"nobody"', "Event-Timestamp": str(int(time.time()))})
    demand("Session-Context-Not-Found" in said, f"Disconnect of nobody should say so: {said}")
    said = host.request("disconnect", target, named(), "not-" + SECRET, patience=1)
    demand("No reply" in said, f"a wrong secret should not be answered: {said}")
    said = lab.radius[1].request("disconnect", target, named(), patience=1)
    demand("No reply" in said, f"who is not listed should not be answered: {said}")
    mark = client.ppp.mark()
    said = host.request("disconnect", target, named())
    demand("Disconnect-ACK" in said, f"Disconnect was not acknowledged: {said}")
    client.ppp.wait(r"LCP terminated by peer|Connection terminated", 10, mark)
    client.link = None
    stop = _stop_of(host, session)
    demand(stop["Acct-Terminate-Cause"] == "Admin-Reset", f"the record says {stop['Acct-Terminate-Cause']}")
    report.good(f"CoA: {free:.0f} Mbit/s before, {slow:.2f} after; Disconnect ended the session")
    return f"CoA {free:.0f} -> {slow:.2f} Mbit/s"


def throttled(lab: Lab) -> None:
    """Who has failed once already is not even judged for a while."""
    agent = lab.agents[0]
    _refused(lab, "chap-md5", "nobody", "authentication-failed")
    mark = agent.log.mark()
    try:
        _redial(lab.clients[0], "chap-md5", "nobody")
    except NotConnected:
        pass
    else:
        raise Failed("nobody got in")
    one_line(agent.log.since(mark), r"logins slowed down by=user user=nobody ", agent.name)
    demand(agent.log.find(r"client refused .*user=nobody .*cause=authentication-failed", mark) is None, "a user that is slowed down was judged")
    report.good("a user that fails again is slowed down before any server is asked")


def _prefixes_of(host: RadiusHost, user: str) -> tuple[str | None, str | None]:
    session = _session_of(host, user)
    start = next(r for r in host.records() if r.get("Acct-Session-Id") == session)
    return start.get("Framed-IPv6-Prefix"), start.get("Delegated-IPv6-Prefix")


def ipv6(lab: Lab) -> str:
    """IPv6 prefixes by RADIUS: the user's own, and out of a pool that it names."""
    client, agent = lab.clients[0], lab.spaces["agent1"]
    agent.ip("addr add fd00:41::1/128 dev lo")
    client.guest.run("modprobe", "-d", "/run/kernel", "ipv6")
    client.how = dataclasses.replace(client.how, ipv6=True)
    device = _in(lab, "mschapv2", "six", "radius").device
    found = lambda: OWN6.split("::")[0] in client.guest.try_run("ip", "-6", "addr", "show", "dev", device)[1]  # noqa: E731
    eventually(f"an address of {OWN6} by router advertisement", found, 10)
    client.ping("fd00:41::1", 2).demand_all(client.name)
    told = _prefixes_of(lab.radius[0], "six")
    demand(told == (OWN6, "fd00:78::/56"), f"accounting says {told}, not what was given")
    _in(lab, "mschapv2", "sixpool", "radius")
    told = _prefixes_of(lab.radius[0], "sixpool")
    demand(str(told[0]).startswith(POOL6.split("::")[0]), f"accounting says {told}, which is not of the pool that the server named")
    demand(agent.run(["ip", "-6", "route", "show", OWN6]) == "", "the route of six outlived it")
    client.how = dataclasses.replace(client.how, ipv6=False)
    report.good("IPv6 pings from a prefix of the user's own; another user's is of the pool that RADIUS names")
    return "IPv6 by 2 attributes"


# Nobody listens on that port: an answer that says so has come back, too.
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), 1)
except ConnectionRefusedError:
    pass
"""


def filtered(lab: Lab) -> None:
    """Filter-Id holds, and a CoA changes it."""
    client, host = lab.clients[0], lab.radius[0]
    _in(lab, "mschapv2", "caged", "radius")
    client.ping(network.INSIDE_HOST, 2).demand_all(client.name)
    reaches = lambda: client.guest.try_run("python3", "-c", CONNECT, network.INSIDE_HOST)[0] == 0  # noqa: E731
    demand(not reaches(), "TCP got through a filter that lets only pings pass")
    named = {"Acct-Session-Id": f'"{_session_of(host, "caged")}"', "Event-Timestamp": str(int(time.time()))}
    said = host.request("coa", network.agent_core(1), {**named, "Filter-Id": '"nowhere"'})
    demand("Invalid-Attribute-Value" in said, f"an unknown filter should be refused: {said}")
    said = host.request("coa", network.agent_core(1), {**named, "Filter-Id": '"all"'})
    demand("CoA-ACK" in said, f"CoA of the filter was not acknowledged: {said}")
    demand(reaches(), "TCP does not get through after the CoA")
    report.good("Filter-Id let pings pass and no TCP until a CoA named another filter")


def farewell(lab: Lab) -> None:
    """An agent that ends accounts for its sessions first."""
    agent, host = lab.agents[0], lab.radius[0]
    _in(lab, "mschapv2", "silver", "radius")
    session = _session_of(host, "silver")
    agent.process.stop()
    lab.clients[0].link = None
    stop = _stop_of(host, session)
    demand(stop["Acct-Terminate-Cause"] == "Admin-Reboot", f"the record says {stop['Acct-Terminate-Cause']}")
    demand(any(r.get("Acct-Status-Type") == "Accounting-Off" for r in host.records()), "no Accounting-Off came")
    lab.agents.remove(agent)
    report.good("SIGTERM: the session's stop record (Admin-Reboot) and Accounting-Off are there")


def failures(lab: Lab) -> str:
    """A silent server, one that does not sign, and none at all."""
    agent, (first, second) = lab.agents[0], lab.radius
    first.stop()
    mark = agent.log.mark()
    started = time.monotonic()
    _in(lab, "mschapv2", "silver", "radius")
    took_over = time.monotonic() - started
    pattern = rf'RADIUS server does not answer server={re.escape(first.address)}:1812 service=authentication cause='
    one_line(agent.log.since(mark), pattern + "silent", agent.name)
    first.start()
    agent.log.wait(rf"RADIUS server answers again server={re.escape(first.address)}:1812", 15, mark)
    report.good("the first server is asked again")
    first.stop()
    second.stop()
    first.start_rude()
    mark = agent.log.mark()
    seconds = _refused(lab, "pap", "silver", "radius-timeout")
    demand(first.process is not None and first.process.log.find("accepted") is not None, "the responder was not asked")
    one_line(agent.log.since(mark), pattern + "no-message-authenticator", agent.name)
    first.stop()
    silent = _refused(lab, "mschapv2", "silver", "radius-timeout")
    first.start()  # and is asked first of those that are silent
    return f"second server after {took_over:.1f} s, both silent told after {silent:.1f} s, nobody to be trusted after {seconds:.1f} s"


def radius(lab: Lab) -> str:
    """pppd against the users file and FreeRADIUS by each protocol; refusals, throttling, accounting, IPv6, filters, CoA, Disconnect, servers that fail, an agent that ends."""
    methods(lab)
    refusals(lab)
    told = accounting(lab)
    changed = dynamic(lab)
    throttled(lab)
    six = ipv6(lab)
    filtered(lab)
    failed = failures(lab)
    farewell(lab)
    lab.clients[0].forget()
    return f"8 logins, 4 refusals; {told}; {changed}; {six}; {failed}"
