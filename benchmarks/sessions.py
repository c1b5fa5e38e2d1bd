"""100,000 live sessions in one process: memory each when idle, time of a look-up, and a full table."""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Iterator

from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.moment import Moment
from rhotwist.node.core import Node
from rhotwist.secret.handshake import Draft
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.secret.seal import PacketSeal
from rhotwist.wire.datagram import Path, pack_address

COUNT = 100_000
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes of memory this process has, as the kernel counts them."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE


def open_one(node: Node, number: int, moment: Moment) -> bool:
    """Open one session as a client of its own would, and keep nothing of the client."""
    path = Path(0, pack_address(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 7460))
    draft = Draft.draw(
        SeedKey(os.urandom(32)), node.public, 2, (2,), code=number + 1, rng=os.urandom, kem=ML_KEM_768
    )
    hello = draft.seal()
    node.receive(path, [hello.datagram], moment)
    answers = [data for burst in node.outgoing() for data in burst.datagrams]
    if len(answers) != 1:
        return False
    accepted = hello.read_accept(answers[0])
    finish, keys = accepted.finish(b"\0\0")
    node.receive(path, [finish], moment)
    if not node.outgoing():
        return False
    node.receive(path, [PacketSeal(keys, number + 1, accepted.peer_code, 1).seal(b"\0")], moment)
    node.outgoing()
    node.jobs()
    return True


def run() -> Iterator[dict[str, object]]:
    """Lines: bytes a session, look-up, refusal, eviction."""
    limits = Limits(
        session_max=COUNT, cookie_load=1e9, cookie_pending=10**9, handshake_share=1e9, retry_share=0.0
    )
    node = Node(SeedKey(os.urandom(32)), rng=os.urandom, limits=limits)
    for number in range(COUNT, COUNT + 200):  # what a process needs once, and caches that fill once
        open_one(node, number, Moment(0.0, 0.0))
    node.close(Moment(0.0, 0.0))
    node = Node(SeedKey(os.urandom(32)), rng=os.urandom, limits=limits)
    before = resident()
    opened = 0
    for number in range(COUNT):
        moment = Moment(1000.0 + number * 0.001, 0.0)
        opened += open_one(node, number, moment)
        if number % 100 == 0:
            node.tick(moment)
    node.tick(Moment(1200.0, 0.0))
    each = (resident() - before) / opened
    yield _line(f"resident bytes of an idle session, {opened} live", round(each), "B", 2500)
    sessions = node._state.sessions
    codes = random.sample(sorted(sessions.sessions), 50_000)
    times = []
    for code in codes:
        start = time.perf_counter_ns()
        sessions.get(code)
        times.append(time.perf_counter_ns() - start)
    times.sort()
    yield _line("look-up, p99", times[len(times) * 99 // 100] / 1000, "us", 5)
    full = Moment(1200.0, 0.0)
    yield _line("newcomers let in while none idles beyond 20 minutes", int(open_one(node, COUNT, full)), "sessions", 0)
    later = Moment(1200.0 + 20 * 60 + 2, 0.0)
    admitted = sum(open_one(node, COUNT + number, later) for number in range(100))
    yield _line("newcomers let in for the idlest 20 minutes later, of 100", admitted, "sessions", 100)
    yield _line("live sessions then", len(sessions), "sessions", COUNT)


def _line(what: str, ours: float, unit: str, bound: float) -> dict[str, object]:
    return {
        "benchmark": "sessions", "what": what, "ours": ours, "peer": bound, "peer_name": "bound", "ratio": None,
        "unit": unit,
    }  # fmt: skip
