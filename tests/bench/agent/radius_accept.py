"""A RADIUS server that lets everybody in, each with an address of its own (RFC 2865): for benchmarks and the lab.

    radius_accept.py [FIRST-ADDRESS]
"""

import hashlib
import select
import socket
import struct
import sys

SECRET = b"secret"
ACCEPT, ACCOUNTING_RESPONSE = 2, 5


def attribute(kind: int, value: bytes) -> bytes:
    return bytes([kind, 2 + len(value)]) + value


def answer(request: bytes, address: int) -> bytes:
    login = request[0] == 1
    body = b""
    if login:
        body = attribute(6, struct.pack("!I", 2)) + attribute(7, struct.pack("!I", 1)) + attribute(8, struct.pack("!I", address))
    head = struct.pack("!BBH", ACCEPT if login else ACCOUNTING_RESPONSE, request[1], 20 + len(body))
    return head + hashlib.md5(head + request[4:20] + body + SECRET).digest() + body


def serve(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", port))
    return made


def main() -> None:
    first = struct.unpack("!I", socket.inet_aton(sys.argv[1] if len(sys.argv) > 1 else "10.13.10.10"))[0]
    sockets = [serve(1812), serve(1813), serve(1645), serve(1646)]
    print("serving", flush=True)
    given: dict[bytes, int] = {}
    while True:
        for ready in select.select(sockets, [], [])[0]:
            request, peer = ready.recvfrom(4096)
            key = request[4:20]
            address = given.setdefault(key, first + len(given) % 240)
            ready.sendto(answer(request, address), peer)


main()
