#!/usr/bin/env python3
"""Our PPP decoder and tshark's read the same frames and must agree, field by field.

    ppp_agreement.py PPP_PACKETS

Frames: whole dials of every kind of client, every way of proof, EAP, IPv6, DHCP and neighbour discovery (the seeds are printed). Our side says
each field under tshark's name; whatever tshark calls malformed, or a wrong checksum, is a difference, too.
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SEEDS = (1, 2, 3)
CHECKSUMS = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
MALFORMED = "_ws.malformed"
# A rejected or nested packet is dissected by tshark, too; ours is the outermost, which comes first.
FIRST_ONLY = {"ppp.protocol", "ppp.code", "ppp.identifier", "ppp.length"}


def canonical(value: object) -> str:
    text = str(value)
    try:
        return str(int(text, 0))
    except ValueError:
        return text.lower().replace(":", "")


def output_of(argv: list[str]) -> str:
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout


def compare(packets: str, tshark: str, pcap: Path, name: str, problems: list[str]) -> tuple[int, int]:
    ours = [json.loads(line) for line in output_of([packets, "decode", str(pcap)]).splitlines()]
    names = sorted({field for row in ours for field in row} - {"refused"})
    selection = [argument for field in [*names, MALFORMED] for argument in ("-e", field)]
    said = output_of([tshark, "-n", "-r", str(pcap), *CHECKSUMS, "-T", "fields", "-E", "separator=|", "-E", "aggregator=\x01", *selection])
    theirs = [line.split("|") for line in said.splitlines()]
    if len(ours) != len(theirs):
        problems.append(f"{name}: {len(ours)} frames to us and {len(theirs)} to tshark")
    fields = 0
    for number, (row, columns) in enumerate(zip(ours, theirs), 1):
        where = f"{name} frame {number}"
        if "refused" in row:
            problems.append(f"{where}: we refuse what we made")
            continue
        said_of = dict(zip([*names, MALFORMED], columns))
        if said_of[MALFORMED]:
            problems.append(f"{where}: malformed to tshark")
        for field, values in row.items():
            fields += 1
            wanted = [canonical(value) for value in values]
            got = [canonical(value) for value in said_of[field].split("\x01")] if said_of[field] else []
            if field in FIRST_ONLY:
                got = got[:1]
            if wanted != got:
                problems.append(f"{where}: {field} is {wanted} to us and {got} to tshark")
    return len(ours), fields


def main() -> int:
    packets = sys.argv[1]
    tshark = shutil.which("tshark")
    if tshark is None:
        print("tshark is missing; lab/install test installs it")
        return 1
    problems: list[str] = []
    frames = fields = 0
    with tempfile.TemporaryDirectory() as folder:
        pcap = Path(folder) / "ppp.pcap"
        for seed in SEEDS:
            subprocess.run([packets, "generate", str(pcap), str(seed)], check=True)
            more = compare(packets, tshark, pcap, f"seed {seed}", problems)
            frames, fields = frames + more[0], fields + more[1]
    for problem in problems[:40]:
        print(problem)
    print(f"{frames} frames, {fields} fields compared, {len(problems)} differ")
    return 1 if problems or frames == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
