"""One big object going out as one record of a connection: no packets, no congestion control, the same acks.

The connection keeps order and pace; what is left is when it may go, and what the peer says that it has. What it offers
is cut in the largest class, so that acks are few and an object that began over a connection may go on by datagrams.
"""

from __future__ import annotations

from rhotwist.errors import BadPacket
from rhotwist.link.messages import Ack
from rhotwist.wire.object_packet import CLASSES, piece_count

#: The class that a record is offered in.
RECORD_CLASS = len(CLASSES) - 1


class RecordOut:
    """The sender of one object over a connection, with the face of ``ObjectOut``.

    ready says that it may be given to the connection, given that it was; lead and rest are what goes: the object from
    ``start`` on, which is not 0 when the peer has the beginning already. delivered counts the bytes that the peer has
    acknowledged.
    """

    __slots__ = ("_size", "delivered", "done", "given", "lead", "ready", "rest", "start")

    size_class = RECORD_CLASS
    failed: str | None = None
    stalled = False

    def __init__(self, data: bytes, *, eager: bool, head: bytes = b"") -> None:
        """eager lets it go right behind its offer, without waiting whether the peer has room. head, shorter than a
        piece, is the beginning of the object, before data.
        """
        self._size = len(head) + len(data)
        self.lead = head
        self.rest = memoryview(data)
        self.start = self.delivered = 0
        self.done = self.given = False
        self.ready = eager

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return self._size

    def have(self, bitmap: bytes, mono: float) -> None:
        """The offer was answered. Raises BadPacket for pieces that do not exist."""
        total = piece_count(self.size, RECORD_CLASS)
        bits = int.from_bytes(bitmap, "little")
        if bits >> total:
            raise BadPacket("index")
        if bits == (1 << total) - 1:
            self._whole()
        elif not self.given:
            self.start = self.delivered = ((bits + 1 & ~bits).bit_length() - 1) * CLASSES[RECORD_CLASS]
            if self.start:
                self.rest, self.lead = self.rest[self.start - len(self.lead) :], b""
        self.ready = True

    def acked(self, ack: Ack, mono: float) -> None:
        """The receiver says what it has. Raises BadPacket for more than there is, or than was given."""
        total = piece_count(self.size, RECORD_CLASS)
        if not self.given or ack.size_class != RECORD_CLASS or ack.base > total or ack.counter:
            raise BadPacket("index")
        if ack.base == total:
            self._whole()
        else:
            self.delivered = max(self.delivered, ack.base * CLASSES[RECORD_CLASS])

    def _whole(self) -> None:
        self.done, self.delivered = True, self.size

    def burst(self, mono: float) -> None:
        """No datagrams."""

    def beat_due(self, mono: float) -> bool:
        """A connection tells by itself when it is lost."""
        return False

    def deadline(self) -> float | None:
        """Nothing is due by time."""
        return None

    def close(self) -> None:
        """It is over."""
        self.ready = False
