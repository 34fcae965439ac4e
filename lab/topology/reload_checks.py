"""Users, agents and profiles change by reloads while clients are connected; a faulty file changes nothing."""

import json
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from . import network, report
from .client import Client, NotConnected
from .lab import Lab
from .process import eventually
from .product import AgentHost, up_in_backends
from .report import Failed, demand

PATIENCE = 20.0
PINGS, INTERVAL = 100, 0.05
NEW_USER, NEW_PASSWORD = "newcomer", "password-of-the-newcomer"
NEW_DNS = "10.40.0.101"


class Reloads:
    """The edge's and the agents' files, changed and read again."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.file = lab.run.path("edge", "edge.toml")
        self.first = self.file.read_text()
        self.done = 0

    def edge(self, text: str, *words: str, code: int = 0) -> tuple[str, str]:
        """`sluicectl reload` with this file; what it says on either stream."""
        self.lab.run.write("edge/edge.toml", text)
        self.done += 1
        done = subprocess.run(self.lab.edge.ctl_argv("reload", *words), capture_output=True, text=True, timeout=PATIENCE * 2, check=False)
        demand(done.returncode == code, f"sluicectl reload {words} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def agent(self, agent: AgentHost, until: str) -> None:
        self.done += 1
        mark = agent.log.mark()
        agent.process.kill(signal.SIGHUP)
        agent.log.wait(until, PATIENCE, mark)


def place_of(text: str, words: str) -> str:
    """line:column."""
    at = text.index(words)
    return f"{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}"


def faulty_files(reloads: Reloads) -> None:
    broken = reloads.first.replace('identity = "%any"', 'identty = "%any"')
    place = place_of(broken, "identty")
    mark = reloads.lab.edge.log.mark()
    for words in (["--dry-run"], []):
        _, said = reloads.edge(broken, *words, code=1)
        demand(f"edge.toml:{place}: unknown key psk.identty. Did you mean psk.identity?" in said, f"sluicectl does not name the fault at {place}: {said}")
    reloads.lab.edge.log.wait(rf"\[config\.faulty\].*edge\.toml:{place}: unknown key psk\.identty", PATIENCE, mark)
    said, _ = reloads.edge(reloads.first, "--dry-run")
    demand(said == "0 settings would change, 0 wait for a restart\n", f"the file as it was is to change nothing: {said}")
    for agent in reloads.lab.agents:
        users = reloads.lab.run.path(agent.name, "users.toml")
        good = users.read_text()
        bad = good + '[late]\npasword = "x"\n'
        reloads.lab.run.write(f"{agent.name}/users.toml", bad)
        reloads.agent(agent, rf"\[config\.agent-faulty\].*users\.toml:{place_of(bad, 'pasword')}: unknown key pasword")
        reloads.lab.run.write(f"{agent.name}/users.toml", good)
    report.good(f"faulty files are named with line and column ({place}) by sluicectl and in the logs, and change nothing")


def settings(reloads: Reloads) -> None:
    """A profile, and something that waits for a restart."""
    fresh = reloads.first.replace("[listen]\n", '[listen]\nprofiles = ["modern", "windows"]\n') + "\n[dataplane]\nmtu = 1400\n"
    told, _ = reloads.edge(fresh, "--dry-run")
    demand(re.search(r"would change: listen\.profiles: .* -> .*\(new IKE handshakes", told) is not None, f"the dry run does not tell of the profile: {told}")
    demand("needs a restart: dataplane.mtu: 1500 -> 1400" in told, f"the dry run does not tell of the restart: {told}")
    mark = reloads.lab.edge.log.mark()
    for _ in range(2):
        told, _ = reloads.edge(fresh)
        demand("needs a restart: dataplane.mtu: 1500 -> 1400" in told, f"the reload does not tell of the restart: {told}")
    demand("0 settings changed, 1 waits for a restart" in told, f"the second reload of the same file changed something: {told}")
    reloads.lab.edge.log.wait("charon has the IKE configuration", PATIENCE, mark)
    report.good("a profile changed; a setting that waits for a restart is told of at each reload")


def agents(reloads: Reloads, home: AgentHost, away: AgentHost) -> None:
    """One agent may no longer connect, then may again."""
    lab = reloads.lab
    mark = lab.edge.log.mark()
    fresh = reloads.first.replace("[channel]\n", f'[channel]\nagents = ["{home.name}"]\n')
    said, _ = reloads.edge(fresh, "--dry-run", "--json")
    change = next(row for row in json.loads(said)["changes"] if row["key"] == "channel.agents")
    demand(f"{away.name} is no longer allowed: 0 sessions" in change["whom"], f"the dry run does not tell whom it concerns: {change}")
    reloads.edge(fresh)
    lab.edge.log.wait(rf"agent left agent={away.name} .*none of channel\.agents", PATIENCE, mark)
    reloads.edge(reloads.first)
    eventually(f"{away.name} back", lambda: up_in_backends(lab.edge, [away.name]) and takes_tunnels(lab, away), PATIENCE * 2)
    report.good(f"{away.name} was turned out by channel.agents and came back with it")


def takes_tunnels(lab: Lab, agent: AgentHost) -> bool:
    return any(row["name"] == agent.name and row["state"] == "up" for row in lab.edge.ctl_json("backends"))


def users(reloads: Reloads, other: Client) -> None:
    """One goes, one comes, the connected one's password changes; another name server."""
    for agent in reloads.lab.agents:
        reloads.lab.run.write(f"{agent.name}/users.toml", f'[user1]\npassword = "changed"\n[{NEW_USER}]\npassword = "{NEW_PASSWORD}"\n')
        config = reloads.lab.run.path(agent.name, "agent.toml").read_text()
        reloads.lab.run.write(f"{agent.name}/agent.toml", config.replace(f'dns = ["{network.INSIDE_HOST}"]', f'dns = ["{NEW_DNS}"]'))
        reloads.agent(agent, r"\[config\.agent-reloaded\] configuration reloaded .*changes=2\b")
    try:
        other.dial()
        raise Failed(f"{other.how.user} got in, who is no longer in the users file")
    except NotConnected as refused:
        demand(refused.stage == "PPP", f"{other.name} should have failed in PPP: {refused}")
    other.forget()
    other.log_in_as(replace(other.how, user=NEW_USER, password=NEW_PASSWORD))
    link = other.dial()
    demand(link.dns == NEW_DNS, f"the name server told is {link.dns}, not {NEW_DNS}")
    other.ping(network.INSIDE_HOST, 3, 0.1).demand_all(other.name)
    report.good(f"a user who is gone is refused, a new one gets in and is told the new name server {link.dns}")


def check(lab: Lab) -> str:
    """One client pings while users, agents, a profile and pools' settings change by reloads, and while faulty files change nothing."""
    steady, other = lab.clients
    reloads = Reloads(lab)
    steady.dial()
    home = lab.agent_of(steady)
    (away,) = [agent for agent in lab.agents if agent is not home]
    mark = steady.events.mark()
    sent = 0
    with ThreadPoolExecutor(1) as pool:
        for part in (lambda: (faulty_files(reloads), settings(reloads)), lambda: agents(reloads, home, away), lambda: users(reloads, other)):
            pings = pool.submit(steady.ping, network.INSIDE_HOST, PINGS, INTERVAL)
            part()
            answered = pings.result()
            answered.demand_all(steady.name)
            sent += answered.sent
    demand(steady.events.find("^down", mark) is None, f"{steady.name}'s link went down")
    steady.ping(network.INSIDE_HOST, 3, 0.1).demand_all(steady.name)
    return f"{sent} pings through {reloads.done} reloads of edge and agents, none lost"
