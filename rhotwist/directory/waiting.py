"""The room in which records wait for their time: bounded, in the order of their time, one of each address and sender.

A room that is full refuses the newcomer and drops nobody who waits. A record that is refused is lost to nobody: its
sender holds it, and comparing the trees brings it, without any budget.
"""

from __future__ import annotations

import enum
import heapq
from typing import NamedTuple

from rhotwist.directory.merge import beats
from rhotwist.directory.record import Record


class Origin(enum.Enum):
    """How records came: told by a peer of its own accord, on our asking, or from this node's own people."""

    UNSOLICITED = 1
    ASKED = 2
    PASTED = 3


class Source(NamedTuple):
    """Where records came from: how, and by whom, a session's 32-byte key. What somebody pasted has one sender."""

    origin: Origin
    sender: bytes = b"paste"


class Waiter(NamedTuple):
    """A record that waits until due, monotonic seconds. verified: its signature and its work have been looked at."""

    record: Record
    source: Source
    due: float
    verified: bool


class WaitingRoom:
    """Places for most records, share of them for any one sender."""

    __slots__ = ("_at", "_heap", "_most", "_of", "_share")

    def __init__(self, most: int, share: int) -> None:
        self._most = most
        self._share = share
        self._at: dict[tuple[bytes, bytes], Waiter] = {}
        self._of: dict[bytes, int] = {}  # how many of each sender wait
        self._heap: list[tuple[float, tuple[bytes, bytes]]] = []

    def __len__(self) -> int:
        return len(self._at)

    def put(self, waiter: Waiter) -> bool:
        """Let a record wait; False if there is no place. Of one address and sender the better record waits alone, at
        the time of the first.

        Nobody else's record gives way: what has not been verified may be a forgery. Verified ones are all one sender's.
        """
        record = waiter.record
        sender = b"" if waiter.verified else waiter.source.sender
        place = (sender, record.address)
        old = self._at.get(place)
        if old is not None:
            if beats(record.issued, record.hash, (old.record.issued, old.record.hash)):
                self._at[place] = waiter._replace(due=old.due)
            return True
        if len(self._at) >= self._most or self._of.get(sender, 0) >= self._share:
            return False
        self._at[place] = waiter
        self._of[sender] = self._of.get(sender, 0) + 1
        heapq.heappush(self._heap, (waiter.due, place))
        return True

    def deadline(self) -> float | None:
        """When the first one's time comes; None if nobody waits."""
        return self._heap[0][0] if self._heap else None

    def due(self, mono: float, most: int) -> list[Waiter]:
        """Those whose time has come, the earliest first, at most so many. They have left."""
        found: list[Waiter] = []
        while self._heap and self._heap[0][0] <= mono and len(found) < most:
            sender, address = heapq.heappop(self._heap)[1]
            found.append(self._at.pop((sender, address)))
            self._of[sender] -= 1
            if not self._of[sender]:
                del self._of[sender]
        return found
