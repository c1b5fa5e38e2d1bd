"""A bare Twisted UDP echo: no identity, no encryption, no repeats. What Twisted and the kernel alone cost."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import defer, task
from twisted.internet.protocol import DatagramProtocol

from benchmarks.sides.report import Stopwatch, ready

PAYLOAD = os.urandom(64)


class Echo(DatagramProtocol):
    """Sends back what comes."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802 - Twisted's name
        """Echo."""
        self.transport.write(datagram, addr)


class Ask(DatagramProtocol):
    """Keeps window datagrams on their way until count have come back."""

    def __init__(self, port: int, count: int, window: int) -> None:
        self.server, self.left, self.missing, self.window = ("127.0.0.1", port), count, count, window
        self.ended: defer.Deferred[None] = defer.Deferred()

    def begin(self) -> None:
        """Send the first ones."""
        for _ in range(self.window):
            self.send()

    def send(self) -> None:
        """One more."""
        self.left -= 1
        self.transport.write(PAYLOAD, self.server)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802 - Twisted's name
        """An echo came."""
        self.missing -= 1
        if self.left:
            self.send()
        elif not self.missing:
            self.ended.callback(None)


async def serve(reactor: Any) -> None:
    """Echo until told to stop."""
    port = reactor.listenUDP(0, Echo(), interface="127.0.0.1")
    ended: defer.Deferred[None] = defer.Deferred()
    ready(str(port.getHost().port), lambda: reactor.callFromThread(ended.callback, None))
    await ended


async def ask(reactor: Any, port: str, what: str, count: str, window: str) -> None:
    """Do what is measured."""
    client = Ask(int(port), int(count), int(window))
    reactor.listenUDP(0, client, interface="127.0.0.1")
    watch = Stopwatch()
    client.begin()
    await client.ended
    watch.done(int(count))


if __name__ == "__main__":
    task.react({"server": serve, "client": ask}[sys.argv[1]], sys.argv[2:])
