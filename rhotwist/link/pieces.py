"""The pieces of one object on its way out, as ints with one bit a piece: which have arrived, which are under way.

What an ack says is taken in by a handful of operations on whole arrays. Now and then a piece is held back for a while:
whoever acknowledges what was never sent has given himself away.
"""

from __future__ import annotations

from rhotwist.errors import BadPacket
from rhotwist.link.messages import Ack
from rhotwist.moment import Rng
from rhotwist.wire.object_packet import CLASSES, HALF, double_bits, halvings, piece_count

#: Of so many pieces one is held back.
HELD_OF = 64


class Pieces:
    """size is the object's, stride that of a piece of size_class, total how many there are.

    here are the pieces the peer has, flying those under way, lost those to be sent again. Those from ``_next`` on, and
    the one held back, were never sent.
    """

    __slots__ = ("_held", "_next", "_rng", "flying", "here", "lost", "size", "size_class", "stride", "total")

    def __init__(self, size: int, size_class: int, rng: Rng) -> None:
        self.size = size
        self.size_class = size_class
        self.stride = CLASSES[size_class]
        self.total = piece_count(size, size_class)
        self.here = self.flying = self.lost = 0
        self._rng = rng
        self._next = 0
        self._held = -1

    @property
    def delivered(self) -> int:
        """Bytes that the peer has."""
        full = self.here.bit_count() * self.stride
        return full - (self.total * self.stride - self.size) if self.here >> (self.total - 1) else full

    @property
    def waiting(self) -> bool:
        """Whether any piece is to be sent that is not under way."""
        return bool(self.lost) or self._next < self.total or self._held >= 0

    @property
    def tail(self) -> list[int]:
        """The indices under way, lowest first."""
        return _indices(self.flying, self.total)[0]

    # --- going out

    def take(self, count: int) -> tuple[list[int], int]:
        """The next pieces to send, in order, and their bits: the lost before the new. They are under way now."""
        indices, mask = _indices(self.lost, count) if self.lost else ([], 0)
        self.lost ^= mask
        if len(indices) < count:
            mask |= self._take_new(indices, count - len(indices))
            indices.sort()  # the last piece of all, the short one, ends every run that it is in
        self.flying |= mask
        return indices, mask

    def _take_new(self, indices: list[int], count: int) -> int:
        """Add new pieces, in order but for the one held back, and give their bits."""
        mask = 0
        while count and self._next < self.total:
            at = self._next
            if not at % HELD_OF:
                if self._held >= 0:
                    mask |= self._release(indices)
                    count -= 1
                    if not count:
                        break
                if at + HELD_OF < self.total:
                    self._held = at + self._rng(1)[0] % HELD_OF
            end = min(at + count, (at // HELD_OF + 1) * HELD_OF, self.total)
            run = (1 << end) - (1 << at)
            unwanted = run & self.here
            if at <= self._held < end:
                unwanted |= 1 << self._held
            indices.extend(range(at, end))
            mask |= run ^ unwanted
            count -= end - at - unwanted.bit_count()
            for index in _indices(unwanted, end - at)[0]:
                indices.remove(index)
            self._next = end
        if count and self._held >= 0:
            mask |= self._release(indices)
        return mask

    def _release(self, indices: list[int]) -> int:
        held, self._held = self._held, -1
        bit = 1 << held
        if self.here & bit:
            return 0
        indices.append(held)
        return bit

    def lose(self, mask: int) -> int:
        """These are to be sent again; how many bytes."""
        self.lost |= mask
        self.flying &= ~mask
        return mask.bit_count() * self.stride

    # --- coming in

    def read(self, ack: Ack) -> int:
        """The bits of an ack, in pieces of our size. Raises BadPacket for what cannot be, or was never sent."""
        times = halvings(ack.size_class, self.size_class) if ack.size_class < len(CLASSES) else None
        if times is None:
            if ack.base or ack.bitmap:
                raise BadPacket("class")
            return 0  # a probe has arrived
        total = piece_count(self.size, ack.size_class)
        bits = int.from_bytes(ack.bitmap, "little") << ack.base | (1 << ack.base) - 1 if ack.base <= total else -1
        if bits < 0 or bits >> total:
            raise BadPacket("index")
        for _ in range(times):
            bits = double_bits(bits)
        if times:
            bits &= (1 << self.total) - 1
        sent = (1 << self._next) - 1
        if self._held >= 0:
            sent &= ~(1 << self._held)
        if bits & ~sent & ~self.here:
            raise BadPacket("unsent")
        return bits

    def arrived(self, bits: int) -> int:
        """The peer has these; how many bytes of them were under way."""
        flew = bits & self.flying
        self.here |= bits
        self.flying ^= flew
        self.lost &= ~bits
        return flew.bit_count() * self.stride

    def halve(self) -> bool:
        """Each piece becomes two, and what was sent and has not arrived is lost. False where halving ends."""
        half = HALF[self.size_class]
        if half is None:
            return False
        self.size_class = half
        self.stride = CLASSES[half]
        self.total = piece_count(self.size, half)
        self.here = double_bits(self.here) & (1 << self.total) - 1
        self._next = min(2 * self._next, self.total)
        self._held = -1
        self.flying = 0
        self.lost = ((1 << self._next) - 1) & ~self.here
        return True


def _indices(bits: int, count: int) -> tuple[list[int], int]:
    """The lowest ``count`` bits that are set: their numbers, and a mask of them."""
    indices: list[int] = []
    mask = 0
    while bits and len(indices) < count:
        low = bits & -bits
        bits ^= low
        mask |= low
        indices.append(low.bit_length() - 1)
    return indices, mask
