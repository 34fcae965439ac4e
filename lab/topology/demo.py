"""lab/demo: the main job, shown. A real client dials in through NATs, lands on an agent, and moves traffic."""

import argparse
import os
import sys
from collections.abc import Callable

from . import checks, keep, report, runs, sandbox, setup
from .client import CIPHERS
from .lab import NATS, Lab, Plan
from .scenario import need_root, prepare


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lab/demo",
        description="Builds Sluice and a small internet around it, dials in with real L2TP/IPsec clients, shows what happens, tidies up.",
        epilog="Exit code 0 when everything held, 1 when not. Logs and captures stay in the folder that it names.",
    )
    parser.add_argument("--clients", type=int, default=1, metavar="N", help="clients, each in its own home (default 1)")
    parser.add_argument("--agents", type=int, metavar="M", help="agents (default 1; 2 with --kill-agent)")
    parser.add_argument("--nat", choices=NATS[:3], default="carrier", help="none: raw ESP; home: a NAT each; carrier: those behind one more (default)")
    parser.add_argument("--cipher", choices=sorted(CIPHERS), default="aes128-sha1", help="of the client's ESP (default aes128-sha1)")
    parser.add_argument("--duration", type=int, metavar="S", default=60, help="seconds of traffic with --rekey or several clients (default 60)")
    parser.add_argument("--rekey", action="store_true", help="the client rekeys its child SA each 10 s under traffic")
    parser.add_argument("--kill-agent", action="store_true", help="SIGKILL an agent in the middle; its clients redial")
    parser.add_argument("--keep", action="store_true", help="leave the system up afterwards")
    parser.add_argument("--in", nargs=argparse.REMAINDER, dest="look", metavar="PLACE CMD", help="run a command in a place of the run that is kept up")
    parser.add_argument("--stop", action="store_true", help="end the runs that are kept up")
    wanted = parser.parse_args()
    if not 1 <= wanted.clients <= 50 or not 1 <= (wanted.agents or 1) <= 50 or wanted.duration < 1:
        parser.error("--clients and --agents go from 1 to 50, --duration from 1")
    if wanted.kill_agent and wanted.agents == 1:
        parser.error("--kill-agent needs a second agent to land on: --agents 2")
    if wanted.look is not None and len(wanted.look) < 2:
        parser.error("--in needs a place and a command, for example: --in client1 ip addr")
    return wanted


def what_to_show(wanted: argparse.Namespace) -> Callable[[Lab], str]:
    if wanted.kill_agent:
        return checks.kill_agent
    if wanted.rekey:
        return lambda lab: checks.rekey(lab, wanted.duration)
    if wanted.clients > 1:
        return lambda lab: checks.side_by_side(lab, wanted.duration)
    return checks.dial


def carry_out(run: runs.Run, wanted: argparse.Namespace, ready: Callable[[], None]) -> int:
    os.environ["SLUICE_LAB_RUN"] = run.ident
    agents = wanted.agents or (2 if wanted.kill_agent else 1)
    lab = Lab(run, Plan(wanted.clients, agents, wanted.nat, wanted.cipher, 10 if wanted.rekey else 0))
    try:
        prepare(lab)
        figures = what_to_show(wanted)(lab)
        report.good(figures)
        if wanted.keep:
            print(keep.advice(run, lab), flush=True)
            _detach(run)
            ready()
            keep.hold(lab)
        lab.hang_up()
        lab.demand_alive()
    finally:
        lab.close()
    return 0


def _detach(run: runs.Run) -> None:
    """From here on nobody reads what we print."""
    log = os.open(run.path("logs", "lab.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)


def main() -> int:
    wanted = arguments()
    need_root("lab/demo")
    if wanted.stop:
        return keep.stop()
    if wanted.look:
        return keep.look(wanted.look[0], wanted.look[1:])
    setup.ready()
    run = runs.new_run("demo")
    report.step(f"logs and captures: {run.folder}")
    code = sandbox.enter(run, lambda ready: carry_out(run, wanted, ready), wanted.keep)
    if code == 0:
        report.good("the demo holds")
    else:
        report.bad(f"the demo does not hold; see above and {run.folder}")
    return code and (130 if code == 130 else 1)


if __name__ == "__main__":
    sys.exit(main())
