"""One connection of a node on the reactor: a Twisted Protocol that moves bytes between its transport and the node.

Both ways are push-producers. What goes out is sealed only when the transport wants more, so a peer that does not read
costs a bounded queue. A server then stops reading from it until the queue has drained. A client never stops reading:
one of two always does, or both could wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rhotwist.errors import KeySpent
from rhotwist.limits import Limits
from rhotwist.node.streams import Stream
from rhotwist.wire.datagram import Path

#: Bytes pulled whenever the transport wants more.
PULL = 256 * 1_024
#: Bytes that one read brings at most. Twisted's own 64 KiB make four times the turns of the reactor of a record.
READ = 256 * 1_024
#: Seconds that the last bytes of a connection have to leave.
LEAVING = 1.0


class Owner(Protocol):
    """What a connection needs of the carrier that has it."""

    limits: Limits
    counters: dict[str, int]

    def wants(self, connection: Connection) -> bool:
        """Whether it is still wanted."""

    def made(self, connection: Connection) -> bool:
        """It stands; False if there is no room for it."""

    def received(self, stream: Stream, data: bytes) -> None:
        """Bytes came."""

    def lost(self, connection: Connection) -> None:
        """It has ended."""

    def mono(self) -> float:
        """What the monotonic clock shows."""

    def later(self, seconds: float, call: Callable[[], None]) -> Any:
        """Call something later."""


@implementer(IPushProducer)
class Connection(TwistedProtocol):
    """One connection of the node, or one that is about to be."""

    transport: Any

    def __init__(self, carrier: Owner, path: Path, stream: Stream | None = None) -> None:
        self.path = path
        #: What the node knows of it. None until a connection that came in stands.
        self.stream = stream
        self._carrier = carrier
        self._full = True  # the transport wants no more: there is none yet
        self._deaf = False
        self._ended: Deferred[None] = Deferred()
        self._late: Any = None
        #: The attempt to make it, if it is ours.
        self.connecting: Deferred[Any] | None = None

    # --- what Twisted calls

    def connectionMade(self) -> None:
        """It stands: send what waits."""
        if not self._carrier.wants(self):
            self.transport.abortConnection()
            return
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
            self.transport.bufferSize = READ
            self.transport.SEND_LIMIT = 2 * PULL  # what was pulled leaves in one system call, not in two
        if self._carrier.made(self):
            self._full = False
            self.transport.registerProducer(self, True)
            self.flush()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        if self.stream is not None:
            self._carrier.received(self.stream, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It has ended."""
        self._full = True
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._carrier.lost(self)
        if not self._ended.called:
            self._ended.callback(None)

    # --- as the transport's producer

    def pauseProducing(self) -> None:
        """The transport has enough."""
        self._full = True

    def resumeProducing(self) -> None:
        """The transport wants more."""
        self._full = False
        self.flush()

    def stopProducing(self) -> None:
        """The transport wants nothing any more."""
        self._full = True

    # --- what the node calls

    def stale(self, mono: float) -> bool:
        """It is ours, and has idled for so long that its peer may just be closing it."""
        return self.stream is not None and self.stream.ours and not self.stream.reusable(mono)

    def say(self, datagrams: Sequence[bytes], mono: float) -> None:
        """Send datagrams, and whatever else waits."""
        if self.stream is not None:
            before = self.stream.outbound.dropped
            self.stream.say(datagrams, mono)
            self._carrier.counters["streams_dropped"] += self.stream.outbound.dropped - before
            self.flush()

    def flush(self) -> None:
        """Write what waits, as long as the transport takes it."""
        stream, carrier = self.stream, self._carrier
        if stream is None:
            return
        try:
            while not self._full and (data := stream.pull(PULL, carrier.mono())):
                self.transport.writeSequence(data)
        except KeySpent:
            self.abort()
            return
        self._heed()

    def _heed(self) -> None:
        """Read from a client only while it reads from us."""
        stream = self.stream
        if stream is None or stream.ours:
            return
        deaf = stream.outbound.queued > self._carrier.limits.stream_queue // 2
        if deaf is not self._deaf and self.transport is not None:
            self._deaf = deaf
            if deaf:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def abort(self) -> None:
        """End it at once; what waits is lost."""
        self._full = True
        if self.transport is not None:
            self.transport.abortConnection()
        elif self.connecting is not None:
            self.connecting.cancel()

    def leave(self) -> Deferred[None]:
        """End it when what was written has gone, or after ``LEAVING`` seconds. Fires when it has ended."""
        if self.transport is None:
            self.abort()
            return succeed(None)
        if self._ended.called:
            return succeed(None)
        self.flush()
        self._full = True
        if self._late is None:  # a peer that does not read would hold it for ever
            self._late = self._carrier.later(LEAVING, self.abort)
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        return self._ended
