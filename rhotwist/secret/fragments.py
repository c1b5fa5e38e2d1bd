"""Halved Hellos put together again. Only halves with a valid cookie may come here: a spoofer must not fill the slots.

A hybrid Hello is too long for the smallest IPv6 path, so a client may cut its first Noise message in two. Both halves
carry the same header but for the fragment byte, the same cookie and the same puzzle; each has its own mac1. Half 0
holds e and is the one whose puzzle and mac1 count. Of each half the first copy stands: a later one with other bytes
changes nothing.
"""

from __future__ import annotations

import attrs

from rhotwist.errors import BadPacket, LocalError
from rhotwist.limits import Limits
from rhotwist.moment import Rng
from rhotwist.secret.crowd import Crowd
from rhotwist.wire.packet import HEADER, HELLO_TAIL, Hello

#: Fragment bytes: the first and the second of two, and a whole one.
FIRST, SECOND, WHOLE = 0x02, 0x12, 0x01

_EPHEMERAL = 32


@attrs.frozen
class _Half:
    hello: Hello
    until: float


class Fragments:
    """Halves that wait for the other, one for an address (18 bytes), in at most fragment_max slots.

    A slot is known by address, hashcode and cookie. A half with another hashcode or cookie takes its address's slot,
    a new address that of a random other when all are taken. A half waits fragment_life seconds of the monotonic
    clock.
    """

    __slots__ = ("_largest", "_life", "_most", "_rng", "_slots", "until")

    def __init__(self, limits: Limits, rng: Rng) -> None:
        self._life = limits.fragment_life
        self._largest = limits.datagram_max - HEADER - HELLO_TAIL
        self._most = limits.fragment_max
        self._rng = rng
        #: When the last of them has waited long enough, None while there is none.
        self.until: float | None = None
        self._slots: Crowd[bytes, _Half] = Crowd(self._most, rng)

    def __len__(self) -> int:
        return len(self._slots)

    def expire(self, mono: float) -> None:
        """Let go of all of them once the last has waited long enough; till then those that have are in nobody's way."""
        if self.until is not None and mono >= self.until:
            self._slots, self.until = Crowd(self._most, self._rng), None

    def add(self, address: bytes, hello: Hello, mono: float) -> Hello | None:
        """Take a half whose mac1 and cookie are valid; the whole Hello once both are here, None until then.

        The whole one has the header (but for the fragment byte), puzzle, mac1 and body of half 0. Raises BadPacket:
        size, or fragment where the two halves differ in what must be the same.
        """
        if hello.header.fragment not in (FIRST, SECOND):
            raise LocalError(f"fragment byte {hello.header.fragment:02x} is no half's")
        if len(hello.noise) > self._largest or (hello.header.fragment == FIRST and len(hello.noise) < _EPHEMERAL):
            raise BadPacket("size")
        waiting = self._slots.get(address)
        if waiting is None or mono >= waiting.until or _key(waiting.hello) != _key(hello):
            self.until = mono + self._life
            self._slots.put(address, _Half(hello, self.until))
            return None
        if waiting.hello.header.fragment == hello.header.fragment:
            return None
        one, two = waiting.hello, hello
        if _common(one) != _common(two):
            raise BadPacket("fragment")
        self._slots.pop(address)
        if one.header.fragment != FIRST:
            one, two = two, one
        return attrs.evolve(one, header=attrs.evolve(one.header, fragment=WHOLE), noise=one.noise + two.noise)


def _key(hello: Hello) -> tuple[int, bytes]:
    return hello.header.sender, hello.cookie


def _common(hello: Hello) -> tuple[int, int, bytes]:
    return hello.header.suite, hello.header.flags, hello.puzzle
