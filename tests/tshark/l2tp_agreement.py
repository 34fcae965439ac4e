#!/usr/bin/env python3
"""Our L2TP decoder and tshark's read the same packets and must agree, field by field.

    l2tp_agreement.py L2TP_PACKETS VECTORS

Packets: every message type with every AVP and random values (the seed is printed), and those of tests/vectors/l2tp.
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

Pairs = list[tuple[str, Any]]
SEEDS = (1, 2, 3)

# Attribute type to the names tshark gives the parts of its value.
PARTS = {
    1: ("l2tp.result_code", "l2tp.avp.error_code", "l2tp.avp.error_message"),
    2: ("l2tp.avp.protocol_version", "l2tp.avp.protocol_revision"),
    5: ("l2tp.tie_breaker",),
    6: ("l2tp.avp.firmware_revision",),
    7: ("l2tp.avp.host_name",),
    8: ("l2tp.avp.vendor_name",),
    9: ("l2tp.avp.assigned_tunnel_id",),
    10: ("l2tp.avp.receive_window_size",),
    11: ("l2tp.avp.chap_challenge",),
    12: ("l2tp.avp.cause_code", "l2tp.avp.cause_msg", "l2tp.avp.advisory_msg"),
    13: ("l2tp.avp.chap_challenge_response",),
    14: ("l2tp.avp.assigned_session_id",),
    15: ("l2tp.avp.call_serial_number",),
    16: ("l2tp.avp.minimum_bps",),
    17: ("l2tp.avp.maximum_bps",),
    21: ("l2tp.avp.called_number",),
    22: ("l2tp.avp.calling_number",),
    23: ("l2tp.avp.sub_address",),
    24: ("l2tp.avp.connect_speed",),
    25: ("l2tp.avp.physical_channel",),
    26: ("l2tp.avp.initial_received_lcp_confreq",),
    27: ("l2tp.avp.last_sent_lcp_confreq",),
    28: ("l2tp.avp.last_received_lcp_confreq",),
    29: ("l2tp.avp.proxy_authen_type",),
    30: ("l2tp.avp.proxy_authen_name",),
    31: ("l2tp.avp.proxy_authen_challenge",),
    33: ("l2tp.avp.proxy_authen_response",),
    34: tuple(f"l2tp.avp.{name}" for name in ("crc_errors", "framing_errors", "hardware_overruns", "buffer_overruns", "time_out_errors", "alignment_errors")),
    35: ("l2tp.avp.send_accm", "l2tp.avp.receive_accm"),
    36: ("l2tp.avp.random_vector",),
    37: ("l2tp.avp.private_group_id",),
    38: ("l2tp.avp.rx_connect_speed",),
    39: (),
    46: ("l2tp.avp.disconnect_code", "l2tp.avp.control_protocol_number", "l2tp.avp.cause_code_direction", "l2tp.avp.cause_code_message"),
}
# Bit fields: the names of the bits of value 2 and 1.
BITS = {
    3: ("l2tp.avp.async_framing_supported", "l2tp.avp.sync_framing_supported"),
    4: ("l2tp.avp.analog_access_supported", "l2tp.avp.digital_access_supported"),
    18: ("l2tp.avp.analog_bearer_type", "l2tp.avp.digital_bearer_type"),
    19: ("l2tp.avp.async_framing_type", "l2tp.avp.sync_framing_type"),
}
PROXY_AUTHEN_ID = 32  # tshark shows its second octet


def first(pairs: Pairs, name: str, default: str = "") -> str:
    return next((value for key, value in pairs if key == name), default)


def number(text: str) -> int:
    return int(text, 0)


def same(ours: Any, theirs: str) -> bool:
    if isinstance(ours, int):
        return theirs != "" and number(theirs) == ours
    return ours == theirs or ours == theirs.replace(":", "").removeprefix("0x")


class Comparison:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self.packets = self.fields = self.refused = 0

    def expect(self, where: str, what: str, ours: Any, theirs: str) -> None:
        self.fields += 1
        if not same(ours, theirs):
            self.problems.append(f"{where}: {what} is {ours!r} to us and {theirs!r} to tshark")

    def value(self, where: str, avp: dict[str, Any], tree: Pairs) -> None:
        kind, parts = avp["type"], avp.get("parts")
        if parts is None or avp["vendor"] != 0:
            return
        if kind in BITS:
            for bit, name in zip((2, 1), BITS[kind]):
                self.expect(where, name, 1 if parts[0] & bit else 0, first(tree, name))
        elif kind == PROXY_AUTHEN_ID:
            self.expect(where, "proxy authen id", parts[0] & 0xFF, first(tree, "l2tp.avp.proxy_authen_id"))
        else:
            for part, name in zip(parts, PARTS.get(kind, ())):
                self.expect(where, name, part, first(tree, name))

    def avp(self, where: str, avp: dict[str, Any], tree: Pairs) -> None:
        for ours, theirs in (("m", "mandatory"), ("h", "hidden"), ("length", "length")):
            self.expect(where, theirs, avp[ours], first(tree, f"l2tp.avp.{theirs}"))
        if avp["h"]:
            return  # tshark says no more of it without the secret
        self.expect(where, "vendor", avp["vendor"], first(tree, "l2tp.avp.vendor_id"))
        self.expect(where, "type", avp["type"], first(tree, "l2tp.avp.type"))
        self.value(f"{where} type {avp['type']}", avp, tree)

    def packet(self, where: str, ours: dict[str, Any], layer: Pairs) -> None:
        self.packets += 1
        if "refused" in ours:
            self.refused += 1
            return
        flags = dict(first(layer, "l2tp.flags_tree", []))  # type: ignore[arg-type]
        for mine, name in (("control", "type"), ("l", "length_bit"), ("s", "seq_bit"), ("o", "offset_bit"), ("p", "priority")):
            self.expect(where, name, ours[mine], flags[f"l2tp.{name}"])
        names = {"tunnel": "l2tp.tunnel", "session": "l2tp.session"}
        if ours["s"]:
            names |= {"ns": "l2tp.Ns", "nr": "l2tp.Nr"}
        if ours["o"]:
            names["offset"] = "l2tp.offset"
        for mine, name in names.items():
            self.expect(where, name, ours[mine], first(layer, name))
        if ours["l"]:
            self.expect(where, "Length", ours["size"], first(layer, "l2tp.length"))
        if "message" not in ours:
            return
        trees = [value for key, value in layer if key.endswith(" AVP") or " AVP Type " in key]
        self.expect(where, "message type", ours["message"], first(trees[0], "l2tp.avp.message_type"))
        self.expect(where, "message type's M", ours["m"], first(trees[0], "l2tp.avp.mandatory"))
        if len(trees) - 1 != len(ours["avps"]):
            self.problems.append(f"{where}: {len(ours['avps'])} AVPs to us and {len(trees) - 1} to tshark")
        for index, (avp, tree) in enumerate(zip(ours["avps"], trees[1:])):
            self.avp(f"{where} AVP {index + 1}", avp, tree)


def output_of(argv: list[str]) -> str:
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout


def layers_of(tshark: str, pcap: Path) -> list[Pairs]:
    said = output_of([tshark, "-n", "-r", str(pcap), "-d", "udp.port==1701,l2tp", "-Y", "udp", "-T", "json"])
    out = []
    for frame in json.loads(said, object_pairs_hook=list):
        source = first(frame, "_source", [])  # type: ignore[arg-type]
        out.append(first(first(source, "layers", []), "l2tp", []))  # type: ignore[arg-type]
    return out


def compare(comparison: Comparison, packets: str, tshark: str, pcap: Path, name: str) -> None:
    ours = [json.loads(line) for line in output_of([packets, "decode", str(pcap)]).splitlines()]
    theirs = layers_of(tshark, pcap)
    if len(ours) != len(theirs):
        comparison.problems.append(f"{name}: {len(ours)} datagrams to us and {len(theirs)} to tshark")
    for index, (mine, layer) in enumerate(zip(ours, theirs)):
        comparison.packet(f"{name} packet {index + 1}", mine, layer)


def main() -> int:
    packets, vectors = sys.argv[1], Path(sys.argv[2])
    tshark = shutil.which("tshark")
    if tshark is None:
        print("tshark is missing; lab/install test installs it")
        return 1
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        pcap = Path(folder) / "l2tp.pcap"
        for seed in SEEDS:
            subprocess.run([packets, "generate", str(pcap), str(seed)], check=True)
            compare(comparison, packets, tshark, pcap, f"seed {seed}")
        generated = comparison.packets
        captures = sorted(vectors.glob("*-session.pcap"))
        for capture in captures:
            compare(comparison, packets, tshark, capture, capture.name)
        if comparison.refused or not captures:
            comparison.problems.append(f"we refuse {comparison.refused} packets that we made or that real clients and servers sent")
        subprocess.run([packets, "wrap", str(vectors / "msg_test.hex"), str(pcap)], check=True)
        compare(comparison, packets, tshark, pcap, "msg_test.hex")
    for problem in comparison.problems[:40]:
        print(problem)
    print(f"{generated} packets made, {comparison.packets - generated} captured, {comparison.fields} fields compared, {len(comparison.problems)} differ")
    return 1 if comparison.problems else 0


if __name__ == "__main__":
    sys.exit(main())
