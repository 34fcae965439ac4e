"""Certificates of the channel that are renewed and taken back while clients are connected."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

from . import network, report
from .channel_pki import ChannelPki
from .lab import Lab
from .process import Process
from .report import demand

PATIENCE = 10.0
PINGS, INTERVAL = 80, 0.05
SOON = 20  # days; the daemons warn from 30 on
CERTIFICATE = r"certificate of the channel name={name} serial={serial}\b"


def reload(process: Process, until: str) -> None:
    """SIGHUP, until its log has the words."""
    mark = process.log.mark()
    process.kill(signal.SIGHUP)
    process.log.wait(until, PATIENCE, mark)


def renew_all(lab: Lab, pki: ChannelPki) -> None:
    """The edge's with its key, so that it ends soon; the agents' with new keys."""
    mark = lab.edge.log.mark()
    serial = pki.renew("edge1", "--days", str(SOON))
    reload(lab.edge.process, CERTIFICATE.format(name="edge1", serial=serial))
    lab.edge.log.wait(rf"certificates warning=.*this certificate of the channel ends on \S+, in ({SOON - 1}|{SOON}) days", PATIENCE, mark)
    demand("certificate.expires-at" in lab.edge.ctl("stats"), "`sluicectl stats` does not say when the certificate ends")
    for agent in lab.agents:
        serial = pki.renew(agent.name, "--new-key")
        reload(agent.process, CERTIFICATE.format(name=agent.name, serial=serial))


def check(lab: Lab) -> str:
    """All certificates are renewed under traffic, then an agent is revoked: its client goes to the other; at last the edge is."""
    pki = ChannelPki(lab.run.folder / "certs")
    (client,) = lab.clients
    client.dial()
    first = lab.agent_of(client)
    (other,) = [agent for agent in lab.agents if agent is not first]
    marks = {agent.name: agent.log.mark() for agent in lab.agents}
    with ThreadPoolExecutor(1) as pool:
        pings = pool.submit(client.ping, network.INSIDE_HOST, PINGS, INTERVAL)
        renew_all(lab, pki)
        answered = pings.result()
    answered.demand_all(client.name)
    for agent in lab.agents:
        cut = agent.log.find(r"edge (dis)?connected|cannot reach the edge", marks[agent.name])
        demand(cut is None, f"{agent.name}'s channel did not stay: {cut and cut.string}")
    report.good(f"three certificates renewed, two of them with new keys: {answered.sent} pings, {answered.lost} lost, no channel cut")

    edge, agent = lab.edge.log.mark(), first.log.mark()
    taken = pki.revoke(first.name)
    revoked = time.monotonic()
    reload(lab.edge.process, rf"agent left agent={first.name} .*the certificate of {first.name} no longer holds: .*was revoked on")
    gone = time.monotonic() - revoked
    lab.edge.log.wait(rf"agent connection refused .*the certificate of {first.name} does not hold: .*was revoked on", PATIENCE, edge)
    first.log.wait(r"edge disconnected .*was revoked on", PATIENCE, agent)
    first.log.wait(r"cannot reach the edge .*refused by the peer.*certificate_revoked", PATIENCE, agent)
    report.good(f"{first.name}: {taken} certificates revoked; gone {gone:.2f} s after that, and it does not come back")

    client.forget()
    link = client.dial()
    demand(lab.agent_of(client) is other, f"{client.name} has an address of {first.name}, which was revoked")
    client.ping(network.INSIDE_HOST, 5, 0.1).demand_all(client.name)
    report.good(f"{client.name} redialled and is up after {link.seconds:.1f} s on {other.name}")
    client.hang_up()

    agent = other.log.mark()
    pki.revoke("edge1")
    reload(other.process, r"edge disconnected .*the certificate of edge1 no longer holds: .*was revoked on")
    other.log.wait(r"cannot reach the edge .*the certificate of edge1 does not hold: .*was revoked on", PATIENCE, agent)
    report.good(f"{other.name} left the edge, whose certificate was revoked, and does not come back")
    return f"3 certificates renewed with {answered.lost} of {answered.sent} pings lost; a revoked agent gone after {gone:.2f} s, redial {link.seconds:.1f} s"
