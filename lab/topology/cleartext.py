"""An outside host that speaks L2TP without IPsec to the edge."""

import json
from pathlib import Path

from . import checks, network, report
from .lab import Lab
from .network import plug
from .report import demand

PROBE = Path(__file__).with_name("cleartext_probe.py")


def check(lab: Lab) -> str:
    """Plain L2TP from outside to the edge is never answered, while a real client's session stands."""
    checks.dial_all(lab)
    outsider = lab.space("outsider")
    plug(lab.run, outsider, "wan", f"{network.OUTSIDER}/24", lab.spaces["internet"])
    sent_to_us = f"udp and src host {network.EDGE_PUBLIC} and dst host {network.OUTSIDER}"
    capture = outsider.capture("outsider", "wan", f"({sent_to_us}) or icmp or udp port 1701")
    said = json.loads(outsider.run(["python3", str(PROBE), network.EDGE_PUBLIC], timeout=60))
    capture.stop()
    file = str(lab.run.folder / "captures" / "outsider.pcap")
    seen = outsider.run(["tcpdump", "-n", "-r", file, sent_to_us]).count("\n")
    asked = outsider.run(["tcpdump", "-n", "-r", file, "udp dst port 1701"]).count("\n")
    demand(asked >= said["sent_1701"], f"the capture has {asked} questions, the probe sent {said['sent_1701']} (capture: {file})")
    demand(said["answers"] == 0 and seen == 0, f"the edge answered cleartext L2TP: {said['answers']} datagrams, {seen} captured ({file})")
    report.good(f"{said['sent']} cleartext L2TP datagrams to ports 1701 and 4500, no answer")
    checks.ping_all(lab)
    return f"{said['sent']} datagrams, 0 answers"
