"""What was sent of one object, by batch: when, up to which counter, which pieces. Times are mono seconds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import inf


class Batches:
    """The log of a sender. Pieces are bits of an int.

    A batch is open while something of it may still be acknowledged. What an open batch misses is lost when a later one
    was acknowledged and it has waited long enough (RACK, RFC 8985): reordering alone loses nothing.
    """

    __slots__ = ("_ends", "_head", "_newest", "_pieces", "_times")

    def __init__(self) -> None:
        self._ends: list[int] = []  # the counter behind each batch
        self._times: list[float] = []
        self._pieces: list[int] = []
        self._head = 0  # the oldest open one
        self._newest = -1  # the newest acknowledged

    def add(self, end: int, pieces: int, mono: float) -> None:
        """A batch has gone out; end is the counter behind its last packet."""
        self._ends.append(end)
        self._times.append(mono)
        self._pieces.append(pieces)

    def acknowledged(self, counter: int) -> float:
        """The packet of that counter has arrived: when it was sent."""
        batch = bisect_right(self._ends, counter)
        if batch > self._newest:
            self._newest = batch
        return self._times[batch]

    def lost(self, here: int, due: float) -> tuple[int, float]:
        """The pieces lost by now, and when the newest of them was sent. here are those acknowledged.

        due is now less the sender's patience: what was sent before that has waited long enough.
        """
        head, newest, pieces, times = self._head, self._newest, self._pieces, self._times
        lost, sent_at = 0, -inf
        while head < newest:
            missing = pieces[head] & ~here
            if missing:
                if times[head] > due + 1e-9:
                    break
                lost |= missing
                sent_at = times[head]
            pieces[head] = 0
            head += 1
        self._head = head
        return lost, sent_at

    @property
    def waiting_since(self) -> float:
        """When the oldest batch was sent that only waits for being old enough; infinity if none does."""
        return self._times[self._head] if self._head < self._newest else inf

    def forget(self, piece: int) -> None:
        """One piece under way is not waited for any more."""
        for batch in range(len(self._pieces) - 1, self._head - 1, -1):
            if self._pieces[batch] & piece:
                self._pieces[batch] ^= piece
                return

    def forget_all(self) -> None:
        """Nothing under way is waited for any more."""
        for batch in range(self._head, len(self._pieces)):
            self._pieces[batch] = 0
        self._head = len(self._pieces)

    def packets_between(self, begin: float, end: float) -> int:
        """How many packets were sent in that time."""
        first, last = bisect_left(self._times, begin), bisect_right(self._times, end)
        if last <= first:
            return 0
        return self._ends[last - 1] - (self._ends[first - 1] if first else 0)
