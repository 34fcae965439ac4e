"""Builds the lab inside the sandbox: the internet, homes, edge, agents, inside host, clients. Takes it down in order."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from . import network, radius
from .channel_pki import ChannelPki
from .client import PSK, Client, Dialler
from .guest import Guest
from .network import Namespace, plug
from .process import Process, eventually
from .product import EDGE1, AgentHost, Edge, EdgePlace, up_in_backends
from .radius import RadiusHost
from .report import Failed, note
from .runs import Run
from .traffic import PEER, PORT

T = TypeVar("T")
NATS = ("none", "home", "carrier", "mixed")
FAULT = r"Sanitizer: |: runtime error: |terminate called|double free|stack smashing"
IKE_AND_FRIENDS = "udp port 500 or (udp port 4500 and udp[8:4] = 0) or udp port 1701 or icmp"


@dataclass(frozen=True)
class Plan:
    """What to build."""

    clients: int = 1
    agents: int = 1
    nat: str = "carrier"  # none: clients on the internet; home: a NAT each; carrier: those behind one more NAT; mixed: every second one on the internet
    cipher: str = "aes128-sha1"
    rekey_seconds: int = 0
    reauth_seconds: int = 0
    psk: str = PSK
    edge_addresses: tuple[str, ...] = ()  # public ones besides the usual one
    edge_files: Callable[[Path], None] | None = None  # puts more files beside the edge's configuration
    edge_settings: str = ""  # more tables of the edge's configuration
    password: str = ""  # of every client; empty: each one's right one
    radius: bool = False  # two RADIUS servers on the core segment, and agents that ask them
    ppp_settings: str = ""  # more of the agents' [ppp]
    pool_settings: str = ""  # more of the agents' [pool]
    agent_settings: str = ""  # more tables of the agents' configuration
    before_agents: Callable[["Lab"], None] | None = None  # starts what agents need beside them
    product: bool = True  # False leaves the edge's public address to the reference server
    swarm: int = 0  # users and addresses for so many clients of sluice-swarm, and a place for it; no captures of what they send
    weights: tuple[int, ...] = ()  # of the agents; those without one have 100
    ike_settings: str = ""  # more of the edges' [ike]
    channel_settings: str = ""  # more of the edges' [channel]
    more_edges: tuple[EdgePlace, ...] = ()  # edges besides the usual one, that every agent serves, too


    def has_nat(self, number: int) -> bool:
        """Whether client `number` (from 1) sits behind a NAT."""
        return self.nat != "none" and not (self.nat == "mixed" and number % 2 == 0)


@dataclass
class Lab:
    run: Run
    plan: Plan
    spaces: dict[str, Namespace] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    agents: list[AgentHost] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    guests: list[Guest] = field(default_factory=list)  # besides the clients
    radius: list[RadiusHost] = field(default_factory=list)
    more_edges: list[Edge] = field(default_factory=list)
    _edge: Edge | None = None

    @property
    def edge(self) -> Edge:
        assert self._edge is not None
        return self._edge

    # --- building ---

    def build_network(self) -> None:
        internet = self.space("internet")
        internet.bridge("br0")
        core, inside_lan = self.space("core"), self.space("inside-lan")
        core.bridge("br0")
        inside_lan.bridge("br0")
        edge = self.space("edge")
        if self.plan.product:
            plug(self.run, edge, "wan", f"{network.EDGE_PUBLIC}/24", internet)
            for address in self.plan.edge_addresses:
                edge.ip(f"addr add {address}/24 dev wan")
        plug(self.run, edge, "core", f"{network.EDGE_CORE}/24", core)
        for place in self.plan.more_edges:
            more = self.space(place.name)
            plug(self.run, more, "wan", f"{place.public}/24", internet)
            plug(self.run, more, "core", f"{place.core}/24", core)
        if self.plan.swarm:
            self._build_swarm(internet)
        inside = self.space("inside")
        plug(self.run, inside, "lan", f"{network.INSIDE_HOST}/24", inside_lan)
        for number in range(1, self.plan.agents + 1):
            agent = self.space(f"agent{number}")
            plug(self.run, agent, "core", f"{network.agent_core(number)}/24", core)
            plug(self.run, agent, "inside", f"{network.agent_inside(number)}/24", inside_lan)
            agent.forward()
            inside.ip(f"route add {network.pool(number)}.0/24 via {network.agent_inside(number)}")
            if self.plan.swarm:
                inside.ip(f"route add {network.swarm_pool(number)}.0.0/16 via {network.agent_inside(number)}")
        if self.plan.radius:
            for number in (1, 2):
                space = self.space(f"radius{number}")
                plug(self.run, space, "core", f"{radius.address(number)}/24", core)
                self.radius.append(RadiusHost(self.run, space, number))
        if self.plan.nat == "carrier":
            self._build_carrier(internet)
        for number in range(1, self.plan.clients + 1):
            self._build_home(number, internet)

    def _build_swarm(self, internet: Namespace) -> None:
        swarm = self.space("swarm")
        plug(self.run, swarm, "wan", f"{network.SWARM_PUBLIC}/24", internet)
        swarm.ip(f"route add local {network.SWARM_NET} dev lo")
        for name in ("edge", *(place.name for place in self.plan.more_edges)):
            self.spaces[name].ip(f"route add {network.SWARM_NET} via {network.SWARM_PUBLIC}")

    def space(self, name: str) -> Namespace:
        self.spaces[name] = Namespace(self.run, name)
        return self.spaces[name]

    def _build_carrier(self, internet: Namespace) -> None:
        carrier = self.space("carrier")
        carrier.bridge("br0")
        carrier.ip("addr add 100.64.0.1/24 dev br0")
        plug(self.run, carrier, "wan", f"{network.CARRIER_PUBLIC}/24", internet)
        carrier.masquerade("wan")

    def _build_home(self, number: int, internet: Namespace) -> None:
        if not self.plan.has_nat(number):
            internet.tap(f"tap{number}", bridge="br0")
            return
        home = self.space(f"home{number}")
        home.tap(f"tap{number}", f"{network.HOME_GATEWAY}/24")
        if self.plan.nat in ("home", "mixed"):
            plug(self.run, home, "wan", f"{network.home_public(number)}/24", internet)
        else:
            plug(self.run, home, "wan", f"{network.home_carrier(number)}/24", self.spaces["carrier"])
            home.ip("route add default via 100.64.0.1")
        home.masquerade("wan")

    def boot_clients(self) -> None:
        """Starts the guests; they boot while the rest is built. prepare_clients waits for them."""
        for number in range(1, self.plan.clients + 1):
            name = f"client{number}"
            if not self.plan.has_nat(number):
                address, gateway = network.direct_client(number), network.EDGE_PUBLIC
                space = self.spaces["internet"]
            else:
                address, gateway = network.HOME_CLIENT, network.HOME_GATEWAY
                space = self.spaces[f"home{number}"]
            guest = Guest(self.run, name, space, f"tap{number}", f"{address}/24", gateway)
            password = self.plan.password or f"password-of-user{number}"
            how = Dialler(
                psk=self.plan.psk, user=f"user{number}", password=password, cipher=self.plan.cipher,
                rekey_seconds=self.plan.rekey_seconds, reauth_seconds=self.plan.reauth_seconds,
            )
            self.clients.append(Client(guest, number, how))

    def prepare_clients(self) -> None:
        together(Client.prepare, self.clients)

    def start_services(self) -> None:
        """The transfer server inside, and captures."""
        inside = self.spaces["inside"]
        server = inside.start("transfer-server", ["python3", str(PEER), "serve", network.INSIDE_HOST, str(PORT)])
        server.log.wait("serving", 10)
        self.processes.append(server)
        for host in self.radius:
            host.start()
        if self.plan.product and not self.plan.swarm:
            edge = self.spaces["edge"]
            self.processes.append(edge.capture("edge-wan-ike", "wan", IKE_AND_FRIENDS))
            self.processes.append(edge.capture("edge-wan-esp", "wan", "esp or (udp port 4500 and udp[8:4] != 0)", 2000))
            self.processes.append(edge.capture("edge-core", "core", "tcp port 4600 or udp portrange 4601-4602", 2000))
            self.processes.append(inside.capture("inside", "lan", "icmp or tcp", 2000))

    def start_product(self) -> None:
        ChannelPki.make(self.run.folder / "certs", [*(place.name for place in self._places()), *(f"agent{n}" for n in range(1, self.plan.agents + 1))])
        if self.plan.edge_files:
            self.plan.edge_files(self.run.path("edge", "x").parent)
        self._edge = Edge(self.run, self.spaces["edge"], self.plan.edge_settings, EDGE1, self.plan.ike_settings, self.plan.channel_settings)
        for place in self.plan.more_edges:
            self.more_edges.append(Edge(self.run, self.spaces[place.name], self.plan.edge_settings, place, self.plan.ike_settings, self.plan.channel_settings))
        settings = radius.agent_settings(str(self.run.folder)) if self.plan.radius else ""
        settings += self.plan.agent_settings
        if self.plan.before_agents:
            self.plan.before_agents(self)
        for number in range(1, self.plan.agents + 1):
            self.agents.append(
                AgentHost(
                    self.run, self.spaces[f"agent{number}"], number, self.plan.clients, settings, self.plan.ppp_settings, self.plan.pool_settings,
                    self._places(), self.plan.swarm, (*self.plan.weights, *[100] * number)[number - 1],
                )
            )
        names = [agent.name for agent in self.agents]
        eventually(f"{', '.join(names)} in `sluicectl backends`", lambda: self._answers(names), 60)

    def _places(self) -> tuple[EdgePlace, ...]:
        return EDGE1, *self.plan.more_edges

    def edges(self) -> list[Edge]:
        return [*([self._edge] if self._edge else []), *self.more_edges]

    def _answers(self, names: list[str]) -> bool:
        self.demand_alive()
        try:
            return all(up_in_backends(edge, names) for edge in self.edges())
        except Failed:
            return False

    def demand_alive(self) -> None:
        """Fails when the edge or an agent that nobody killed is gone."""
        for process in [*(edge.process for edge in self.edges()), *(agent.process for agent in self.agents)]:
            if not process.alive():
                tail = " | ".join(process.log.lines[-3:])
                raise Failed(f"{process.name} ended; it last said: {tail} (log: {process.log.path})")

    def demand_sound(self) -> None:
        """After close(): fails when a daemon said something that only a fault of its own makes it say."""
        for process in [agent.process for agent in self.agents] + [edge.process for edge in self.edges()]:
            if fault := process.log.find(FAULT):
                raise Failed(f"{process.name} is at fault: {fault.string.strip()} (log: {process.log.path})")

    def start(self) -> None:
        """All of it."""
        self.build_network()
        self.boot_clients()
        self.start_services()
        self.start_product()
        self.prepare_clients()

    # --- use ---

    def agent_of(self, client: Client) -> AgentHost:
        assert client.link is not None
        address = client.link.address
        for agent in self.agents:
            if agent.gave(address):
                return agent
        raise Failed(f"{client.name} has address {address}, which is in no agent's pool")

    # --- end ---

    def hang_up(self) -> None:
        together(Client.hang_up, [client for client in self.clients if client.link])

    def close(self) -> None:
        """Ends the daemons in order, so that they say good-bye and their logs are whole. Never fails."""
        ends = {id(edge.process): edge.end for edge in self.edges()}
        daemons = [agent.process for agent in self.agents] + [edge.process for edge in self.edges()]
        for process in daemons + self.processes + [h.process for h in self.radius if h.process]:
            try:
                ends.get(id(process), lambda: None)()
                process.stop()
            except Exception as error:
                note(f"while stopping {process.name}: {error}")
        for guest in [client.guest for client in self.clients] + self.guests:
            guest.destroy()


def together(work: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
    """The same for all at once; the first failure is raised after all have ended."""
    everything = list(items)
    with ThreadPoolExecutor(max_workers=max(1, len(everything))) as pool:
        return [future.result() for future in [pool.submit(work, item) for item in everything]]
