"""Agents in front of L2TP servers that are there already."""

import re

from . import checks, network, report
from .guest import Guest
from .lab import Lab
from .product import PROJECT
from .reference import PPP_OPTIONS, XL2TPD_CONF
from .report import demand

SETTINGS = """
[handoff]
server = "127.0.0.1:1701"
"""
# It authenticates by RADIUS only, and holds an election of one before it serves.
L2TPNS = f"""
set debug 3
set l2tp_secret "secret"
set primary_dns {network.INSIDE_HOST}
set primary_radius 127.0.0.1
set radius_secret "secret"
set radius_authtypes "pap"
set peer_address {network.pool(1)}.1
set cli_bind_address 127.0.0.1
set cluster_interface "inside"
set cluster_hb_interval 5
set cluster_hb_timeout 31
"""


def start_l2tpns(lab: Lab) -> None:
    """l2tpns and its RADIUS server beside agent 1."""
    space = lab.spaces["agent1"]
    radius = space.start("radius-accept", ["python3", str(PROJECT / "tests/bench/agent/radius_accept.py"), f"{network.pool(1)}.10"])
    radius.log.wait("serving", 10)
    config = lab.run.write("l2tpns.conf", L2TPNS + f'set pid_file "{lab.run.folder}/l2tpns.pid"\n')
    server = space.start("l2tpns", ["l2tpns", "-c", str(config)])
    server.log.wait("declaring myself the master", 20)
    lab.processes += [radius, server]
    report.good("l2tpns serves beside agent1")


def l2tpns(lab: Lab) -> str:
    """Clients with equal addresses and ports reach l2tpns through an agent, each from a loopback address of its own; when it dies they are told."""
    checks.dial_all(lab)
    server = next(process for process in lab.processes if process.name == "l2tpns")
    sources = {line.rpartition(" from ")[2].split()[0] for line in server.log.lines if "Login by" in line}
    demand(len(sources) == len(lab.clients) and all(source.startswith("127.64.") for source in sources), f"l2tpns saw its peers at {sources}")
    report.good(f"l2tpns tells its peers apart: {sorted(sources)}")
    report.block("sluicectl sessions", lab.edge.ctl("sessions"))
    checks.ping_all(lab)
    rates = checks.bulk(lab.clients[0], 10_000_000)
    marks = {client.name: (client.xl2tpd.mark(), client.events.mark()) for client in lab.clients}
    leaver, *others = lab.clients
    leaver.hang_up()
    server.log.wait(r"Shutdown session|Kill session|Session .*closed|Stopped|Tunnel .*(closed|shut)", 10)
    server.kill()
    # What they send next meets a closed port, and that is told at once.
    for client in others:
        client.guest.try_run("ping", "-n", "-c", "1", "-W", "1", network.INSIDE_HOST)
    for client in others:
        client.xl2tpd.wait(r"Connection (\d+ )?closed|disconnected|is the L2TP server running", 10, marks[client.name][0])
        client.events.wait("^down", 10, marks[client.name][1])
        client.forget()
    report.good(f"{len(others)} client(s) were told that l2tpns is gone")
    return f"{len(lab.clients)} clients, {rates}"


# xl2tpd, kernel L2TP and pppd in a guest on a link of agent 1's. What comes from it is from addresses that are local to the agent.
GUEST, GATEWAY, SOURCES = "10.50.1.2", "10.50.1.1", "10.51.0.0/24"
XL2TPD_SETTINGS = f"""
[handoff]
server = "{GUEST}:1701"
sources = "10.51.0.1-10.51.0.254"
"""


def start_xl2tpd(lab: Lab) -> None:
    """The guest with xl2tpd; its pppd knows every client's user."""
    space = lab.spaces["agent1"]
    space.tap("server0", f"{GATEWAY}/24")
    space.ip(f"route add local {SOURCES} dev lo")
    space.ip(f"route add {network.pool(1)}.0/24 via {GUEST}")
    guest = Guest(lab.run, "server1", space, "server0", f"{GUEST}/24", GATEWAY)
    guest.wait_ready()
    guest.write("/etc/xl2tpd/xl2tpd.conf", XL2TPD_CONF)
    guest.write("/etc/ppp/options", "")
    guest.write("/etc/ppp/options.server", PPP_OPTIONS)
    users = "".join(f'user{n} * "password-of-user{n}" *\n' for n in range(1, lab.plan.clients + 1))
    guest.write("/etc/ppp/chap-secrets", users, 0o600)
    guest.write("/proc/sys/net/ipv4/ip_forward", "1\n")
    guest.start("xl2tpd", ["/usr/sbin/xl2tpd", "-D"]).wait(r"Listening on IP address", 30)
    lab.guests.append(guest)
    report.good("xl2tpd and pppd serve in a guest beside agent1")


def xl2tpd(lab: Lab) -> str:
    """Clients with equal addresses and ports reach xl2tpd and pppd through an agent, each from an address of its own."""
    checks.dial_all(lab)
    said = lab.guests[0].log("xl2tpd").lines
    sources = {found[1] for line in said if (found := re.search(r"Call established with (10\.51\.0\.\d+)", line))}
    # The edge's own probe is one more.
    demand(len(sources) > len(lab.clients), f"xl2tpd saw its peers at {sources}: {said[-5:]}")
    report.good(f"xl2tpd tells its peers apart: {sorted(sources)}")
    checks.ping_all(lab)
    rates = checks.bulk(lab.clients[0], 5_000_000)
    mark = lab.guests[0].log("xl2tpd").mark()
    lab.clients[0].hang_up()
    lab.guests[0].log("xl2tpd").wait(r"Connection closed to 10\.51\.0\.\d+|control_finish: Connection closed", 10, mark)
    report.good("the end of one reached the server")
    return f"{len(lab.clients)} clients, {rates}"
