"""Agents in front of L2TP servers that are there already."""

from . import checks, network, report
from .lab import Lab
from .product import PROJECT
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
    return f"{len(sources)} clients, {rates}"
