"""Negentropy, protocol version 1 (github.com/hoytech/negentropy), as small as it can be: the peer of benchmarks/sync.

Sixteen ranges where two sides differ, lists of ids below 32; a fingerprint is the first 16 bytes of SHA-256 over the
sum of ids modulo 2^256 and their number. Both sides' messages are counted as they are, without any sealing.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterable
from itertools import accumulate

VERSION = b"\x61"
SKIP, FINGERPRINT, LIST = 0, 1, 2
RANGES = 16
Item = tuple[int, bytes]
INFINITY: Item = ((1 << 64) - 1, b"")


def varint(number: int) -> bytes:
    """Base 128, the highest digits first."""
    found = [number & 127]
    while number := number >> 7:
        found.append(number & 127 | 128)
    return bytes(reversed(found))


class Side:
    """One side: its items (time, 32-byte id), sorted; ids it learned to have alone and to need, if it began."""

    def __init__(self, items: Iterable[Item], initiator: bool) -> None:
        self.items = sorted(items)
        self.sums = [0, *accumulate(int.from_bytes(id, "little") for _, id in self.items)]
        self.initiator = initiator
        self.have: set[bytes] = set()
        self.need: set[bytes] = set()
        self._time = 0

    def begin(self) -> bytes:
        """The first message."""
        self._time = 0
        return VERSION + b"".join(self._split(0, len(self.items), INFINITY))

    def answer(self, message: bytes) -> bytes:
        """The next message; the initiator's is VERSION alone when it is done."""
        self._time = 0
        reader = _Reader(message[1:])
        found, skipped = [], False
        before, low = (0, b""), 0
        while not reader.over:
            upto = reader.bound()
            mode = reader.varint()
            high = len(self.items) if upto == INFINITY else bisect.bisect_left(self.items, upto)
            said: list[bytes] = []
            if mode == FINGERPRINT:
                if reader.take(16) != self._print(low, high):
                    said = [*self._split(low, high, upto, later=(before, skipped))]
            elif mode == LIST:
                theirs = {reader.take(32) for _ in range(reader.varint())}
                ours = {id for _, id in self.items[low:high]}
                if self.initiator:
                    self.have |= ours - theirs
                    self.need |= theirs - ours
                else:
                    if skipped:
                        said.append(self._bound(before) + varint(SKIP))
                    said.append(self._bound(upto) + varint(LIST) + varint(len(ours)) + b"".join(sorted(ours)))
            skipped = not said and (skipped or True)
            found += said
            before, low = upto, high
        return VERSION + b"".join(found)

    def _split(self, low: int, high: int, upto: Item, later: tuple[Item, bool] = ((0, b""), False)) -> Iterable[bytes]:
        if later[1]:
            yield self._bound(later[0]) + varint(SKIP)
        count = high - low
        if count < 2 * RANGES:
            ids = b"".join(id for _, id in self.items[low:high])
            yield self._bound(upto) + varint(LIST) + varint(count) + ids
            return
        each, more = divmod(count, RANGES)
        for number in range(RANGES):
            end = low + each + (number < more)
            bound = upto if number == RANGES - 1 else self._between(self.items[end - 1], self.items[end])
            yield self._bound(bound) + varint(FINGERPRINT) + self._print(low, end)
            low = end

    def _print(self, low: int, high: int) -> bytes:
        total = (self.sums[high] - self.sums[low]) % (1 << 256)
        return hashlib.sha256(total.to_bytes(32, "little") + varint(high - low)).digest()[:16]

    def _between(self, one: Item, other: Item) -> Item:
        """The shortest bound between two items."""
        if one[0] != other[0]:
            return (other[0], b"")
        shared = next(at for at in range(32) if one[1][at] != other[1][at])
        return (other[0], other[1][: shared + 1])

    def _bound(self, bound: Item) -> bytes:
        if bound == INFINITY:
            self._time = INFINITY[0]
            return varint(0) + varint(0)
        told = varint(bound[0] - self._time + 1)
        self._time = bound[0]
        return told + varint(len(bound[1])) + bound[1]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._time = data, 0, 0

    @property
    def over(self) -> bool:
        return self._at >= len(self._data)

    def take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def varint(self) -> int:
        number = 0
        while True:
            digit = self.take(1)[0]
            number = number << 7 | digit & 127
            if not digit & 128:
                return number

    def bound(self) -> Item:
        delta = self.varint()
        prefix = self.take(self.varint())
        if delta == 0:
            return INFINITY
        self._time += delta - 1
        return (self._time, prefix)


def reconcile(ours: Iterable[Item], theirs: Iterable[Item]) -> tuple[int, int, int]:
    """Bytes both ways, round trips, and ids found that only one side has."""
    one, other = Side(ours, True), Side(theirs, False)
    message, size, trips = one.begin(), 0, 0
    while len(message) > 1:
        reply = other.answer(message)
        size += len(message) + len(reply)
        trips += 1
        message = one.answer(reply)
    return size, trips, len(one.have) + len(one.need)
