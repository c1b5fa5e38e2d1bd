"""The attacker. Arguments: PORT KIND RATE SECONDS [KEY]

KIND: junk (48 random bytes), empty, one (1 byte), coalesced (44 datagrams of 32 bytes in one segmented send), hello
(valid Hellos to KEY, each from another spoofed loopback address; a raw socket, so it wants root). Bounded in rate and
time; sends to the loopback address only.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Callable

from rhotwist.keys.pair import SeedKey
from rhotwist.secret.handshake import Draft
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.secret.suite import DEFAULT_ORDER

SOL_UDP, UDP_SEGMENT = 17, 103
POOL = 500


def hellos(key: bytes) -> list[bytes]:
    """Valid Hellos, hybrid, each with keys of its own."""
    identity = SeedKey(os.urandom(32))
    return [
        Draft.draw(identity, key, 4, DEFAULT_ORDER, code=number + 1, rng=os.urandom, kem=ML_KEM_768).seal().datagram
        for number in range(POOL)
    ]


def spoofer(port: int, key: bytes) -> Callable[[int], int]:
    """A sender of Hellos from addresses of 127.0.0.0/8 that nobody has."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    pool = hellos(key)
    target = socket.inet_aton("127.0.0.1")

    def send(number: int) -> int:
        data = pool[number % POOL]
        source = bytes((127, 1 + number % 250, number >> 8 & 255, 1 + (number >> 16) % 250))
        udp = struct.pack("!HHHH", 1024 + number % 60_000, port, 8 + len(data), 0)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + 8 + len(data), 0, 0, 64, 17, 0, source, target)
        raw.sendto(ip + udp + data, ("127.0.0.1", 0))
        return 1

    return send


def plain(port: int, kind: str) -> Callable[[int], int]:
    """A sender of junk from one address."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", port))
    if kind == "coalesced":
        sock.setsockopt(SOL_UDP, UDP_SEGMENT, 32)
    data = {"junk": os.urandom(48), "empty": b"", "one": b"\x05", "coalesced": os.urandom(32 * 44)}[kind]

    def send(number: int) -> int:
        try:
            sock.send(data)
        except OSError:  # the victim's socket is full, or closed: what it is there for
            return 0
        return 44 if kind == "coalesced" else 1

    return send


def main(port: str, kind: str, rate: str, seconds: str, key: str = "") -> None:
    """Send at the rate, in steps of a millisecond, and print how many went."""
    send = spoofer(int(port), bytes.fromhex(key)) if kind == "hello" else plain(int(port), kind)
    start, sent, number = time.monotonic(), 0, 0
    while (now := time.monotonic() - start) < float(seconds):
        while sent < now * int(rate):
            sent += send(number) or 1
            number += 1
        time.sleep(0.001)
    print(sent, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
