#!/usr/bin/python3
"""One end of a checked TCP transfer. Needs nothing but Python; runs in guests and on the inside host.

    transfer_peer.py serve ADDRESS PORT                 until it is killed
    transfer_peer.py send|fetch ADDRESS PORT BYTES SEED RATE
                                                        prints one JSON line: bytes, seconds, sha256 of both ends, own address

RATE is in bytes a second, 0 for as fast as it goes. Request: one line "send|fetch BYTES SEED RATE\n". Then the bytes, from SEED, and the receiver's sha256 as a line back.
A server answers `fetch` with bytes, then its sha256.
"""

import hashlib
import json
import random
import socket
import sys
import threading
import time

CHUNK = 1 << 16


def stream(size: int, seed: str):
    block = random.Random(seed).randbytes(CHUNK)
    number = 0
    while size > 0:
        data = (number.to_bytes(8, "big") + block[8:])[:size]
        yield data
        size -= len(data)
        number += 1


def send(link: socket.socket, size: int, seed: str, rate: int) -> str:
    digest = hashlib.sha256()
    due = time.monotonic()
    for data in stream(size, seed):
        if rate:
            due += len(data) / rate
            time.sleep(max(0.0, due - time.monotonic()))
        digest.update(data)
        link.sendall(data)
    return digest.hexdigest()


def receive(stream_in, size: int) -> str:
    digest = hashlib.sha256()
    while size > 0:
        data = stream_in.read1(min(size, CHUNK))
        if not data:
            raise ConnectionError(f"the peer ended {size} bytes too early")
        digest.update(data)
        size -= len(data)
    return digest.hexdigest()


def answer(link: socket.socket, address: tuple) -> None:
    try:
        with link, link.makefile("rb") as reader:
            what, size, seed, rate = reader.readline().decode().split()
            if what == "send":
                link.sendall((json.dumps({"sha256": receive(reader, int(size)), "from": address[0]}) + "\n").encode())
            else:
                link.sendall((json.dumps({"sha256": send(link, int(size), seed, int(rate)), "from": address[0]}) + "\n").encode())
    except (OSError, ValueError) as error:
        print(f"{address[0]}: {error}", flush=True)


def serve(address: str, port: int) -> None:
    with socket.create_server((address, port)) as server:
        print("serving", flush=True)
        while True:
            link, peer = server.accept()
            threading.Thread(target=answer, args=(link, peer), daemon=True).start()


def call(what: str, address: str, port: int, size: int, seed: str, rate: int) -> None:
    with socket.create_connection((address, port), timeout=20) as link, link.makefile("rb") as reader:
        link.settimeout(120)
        started = time.monotonic()
        link.sendall(f"{what} {size} {seed} {rate}\n".encode())
        ours = send(link, size, seed, rate) if what == "send" else receive(reader, size)
        theirs = json.loads(reader.readline())
        seconds = time.monotonic() - started
        print(json.dumps({"bytes": size, "seconds": seconds, "ours": ours, "theirs": theirs["sha256"], "seen_as": theirs["from"]}))


def main(words: list[str]) -> None:
    if words[0] == "serve":
        serve(words[1], int(words[2]))
    else:
        call(words[0], words[1], int(words[2]), int(words[3]), words[4], int(words[5]))


main(sys.argv[1:])
