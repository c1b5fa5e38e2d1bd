"""One connection's frames, both ways, without the connection: bytes in, frames out; frames in, bytes out.

    Inbound.feed    bytes as they come, cut anywhere  -> lists of datagrams, and pieces of records as they open
    Outbound.pull   datagrams and records that wait   -> bytes, no more at a time than there is room for

Inbound holds at most one piece (65,552 bytes) and what was fed last. Whatever does not parse or open raises BadPacket,
which is the end of the connection and of nothing else: the session lives on, over another one. Outbound seals a record
piece by piece as it is pulled, so a peer that does not read costs what waits, never what is sealed.
Spec page: docs/spec/stream.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rhotwist.errors import BadPacket, KeySpent
from rhotwist.limits import Limits
from rhotwist.secret.stream_seal import Inward, Outward, Sealing, StreamSeal
from rhotwist.wire.packet import TAG_SIZE
from rhotwist.wire.stream import DATAGRAM, HEAD_SIZE, RECORD, USE, USE_SIZE, frame, piece_size, read_head

#: The largest datagram that a stream carries; a hybrid Hello has 1,320 bytes, a small packet at most 1,232.
DATAGRAM_MOST = 2_048


class Piece(NamedTuple):
    """Bytes of a record, opened: those at offset ``at`` of its ``size``. code is our hashcode of its session."""

    code: int
    size: int
    at: int
    data: bytes

    @property
    def last(self) -> bool:
        """The record ends with it."""
        return self.at + len(self.data) == self.size


#: Our hashcode to the streams of that session and the largest record it may send; raises BadPacket for no session.
Find = Callable[[int], tuple[StreamSeal, int]]


class Inbound:
    """What comes over one connection."""

    __slots__ = ("_at", "_code", "_most", "_need", "_rest", "_size", "_skip", "_use")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._need = HEAD_SIZE
        self._use: Inward | None = None
        self._code = self._most = 0
        self._size = self._at = 0  # of the record under way: its plain size, and how much of it was opened
        self._skip = 0  # wire bytes of a record that nobody wants

    @property
    def held(self) -> int:
        """Bytes kept until the rest of their frame is here."""
        return len(self._rest)

    @property
    def behind(self) -> bool:
        """The last USE was made under keys that its session has left."""
        return self._use is not None and self._use.behind

    def feed(self, data: bytes, find: Find) -> Iterator[list[bytes] | Piece]:
        """Take bytes, in order; iterate to the end. Gives datagrams, as many as stand in a row, and pieces of records.

        Raises BadPacket, and is not to be fed again then.
        """
        view, at, end = memoryview(data), 0, len(data)
        datagrams: list[bytes] = []
        while True:
            if self._skip:
                stop = min(at + self._skip, end)
                self._skip -= stop - at
                at = stop
            if self._rest:
                at = self._fill(view, at)
                step = memoryview(self._rest)
            else:
                self._need = self._wanted(view, at)
                step = view[at : at + self._need]
                at += len(step)
            if len(step) < self._need:
                break
            self._rest = bytearray()
            if self._size and self._use is not None:
                yield self._opened(self._use, step)
            elif step[0] == DATAGRAM:
                datagrams.append(bytes(step[HEAD_SIZE:]))
            else:
                if datagrams:
                    yield datagrams
                    datagrams = []
                self._begin(step, find)
        if not self._rest:
            self._rest = bytearray(step)
        if datagrams:
            yield datagrams

    def _fill(self, view: memoryview, at: int) -> int:
        """Add to what has begun until its step is whole or nothing is left; where the next one starts."""
        rest = self._rest
        while True:
            add = view[at : at + self._need - len(rest)]
            rest += add
            at += len(add)
            if len(rest) < self._need:
                return at
            need = self._wanted(rest, 0)
            if need == self._need:
                return at
            self._need = need

    def skip(self) -> None:
        """Nobody wants the rest of the record under way: let it go by, unopened and unkept."""
        while self._size:
            plain = piece_size(self._size, self._at)
            self._skip += plain + TAG_SIZE
            self._advance(plain)

    def _wanted(self, view: memoryview | bytearray, at: int) -> int:
        """Bytes that must be here for the next step. Raises BadPacket for a frame that may not come, by its head."""
        if self._size:
            return piece_size(self._size, self._at) + TAG_SIZE
        if len(view) - at < HEAD_SIZE:
            return HEAD_SIZE
        kind, size = read_head(view, at)
        if kind == DATAGRAM:
            if not 1 <= size <= DATAGRAM_MOST:
                raise BadPacket("frame size")
            return HEAD_SIZE + size
        if kind == USE:
            if size != USE_SIZE:
                raise BadPacket("frame size")
            return HEAD_SIZE + USE_SIZE
        if kind != RECORD:
            raise BadPacket("frame kind")
        if self._use is None:
            raise BadPacket("no use")
        if not 1 <= size <= self._most:
            raise BadPacket("record size")
        return HEAD_SIZE

    def _begin(self, view: memoryview, find: Find) -> None:
        kind, size = read_head(view)
        if kind == USE:
            body = bytes(view[HEAD_SIZE:])
            code = int.from_bytes(body[:4], "big")
            seal, most = find(code)
            self._use = seal.take(body)
            self._code, self._most = code, most
        elif self._use is not None:
            self._use.begin(size)
            self._size, self._at = size, 0

    def _opened(self, use: Inward, sealed: memoryview) -> Piece:
        piece = Piece(self._code, self._size, self._at, use.open(sealed))
        self._advance(len(piece.data))
        return piece

    def _advance(self, plain: int) -> None:
        self._at += plain
        if self._at == self._size:
            self._size = self._at = 0


class Outbound:
    """What goes over one connection. dropped counts datagrams for which there was no room."""

    __slots__ = ("_datagrams", "_limits", "_outward", "_queued", "_records", "_sealing", "dropped")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._datagrams: deque[bytes] = deque()
        self._queued = 0
        self._records: deque[tuple[StreamSeal, bytes | memoryview, bytes]] = deque()
        self._outward: Outward | None = None
        self._sealing: Sealing | None = None
        self.dropped = 0

    def __bool__(self) -> bool:
        """Something waits to be pulled."""
        return bool(self._datagrams or self._records or self._sealing)

    @property
    def queued(self) -> int:
        """Bytes of datagrams that wait; records wait as the objects they are, which their senders hold anyway."""
        return self._queued

    def say(self, datagrams: Sequence[bytes]) -> None:
        """Queue datagrams. Beyond ``Limits.stream_queue`` the oldest go: what they would have said is stale first."""
        for datagram in datagrams:
            self._datagrams.append(datagram)
            self._queued += HEAD_SIZE + len(datagram)
        while self._queued > self._limits.stream_queue:
            self._queued -= HEAD_SIZE + len(self._datagrams.popleft())
            self.dropped += 1

    def send(self, seal: StreamSeal, plain: bytes | memoryview, head: bytes = b"") -> None:
        """Queue a record of a session, of 1 to 2**24-1 bytes: head and plain."""
        self._records.append((seal, plain, head))

    def withdraw(self, plain: bytes | memoryview) -> bool:
        """Take back a record that has not begun. False if it has, or was never queued: it goes out whole then."""
        for place, (_, queued, _) in enumerate(self._records):
            if queued is plain:
                del self._records[place]
                return True
        return False

    def pull(self, most: int) -> list[bytes]:
        """The next bytes to write: at least ``most`` if there are so many, and at most 64 KiB more.

        Datagrams go before the next record. Raises KeySpent when the keys of a record under way are gone: the
        connection has to end, because its peer waits for the rest of that record.
        """
        out: list[bytes] = []
        size = 0
        while size < most:
            if self._sealing is not None:
                pieces = self._sealing.next()
                if self._sealing.done:
                    self._sealing = None
            elif self._datagrams:
                datagram = self._datagrams.popleft()
                self._queued -= HEAD_SIZE + len(datagram)
                pieces = (frame(datagram),)
            elif self._records:
                pieces = self._next_record()
            else:
                break
            out += pieces
            size += sum(map(len, pieces))
        return out

    def _next_record(self) -> tuple[bytes, ...]:
        """The USE before the next record, if it needs one, and the record begun. One of a dead session is dropped."""
        seal, plain, head = self._records.popleft()
        first: tuple[bytes, ...] = ()
        try:
            outward = self._outward
            if outward is None or not outward.serves(seal, len(head) + len(plain)):
                outward = self._outward = seal.use()
                first = (outward.frame,)
        except KeySpent:
            self.dropped += 1
            return ()
        self._sealing = outward.record(plain, head)
        return first
