"""What is demanded of the system under a swarm."""

from . import report
from .lab import Lab
from .process import eventually
from .report import demand
from .swarm import Swarm, all_good, edge_pid, phases, resident_kib, shares

KIB_PER_TUNNEL = 16.0


def scale(lab: Lab, clients: int, rate: float, ike: int) -> str:
    """Many clients up at once through one edge and two agents; set-up times and the edge's memory for each tunnel."""
    pid = edge_pid(lab)
    before = resident_kib(pid)
    swarm = Swarm(lab, clients, rate, [], ike)
    seconds = swarm.wait_up(clients / rate * 4 + 60)
    eventually("every session at an agent", lambda: sum(shares(lab).values()) >= clients, 15)
    held = shares(lab)
    each = (resident_kib(pid) - before) / clients
    report.good(f"{clients} clients are up after {seconds:.1f} s, by agent: {held}; the edge's memory for each: {each:.1f} KiB")
    result = swarm.finish(clients / rate + 90)
    all_good(result)
    eventually("no session at any agent", lambda: sum(shares(lab).values()) == 0, 15)
    demand(each <= KIB_PER_TUNNEL, f"the edge takes {each:.1f} KiB for each tunnel, more than {KIB_PER_TUNNEL:g}")
    return f"{clients} tunnels {'with IKEv%d' % ike if ike else 'without IKE'}, {result['connects_per_second']:.0f} a second, {phases(result)}; {each:.1f} KiB of the edge each"
