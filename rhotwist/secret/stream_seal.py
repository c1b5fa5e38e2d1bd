"""Records on byte streams, sealed and opened. Framing: ``rhotwist.link.records``; page: docs/spec/stream.md.

Every byte that a session ever sends over streams in one epoch and direction has a position, and a position is sealed
once. A USE claims the next range of 2**40 positions, whichever connection it goes over; a record takes an aligned power
of two of them, and its pieces are sealed with their positions as nonces:

    range of a USE      P0 = number * 2**40 .. P0 + 2**40        sealed with P0 itself: the USE's own tag
    first record        from P0 + 4096 on
    a record of N       at the next multiple of the least 2**k >= max(N, 64); the cursor then stands 2**k further
    its pieces          cut at offset 4096 and every multiple of 65,536; nonce = 4 zero ‖ u64 (position + offset)

Use numbers come from one counter for all connections, reconnects and epochs. Callers name neither numbers, positions
nor nonces. The receiver takes each number once, within a window of 64 below the highest.
"""

from __future__ import annotations

from struct import Struct

from cryptography.exceptions import InvalidTag

from rhotwist.errors import BadPacket, KeySpent, LocalError
from rhotwist.limits import Limits
from rhotwist.secret import audit
from rhotwist.secret.seal import PacketSeal
from rhotwist.secret.suite import Aead, aead
from rhotwist.wire.packet import TAG_SIZE
from rhotwist.wire.stream import RECORD, RECORD_MOST, USE, USE_SIZE, pack_head, piece_size

#: Positions of one USE.
RANGE = 1 << 40
#: Where the first record of a USE may begin.
FIRST = 4_096
#: The least room a record takes.
LEAST = 64
#: Use numbers of one session and direction.
NUMBERS = 1 << 24
#: Use numbers this far below the highest may still arrive, once.
WINDOW = 64
#: Pieces sealed under one key, unless the caller says less.
SEALS_MAX = Limits().ratchet_seals_max

_NONCE = Struct("!4xQ")
_USE = Struct("!IB3s")


def room_of(size: int) -> int:
    """The positions that a record of size plain bytes takes: the least power of two that holds it, 64 at least."""
    return 1 << (max(size, LEAST) - 1).bit_length()


class StreamSeal:
    """The streams of one session, both directions. Made when the first is used.

    number is the last USE made, -1 before the first; ``PacketSeal.pieces`` counts what the present key has sealed.
    """

    __slots__ = ("_newest", "_seal", "_seals_max", "_seen", "number")

    def __init__(self, seal: PacketSeal, seals_max: int = SEALS_MAX) -> None:
        self._seal = seal
        self._seals_max = seals_max
        self._newest = -1
        self._seen = 0
        self.number = -1

    @property
    def epoch(self) -> int:
        """The epoch that our next USE names. Raises KeySpent when the keys are erased."""
        return self._seal.stream_out()[0]

    def use(self) -> Outward:
        """Claim a range. Raises KeySpent when the session has none left, or its keys are erased."""
        if self.number + 1 >= NUMBERS:
            raise KeySpent(f"{NUMBERS} uses of streams in one session")
        epoch, key = self._seal.stream_out()
        self.count()
        self.number += 1
        return Outward(self, self._seal, self.number, epoch, key)

    def count(self) -> None:
        """One more seal under the present key. Raises KeySpent when it has made as many as it may."""
        if self._seal.pieces >= self._seals_max:
            raise KeySpent(f"{self._seal.pieces} pieces sealed under one key, the limit")
        self._seal.pieces += 1

    def take(self, body: bytes) -> Inward:
        """Read the 24 bytes behind the head of a USE. Raises BadPacket: epoch, replay or tag; nothing has changed."""
        if len(body) != USE_SIZE:
            raise BadPacket("use size")
        _, epoch8, three = _USE.unpack_from(body)
        number = int.from_bytes(three, "big")
        below = self._newest - number
        if below >= 0 and (below > WINDOW or self._seen >> below & 1):
            raise BadPacket("use replay")
        epoch, key = self._seal.stream_in(epoch8)
        cipher = aead(self._seal.suite, key)
        try:
            cipher.decrypt(
                _NONCE.pack(number * RANGE), body[-TAG_SIZE:], pack_head(USE, USE_SIZE) + body[:-TAG_SIZE]
            )
        except InvalidTag:
            raise BadPacket("use tag") from None
        if below >= 0:
            self._seen |= 1 << below
        else:
            self._seen = (self._seen << min(-below, WINDOW + 1) | 1) & ((2 << WINDOW) - 1)
            self._newest = number
        return Inward(cipher, self._seal, number, epoch)

    def digest(self) -> tuple[int, int, int]:
        """What of it tells two states apart: what did not change is the same."""
        return self._newest, self._seen, self.number


