#!/usr/bin/env python3
"""What `sluicectl init` writes passes the daemons' --check without a word of warning, in every combination.

Usage: checked_by_daemons.py SLUICECTL SLUICE-EDGE SLUICE-AGENT
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ONE = ("--all-in-one",)
TWO = ("--agent", "agent1=192.0.2.11", "--agent", "ppp2=192.0.2.12", "--channel", "192.0.2.1")
SIX = ("--agent", "agent1=2001:db8::11", "--channel", "[2001:db8::1]:4700")
COMBINATIONS = (
    (*ONE, "--public", "203.0.113.1"),
    (*ONE, "--public", "203.0.113.1", "--public", "2001:db8::5", "--user", "alice", "--user", "bob@example.net", "--dns", "192.0.2.53", "--name", "front"),
    ("--agent", "local=127.0.0.1", "--public", "203.0.113.1", "--pool", "10.77.0.0/29"),
    (*TWO, "--public", "203.0.113.1", "--pool", "10.77.0.0/16"),
    (*TWO, "--public", "203.0.113.1", "--dns", "192.0.2.53", "--dns", "192.0.2.54", "--agent", "agent3"),
    (*SIX, "--public", "2001:db8::5", "--pool", "10.0.0.0/8"),
)


def run(*argv: object) -> str:
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 or done.stderr:
        raise SystemExit(f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    sluicectl, edge, agent = sys.argv[1:]
    agents = 0
    for words in COMBINATIONS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "sluice"
            made = json.loads(run(sluicectl, "init", "--yes", "--dir", folder, "--json", *words))["init"]
            run(edge, "--config", folder / "edge.toml", "--check")
            places = [folder] if (folder / "agent.toml").exists() else []
            for archive in sorted(folder.glob("agents/*.tar")):
                place = Path(name) / archive.stem
                place.mkdir()
                run("tar", "-x", "-C", place, "--file", archive)
                places.append(place)
            for place in places:
                run(agent, "--check", place / "agent.toml")
            agents += len(places)
            for file in (Path(row["path"]) for row in made["files"]):
                text = file.read_text(encoding="utf-8")
                for secret in ("PRIVATE KEY", made["client"]["psk"], *(user["password"] for user in made["client"]["users"])):
                    if secret in text and file.stat().st_mode & 0o077:
                        raise SystemExit(f"{file} holds a secret and others may read it")
    print(f"{len(COMBINATIONS)} edges and {agents} agents are good, by their own --check")
    return 0


sys.exit(main())
