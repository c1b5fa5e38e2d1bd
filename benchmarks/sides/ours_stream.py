"""rhotwist's objects of 2 MB over one connection. Arguments: server | client ADDRESS WHAT MEGABYTES WINDOW

Each is a request that carries 2 MB and is answered by its length: offered, sealed, sent as one record, hashed on both
sides, checked, handed to a handler. WINDOW of them are under way at once.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import defer, task

from benchmarks.sides.report import Stopwatch, ready
from rhotwist import Request, Schema, SeedKey, listen, u32
from rhotwist.wire.schema import bulk

SIZE = 2_000_000


class Counted(Schema, name="bench.counted"):
    """How many bytes came."""

    size: int = u32()


class Bulk(Request[Counted], name="bench.bulk"):
    """Bytes to count."""

    data: bytes = bulk(SIZE)


async def serve(reactor: Any) -> None:
    """Count until told to stop. The client is one of those who may send much."""
    made = await listen(reactor, interface="127.0.0.1", tcp=0)
    made.core.admit(SeedKey(b"c" * 32).public)
    made.answer(Bulk, lambda call: Counted(size=len(call.body.data)))
    ended: defer.Deferred[None] = defer.Deferred()
    who = made.address.partition("@")[0]
    host, port = made.streams.places[0]
    ready(f"{who}@tcp:{host}:{port}", lambda: reactor.callFromThread(ended.callback, None))
    await ended
    await made.close()


async def send(reactor: Any, address: str, what: str, count: str, window: str) -> None:
    """Send so many MB."""
    made = await listen(reactor, key=SeedKey(b"c" * 32), interface="127.0.0.1")
    peer = made.peer(address)
    body = Bulk(data=os.urandom(SIZE))
    await peer.request(body)
    left = int(count) * 1_000_000 // SIZE

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            reply = await peer.request(body)
            if reply.size != SIZE:
                raise RuntimeError(f"{reply.size} bytes came of {SIZE}")

    watch = Stopwatch()
    await defer.gatherResults([defer.ensureDeferred(work()) for _ in range(int(window))], consumeErrors=True)
    watch.done(int(count))
    await made.close()


if __name__ == "__main__":
    task.react({"server": serve, "client": send}[sys.argv[1]], sys.argv[2:])
