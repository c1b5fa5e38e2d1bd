"""Bytes one way over TLS 1.3 by Twisted and OpenSSL, or over bare TCP. Arguments: as the others, and tls or tcp first.

The client is a streaming producer of 64 KiB writes, so what waits is bounded as by any program that means well; the
server counts and says when it has them all.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import defer, ssl, task
from twisted.internet.endpoints import SSL4ClientEndpoint, TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from benchmarks.sides import certificate
from benchmarks.sides.report import Stopwatch, ready
from benchmarks.sides.twisted_tls import AnyServer

CHUNK = os.urandom(65_536)


class Sink(Protocol):
    """Counts what comes; 8 bytes first say how much that will be."""

    def __init__(self) -> None:
        self.left = -1
        self.head = b""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Bytes."""
        if self.left < 0:
            self.head += data
            if len(self.head) < 8:
                return
            self.left, data = int.from_bytes(self.head[:8], "big"), self.head[8:]
        self.left -= len(data)
        if self.left == 0:
            self.left, self.head = -1, b""
            self.transport.write(b"x")


@implementer(IPushProducer)
class Source(Protocol):
    """Sends so many bytes whenever asked to, as fast as the transport takes them."""

    def __init__(self) -> None:
        self.left = 0
        self.paused = False
        self.ended: defer.Deferred[None] = defer.Deferred()

    def send(self, count: int) -> defer.Deferred[None]:
        """Fires when the server has them."""
        self.ended = defer.Deferred()
        self.left = count
        self.transport.write(count.to_bytes(8, "big"))
        self.transport.registerProducer(self, True)
        self.resumeProducing()
        return self.ended

    def resumeProducing(self) -> None:  # noqa: N802
        """The transport wants more."""
        self.paused = False
        while self.left and not self.paused:
            chunk = CHUNK[: self.left]
            self.left -= len(chunk)
            self.transport.write(chunk)
        if not self.left:
            self.transport.unregisterProducer()

    def pauseProducing(self) -> None:  # noqa: N802
        """It has enough."""
        self.paused = True

    def stopProducing(self) -> None:  # noqa: N802
        """It is over."""
        self.paused = True

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """All of it has come."""
        self.ended.callback(None)


async def serve(reactor: Any, kind: str) -> None:
    """Count until told to stop."""
    factory = Factory.forProtocol(Sink)
    if kind == "tls":
        with tempfile.TemporaryDirectory() as folder:
            cert, key = certificate.make(Path(folder))
            pem = Path(key).read_bytes() + Path(cert).read_bytes()
        options = ssl.PrivateCertificate.loadPEM(pem).options()
        port = reactor.listenSSL(0, factory, options, interface="127.0.0.1")
    else:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    ended: defer.Deferred[None] = defer.Deferred()
    ready(str(port.getHost().port), lambda: reactor.callFromThread(ended.callback, None))
    await ended


async def send(reactor: Any, port: str, kind: str, what: str, count: str, window: str) -> None:
    """Send so many MB."""
    if kind == "tls":
        endpoint: Any = SSL4ClientEndpoint(reactor, "127.0.0.1", int(port), AnyServer())
    else:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    source = await connectProtocol(endpoint, Source())
    await source.send(1_000_000)
    watch = Stopwatch()
    await source.send(int(count) * 1_000_000)
    watch.done(int(count))


if __name__ == "__main__":
    task.react({"server": serve, "client": send}[sys.argv[1]], sys.argv[2:])
