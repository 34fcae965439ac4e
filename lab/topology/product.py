"""Sluice's daemons in the lab: their configuration, their start, and sluicectl."""

import json
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import network
from .client import PSK
from .network import Namespace
from .process import Process, run
from .report import Failed, demand
from .runs import Run

PROJECT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SLUICE_BUILD", PROJECT / "build" / "release"))  # another one, for example with sanitizers
TARGETS = ("sluice-edge", "sluice-agent", "sluicectl", "sluice_charon_plugin", "sluice-swarm", "ike_flood")


SWARM_PASSWORD = "password-of-the-swarm"  # of its users swarm1, swarm2 and so on


@dataclass(frozen=True)
class EdgePlace:
    """Where an edge stands."""

    name: str = "edge1"
    public: str = network.EDGE_PUBLIC
    core: str = network.EDGE_CORE
    run_dir: str = "/run/sluice"


EDGE1 = EdgePlace()


def program(name: str) -> str:
    path = BUILD / "bin" / name
    demand(path.exists(), f"{path} is not built; lab/demo builds it, or: cmake --preset release && cmake --build --preset release")
    return str(path)


def plugin() -> Path:
    found = sorted(BUILD.rglob("libstrongswan-sluice.so"))
    demand(bool(found), f"libstrongswan-sluice.so is not under {BUILD}; build target sluice_charon_plugin")
    return found[0]


def edge_config(run_: Run, place: EdgePlace = EDGE1, ike_settings: str = "", channel_settings: str = "") -> str:
    folder = run_.folder
    users = 'users = "ike-users.toml"\n' if (folder / "edge" / "ike-users.toml").exists() else ""
    return f"""
[edge]
name = "{place.name}"
run_dir = "{place.run_dir}"

[listen]
addresses = ["{place.public}"]

[[psk]]
identity = "%any"
file = "{folder}/edge/psk"

[ike]
plugin = "{plugin()}"
{users}{ike_settings}
[channel]
listen = "{place.core}:4600"
{channel_settings}

[tls]
ca = "{folder}/certs/ca.pem"
crl = "{folder}/certs/crl.pem"
certificate = "{folder}/certs/{place.name}.pem"
key = "{folder}/certs/{place.name}.key"

[log]
level = "debug"
rate = 0
"""


# All agents have the same cores, and guests boot beside them: how busy one is says nothing of it. Where that is what counts, a scenario
# has a [placement] of its own.
CALM = """
[placement]
cpu = 0
"""


def agent_config(
    run_: Run, number: int, settings: str = "", ppp_settings: str = "", pool_settings: str = "", edges: Sequence[EdgePlace] = (EDGE1,), swarm: int = 0, weight: int = 100
) -> str:
    folder, name, pool = run_.folder, f"agent{number}", network.pool(number)
    ranges = [f"{pool}.2-{pool}.250"]
    if swarm:
        many = network.swarm_pool(number)
        ranges.append(f"{many}.0.2-{many}.255.250")
    dialled = "\n".join(f'[[edge]]\naddress = "{edge.core}:4600"\nname = "{edge.name}"\n' for edge in edges)
    return f"""
[agent]
name = "{name}"
data_address = "{network.agent_core(number)}"
workers = {2 if number % 2 else 1}
weight = {weight}

{dialled}
[tls]
ca = "{folder}/certs/ca.pem"
crl = "{folder}/certs/crl.pem"
certificate = "{folder}/certs/{name}.pem"
key = "{folder}/certs/{name}.key"

[log]
rate = 0

[ppp]
local_address = "{pool}.1"
dns = ["{network.INSIDE_HOST}"]
{ppp_settings}

[pool]
ranges = {json.dumps(ranges)}
{pool_settings}

[users]
file = "{folder}/{name}/users.toml"
{settings}"""


def users_file(count: int, swarm: int = 0) -> str:
    users = {f"user{number}": f"password-of-user{number}" for number in range(1, count + 1)}
    users |= {f"swarm{number}": SWARM_PASSWORD for number in range(1, swarm + 1)}
    return "\n".join(f'[{name}]\npassword = "{password}"\n' for name, password in users.items())


class Edge:
    def __init__(self, run_: Run, namespace: Namespace, settings: str = "", place: EdgePlace = EDGE1, ike_settings: str = "", channel_settings: str = "") -> None:
        self._run = run_
        self._namespace = namespace
        self.place = place
        run_.write("edge/psk", PSK + "\n")
        placement = "" if "[placement]" in settings else CALM
        self._config = run_.write(f"{namespace.name}/edge.toml", edge_config(run_, place, ike_settings, channel_settings) + placement + settings)
        self.process = self._launch()

    def _launch(self) -> Process:
        return self._namespace.start(self._namespace.name, [program("sluice-edge"), "--config", str(self._config)])

    def restart(self, how: int) -> None:
        """Ends it by a signal and starts it again at once, as a service manager does."""
        self.process.kill(how)
        self.process.wait(20)
        self.process = self._launch()

    def end(self) -> None:
        """For good: SIGTERM would leave charon and the sessions to a successor."""
        self.process.kill(signal.SIGINT)

    @property
    def log(self):  # noqa: ANN201
        return self.process.log

    def ctl(self, *words: str) -> str:
        """What an operator sees."""
        return run(self.ctl_argv(*words))

    def ctl_argv(self, *words: str) -> list[str]:
        return [program("sluicectl"), "--socket", f"{self.place.run_dir}/edge.sock", *words]

    def remembers(self, who: str) -> bool:
        """Whether `sluicectl why` knows a failure or an end of them."""
        try:
            self.ctl("why", who)
        except Failed:
            return False
        return True

    def ctl_json(self, what: str) -> list[dict[str, Any]]:
        text = run([program("sluicectl"), "--socket", f"{self.place.run_dir}/edge.sock", what, "--json"])
        value = json.loads(text)
        return value if isinstance(value, list) else value.get(what, [])


class AgentHost:
    def __init__(
        self,
        run_: Run,
        namespace: Namespace,
        number: int,
        users: int,
        settings: str = "",
        ppp_settings: str = "",
        pool_settings: str = "",
        edges: Sequence[EdgePlace] = (EDGE1,),
        swarm: int = 0,
        weight: int = 100,
    ) -> None:
        self.number = number
        self.name = f"agent{number}"
        self._namespace = namespace
        run_.write(f"{self.name}/users.toml", users_file(users, swarm))
        self._config = run_.write(f"{self.name}/agent.toml", agent_config(run_, number, settings, ppp_settings, pool_settings, edges, swarm, weight))
        self.start()

    def start(self) -> None:
        """Again, once it has ended."""
        self.process = self._namespace.start(self.name, [program("sluice-agent"), "--config", str(self._config)])

    @property
    def log(self):  # noqa: ANN201
        return self.process.log

    def gave(self, address: str) -> bool:
        """Whether an address that a client has is from this agent's pool."""
        return address.startswith((network.pool(self.number) + ".", network.swarm_pool(self.number) + "."))


def up_in_backends(edge: Edge, names: list[str]) -> bool:
    text = edge.ctl("backends")
    return all(re.search(rf"\b{name}\b", text) for name in names)
