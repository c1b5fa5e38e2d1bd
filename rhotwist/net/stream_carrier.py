"""All connections of a node: those it takes at its ports, and those it makes through Twisted endpoints.

A path of ours names the far end by its 18 bytes of IP address and port, and is there as long as it is used: what goes
to it goes over the connection that stands, or over a new one. A connection that came in is named by 18 bytes of its
own, of which the first is 0xFF, as in no address that anybody could call; when it ends nothing leads there any more.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from socket import SOCK_STREAM, socket
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from rhotwist.errors import LocalError
from rhotwist.limits import Limits
from rhotwist.link.sieve import Turn
from rhotwist.moment import Moment
from rhotwist.net.driver import Driver
from rhotwist.net.sockets import is_ipv6, open_all
from rhotwist.net.stream import Connection
from rhotwist.node.jobs import Hang
from rhotwist.node.streams import Stream
from rhotwist.wire.datagram import ADDRESS, Path, pack_address, prefix, unpack_address

#: The first byte of the 18 that name a connection which came in: a multicast address, which no peer has.
INCOMING = 0xFF
#: Seconds that connecting may take. What waits for it is repeated by those who wait for an answer.
CONNECTING = 10.0

COUNTERS = ("streams_taken", "streams_made", "streams_refused", "streams_unreachable", "streams_dropped")


class Core(Protocol):
    """What connections need of the node."""

    def attach(self, path: Path, moment: Moment, *, ours: bool) -> Stream:
        """A connection is there."""

    def feed(self, stream: Stream, data: bytes, moment: Moment) -> None:
        """Take bytes."""

    def detach(self, stream: Stream, moment: Moment) -> None:
        """A connection is gone."""


def tcp(reactor: Any, host: str, port: int) -> Any:
    """A client endpoint for an IP address as text and a port."""
    kind = TCP6ClientEndpoint if is_ipv6(host) else TCP4ClientEndpoint
    return kind(reactor, host, port, timeout=CONNECTING)


class _Incoming(Factory):
    """Takes connections, as many as there is room for."""

    noisy = False

    def logPrefix(self) -> str:
        """How log lines of its ports begin."""
        return "rhotwist-tcp"

    def __init__(self, carrier: StreamCarrier) -> None:
        self._carrier = carrier

    def buildProtocol(self, addr: Any) -> Connection | None:
        """A connection from there, or none: Twisted then closes it."""
        return self._carrier.incoming(addr)


class _Outgoing(Factory):
    """Makes the one connection that it was made for."""

    noisy = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: Any) -> Connection:
        """That connection."""
        return self._connection


class StreamCarrier:
    """All connections of a node; carrier is its index among the node's ways out, which every path of it carries."""

    #: It is bound to no address: ``places`` are where it takes connections.
    host, port = "", 0

    def __init__(self, carrier: int, core: Core, driver: Driver, reactor: Any, *, limits: Limits) -> None:
        self.index = carrier
        #: Makes the endpoint of an IP address and port; another one goes by a proxy.
        self.endpoint: Callable[[Any, str, int], Any] = tcp
        self.limits = limits
        self.counters = driver.counters
        self.closed = False
        self._core, self._driver, self._reactor = core, driver, reactor
        self._secret = os.urandom(32)
        self._connections: dict[bytes, Connection] = {}
        self._from: Counter[bytes] = Counter()
        self._prefixes: dict[bytes, bytes] = {}
        self._ports: list[Any] = []
        self._waiting: list[Deferred[None]] | None = []
        for name in COUNTERS:
            self.counters.setdefault(name, 0)
        driver.runners[Hang] = self._hang

    @property
    def count(self) -> int:
        """Connections that stand or are about to."""
        return len(self._connections)

    def mono(self) -> float:
        """What the monotonic clock shows."""
        return self._driver.now().mono

    def later(self, seconds: float, call: Callable[[], None]) -> Any:
        """Call something later."""
        return self._reactor.callLater(seconds, call)

    # --- taking connections

    @property
    def places(self) -> list[tuple[str, int]]:
        """Where it takes connections: IP address as text, and port."""
        return [(str(port.getHost().host), int(port.getHost().port)) for port in self._ports]

    def listen(self, hosts: Sequence[str], port: int) -> None:
        """Take connections at IP addresses and a port. Raises CannotListenError. port 0 is chosen by the kernel."""
        for sock in open_all(hosts, port, False, SOCK_STREAM):
            self.adopt(sock)

    def adopt(self, sock: socket) -> None:
        """Take connections at a socket that listens, which is ours from now on."""
        with closing(sock):  # the reactor's port has a descriptor of its own
            self._ports.append(self._reactor.adoptStreamPort(sock.fileno(), sock.family, _Incoming(self)))

    def incoming(self, addr: Any) -> Connection | None:
        """A connection from there, if one household may have one more."""
        where = b""
        if isinstance(addr, (IPv4Address, IPv6Address)):
            where = prefix(pack_address(addr.host.partition("%")[0], addr.port))
        if self.closed or self._from[where] >= self.limits.stream_prefix_max:
            self.counters["streams_refused"] += 1
            return None
        # Those of one household share the first 8 bytes, by which handshakes are rationed under load.
        home = hashlib.blake2s(where, key=self._secret, digest_size=7).digest()
        address = bytes((INCOMING,)) + home + os.urandom(ADDRESS - 8)
        self._from[where] += 1
        self._prefixes[address] = where
        return Connection(self, Path(self.index, address, True))

    # --- making them

    def path(self, host: str, port: int) -> Path:
        """The way to an IP address as text and a port."""
        return Path(self.index, pack_address(host, port), True)

    def send(self, address: bytes, datagrams: Sequence[bytes]) -> None:
        """Send datagrams, in order, over the connection of those 18 bytes, or over a new one if they are an address."""
        mono = self.mono()
        connection = self._connections.get(address)
        if connection is not None and connection.stale(mono):
            self._forget(connection)
            connection.leave()
            connection = None
        if connection is None:
            connection = self._connect(address)
            if connection is None:
                self.counters["send_unreachable"] = self.counters.get("send_unreachable", 0) + len(datagrams)
                return
        connection.say(datagrams, mono)

    def admit(self, turn: Turn | None) -> tuple[int, float]:
        """Nothing is left unread here: a flood of connections is bounded by their number."""
        return 0, 0.0

    def _connect(self, address: bytes) -> Connection | None:
        if self.closed or address[0] == INCOMING:
            return None
        host, port = unpack_address(address)
        path = Path(self.index, address, True)
        connection = Connection(self, path, self._core.attach(path, self._driver.now(), ours=True))
        self._connections[address] = connection
        self.counters["streams_made"] += 1

        def failed(failure: Failure) -> None:
            self.counters["streams_unreachable"] += 1
            self.lost(connection)

        connection.connecting = self.endpoint(self._reactor, host, port).connect(_Outgoing(connection))
        connection.connecting.addErrback(failed)
        return connection

    # --- what becomes of them

    def wants(self, connection: Connection) -> bool:
        """Whether a connection that has just come about is still wanted."""
        return not self.closed and (
            connection.stream is None or self._connections.get(connection.path.address) is connection
        )

    def made(self, connection: Connection) -> bool:
        """A connection stands. False if the node has no room for it: it is aborted then."""
        if connection.stream is None:
            self._connections[connection.path.address] = connection
            try:
                connection.stream = self._core.attach(connection.path, self._driver.now(), ours=False)
            except LocalError:  # full, or stopped
                self.counters["streams_refused"] += 1
                connection.abort()
                return False
            self.counters["streams_taken"] += 1
            self._driver.settle()
        return True

    def received(self, stream: Stream, data: bytes) -> None:
        """Bytes came over a connection."""
        try:
            self._core.feed(stream, data, self._driver.now())
        except Exception:
            # The core promises not to raise for strangers' bytes. Should it, one connection is lost, not the reactor.
            self._driver.faults.failure("receiving from a connection", Failure())
            self._hang(Hang(stream.path, "fault"))
        self._driver.settle()

    def lost(self, connection: Connection) -> None:
        """A connection has ended, or was never made."""
        where = self._prefixes.pop(connection.path.address, None)
        if where is not None:
            self._from[where] -= 1
            if not self._from[where]:
                del self._from[where]
        self._forget(connection)
        self._driver.settle()

    def _forget(self, connection: Connection) -> None:
        """Nothing is sent over it any more."""
        if self._connections.get(connection.path.address) is connection:
            del self._connections[connection.path.address]
        if connection.stream is not None:
            self._core.detach(connection.stream, self._driver.now())

    def _hang(self, job: Hang) -> None:
        """The node has done with a connection."""
        connection = self._connections.get(job.path.address)
        if connection is None:
            return
        self._forget(connection)
        if job.why == "idle":
            connection.leave()
        else:
            connection.abort()

    # --- the end

    def close(self) -> None:
        """Take none any more, and leave all; ``left`` tells when they have ended."""
        if self.closed:
            return
        self.closed = True
        stopping = [maybeDeferred(port.stopListening) for port in self._ports]
        open_ = list(self._connections.values())
        leaving = [connection.leave() for connection in open_]
        for connection in open_:
            self._forget(connection)
        DeferredList([*stopping, *leaving]).addCallback(self._all_left)

    def _all_left(self, _: object) -> None:
        waiting, self._waiting = self._waiting or [], None
        for one in waiting:
            one.callback(None)

    def left(self) -> Deferred[None]:
        """Fires when all have ended, after ``close``."""
        waiting: Deferred[None] = Deferred()
        if self._waiting is None:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting
