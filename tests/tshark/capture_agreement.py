#!/usr/bin/env python3
"""tshark reads a capture of ours: interfaces, directions, times, comments, and the protocols of each point.

    capture_agreement.py CAPTURE_PACKETS
"""
import subprocess
import sys
import tempfile
from pathlib import Path

FIELDS = ("frame.interface_name", "frame.packet_flags_direction", "frame.time_epoch", "frame.comment", "frame.protocols", "pap.password", "_ws.malformed")
# Protocols of each point, for each way four packets of IPv4 and of IPv6.
EXPECTED = {
    "esp": {"raw:ip:udp:udpencap:esp", "raw:ip:esp", "raw:ipv6:udp:udpencap:esp", "raw:ipv6:esp"},
    "l2tp": {f"raw:{ip}:udp:l2tp:ppp:{inner}" for ip in ("ip", "ipv6") for inner in ("ip:icmp", "pap")},
    "ppp": {"ppp:ip:icmp", "ppp:pap"},
}
INBOUND, OUTBOUND = "0x00000001", "0x00000002"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "a.pcapng")
        subprocess.run([sys.argv[1], file], check=True)
        argv = ["tshark", "-r", file, "-T", "fields", *[word for name in FIELDS for word in ("-e", name)]]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        info = subprocess.run(["capinfos", "-M", file], check=False, capture_output=True, text=True).stdout
    rows = [dict(zip(FIELDS, line.split("\t"))) for line in done.stdout.splitlines()]
    problems: list[str] = []

    def demand(holds: bool, what: str) -> None:
        if not holds:
            problems.append(what)

    demand(len(rows) == 24, f"24 packets were written, tshark reads {len(rows)}")
    for point, protocols in EXPECTED.items():
        mine = [row for row in rows if row["frame.interface_name"] == point]
        seen = {row["frame.protocols"] for row in mine}
        demand(seen == protocols, f"{point}: tshark sees {sorted(seen)}, not {sorted(protocols)}")
        ways = [row["frame.packet_flags_direction"] for row in mine]
        demand(ways.count(INBOUND) == ways.count(OUTBOUND) == 4, f"{point}: four packets go each way, tshark sees {ways}")
    for row in rows:
        demand(row["frame.time_epoch"].startswith("1700000000.00000000"), f"time: {row['frame.time_epoch']}")
        demand(row["frame.time_epoch"][-1] in "1234", f"nanoseconds are lost: {row['frame.time_epoch']}")
        demand(row["frame.comment"] == "1a2b3c4d5e6f", f"comment: {row['frame.comment']!r}")
        demand(row["_ws.malformed"] == "", f"tshark calls a packet of {row['frame.interface_name']} malformed")
    passwords = {row["pap.password"] for row in rows if "pap" in row["frame.protocols"]}
    demand(passwords == {"******"}, f"the password is blanked and keeps its length, tshark sees {passwords}")
    demand("secret" not in done.stdout, "the password is in the capture")
    for problem in problems:
        print(problem)
    if problems:
        print(info)
    print(f"{len(rows)} packets, {len(problems)} disagreements")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
