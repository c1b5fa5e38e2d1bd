"""A node as shipped. Arguments: node | sink | honest ADDRESS COUNT REQUESTS | load ADDRESS RATE SECONDS

node prints its address and, for each line it is sent, its state as JSON. sink is a bare socket that reads and drops.
honest opens COUNT sessions, one begun every 0.15 s, with REQUESTS each. load offers RATE requests a second over one
session.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from typing import Any

from twisted.internet import defer, task
from twisted.logger import globalLogPublisher

import rhotwist
from benchmarks.sides.ours import Echo, Echoed
from rhotwist import SeedKey
from rhotwist.errors import RequestFailed
from rhotwist.secret.curve import OPERATIONS


def resident() -> int:
    """Bytes of memory the process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def node(reactor: Any) -> None:
    """The victim."""
    lines = 0

    def count(event: object) -> None:
        nonlocal lines
        lines += 1

    globalLogPublisher.addObserver(count)
    made = await rhotwist.listen(reactor, interface=("127.0.0.1",))
    made.answer(Echo, lambda call: Echoed(data=call.body.data))
    most = 0

    def watch() -> None:
        nonlocal most
        most = max(most, made.core.status()["half_open"])

    watching = task.LoopingCall(watch)
    watching.clock = reactor
    watching.start(0.005)
    ended: defer.Deferred[None] = defer.Deferred()

    def tell() -> None:
        status = made.status()
        print(
            json.dumps(
                {
                    "rss": resident(), "lag_p99": status["loop_lag_p99"], "lag_worst": status["loop_lag_worst"],
                    "curve": OPERATIONS.total, "half_open_most": most, "log_lines": lines,
                    "counters": status["counters"],
                }
            ),
            flush=True,
        )  # fmt: skip

    def listen() -> None:
        for _ in sys.stdin:
            reactor.callFromThread(tell)
        reactor.callFromThread(ended.callback, None)

    print(made.address, made.public.hex(), flush=True)
    threading.Thread(target=listen, daemon=True).start()
    await ended


def sink() -> None:
    """A socket that costs as little as one can: the baseline for what the flood itself takes from the machine."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    while True:
        sock.recv(2048)


async def honest(reactor: Any, address: str, count: str, requests: str) -> None:
    """Sessions by strangers with their own keys, one begun every 0.15 s; how many seconds each took, and how many
    requests were answered."""
    times, answered = [], 0

    async def one(number: int) -> None:
        nonlocal answered
        await task.deferLater(reactor, 0.15 * number, lambda: None)
        made = await rhotwist.listen(reactor, key=SeedKey(os.urandom(32)), interface=("127.0.0.1",))
        peer = made.peer(address)
        start = time.monotonic()
        try:
            await peer.ping(timeout=20)
            times.append(time.monotonic() - start)
            for _ in range(int(requests)):
                await peer.request(Echo(data=b"x"), timeout=20)
                answered += 1
        except RequestFailed:
            times.append(99.0)
        await made.close()

    await defer.gatherResults([defer.ensureDeferred(one(number)) for number in range(int(count))])
    print(json.dumps({"connects": times, "answered": answered}), flush=True)


async def load(reactor: Any, address: str, rate: str, seconds: str) -> None:
    """A fixed offer over one session; how much of it was answered."""
    made = await rhotwist.listen(reactor, interface=("127.0.0.1",))
    peer = made.peer(address)
    await peer.ping(timeout=20)
    print("open", flush=True)
    sys.stdin.readline()
    offered = answered = 0
    echo = Echo(data=bytes(62))

    def got(_: object) -> None:
        nonlocal answered
        answered += 1

    start = time.monotonic()
    while (now := time.monotonic() - start) < float(seconds):
        for _ in range(min(200, int(now * int(rate)) - offered)):
            offered += 1
            peer.request(echo, timeout=5).addCallbacks(got, lambda _: None)
        await task.deferLater(reactor, 0.002, lambda: None)
    inside = answered
    await task.deferLater(reactor, 0.5, lambda: None)
    print(json.dumps({"offered": int(float(seconds) * int(rate)), "answered": inside, "later": answered}), flush=True)
    await made.close()


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        sink()
    else:
        task.react({"node": node, "honest": honest, "load": load}[sys.argv[1]], sys.argv[2:])
