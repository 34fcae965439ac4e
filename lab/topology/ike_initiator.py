"""The first message of an IKEv1 exchange with any list of algorithms, and what is answered to it (RFC 2408, 2409).

Run in a namespace: ike_initiator.py SERVER main|aggressive TRANSFORM..., a transform being AES256-SHA1-MODP2048. The answer is one line:
chosen TRANSFORM, refused NOTIFICATION, or silence.
"""

import os
import socket
import struct
import sys

CIPHERS = {"3DES": (5, 0), "AES128": (7, 128), "AES192": (7, 192), "AES256": (7, 256)}
HASHES = {"MD5": 1, "SHA1": 2, "SHA256": 4, "SHA384": 5, "SHA512": 6}
GROUPS = {"MODP1024": 2, "MODP1536": 5, "MODP2048": 14, "MODP3072": 15, "ECP256": 19, "ECP384": 20}
PSK, IDENTITY_ADDRESS = 1, 1
MAIN, AGGRESSIVE, INFORMATIONAL = 2, 4, 5
SA, KE, ID, NONCE, NOTIFY, VENDOR = 1, 4, 5, 10, 11, 13
# What clients say of themselves: NAT traversal (RFC 3947 and its draft 02), dead peer detection, fragmentation.
VENDORS = ("4a131c81070358455c5728f20e95452f", "90cb80913ebb696e086381b5ec427b1f", "afcad71368a1f1c96b8696fc77570100", "4048b7d56ebce88525e7de7f00d6c2d3")
PATIENCE = 3.0


def attribute(kind: int, value: int) -> bytes:
    return struct.pack(">HH", 0x8000 | kind, value)


def transform(name: str, number: int, last: bool) -> bytes:
    cipher, hash_name, group = name.split("-")
    code, bits = CIPHERS[cipher]
    body = attribute(1, code) + attribute(2, HASHES[hash_name]) + attribute(3, PSK) + attribute(4, GROUPS[group])
    if bits:
        body += attribute(14, bits)
    body += attribute(11, 1) + struct.pack(">HHI", 12, 4, 28800)
    return struct.pack(">BBHBBH", 0 if last else 3, 0, 8 + len(body), number, 1, 0) + body


def security_association(names: list[str]) -> bytes:
    transforms = b"".join(transform(name, i + 1, i + 1 == len(names)) for i, name in enumerate(names))
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, len(names)) + transforms
    return struct.pack(">II", 1, 1) + proposal


def message(exchange: int, payloads: list[tuple[int, bytes]]) -> bytes:
    body = b""
    for i, (_, content) in enumerate(payloads):
        following = payloads[i + 1][0] if i + 1 < len(payloads) else 0
        body += struct.pack(">BBH", following, 0, 4 + len(content)) + content
    header = struct.pack(">8s8sBBBBII", os.urandom(8), bytes(8), payloads[0][0], 0x10, exchange, 0, 0, 28 + len(body))
    return header + body


def question(mode: str, names: list[str]) -> bytes:
    payloads = [(SA, security_association(names))]
    if mode == "aggressive":
        size = {"MODP1024": 128, "MODP1536": 192, "MODP2048": 256, "MODP3072": 384}[names[0].split("-")[2]]
        identity = struct.pack(">BBH", IDENTITY_ADDRESS, 0, 0) + socket.inet_aton("192.168.1.10")
        payloads += [(KE, b"\x02" + os.urandom(size - 1)), (NONCE, os.urandom(20)), (ID, identity)]
    payloads += [(VENDOR, bytes.fromhex(vendor)) for vendor in VENDORS]
    return message(AGGRESSIVE if mode == "aggressive" else MAIN, payloads)


def payloads_of(datagram: bytes) -> dict[int, bytes]:
    kind, at, out = datagram[16], 28, {}
    while kind and at + 4 <= len(datagram):
        following, _, size = struct.unpack_from(">BBH", datagram, at)
        out.setdefault(kind, datagram[at + 4 : at + size])
        kind, at = following, at + max(size, 4)
    return out


def name_of(association: bytes) -> str:
    """The one transform of an answer."""
    at, found = 8 + 8 + association[8 + 6] + 8, {}
    while at + 4 <= len(association):
        kind, value = struct.unpack_from(">HH", association, at)
        found[kind & 0x7FFF] = value
        at += 4 if kind & 0x8000 else 4 + value
    cipher = next(name for name, (code, bits) in CIPHERS.items() if (code, bits) == (found[1], found.get(14, 0)))
    hash_name = next(name for name, code in HASHES.items() if code == found[2])
    return f"{cipher}-{hash_name}-{next(name for name, code in GROUPS.items() if code == found[4])}"


def answer_of(datagram: bytes) -> str:
    parts = payloads_of(datagram)
    if datagram[18] in (MAIN, AGGRESSIVE) and SA in parts:
        return f"chosen {name_of(parts[SA])}"
    if datagram[18] == INFORMATIONAL and NOTIFY in parts:
        return f"refused {struct.unpack_from('>H', parts[NOTIFY], 6)[0]}"
    return f"exchange {datagram[18]}"


def main() -> None:
    server, mode, *names = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.settimeout(PATIENCE)
        port.connect((server, 500))
        port.send(question(mode, names))
        try:
            print(answer_of(port.recv(4096)))
        except TimeoutError:
            print("silence")


if __name__ == "__main__":
    main()
