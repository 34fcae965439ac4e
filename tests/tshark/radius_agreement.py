#!/usr/bin/env python3
"""tshark reads the RADIUS packets that we make as we mean them: attributes, hidden passwords, Response Authenticators.

    radius_agreement.py RADIUS_PACKETS
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SECRET = "xyzzy5461"
MALFORMED = "_ws.malformed"


def canonical(value: object) -> str:
    text = str(value)
    try:
        return str(int(text, 0))
    except ValueError:
        return text.lower().replace(":", "").removeprefix("true") or "1"


def main() -> int:
    tshark = shutil.which("tshark")
    if tshark is None:
        print("tshark is missing; lab/install test installs it")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        pcap = Path(folder) / "radius.pcap"
        said = subprocess.run([sys.argv[1], str(pcap), SECRET], stdout=subprocess.PIPE, text=True, check=True).stdout
        ours = [json.loads(line) for line in said.splitlines()]
        names = sorted({name for row in ours for name in row})
        fields = [word for name in [*names, MALFORMED] for word in ("-e", name)]
        options = ["-o", f"radius.shared_secret:{SECRET}", "-o", "radius.validate_authenticator:TRUE"]
        argv = [tshark, "-n", "-r", str(pcap), *options, "-T", "fields", "-E", "separator=|", "-E", "aggregator=\x01", *fields]
        read = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    theirs = [dict(zip([*names, MALFORMED], line.split("|"))) for line in read.splitlines()]
    problems = [] if len(ours) == len(theirs) else [f"{len(ours)} packets to us, {len(theirs)} to tshark"]
    for number, (row, told) in enumerate(zip(ours, theirs), 1):
        if told[MALFORMED]:
            problems.append(f"packet {number}: malformed to tshark")
        for name, values in row.items():
            wanted = [canonical(value) for value in values]
            got = [canonical(value) for value in told[name].split("\x01")] if told[name] else []
            if wanted != got:
                problems.append(f"packet {number}: {name} is {wanted} to us and {got} to tshark")
    for problem in problems:
        print(problem)
    print(f"{len(ours)} packets, {sum(len(row) for row in ours)} fields, {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
