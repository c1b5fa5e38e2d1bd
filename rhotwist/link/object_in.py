"""One big object coming in: packets into their places, acks out, and an end: whole, or given up.

It costs no memory before its first packet has opened. From then on its sender has to be quick enough: a new packet at
least every ``object_idle`` seconds, and ``object_rate`` bytes a second on average once ``object_grace`` has passed,
which also is its absolute deadline. Whatever comes twice, late or in another size finds its place or nothing; only a
packet that is new counts as progress. Acks say all that is here, so any later one repairs a lost one.

Times are mono seconds. Spec page: docs/spec/objects.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from math import inf

from rhotwist.limits import Limits
from rhotwist.link.messages import Ack, GoneReason, Offer
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.wire.object_packet import CLASSES, PROBE, piece_count

#: Where an object lies while it comes: memory, or a view of a file that is mapped.
Buffer = bytearray | memoryview
#: A buffer of that many bytes, or None where there is no room.
Store = Callable[[int], Buffer | None]

#: Bytes of new packets that are acknowledged at once: what 5 ms bring at 1.6 Gbit/s. An ack wakes its reader, which
#: costs more than to open 20 packets. No packet counts for less than an ACK_PIECE.
ACK_BYTES, ACK_PIECE = 1_013_760, 1_152
#: Packets that the bitmap of one ack can tell of.
ACK_WINDOW = 8 * 1_024
#: An ack waits for a share of the round trip, but no longer than this.
_ACK_MOST = 0.025
_ACK_SHARE = 1 / 8
#: Bytes hashed at once while the object is still coming: enough to cost no calls, few enough to be in the cache.
_HASH_STEP = 1 << 16
_DIGITS = bytes((48, 49)) + bytes(254)


class ObjectIn:
    """An object that was offered and whose packets come, total in the present size_class.

    progress is how many of its bytes are here, failed why it was given up, None while it is not.
    """

    __slots__ = (
        "_ack_due", "_base", "_began", "_buffer", "_count", "_digest", "_hashed", "_here", "_last", "_limits",
        "_newest_at", "_probes", "_round_trip", "_store", "_unsaid", "_view", "failed", "named",
        "progress", "seal", "size", "size_class", "total", "whole",
    )  # fmt: skip

    def __init__(
        self, offer: Offer, seal: ObjectSeal, *, limits: Limits, mono: float, store: Store, round_trip: float = 0.0
    ) -> None:
        self._limits = limits
        self._store = store
        self._round_trip = round_trip
        self._began = self._last = self._newest_at = mono
        self._buffer: Buffer | None = None
        self._view = memoryview(b"")
        self._digest = hashlib.sha256(b"\0")
        self._hashed = self._base = self._count = self._unsaid = 0
        self._ack_due = inf
        self._probes: list[int] = []
        self.named = offer.named
        self.size = offer.size
        self.size_class = offer.size_class
        self.seal = seal
        self.total = piece_count(self.size, self.size_class)
        self._here = bytearray()
        self.progress = 0
        self.failed: GoneReason | None = None
        self.whole = False

    # --- what comes

    def take(self, datagrams: Sequence[bytes], mono: float) -> int:
        """Take datagrams of this object; how many opened and brought something new."""
        seal = self.seal
        newest, before = seal.newest, self._count
        if self.whole or self.failed is not None:
            return self._late(datagrams, mono)
        if self._buffer is None:
            datagrams = self._first(datagrams)
            if self._buffer is None:
                return 0
        fresh, others = seal.open_run(datagrams, self.size_class, self._view, self._here)
        if fresh:
            self._fresh(fresh)
        if others:
            self._others(others)
        if seal.newest > newest:
            self._newest_at = mono
        new = self._count - before
        if new:
            self._last = mono
            self._unsaid += new
            ended = self._advance()
            if ended or self._unsaid * max(CLASSES[self.size_class], ACK_PIECE) >= ACK_BYTES:
                self._ack_due = mono
            elif self._ack_due == inf:
                self._ack_due = mono + self._patience()
        if seal.asked:
            self._ack_due = mono
        return new

    def put(self, at: int, data: bytes, mono: float) -> None:
        """Take bytes of a record of a connection, which come in order and opened: those from offset at on."""
        if self._buffer is None:
            buffer = self._store(self.size)
            if buffer is None:
                self.failed = GoneReason.NO_ROOM
                return
            self._buffer, self._view = buffer, memoryview(buffer)
            self._here = bytearray(self.total)
        end = at + len(data)
        if self.whole or self.failed is not None or end > self.size:
            return
        self._last = self._newest_at = mono
        start = max(at, self._hashed)  # what was hashed stays as it is
        if start < end:
            self._view[start:end] = data[start - at :]
        stride = CLASSES[self.size_class]
        new = [i for i in range(at // stride, self.total if end == self.size else end // stride) if not self._here[i]]
        if not new:
            return
        for i in new:
            self._here[i] = 1
        self._fresh(new)
        self._unsaid += len(new)
        if self._advance() or self._unsaid * stride >= ACK_BYTES:
            self._ack_due = mono
        elif self._ack_due == inf:
            self._ack_due = mono + self._patience()

    def _first(self, datagrams: Sequence[bytes]) -> Sequence[bytes]:
        """Reserve memory once a packet has opened; what is left to be taken."""
        for at, datagram in enumerate(datagrams):
            opened = self.seal.open_one(datagram)
            if opened is None:
                continue
            buffer = self._store(self.size)
            if buffer is None:
                self.failed = GoneReason.NO_ROOM
                return ()
            self._buffer, self._view = buffer, memoryview(buffer)
            self._here = bytearray(self.total)
            self._place(*opened)
            return datagrams[at + 1 :]
        return ()

    def _fresh(self, fresh: list[int]) -> None:
        """Book pieces of the present class that have come."""
        count = len(fresh)
        self._count += count
        top = max(fresh)
        stride = CLASSES[self.size_class]
        self.progress += count * stride
        if top == self.total - 1:  # once only: a piece is fresh once
            self.progress -= self.total * stride - self.size

    def _others(self, datagrams: Sequence[bytes]) -> None:
        """Datagrams of another class than the present one: halves, what was on its way before, probes."""
        for datagram in datagrams:
            opened = self.seal.open_one(datagram)
            if opened is not None:
                self._place(*opened)

    def _place(self, size_class: int, index: int, piece: bytes) -> None:
        if index == PROBE:
            if len(self._probes) < len(CLASSES):
                self._probes.append(size_class)
            return
        stride = CLASSES[size_class]
        at = index * stride
        if at >= max(self.size, 1) or len(piece) != min(stride, self.size - at):
            self.seal.refused += 1
            return
        if size_class != self.size_class and stride < CLASSES[self.size_class]:
            self._recut(size_class)
        own = CLASSES[self.size_class]
        first, end = -(-at // own), (at + stride) // own if at + stride < self.size else self.total
        new = [i for i in range(first, end) if not self._here[i]]
        for i in new:  # and no others: what is here may have been hashed
            self._here[i] = 1
            self._view[i * own : (i + 1) * own] = piece[i * own - at : (i + 1) * own - at]
        if new:
            self._fresh(new)

    def _recut(self, size_class: int) -> None:
        """Go on in another class. A piece of it is here if all its bytes are."""
        self._here = recut(self._here, self.size, self.size_class, size_class)
        self.size_class = size_class
        self.total = len(self._here)
        self._count = self._here.count(1)
        self._base = self._hashed = 0
        self._digest = hashlib.sha256(b"\0")  # a piece that is not here any more may come with other bytes
        stride = CLASSES[size_class]
        self.progress = self._count * stride - (self.total * stride - self.size if self._here[-1] else 0)

    def _advance(self) -> bool:
        """Hash what has come without a gap, and see at the end whether it is what was offered: True at the end."""
        base = self._here.find(0, self._base)
        done = base < 0
        self._base = self.total if done else base
        until = self.size if done else base * CLASSES[self.size_class]
        if done or until - self._hashed >= _HASH_STEP:
            self._digest.update(self._view[self._hashed : until])
            self._hashed = until
        if done:
            if self._digest.digest() == self.named:
                self.whole = True
            else:
                self.failed = GoneReason.WRONG_HASH
        return done

    def _late(self, datagrams: Sequence[bytes], mono: float) -> int:
        """Its sender may not know yet that it is whole: a packet that asks draws the last ack again."""
        if self.whole:
            newest = self.seal.newest
            for datagram in datagrams:
                self.seal.open_one(datagram)
            if self.seal.newest > newest:
                self._newest_at = mono
            if self.seal.asked:
                self._ack_due = mono
        return 0

    # --- what is said

    def ack(self, mono: float) -> Ack | None:
        """The ack that is due now, if one is. Ask until there is none: a probe has one of its own."""
        if self._probes:
            return Ack(
                id=self.seal.id, size_class=self._probes.pop(), base=0, counter=max(self.seal.newest, 0), delay=0,
                bitmap=b"",
            )  # fmt: skip
        return self.state(mono) if self._ack_due <= mono else None

    def state(self, mono: float) -> Ack:
        """All that is here, as an ack; one that was due is said with it."""
        self._ack_due, self._unsaid = inf, 0
        self.seal.asked = False
        base = self._base
        if base == self.total and not self.whole:
            base -= 1  # it is all here and wrong, which only Gone says
        # Before the first packet there is no counter to name: the longest delay says that it measures nothing.
        delay = 0xFFFF if self.seal.newest < 0 else min(0xFFFF, int((mono - self._newest_at) * 10_000))
        return Ack(
            id=self.seal.id, size_class=self.size_class, base=base, counter=max(self.seal.newest, 0), delay=delay,
            bitmap=_bitmap(self._here[base : base + ACK_WINDOW]),
        )  # fmt: skip

    def have(self) -> bytes:
        """The bitmap that answers an offer of what has begun to come before."""
        return _bitmap(self._here)

    # --- how it goes on

    def again(self, offer: Offer, seal: ObjectSeal, mono: float) -> bytes:
        """The object is offered anew, under another key and id; what ``Have`` says. Its time goes on."""
        self.seal.erase()
        self.seal = seal
        if self._buffer is not None and offer.size_class != self.size_class:
            self._recut(offer.size_class)
        elif self._buffer is None:
            self.size_class, self.total = offer.size_class, piece_count(self.size, offer.size_class)
        self._last = self._newest_at = mono
        return self.have()

    def expired(self, mono: float) -> bool:
        """Give it up if it has become too slow; True while it is given up."""
        if self.failed is None and not self.whole and mono >= self._ends():
            self.failed = GoneReason.TOO_SLOW
        return self.failed is not None

    def _ends(self) -> float:
        limits = self._limits
        slowest = self._began + limits.object_grace + self.progress / limits.object_rate
        return min(self._last + limits.object_idle, slowest)

    def deadline(self) -> float:
        """When ``ack`` or ``expired`` has something to say."""
        return self._ack_due if self.whole else min(self._ack_due, self._ends())

    @property
    def contiguous(self) -> int:
        """Bytes that are here without a gap, from the first on."""
        return self.size if self.whole else self._base * CLASSES[self.size_class]

    @property
    def began(self) -> bool:
        """Memory is reserved for it."""
        return self._buffer is not None

    def head(self, size: int) -> bytes | None:
        """The first bytes of the object, None while they are not here."""
        pieces = piece_count(min(size, self.size), self.size_class)
        if self._buffer is None or 0 in self._here[:pieces]:
            return None
        return bytes(self._view[:size])

    def hand_over(self) -> memoryview:
        """The bytes of an object that is whole; they are the caller's now, and only acks are left to do here."""
        view, self._view, self._buffer = self._view, memoryview(b""), None
        return view

    def release(self) -> None:
        """Let go of the memory, and of the key."""
        self._buffer, self._view = None, memoryview(b"")
        self.seal.erase()

    def _patience(self) -> float:
        """How long an ack of new packets waits."""
        return max(self._limits.object_ack, min(self._round_trip * _ACK_SHARE, _ACK_MOST))


def recut(here: bytearray, size: int, size_class: int, other: int) -> bytearray:
    """What is here of an object, one byte a piece, in the pieces of another class. 0.4 ms for 1,800 pieces."""
    old, new = CLASSES[size_class], CLASSES[other]
    cut = bytearray(piece_count(size, other))
    for index in range(len(cut)):
        cut[index] = 0 not in here[index * new // old : -(-min(size, (index + 1) * new) // old)]
    return cut


def _bitmap(here: bytearray) -> bytes:
    """Bits of bytes that are 0 or 1, without zeros at the end: bit 0 is the lowest of the first byte."""
    top = here.rfind(1) + 1
    if not top:
        return b""
    return int(here[:top][::-1].translate(_DIGITS), 2).to_bytes((top + 7) // 8, "little")
