"""A sketch of a set from which whoever holds nearly the same one reads off the difference. Page: docs/spec/tree.md.

A rateless invertible Bloom lookup table (Yang, Gilad, Alizadeh: Practical Rateless Set Reconciliation, SIGCOMM 2024).
An element is mixed into cell 0 and, by its own hash, into cell i with a chance of about 1 / (1 + i/2); so the first m
cells are a sketch for any m, and some 1.5 cells decode one difference. Cells come of integers alone: every machine has
the same.

    id    = address[0:5] ‖ leaf[0:2]
    draws = BLAKE2b-512(id), then BLAKE2b-512 of the one before, and so on; check = the first 2 bytes of the first
    cell  = xor of ids 7 ‖ xor of checks 2 ‖ count of ids, modulo 256

Two bytes of check are enough, as an id must also belong where it is found: of 448,000 differences none was misread.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from math import isqrt
from struct import Struct

import attrs

from rhotwist.errors import BadPacket, LocalError

ID = 7
CELL = 10
"""Bytes of a cell."""
CELLS_MOST = 8_192
"""Cells that are kept, and that are taken from a peer: 82 kB, enough for 5,000 differences."""
_CHECK = 16
_DRAWS = Struct(">32H")


def sketch_id(address: bytes, leaf: bytes) -> bytes:
    """How a leaf stands in a sketch; a leaf that changed is another element."""
    return address[:5] + leaf[:2]


@attrs.frozen
class Cells:
    """The first cells of a sketch, or of a difference of two. mixed are xors of id and check, counts modulo 256."""

    mixed: tuple[int, ...] = attrs.field(repr=False)
    counts: tuple[int, ...]

    def encode(self) -> bytes:
        """CELL bytes each."""
        return b"".join([
            (mixed << 8 | count).to_bytes(CELL, "big") for mixed, count in zip(self.mixed, self.counts, strict=True)
        ])  # fmt: skip


@attrs.frozen
class Decoded:
    """The ids that only we hold, and those that only they hold."""

    ours: tuple[bytes, ...]
    theirs: tuple[bytes, ...]


class Sketch:
    """The cells of a set that changes; 4 µs an element put or taken. Nothing is checked: what is put twice cancels."""

    def __init__(self, size: int = CELLS_MOST) -> None:
        if not 1 <= size <= CELLS_MOST:
            raise LocalError(f"a sketch of {size} cells; 1 to {CELLS_MOST}")
        self.size = size
        self._mixed = [0] * size
        self._counts = [0] * size

    @classmethod
    def load(cls, cells: Cells) -> Sketch:
        """The sketch as ``first`` gave it out, whole."""
        made = cls(len(cells.mixed))
        made._mixed[:] = cells.mixed
        made._counts[:] = cells.counts
        return made

    def change(self, put: Iterable[bytes] = (), taken: Iterable[bytes] = ()) -> None:
        """Ids come into the set, others go."""
        for ids, step in ((put, 1), (taken, -1)):
            for id in ids:
                mixed, places = spread(id, self.size)
                for at in places:
                    self._mixed[at] ^= mixed
                    self._counts[at] += step

    def first(self, count: int) -> Cells:
        """The first cells. Raises LocalError for more than there are."""
        if not 1 <= count <= self.size:
            raise LocalError(f"{count} cells of a sketch of {self.size}")
        return Cells(tuple(self._mixed[:count]), tuple(number & 255 for number in self._counts[:count]))


def read_cells(data: bytes) -> Cells:
    """The cells that data is. Raises BadPacket for no whole number of them, from 1 to CELLS_MOST."""
    if not data or len(data) % CELL or len(data) > CELL * CELLS_MOST:
        raise BadPacket("cells")
    parts = [int.from_bytes(data[at : at + CELL], "big") for at in range(0, len(data), CELL)]
    return Cells(tuple(part >> 8 for part in parts), tuple(part & 255 for part in parts))


def subtract(ours: Cells, theirs: Cells) -> Cells:
    """The cells of the difference, as many as both have."""
    return Cells(
        tuple(one ^ other for one, other in zip(ours.mixed, theirs.mixed, strict=False)),
        tuple(one - other & 255 for one, other in zip(ours.counts, theirs.counts, strict=False)),
    )


def decode(difference: Cells) -> Decoded | None:
    """Every id of a difference; None if the cells are too few for it, or are none that honest sets give.

    Takes as many steps as there are cells, whatever they hold: each step finds an id that was not found before and that
    belongs where it was found.
    """
    mixed, counts = list(difference.mixed), list(difference.counts)
    size = len(mixed)
    found: dict[bytes, int] = {}
    waiting = list(range(size))
    while waiting:
        cell = waiting.pop()
        sign = counts[cell]
        if sign not in (1, 255):
            continue
        id = (mixed[cell] >> _CHECK).to_bytes(ID, "big")
        whole, places = spread(id, size)
        if whole != mixed[cell] or cell not in places:
            continue
        if id in found or len(found) == size:
            return None
        found[id] = sign
        for at in places:
            mixed[at] ^= whole
            counts[at] = counts[at] - sign & 255
        waiting += places
    if any(mixed) or any(counts):
        return None
    ours = tuple(sorted(id for id, sign in found.items() if sign == 1))
    return Decoded(ours, tuple(sorted(id for id, sign in found.items() if sign == 255)))


def estimate(difference: Cells, surplus: int) -> int:
    """About how many ids differ, from cells that do not decode; surplus is how many more ids we hold than they do.

    Counts scatter around their mean, surplus / (1 + i/2), with a variance in proportion to the differences. 88 cells
    are wrong by an eighth on average; beyond 20,000 counts wrap, and all that is told is that there are many.
    """
    total, cells = 0.0, 0
    for at, count in enumerate(difference.counts[1:], 1):
        chance = 2 / (at + 2)
        off = (count - chance * surplus + 128) % 256 - 128
        total += off * off / (chance * (1 - chance))
        cells += 1
    return max(abs(surplus), round(total / cells)) if cells else abs(surplus)


@functools.cache
def _gaps() -> tuple[int, ...]:
    """How far from one cell to the next, for each draw u: 2^16 · ((u + 1) / 2^16)^(-1/2) - 2^16, rounded down.

    From cell i that many times (i + 3/2) are passed over: the paper's formula, within a twentieth of 1 / (1 + i/2).
    """
    return tuple(isqrt((1 << 48) // (draw + 1)) - (1 << 16) for draw in range(1 << 16))


def spread(id: bytes, size: int) -> tuple[int, list[int]]:
    """An id and its check, as one integer, and the cells below size that it goes into, rising: 17 of 8,192."""
    digest = hashlib.blake2b(id).digest()
    check, *draws = _DRAWS.unpack(digest)
    gaps = _gaps()
    places = []
    at = 0
    while True:
        for draw in draws:
            places.append(at)
            at += ((2 * at + 3) * gaps[draw] >> 17) + 1
            if at >= size:
                return int.from_bytes(id, "big") << _CHECK | check, places
        digest = hashlib.blake2b(digest).digest()
        draws = list(_DRAWS.unpack(digest))

