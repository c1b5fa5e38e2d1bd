"""TLS 1.3 over TCP by Twisted and OpenSSL: C all the way below one Protocol. Handshakes only."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import defer, ssl, task
from twisted.internet.endpoints import SSL4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol

from benchmarks.sides import certificate
from benchmarks.sides.report import Stopwatch, ready


class Echo(Protocol):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Echo."""
        self.transport.write(data)


class Ask(Protocol):
    """One byte there and back proves that the handshake is over on both sides."""

    def __init__(self) -> None:
        self.ended: defer.Deferred[None] = defer.Deferred()

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Ask."""
        self.transport.write(b"x")

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Answered."""
        self.transport.abortConnection()
        self.ended.callback(None)


class AnyServer(ssl.ClientContextFactory):
    """No verification, as the other contender's client does none."""

    method = SSL.TLS_METHOD


async def serve(reactor: Any) -> None:
    """Echo until told to stop."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate.make(Path(folder))
        pem = Path(key).read_bytes() + Path(cert).read_bytes()
    options = ssl.PrivateCertificate.loadPEM(pem).options()
    port = reactor.listenSSL(0, Factory.forProtocol(Echo), options, interface="127.0.0.1", backlog=512)
    ended: defer.Deferred[None] = defer.Deferred()
    ready(str(port.getHost().port), lambda: reactor.callFromThread(ended.callback, None))
    await ended


async def ask(reactor: Any, port: str, what: str, count: str, window: str) -> None:
    """Do what is measured."""
    left = int(count)

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            endpoint = SSL4ClientEndpoint(reactor, "127.0.0.1", int(port), AnyServer())
            client = await connectProtocol(endpoint, Ask())
            await client.ended

    watch = Stopwatch()
    await defer.gatherResults([defer.ensureDeferred(work()) for _ in range(int(window))])
    watch.done(int(count))


if __name__ == "__main__":
    task.react({"server": serve, "client": ask}[sys.argv[1]], sys.argv[2:])
