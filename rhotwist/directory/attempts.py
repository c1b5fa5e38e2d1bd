"""How often an address is knocked at that has not proven its key: a record may name anybody's.

Ten thousand signed records that name one victim draw what one draws, because it counts the addresses and not the keys.
"""

from __future__ import annotations

from collections import deque

from rhotwist.directory.endpoints import Kind
from rhotwist.limits import Limits


class Attempts:
    """One attempt to connect an unproven address, whatever the port, in ``attempt_pause`` seconds.

    The table grows by our own attempts alone. When it is full nobody else is tried until the oldest has passed: making
    room would let somebody be tried twice.
    """

    __slots__ = ("_most", "_order", "_pause", "_since")

    def __init__(self, limits: Limits) -> None:
        self._pause = limits.attempt_pause
        self._most = limits.attempt_max
        self._since: dict[bytes, float] = {}
        self._order: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._since)

    def begin(self, encoded: bytes, mono: float) -> float:
        """Book an attempt at an endpoint: 0 if it may be made now, else the seconds until it may, and none is booked.

        Not to be asked about addresses that have proven their key, nor where the user himself says try again.
        """
        while self._order and self._since[self._order[0]] + self._pause <= mono:
            del self._since[self._order.popleft()]
        where = household(encoded)
        since = self._since.get(where)
        if since is None and len(self._since) >= self._most:
            since = self._since[self._order[0]]
        if since is not None:
            return since + self._pause - mono
        self._since[where] = mono
        self._order.append(where)
        return 0.0


def household(encoded: bytes) -> bytes:
    """What one victim has: an IPv4 address, the /64 of an IPv6 address, an onion service; never the port."""
    return encoded[1:9] if encoded[0] in (Kind.UDP6, Kind.TCP6) else encoded[1:-2]
