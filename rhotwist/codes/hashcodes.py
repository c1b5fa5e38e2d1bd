"""Hashcodes: 32-bit numbers that stand for live objects on the wire. An index only, never a proof of anything.

A hashcode is a keyed permutation of a counter, so the codes are spread over all of 2**32 in an order that a stranger
cannot guess, and none comes again before the counter has gone all the way round. The permutation is a Feistel network
of four rounds over two halves of 16 bits. One keyed BLAKE2s digest gives the round's value for 16 neighbouring
inputs, and each is kept once computed (at most 528 kB a table), so a code costs about a microsecond.

Quarantine costs memory only where it is needed. A freed code can come again only when the counter reaches its place,
so only codes freed within a quarter turn ahead of the counter are kept: none at all in the first three billion. What
is promised holds for up to 2**30 codes within the quarantine, 1.8 million a second for the 10 minutes of ``Limits``.
"""

from __future__ import annotations

import sys
from array import array
from collections import deque
from hashlib import blake2s
from struct import Struct
from typing import Generic, TypeVar

from rhotwist.errors import LocalError

T = TypeVar("T")

ROUNDS = 4
_RUN = 16  # values in one digest of 32 bytes
_INPUT = Struct("!BH")


class Permutation:
    """A keyed permutation of the integers below 2**bits; bits is even, from 8 to 32, and smaller ones are for tests."""

    __slots__ = ("_done", "_half", "_key", "_mask", "_rounds", "_values")

    def __init__(self, key: bytes, bits: int = 32) -> None:
        if not 16 <= len(key) <= 32:
            raise LocalError(f"a key of {len(key)} bytes where 16 to 32 belong")
        if bits not in range(8, 33, 2):
            raise LocalError(f"{bits} bits where an even number from 8 to 32 belongs")
        self._key = key
        self._half = bits // 2
        self._mask = (1 << self._half) - 1
        self._values = [array("H", bytes(2 << self._half)) for _ in range(ROUNDS)]
        self._done = [bytearray((1 << self._half) // _RUN) for _ in range(ROUNDS)]
        self._rounds = tuple(zip(self._values, self._done, strict=True))

    def code(self, position: int) -> int:
        """The code at a position of the counter."""
        half, mask, value = self._half, self._mask, self._value
        # Written out: every request has one. The halves take turns, so nothing is swapped.
        (values0, done0), (values1, done1), (values2, done2), (values3, done3) = self._rounds
        left, right = position >> half, position & mask
        left ^= values0[right] & mask if done0[right >> 4] else value(0, right)
        right ^= values1[left] & mask if done1[left >> 4] else value(1, left)
        left ^= values2[right] & mask if done2[right >> 4] else value(2, right)
        right ^= values3[left] & mask if done3[left >> 4] else value(3, left)
        return left << half | right

    def position(self, code: int) -> int:
        """The position of the counter at which a code stands."""
        left, right = code >> self._half, code & self._mask
        for number in reversed(range(ROUNDS)):
            left, right = right ^ self._value(number, left), left
        return left << self._half | right

    def _value(self, number: int, half: int) -> int:
        run = half // _RUN
        values = self._values[number]
        if not self._done[number][run]:
            drawn = array("H", blake2s(_INPUT.pack(number, run), key=self._key).digest())
            if sys.byteorder == "little":
                drawn.byteswap()
            values[run * _RUN : (run + 1) * _RUN] = drawn
            self._done[number][run] = 1
        return values[half] & self._mask


class HashcodeTable(Generic[T]):
    """Live objects by hashcode.

    key is 16 to 32 random bytes, quarantine seconds of the monotonic clock, start where the counter begins (random,
    below 2**32). bits is 32 outside tests. ``live`` is the table itself, for those who look up on the packet path; it
    is theirs to read and ours to write. A hashcode is never 0, which on the wire means that there is none.
    """

    __slots__ = ("_counter", "_freed", "_issued", "_order", "_quarantine", "_quarantined", "_reach", "_size", "live")

    def __init__(self, key: bytes, quarantine: float, *, start: int, bits: int = 32) -> None:
        self._order = Permutation(key, bits)
        self._quarantine = quarantine
        self._size = 1 << bits
        self._reach = self._size // 4
        self._counter = start % self._size
        self._issued = 0
        self._freed: deque[tuple[float, int]] = deque()
        self._quarantined: set[int] = set()
        self.live: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self.live)

    @property
    def quarantined(self) -> int:
        """How many freed codes are kept out of use by name."""
        return len(self._quarantined)

    def allocate(self, obj: T, mono: float) -> int:
        """A code for obj: not 0, not live, not freed within the quarantine. Raises LocalError when there is none."""
        while self._freed and self._freed[0][0] <= mono - self._quarantine:
            self._quarantined.discard(self._freed.popleft()[1])
        live = self.live
        if len(live) + len(self._quarantined) >= self._size - 1:
            raise LocalError(f"all {self._size - 1} hashcodes are live or in quarantine")
        while True:
            code = self._order.code(self._counter)
            self._counter = (self._counter + 1) % self._size
            self._issued += 1
            if code and code not in live and code not in self._quarantined:
                live[code] = obj
                return code

    def get(self, code: int) -> T | None:
        """The object of a live code, None for any other."""
        return self.live.get(code)

    def assign(self, code: int, obj: T) -> None:
        """Let a live code stand for another object from now on. Raises LocalError if it is not live."""
        if code not in self.live:
            raise LocalError(f"hashcode {code:08x} is not live")
        self.live[code] = obj

    def free(self, code: int, mono: float) -> T:
        """End a code's life and return what it stood for. Raises LocalError if it is not live."""
        try:
            obj = self.live.pop(code)
        except KeyError:
            raise LocalError(f"hashcode {code:08x} is not live") from None
        if self._issued > self._size - self._reach:
            ahead = (self._order.position(code) - self._counter) % self._size
            if ahead < self._reach:
                self._freed.append((mono, code))
                self._quarantined.add(code)
        return obj
