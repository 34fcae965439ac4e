"""How a scenario becomes a program: lab/scenarios/NAME builds what its plan says, checks, prints its figures, tidies up."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import report, runs, sandbox
from .lab import Lab, Plan

Check = Callable[[Lab], str]


def prepare(lab: Lab) -> None:
    """The common start, told step by step."""
    plan = lab.plan
    lab.build_network()
    nat = {"none": "no NAT", "home": "a home NAT each", "carrier": "a home NAT each behind one carrier NAT", "mixed": "and without NAT"}[plan.nat]
    report.good(f"network: {plan.clients} client(s) with {nat}, edge, {plan.agents} agent(s), inside host")
    lab.boot_clients()
    lab.start_services()
    if plan.product:
        lab.start_product()
        report.good("edge and agents are up and know each other")
    lab.prepare_clients()
    report.good("clients are booted: strongSwan, xl2tpd and pppd in User Mode Linux")


def inside(run: runs.Run, plan: Plan, check: Check) -> Callable[[Callable[[], None]], int]:
    """The body for sandbox.enter: builds, checks, ends in order whatever happens, prints the figures last."""

    def body(_ready: Callable[[], None]) -> int:
        os.environ["SLUICE_LAB_RUN"] = run.ident
        lab = Lab(run, plan)
        try:
            prepare(lab)
            figures = check(lab)
            lab.hang_up()
            if plan.product:
                lab.demand_alive()
        finally:
            lab.close()
        lab.demand_sound()
        run.write("figures", figures)
        return 0

    return body


def need_root(program: str) -> None:
    if os.geteuid() != 0:
        raise SystemExit(f"{program} makes network namespaces and must be root: sudo {program}")


def conduct(name: str, plan: Plan, check: Check) -> int:
    """Runs one scenario; its figures, or the cause of its failure, are the last line."""
    need_root(f"lab/run {name}")
    run = runs.new_run(name)
    report.step(f"{name}: logs and captures in {run.folder}")
    code = sandbox.enter(run, inside(run, plan, check))
    figures = run.folder / "figures"
    if code == 0 and figures.exists():
        print(f"{name}: holds: {figures.read_text().strip()} ({run.folder})", flush=True)
        return 0
    print(f"{name}: does not hold; see above and {run.folder}", flush=True)
    return code or 1


def main(plan: Plan, check: Check) -> None:
    """Entry of a scenario file."""
    name = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(prog=f"lab/run {name}", description=(check.__doc__ or "").strip())
    parser.parse_args()
    sys.exit(conduct(name, plan, check))


def main_for(plan: Plan, check: Callable[[Lab, int], str], seconds: int) -> None:
    """Entry of a scenario whose check lasts as long as it is told."""
    name = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(prog=f"lab/run {name}", description=(check.__doc__ or "").strip())
    parser.add_argument("--seconds", type=int, default=seconds, help=f"how long; {seconds} unless told")
    wanted = parser.parse_args()
    sys.exit(conduct(name, plan, lambda lab: check(lab, wanted.seconds)))
