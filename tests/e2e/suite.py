"""tests/run: installs, builds, runs ctest, then the end-to-end runs; one line a result, the last line counts them."""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "lab"))

from topology.product import TARGETS  # noqa: E402

TOOLS = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.cpp")))  # programs that the scenarios use
E2E_PATIENCE = 400  # seconds; the longest takes about 100
E2E_FAREWELL = 60  # seconds to tidy up after SIGTERM
# Scenarios that last minutes by themselves; here they run in a short form.
SHORT = {
    "ike-rekey": ["--seconds", "25"],
    "ike-flood": ["--seconds", "10"],
    "swarm": ["--clients", "300"],
    "swarm-cycles": ["--cycles", "1600"],
    "agent-dies": ["--clients", "60"],
    "two-edges": ["--clients", "40"],
    "balance": ["--clients", "160"],
}
# Guests wait more than they work, so that two cores carry two runs at once; but not where a rate under load or a delay is measured, nor where
# the newest run has to be one's own.
AT_ONCE = 2
ALONE = ("ike-flood", "balance", "agent-dies", "keep-look-stop", "killed-lab-leaves-nothing")


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool
    seconds: float
    text: str = ""  # on success the figures, on failure what was said


class Tally:
    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []

    def add(self, result: Result) -> None:
        mark = "pass" if result.passed else "FAIL"
        print(f"{mark} {result.seconds:7.2f}s  {result.name}{'  ' + result.text if result.passed and result.text else ''}", flush=True)
        if result.passed:
            self.passed += 1
        else:
            self.failed.append(result.name)
            for line in result.text.strip().splitlines()[-60:]:
                print(f"     | {line}")


def step(text: str) -> None:
    print(f"== {text}", flush=True)


def must(argv: list[str]) -> bool:
    code = subprocess.run(argv, cwd=PROJECT, stdin=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        print(f"'{' '.join(argv)}' failed with {code}; the cause is above", flush=True)
    return code == 0


def build(preset: str, unit: bool) -> bool:
    """Everything, or only what the lab runs."""
    step("install what is missing")
    if not must([str(PROJECT / "lab" / "install"), "build", "lab", "test"]):
        return False
    step(f"configure and build ({preset})")
    targets = [] if unit else ["--target", *TARGETS, *TOOLS]
    return must(["cmake", "--preset", preset, "--log-level=WARNING"]) and must(["cmake", "--build", "--preset", preset, *targets])


def build_folder(preset: str) -> Path:
    return PROJECT / "build" / preset


def ctest(preset: str, names: list[str], tally: Tally) -> None:
    step("unit tests, vectors, fuzz replays, layers (ctest)")
    folder = build_folder(preset)
    report = folder / "junit.xml"
    report.unlink(missing_ok=True)
    argv = ["ctest", "--test-dir", str(folder), "-j", str(os.cpu_count() or 2), "--timeout", "300" if preset == "release" else "900", "--output-junit", str(report)]
    if names:
        argv += ["-R", "|".join(re.escape(name) for name in names)]
    done = subprocess.run(argv, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if not report.exists():
        tally.add(Result("ctest", False, 0.0, done.stdout))
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        tally.add(_from_junit(case))


def _from_junit(case: ElementTree.Element) -> Result:
    passed = case.get("status") == "run" and case.find("failure") is None
    said = case.findtext("system-out") or ""
    reason = "" if passed else f"status {case.get('status')}\n{said}"
    name = case.get("name", "?").partition("  # GetParam")[0]
    return Result(name, passed, float(case.get("time", "0")), reason)


def end_to_end() -> dict[str, list[str]]:
    """Scenarios of the lab, and the executables beside this file: name to command."""
    scenarios = {path.name: [str(PROJECT / "lab" / "run"), path.name, *SHORT.get(path.name, [])] for path in (PROJECT / "lab" / "scenarios").iterdir()}
    own = {path.name: [str(path)] for path in Path(__file__).parent.iterdir() if path.suffix == "" and os.access(path, os.X_OK) and path.is_file()}
    return dict(sorted({**scenarios, **own}.items()))


def run_one(preset: str, name: str, argv: list[str]) -> Result:
    started = time.monotonic()
    environment = {**os.environ, "SLUICE_LAB_READY": "1", "SLUICE_BUILD": str(build_folder(preset))}
    process = subprocess.Popen(
        argv, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        said, _ = process.communicate(timeout=E2E_PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            said = process.communicate(timeout=E2E_FAREWELL)[0]
        except subprocess.TimeoutExpired as late:  # it hangs, or something of it holds its output open
            process.kill()
            said = (late.output or b"").decode(errors="replace")
        return Result(name, False, time.monotonic() - started, said + f"\nno end within {E2E_PATIENCE} s")
    passed = process.returncode == 0
    last = said.strip().splitlines()[-1] if said.strip() else ""
    return Result(name, passed, time.monotonic() - started, last if passed else said)


def end_to_end_runs(wanted: argparse.Namespace, tally: Tally) -> None:
    runs = {name: argv for name, argv in end_to_end().items() if not wanted.names or any(part in name for part in wanted.names)}
    for alone, at_once in ((False, AT_ONCE), (True, 1)):
        chosen = [(name, argv) for name, argv in runs.items() if (name in ALONE) == alone]
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            for result in pool.map(lambda run: run_one(wanted.preset, *run), chosen):
                tally.add(result)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/run",
        description="Installs what is missing, builds, runs all tests. The last line is 'N passed, N failed'; exit code 1 if any failed.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only tests and end-to-end runs whose name contains one of these")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--unit-only", action="store_true", help="only ctest: unit tests, vectors, fuzz replays, layers (needs no root once installed)")
    only.add_argument("--e2e-only", action="store_true", help="only the end-to-end runs in the lab")
    parser.add_argument("--preset", choices=("release", "dev", "asan", "tsan"), default="release", help="how to build what is tested; default: release")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    if os.geteuid() != 0 and not wanted.unit_only:
        raise SystemExit("the end-to-end runs make network namespaces and must be root: sudo tests/run (or tests/run --unit-only)")
    tally = Tally()
    started = time.monotonic()
    if not build(wanted.preset, unit=not wanted.e2e_only):
        tally.add(Result("build", False, time.monotonic() - started))
    else:
        if not wanted.e2e_only:
            ctest(wanted.preset, wanted.names, tally)
        if not wanted.unit_only:
            step("end to end, in the lab")
            end_to_end_runs(wanted, tally)
    if tally.passed + len(tally.failed) == 0:
        tally.add(Result("selection", False, 0.0, f"no test is named like {wanted.names}"))
    if tally.failed:
        step(f"failed: {', '.join(tally.failed)}")
    step(f"{time.monotonic() - started:.0f} s in all")
    print(f"{tally.passed} passed, {len(tally.failed)} failed", flush=True)
    return 1 if tally.failed else 0


sys.exit(main())
