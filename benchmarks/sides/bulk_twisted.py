"""Bulk over TCP by Twisted, with TLS 1.3 or bare.

Arguments: server tls|tcp | client PORT tls|tcp bulk MEGABYTES WINDOW
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import defer, ssl, task
from twisted.internet.endpoints import SSL4ClientEndpoint, TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from benchmarks.sides import certificate
from benchmarks.sides.report import Stopwatch, ready

STEP = 1 << 16


class Take(Protocol):
    """Counts, and says one byte for each megabyte that came."""

    size = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count."""
        before = self.size // 1_000_000
        self.size += len(data)
        self.transport.write(b"." * (self.size // 1_000_000 - before))


@implementer(IPullProducer)
class Give(Protocol):
    """Writes so many megabytes as the transport takes them; ended fires when the other side has counted them."""

    def __init__(self, megabytes: int) -> None:
        self.left = megabytes * 1_000_000
        self.counted = megabytes
        self.data = os.urandom(STEP)
        self.ended: defer.Deferred[None] = defer.Deferred()

    def start(self) -> None:
        """Begin."""
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Write a piece."""
        self.transport.write(self.data[: self.left])
        self.left -= min(STEP, self.left)
        if not self.left:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Counted."""
        self.counted -= len(data)
        if not self.counted:
            self.ended.callback(None)
            self.transport.abortConnection()


class AnyServer(ssl.ClientContextFactory):
    """No verification, as the other contender's client does none."""

    method = SSL.TLS_METHOD


async def serve(reactor: Any, kind: str) -> None:
    """Take what comes until told to stop."""
    factory = Factory.forProtocol(Take)
    if kind == "tls":
        with tempfile.TemporaryDirectory() as folder:
            cert, key = certificate.make(Path(folder))
            pem = Path(key).read_bytes() + Path(cert).read_bytes()
        port = reactor.listenSSL(0, factory, ssl.PrivateCertificate.loadPEM(pem).options(), interface="127.0.0.1")
    else:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    ended: defer.Deferred[None] = defer.Deferred()
    ready(str(port.getHost().port), lambda: reactor.callFromThread(ended.callback, None))
    await ended


async def ask(reactor: Any, port: str, kind: str, what: str, megabytes: str, window: str) -> None:
    """Send, and wait until all is counted."""
    endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    if kind == "tls":
        endpoint = SSL4ClientEndpoint(reactor, "127.0.0.1", int(port), AnyServer())
    client = await connectProtocol(endpoint, Give(int(megabytes)))
    watch = Stopwatch()
    client.start()
    await client.ended
    watch.done(int(megabytes))


if __name__ == "__main__":
    task.react({"server": serve, "client": ask}[sys.argv[1]], sys.argv[2:])
