"""One use: remember in fixed memory what was used, for as long as it would be honoured.

A keyed Bloom filter of 1 MiB for each period (``rhotwist.secret.cookie``): 8,388,608 bits, 4 of them for an entry. With
100,000 entries in a period one newcomer in 200,000 is taken for a repeat, with a million one in 50, and that only costs
it a Retry. Nobody without the key can choose entries that fill it. Filters are made at the first entry and dropped with
their period, so an idle node holds none.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2s
from struct import Struct

from rhotwist.errors import LocalError

#: Bytes of one filter; a power of two, so that a position is a mask.
SIZE = 2**20

_POSITIONS = Struct("!4I")


class Bloom:
    """A set of byte strings that may name a stranger a member, never the reverse. key is 16 to 32 random bytes."""

    __slots__ = ("_bits", "_key", "_mask")

    def __init__(self, key: bytes, size: int = SIZE) -> None:
        if not 16 <= len(key) <= 32:
            raise LocalError(f"a key of {len(key)} bytes where 16 to 32 belong")
        if size < 1 or size & (size - 1):
            raise LocalError(f"{size} bytes where a power of two belongs")
        self._key = key
        self._bits = bytearray(size)
        self._mask = 8 * size - 1

    def __contains__(self, entry: bytes) -> bool:
        return all(self._bits[at >> 3] >> (at & 7) & 1 for at in self._positions(entry))

    def add(self, entry: bytes) -> bool:
        """Put an entry in. True if it was not there, False if it was, or seems to have been. About 2 µs."""
        bits = self._bits
        new = False
        for at in self._positions(entry):
            byte, bit = at >> 3, 1 << (at & 7)
            if not bits[byte] & bit:
                bits[byte] |= bit
                new = True
        return new

    def _positions(self, entry: bytes) -> list[int]:
        digest = blake2s(entry, key=self._key, digest_size=16).digest()
        return [value & self._mask for value in _POSITIONS.unpack(digest)]


class OneUse:
    """What was used in each period still honoured: two filters, among siblings three."""

    __slots__ = ("_filters", "_key", "_size")

    def __init__(self, key: bytes, size: int = SIZE) -> None:
        self._key = key
        self._size = size
        self._filters: dict[int, Bloom] = {}

    def first(self, entry: bytes, period: int, honoured: Collection[int]) -> bool:
        """Whether this is an entry's first use; it is used from now on.

        period is the one that its cookie or token was made in, honoured are all that count now: filters of others go.
        """
        filter_ = self._filters.get(period)
        if filter_ is None:
            for old in [number for number in self._filters if number not in honoured]:
                del self._filters[old]
            filter_ = self._filters[period] = Bloom(self._key, self._size)
        return filter_.add(entry)

    def used(self, entry: bytes, period: int) -> bool:
        """Whether an entry was used, or seems to have been; nothing changes."""
        filter_ = self._filters.get(period)
        return filter_ is not None and entry in filter_
