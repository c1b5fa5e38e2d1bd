"""A step back under watch: was it for us to make room, or for somebody else? Sizes bytes, times seconds."""

from __future__ import annotations

from rhotwist.link.cubic import PACKET

#: A queue that is ours shrinks to this share of its round trip or below when we step back.
DRAINED = 0.85
#: Losses are judged when so many were to be expected had nothing changed, or after so many rounds.
EXPECTED, ROUNDS = 12.0, 12
#: They have vanished when less than this share of those came.
VANISHED = 1 / 3


class Trial:
    """What was before the step back: the window, the top of the curve, and the share lost or the queue, seconds."""

    __slots__ = ("_lost", "_passed", "_rounds", "queue", "share", "top", "window")

    def __init__(self, window: float, top: float, *, share: float = 0.0, queue: float = 0.0) -> None:
        self.window = window
        self.top = top
        self.share = share
        self.queue = queue
        self._rounds = self._lost = self._passed = 0

    def verdict(self, passed: int, lost: int, least: float) -> bool | None:
        """A round has ended: did it help to step back? None while that is not known.

        The first round does not count: what it tells of was sent before.
        """
        self._rounds += 1
        if self._rounds < 2:
            return None
        if self.queue:
            return least <= DRAINED * self.queue
        self._passed += passed
        self._lost += lost
        expected = (self._passed + self._lost) / PACKET * self.share
        if expected < EXPECTED and self._rounds < ROUNDS:
            return None
        return expected >= EXPECTED / 2 and self._lost / PACKET < VANISHED * expected
