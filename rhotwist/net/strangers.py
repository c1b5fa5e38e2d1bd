"""Hellos without a cookie, between the read that brought them and the time that is left for them.

A Hello is answered in 30 µs and more. An open session's packet waits behind it in the socket's buffer, and a flood
makes that wait long enough for the session to repeat itself and slow down. So Hellos are put by when they are read, for
1 µs each, until all else that came is done; a cookie lets a Hello pass. What has no place here, or not its turn
(``rhotwist.link.sieve``), is dropped before it is copied or its address looked up.
"""

from __future__ import annotations

from collections import deque

from rhotwist.link.sieve import Turn
from rhotwist.net.addresses import SockAddr
from rhotwist.net.filters import passes

#: Reads that may wait, 1.3 kB each; and their bytes, as a coalesced one has up to 64 kB. A fifth of a second's Retries.
MOST = 1_024
MOST_BYTES = 2**21
#: How many are handed over each time at least, however much else there is.
LEAST = 4

#: What one read brought: the bytes, the size of its datagrams if it was coalesced (else 0), and the sender.
Read = tuple[bytes, int, SockAddr]


class Strangers:
    """Those of one socket. turn is whose turn it is where the kernel does not see to it; dropped counts the others."""

    __slots__ = ("_bytes", "_waiting", "dropped", "turn")

    def __init__(self) -> None:
        self.turn: Turn | None = None
        self.dropped = 0
        self._waiting: deque[Read] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, data: bytearray, size: int, segment: int, sender: SockAddr) -> None:
        """Put by what stands in the first size bytes of data. Of a coalesced read the first datagram speaks for all."""
        turn = self.turn
        if (
            len(self._waiting) >= MOST
            or self._bytes + size > MOST_BYTES
            or (turn is not None and not passes(turn, sender, bytes(data[4:8])))
        ):
            self.dropped += 1
        else:
            self._bytes += size
            self._waiting.append((bytes(data[:size]), segment, sender))

    def next(self) -> Read:
        """The one that waits longest, who waits no more."""
        read = self._waiting.popleft()
        self._bytes -= len(read[0])
        return read

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()
        self._bytes = 0

    @property
    def full(self) -> float:
        """How full it is, from 0 to 1."""
        return max(len(self._waiting) / MOST, self._bytes / MOST_BYTES)
