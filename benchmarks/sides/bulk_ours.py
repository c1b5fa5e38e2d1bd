"""Bulk over rhotwist. Arguments: server LARGEST | client ADDRESS LARGEST bulk MEGABYTES WINDOW

Requests of 2 MB each, WINDOW of them at once; each is answered once it has come whole and its hash holds. LARGEST is
the largest datagram in bytes.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import defer, task

from benchmarks.sides.report import Stopwatch, ready
from rhotwist import Limits, Request, Schema, SeedKey
from rhotwist.net.endpoint import RhoNode
from rhotwist.node.core import Node
from rhotwist.wire.schema import bulk, u32

PART = 2_000_000


class Taken(Schema, name="bench.taken"):
    """How many bytes came."""

    size: int = u32()


class Take(Request[Taken], name="bench.take"):
    """Bytes to take."""

    data: bytes = bulk(PART)


def node(reactor: Any, largest: str) -> RhoNode:
    """A node on a port of the loopback address."""
    limits = Limits(object_max_stranger=2**21, object_packet_max=int(largest))
    core = Node(SeedKey(os.urandom(32)), rng=os.urandom, limits=limits)
    made = RhoNode(core, reactor, limits=limits)
    made.bind(("127.0.0.1",), 0)
    return made


async def serve(reactor: Any, largest: str) -> None:
    """Take what comes until told to stop."""
    made = node(reactor, largest)
    made.answer(Take, lambda call: Taken(size=len(call.body.data)))
    ended: defer.Deferred[None] = defer.Deferred()
    ready(made.address, lambda: reactor.callFromThread(ended.callback, None))
    await ended
    if "RHO_BENCH_COUNTERS" in os.environ:
        print(made.counters, file=sys.stderr)


async def ask(reactor: Any, address: str, largest: str, what: str, megabytes: str, window: str) -> None:
    """Send, and wait for the last answer."""
    made = node(reactor, largest)
    peer = made.peer(address)
    await peer.ping()
    data = os.urandom(PART)
    await peer.request(Take(data=data))  # the way is probed for the packet size it takes
    left = int(megabytes) * 1_000_000 // PART

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await peer.request(Take(data=data))

    watch = Stopwatch()
    await defer.gatherResults([defer.ensureDeferred(work()) for _ in range(int(window))])
    watch.done(int(megabytes))
    if "RHO_BENCH_COUNTERS" in os.environ:
        print(made.counters, file=sys.stderr)


if __name__ == "__main__":
    task.react({"server": serve, "client": ask}[sys.argv[1]], sys.argv[2:])