class Outward:
    """One USE of ours: its frame, and the records sealed in its range, one after another.

    frame is the 28 bytes to send before the first of them.
    """

    __slots__ = ("_cipher", "_cursor", "_end", "_key", "_owner", "_seal", "epoch", "frame")

    def __init__(self, owner: StreamSeal, seal: PacketSeal, number: int, epoch: int, key: bytes) -> None:
        self._owner, self._seal = owner, seal
        self._cipher: Aead = aead(seal.suite, key)
        self._key = key
        self.epoch = epoch
        start = number * RANGE
        self._cursor, self._end = start + FIRST, start + RANGE
        clear = pack_head(USE, USE_SIZE) + _USE.pack(seal.peer_code, epoch & 255, number.to_bytes(3, "big"))
        nonce = _NONCE.pack(start)
        if audit.hook is not None:
            audit.hook(key, nonce, audit.digest_of(b"", clear))
        self.frame = clear + self._cipher.encrypt(nonce, b"", clear)

    def serves(self, owner: StreamSeal, size: int) -> bool:
        """Whether a record of that size of that session can be sealed here: the same keys, and positions left."""
        room = room_of(size)
        return (
            owner is self._owner and not self._seal.erased and owner.epoch == self.epoch
            and -(-self._cursor // room) * room + size <= self._end
        )  # fmt: skip

    def record(self, plain: bytes | memoryview, first: bytes = b"") -> Sealing:
        """Begin a record of 1 to 2**24-1 bytes: first and plain. Raises LocalError where ``serves`` is False."""
        size = len(first) + len(plain)
        if not 1 <= size <= RECORD_MOST or not self.serves(self._owner, size):
            raise LocalError(f"no record of {size} bytes goes here")
        room = room_of(size)
        position = -(-self._cursor // room) * room
        self._cursor = position + room
        return Sealing(self, first, memoryview(plain), position)

    def piece(self, nonce: bytes, plain: bytes | memoryview, head: bytes) -> bytes:
        """Seal one piece; for ``Sealing`` alone."""
        if self._seal.erased:
            raise KeySpent("the keys of this session were erased")
        self._owner.count()
        if audit.hook is not None:
            audit.hook(self._key, nonce, audit.digest_of(bytes(plain), head))
        return self._cipher.encrypt(nonce, plain, head)


class Sealing:
    """A record under way: its bytes, piece by piece, each sealed when it is asked for."""

    __slots__ = ("_at", "_first", "_head", "_outward", "_plain", "_position", "_size")

    def __init__(self, outward: Outward, first: bytes, plain: memoryview, position: int) -> None:
        self._outward, self._first, self._plain, self._position = outward, first, plain, position
        self._size = len(first) + len(plain)
        self._head = pack_head(RECORD, self._size)
        self._at = 0

    @property
    def done(self) -> bool:
        """All of it has been asked for."""
        return self._at >= self._size

    def next(self) -> tuple[bytes, ...]:
        """The wire bytes of the next piece, the record's head before the first. Raises KeySpent."""
        at, before = self._at, len(self._first)
        end = self._at = at + piece_size(self._size, at)  # before the cipher runs: this position is gone
        piece: bytes | memoryview = self._plain[max(at - before, 0) : max(end - before, 0)]
        if at < before:
            piece = self._first[at:end] + piece
        sealed = self._outward.piece(_NONCE.pack(self._position + at), piece, self._head)
        return (sealed,) if at else (self._head, sealed)


class Inward:
    """One USE of the peer, from ``StreamSeal.take``: opens its records, piece by piece, in order.

    epoch is the one it was made under; behind says that the session has a newer one since.
    """

    __slots__ = ("_at", "_cipher", "_cursor", "_end", "_head", "_position", "_seal", "_size", "epoch")

    def __init__(self, cipher: Aead, seal: PacketSeal, number: int, epoch: int) -> None:
        self._cipher, self._seal, self.epoch = cipher, seal, epoch
        start = number * RANGE
        self._cursor, self._end = start + FIRST, start + RANGE
        self._head = b""
        self._position = self._at = self._size = 0

    @property
    def behind(self) -> bool:
        """The session goes by newer keys, or has none any more."""
        return self._seal.erased or self.epoch < self._seal.epoch

    def begin(self, size: int) -> None:
        """A record of size plain bytes begins. Raises BadPacket("range") when the range has no room for it."""
        room = room_of(size)
        position = -(-self._cursor // room) * room
        if position + size > self._end:
            raise BadPacket("range")
        self._cursor = position + room
        self._position, self._at, self._size = position, 0, size
        self._head = pack_head(RECORD, size)

    def open(self, sealed: bytes | memoryview) -> bytes:
        """The plain bytes of the next piece, given with its tag. Raises BadPacket: the connection has to end then."""
        if self._seal.erased:
            raise BadPacket("erased")
        at = self._at
        try:
            plain = self._cipher.decrypt(_NONCE.pack(self._position + at), sealed, self._head)
        except InvalidTag:
            raise BadPacket("record tag") from None
        self._at = at + len(plain)
        return plain
