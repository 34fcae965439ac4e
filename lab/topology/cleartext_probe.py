#!/usr/bin/python3
"""Sends L2TP without IPsec to ADDRESS, from port 1701 and from others, well-formed and not; counts what comes back."""

import json
import select
import socket
import struct
import sys

PATIENCE = 2.0  # seconds to wait for answers after the last datagram


def avp(number: int, value: bytes) -> bytes:
    return struct.pack("!HHH", 0x8000 | (6 + len(value)), 0, number) + value


def control(message: int, *avps: bytes, tunnel: int = 0) -> bytes:
    body = avp(0, struct.pack("!H", message)) + b"".join(avps)
    return struct.pack("!HHHHHH", 0xC802, 12 + len(body), tunnel, 0, 0, 0) + body


def questions() -> list[bytes]:
    sccrq = control(1, avp(2, b"\x01\x00"), avp(3, b"\x00\x00\x00\x03"), avp(7, b"outsider"), avp(9, b"\x00\x07"), avp(10, b"\x00\x04"))
    zlb = struct.pack("!HHHHHH", 0xC802, 12, 0, 0, 0, 0)
    hello = control(6, tunnel=1)
    stop = control(4, avp(9, b"\x00\x07"), avp(1, b"\x00\x01"), tunnel=1)
    data = struct.pack("!HHH", 0x0002, 1, 1) + b"\xff\x03\xc0\x21\x01\x01\x00\x04"
    return [sccrq, zlb, hello, stop, data, sccrq[:9], sccrq + b"\0" * 40, b"\xc8\x02\xff\xff"]


def main(address: str) -> None:
    sockets = []
    for port in (1701, 0, 0):
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.bind(("", port))
        sockets.append(link)
    sent = sent_1701 = 0
    for link in sockets:
        for question in questions():
            for port in (1701, 4500):
                link.sendto(question, (address, port))
                sent += 1
                sent_1701 += port == 1701
    answers = 0
    while ready := select.select(sockets, [], [], PATIENCE)[0]:
        for link in ready:
            link.recvfrom(65535)
            answers += 1
    print(json.dumps({"sent": sent, "sent_1701": sent_1701, "answers": answers}))


main(sys.argv[1])
