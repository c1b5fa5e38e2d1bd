"""rhotwist itself. Arguments: server SUITES | client ADDRESS SUITES handshakes|requests COUNT WINDOW

The bounds that make a node slow down one address's handshakes are lifted, as no contender has any; ``guarded`` among
the suites keeps cookies demanded of everyone.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import defer, task

from benchmarks.sides.report import Stopwatch, ready
from rhotwist import Limits, Request, Schema, SeedKey, blob
from rhotwist.net.endpoint import RhoNode
from rhotwist.node.core import Node

SUITES = {"default": (4, 3, 2, 1), "classical": (2, 1), "guarded": (4, 3, 2, 1)}
PAYLOAD = os.urandom(62)  # and two bytes that say how many: 64


class Echoed(Schema, name="bench.echoed"):
    """The same bytes."""

    data: bytes = blob(1000)


class Echo(Request[Echoed], name="bench.echo"):
    """Bytes to send back."""

    data: bytes = blob(1000)


def node(reactor: Any, suites: str) -> RhoNode:
    """A node on a port of the loopback address."""
    demand = -1.0 if suites == "guarded" else 1e9
    limits = Limits(
        cookie_load=demand, cookie_pending=10**9, handshake_share=1e9, prefix_rate=1e9, prefix_burst=1e9,
        half_open_max=10**6,
    )  # fmt: skip
    core = Node(SeedKey(os.urandom(32)), rng=os.urandom, limits=limits, suites=SUITES[suites])
    made = RhoNode(core, reactor, limits=limits)
    made.bind(("127.0.0.1",), 0)
    return made


async def serve(reactor: Any, suites: str) -> None:
    """Echo until told to stop."""
    made = node(reactor, suites)
    made.answer(Echo, lambda call: Echoed(data=call.body.data))
    ended: defer.Deferred[None] = defer.Deferred()
    ready(made.address, lambda: reactor.callFromThread(ended.callback, None))
    await ended


async def ask(reactor: Any, address: str, suites: str, what: str, count: str, window: str) -> None:
    """Do what is measured."""
    made = node(reactor, suites)
    peer = made.peer(address)
    await peer.ping()
    total, left = int(count), int(count)
    ended: defer.Deferred[None] = defer.Deferred()
    finished = 0
    keys = [SeedKey(os.urandom(32)) for _ in range(total)] if what == "handshakes" else []
    for key in keys:  # a client has one identity for a server and converts it once
        _ = key.x_public
    echo = Echo(data=PAYLOAD)

    def begin() -> None:
        nonlocal left
        left -= 1
        if keys:
            done = made.ask(peer, echo, 60, identity=keys[left])
        else:
            done = peer.request(echo)
        done.addCallbacks(go_on, ended.errback)

    def go_on(_: object) -> None:
        nonlocal finished
        finished += 1
        if left:
            begin()
        elif finished == total:
            ended.callback(None)

    watch = Stopwatch()
    for _ in range(int(window)):
        begin()
    await ended
    watch.done(total)


def main() -> None:
    """One side of the benchmark."""
    task.react({"server": serve, "client": ask}[sys.argv[1]], sys.argv[2:])


if __name__ == "__main__":
    main()
