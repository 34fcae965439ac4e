"""Sluice's daemons in the lab: their configuration, their start, and sluicectl."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

from . import network
from .client import PSK
from .network import Namespace
from .process import Process, run
from .report import demand
from .runs import Run

PROJECT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SLUICE_BUILD", PROJECT / "build" / "release"))  # another one, for example with sanitizers
TARGETS = ("sluice-edge", "sluice-agent", "sluicectl", "sluice_charon_plugin", "ike_flood")


def program(name: str) -> str:
    path = BUILD / "bin" / name
    demand(path.exists(), f"{path} is not built; lab/demo builds it, or: cmake --preset release && cmake --build --preset release")
    return str(path)


def plugin() -> Path:
    found = sorted(BUILD.rglob("libstrongswan-sluice.so"))
    demand(bool(found), f"libstrongswan-sluice.so is not under {BUILD}; build target sluice_charon_plugin")
    return found[0]


def edge_config(run_: Run) -> str:
    folder = run_.folder
    users = 'users = "ike-users.toml"\n' if (folder / "edge" / "ike-users.toml").exists() else ""
    return f"""
[edge]
name = "edge1"
run_dir = "/run/sluice"

[listen]
addresses = ["{network.EDGE_PUBLIC}"]

[[psk]]
identity = "%any"
file = "{folder}/edge/psk"

[ike]
plugin = "{plugin()}"
{users}
[channel]
listen = "{network.EDGE_CORE}:4600"

[tls]
ca = "{folder}/certs/ca.crt"
certificate = "{folder}/certs/edge1.crt"
key = "{folder}/certs/edge1.key"

[operations]
socket = "/run/sluice/edge.sock"

[log]
level = "debug"
"""


def agent_config(run_: Run, number: int, settings: str = "", ppp_settings: str = "", pool_settings: str = "") -> str:
    folder, name, pool = run_.folder, f"agent{number}", network.pool(number)
    return f"""
[agent]
name = "{name}"
data_address = "{network.agent_core(number)}"
workers = {2 if number % 2 else 1}

[[edge]]
address = "{network.EDGE_CORE}:4600"
name = "edge1"

[tls]
ca = "{folder}/certs/ca.crt"
certificate = "{folder}/certs/{name}.crt"
key = "{folder}/certs/{name}.key"

[ppp]
local_address = "{pool}.1"
dns = ["{network.INSIDE_HOST}"]
{ppp_settings}

[pool]
ranges = ["{pool}.2-{pool}.250"]
{pool_settings}

[users]
file = "{folder}/{name}/users.toml"
{settings}"""


def users_file(count: int) -> str:
    return "\n".join(f'[user{number}]\npassword = "password-of-user{number}"\n' for number in range(1, count + 1))


class Edge:
    def __init__(self, run_: Run, namespace: Namespace, settings: str = "") -> None:
        self._run = run_
        self._namespace = namespace
        run_.write("edge/psk", PSK + "\n")
        self._config = run_.write("edge/edge.toml", edge_config(run_) + settings)
        self.process = self._launch()

    def _launch(self) -> Process:
        return self._namespace.start("edge", [program("sluice-edge"), "--config", str(self._config)])

    def restart(self, how: int) -> None:
        """Ends it by a signal and starts it again at once, as a service manager does."""
        self.process.kill(how)
        self.process.wait(5)
        self.process = self._launch()

    def end(self) -> None:
        """For good: SIGTERM would leave charon and the sessions to a successor."""
        self.process.kill(signal.SIGINT)

    @property
    def log(self):  # noqa: ANN201
        return self.process.log

    def ctl(self, what: str) -> str:
        """The table that an operator sees."""
        return run([program("sluicectl"), "--socket", "/run/sluice/edge.sock", what])

    def ctl_json(self, what: str) -> list[dict[str, Any]]:
        text = run([program("sluicectl"), "--socket", "/run/sluice/edge.sock", what, "--json"])
        value = json.loads(text)
        return value if isinstance(value, list) else value.get(what, [])


class AgentHost:
    def __init__(self, run_: Run, namespace: Namespace, number: int, users: int, settings: str = "", ppp_settings: str = "", pool_settings: str = "") -> None:
        self.number = number
        self.name = f"agent{number}"
        run_.write(f"{self.name}/users.toml", users_file(users))
        config = run_.write(f"{self.name}/agent.toml", agent_config(run_, number, settings, ppp_settings, pool_settings))
        self.process = namespace.start(self.name, [program("sluice-agent"), "--config", str(config)])

    @property
    def log(self):  # noqa: ANN201
        return self.process.log

    def gave(self, address: str) -> bool:
        """Whether an address that a client has is from this agent's pool."""
        return address.startswith(network.pool(self.number) + ".")


def up_in_backends(edge: Edge, names: list[str]) -> bool:
    text = edge.ctl("backends")
    return all(re.search(rf"\b{name}\b", text) for name in names)
