"""A new IKE configuration while clients are connected: `kill -HUP`."""

import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from . import network, report
from .client import PSK, Client, NotConnected
from .lab import Lab
from .report import Failed, demand

NEW_PSK = "another-good-key-after-the-reload"
PINGS = 150


def hang_up(lab: Lab, wait_for: str) -> None:
    """SIGHUP, until the edge has said what came of it."""
    mark = lab.edge.log.mark()
    lab.edge.process.kill(signal.SIGHUP)
    lab.edge.log.wait(wait_for, 10, mark)


def refused(client: Client) -> None:
    try:
        client.negotiate(4)
    except NotConnected:
        return client.forget()
    raise Failed(f"{client.name} got in with the old key")


def change(lab: Lab, other: Client) -> None:
    """A broken file first, then a new key."""
    config = lab.run.path("edge", "edge.toml")
    good = config.read_text()
    lab.run.write("edge/edge.toml", good.replace('identity = "%any"', 'identty = "%any"'))
    hang_up(lab, r"configuration not reloaded.*Did you mean psk.identity")
    other.dial()
    other.hang_up()
    report.good("a file with a mistake is named in the log and changes nothing")
    lab.run.write("edge/edge.toml", good)
    lab.run.write("edge/psk", NEW_PSK + "\n")
    hang_up(lab, "charon has the IKE configuration")
    refused(other)
    other.reconfigure(replace(other.how, psk=NEW_PSK))
    other.dial()
    report.good("after the reload the old key is refused and the new one taken")


def check(lab: Lab) -> str:
    """One client stays connected, with pings, while the edge gets a broken configuration and then a new pre-shared key."""
    steady, other = lab.clients
    demand(steady.how.psk == PSK, "the plan's key is not the usual one")
    steady.dial()
    mark = steady.events.mark()
    with ThreadPoolExecutor(1) as pool:
        pings = pool.submit(steady.ping, network.INSIDE_HOST, PINGS, 0.1)
        change(lab, other)
        pings.result().demand_all(steady.name)
    demand(steady.events.find("^down", mark) is None, f"{steady.name}'s link went down")
    steady.ping(network.INSIDE_HOST, 3, 0.1).demand_all(steady.name)
    return f"{PINGS} pings through two reloads, none lost; new key in force at once"
