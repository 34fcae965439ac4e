#!/usr/bin/python3
"""A RADIUS server as old ones are: accepts everybody, and its answers carry no Message-Authenticator.

Usage: rude_radius.py ADDRESS SECRET
"""
import hashlib
import socket
import struct
import sys

ACCESS_REQUEST, ACCESS_ACCEPT = 1, 2


def main() -> None:
    address, secret = sys.argv[1], sys.argv[2].encode()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 1812))
    print("serving", flush=True)
    while True:
        request, client = server.recvfrom(4096)
        if len(request) < 20 or request[0] != ACCESS_REQUEST:
            continue
        head = struct.pack("!BBH", ACCESS_ACCEPT, request[1], 20)
        server.sendto(head + hashlib.md5(head + request[4:20] + secret).digest(), client)
        print("accepted", flush=True)


main()
