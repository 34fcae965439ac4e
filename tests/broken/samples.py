#!/usr/bin/env python3
"""Runs --check of the real programs on each sample and compares all that it says; compares the samples with docs/configuration-errors.md.

Usage: samples.py FOLDER-OF-PROGRAMS [--write]. With --write the samples' expectations are set to what the programs say: read the difference.

A sample is a whole configuration file. Comments at its end tell what --check says of it, each line as it comes, without the folder's name
("# says edge.toml:7:3: ..."), and what else the folder holds beside the usual files ("# file NAME MODE: FIRST LINE|SECOND LINE").
A sample named good-* is good, and nothing is said of it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "configuration-errors.md"
SAYS = re.compile(r"^# says ?(.*)$", re.MULTILINE)
FILE = re.compile(r"^# file (\S+) (\d+): (.*)$", re.MULTILINE)
PLACE = re.compile(r"^\S+?\.\w+(?::\d+:\d+)?: (?:warning: )?")
ROW = re.compile(r"^\| `(.+?)` \| (.+) \|$", re.MULTILINE)
GAP = "…"


def usual_files(programs: Path, folder: Path) -> None:
    """What a good configuration names."""
    ctl = [str(programs / "sluicectl"), "pki", "--dir", str(folder)]
    for words in (["init"], ["issue", "edge", "edge1"], ["issue", "agent", "agent1"], ["issue", "edge", "soon", "--days", "5"]):
        subprocess.run([*ctl, *words], check=True, stdout=subprocess.DEVNULL)
    other = folder / "other"
    subprocess.run([str(programs / "sluicectl"), "pki", "--dir", str(other), "init"], check=True, stdout=subprocess.DEVNULL)
    for file in (HERE / "files").iterdir():
        write(folder / file.name, file.read_text(), 0o600)
    write(folder / "psk", "a-pre-shared-key-that-is-long\n", 0o600)
    write(folder / "secret", "a-radius-secret-of-some-length\n", 0o600)
    write(folder / "users.toml", '[alice]\npassword = "a password"\n', 0o600)
    write(folder / "ike-users.toml", '[[user]]\nname = "alice"\npassword = "a password"\n', 0o600)


def write(file: Path, text: str, mode: int) -> None:
    file.write_text(text)
    file.chmod(mode)


def judge(programs: Path, usual: Path, sample: Path) -> tuple[int, list[str], dict]:
    """Exit code and lines of --check, and what --json says."""
    kind = sample.parent.name
    with tempfile.TemporaryDirectory(prefix="sluice-sample-") as name:
        folder = Path(name)
        subprocess.run(["cp", "-a", f"{usual}/.", str(folder)], check=True)
        text = sample.read_text()
        for file, mode, content in FILE.findall(text):
            write(folder / file, content.replace("|", "\n") + "\n", int(mode, 8))
        config = folder / f"{kind}.toml"
        write(config, text, 0o600)
        words = [str(programs / f"sluice-{kind}"), "--check", str(config)]
        plain = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        machine = subprocess.run([*words, "--json"], capture_output=True, text=True, timeout=60, check=False)
        if machine.returncode != plain.returncode:
            raise SystemExit(f"{sample.name}: exit code {plain.returncode}, with --json {machine.returncode}: {plain.stderr}{machine.stderr}")
        lines = plain.stderr.replace(f"{folder}/", "").splitlines()
        # Dates of certificates that were made just now.
        lines = [re.sub(r"\d{4}-\d\d-\d\d|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d UTC", "DATE", line) for line in lines]
        lines = [re.sub(r"DATE, in [45] days", "DATE, in 5 days", line) for line in lines]
        return plain.returncode, lines, json.loads(machine.stdout)


def faults_of(sample: Path, outcome: tuple[int, list[str], dict]) -> list[str]:
    code, lines, machine = outcome
    wanted = SAYS.findall(sample.read_text())
    faults = []
    if lines != wanted:
        faults.append(f"{sample.parent.name}/{sample.name}: --check says\n    " + "\n    ".join(lines) + "\n  and not\n    " + "\n    ".join(wanted))
    errors = [line for line in lines if ": warning: " not in line]
    if code != (1 if errors else 0):
        faults.append(f"{sample.name}: exit code {code} with {len(errors)} errors")
    if sample.name.startswith("good-") and lines:
        faults.append(f"{sample.name}: is to be good")
    if machine["good"] != (not errors) or len(machine["errors"]) != len(errors) or len(machine["warnings"]) != len(lines) - len(errors):
        faults.append(f"{sample.name}: --json says {machine}")
    return faults


def documented() -> dict[str, re.Pattern[str]]:
    """Messages of the page, and what fits each."""
    rows = [row[0] for row in ROW.findall(PAGE.read_text())]
    return {row: re.compile(".*".join(re.escape(part) for part in row.replace("\\|", "|").split(GAP)) + r"$") for row in rows}


def page_faults(samples: list[Path]) -> list[str]:
    said = [(sample, PLACE.sub("", line)) for sample in samples for line in SAYS.findall(sample.read_text())]
    rows = documented()
    faults = [f"{sample.name}: the page does not tell of: {text}" for sample, text in said if not any(row.match(text) for row in rows.values())]
    faults += [f"{PAGE.name}: no sample shows: {name}" for name, row in rows.items() if not any(row.match(text) for _, text in said)]
    return faults


def set_expectations(sample: Path, lines: list[str]) -> None:
    kept = [line for line in sample.read_text().splitlines() if not SAYS.match(line)]
    sample.write_text("\n".join([*kept, *(f"# says {line}" for line in lines)]) + "\n")


def main() -> int:
    programs = Path(sys.argv[1])
    samples = sorted(HERE.glob("*/*.toml"))
    os.umask(0o077)
    with tempfile.TemporaryDirectory(prefix="sluice-samples-") as name:
        usual_files(programs, Path(name))
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda sample: judge(programs, Path(name), sample), samples))
    if "--write" in sys.argv:
        for sample, (_, lines, _) in zip(samples, outcomes, strict=True):
            set_expectations(sample, lines)
        return 0
    faults = [fault for sample, outcome in zip(samples, outcomes, strict=True) for fault in faults_of(sample, outcome)]
    faults += page_faults(samples)
    print("\n".join(faults))
    broken = sum(not sample.name.startswith("good-") for sample in samples)
    print(f"{broken} broken samples, {len(samples) - broken} good ones, {len(documented())} messages, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
