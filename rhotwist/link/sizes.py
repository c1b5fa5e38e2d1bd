"""Which size of object packet passes on one path: what was learnt, and when to ask for more (RFC 8899)."""

from __future__ import annotations

from rhotwist.limits import Limits
from rhotwist.wire.object_packet import CLASSES, OBJECT_OVERHEAD, START_CLASS

#: Probes of one size that may stay unanswered before it is let be.
TRIES = 2
#: Probes are one byte of so many that a path carries, at the most.
WORTH = 64


class PathSizes:
    """best is the size class to send new objects in; a probe asks for the next larger one.

    Each is asked for twice, then not again for ``Limits.object_probe_again``. A probe that is lost is no congestion.
    """

    __slots__ = ("_again", "_bad", "_due", "_limits", "_spent", "_tries", "asked", "best")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.best = START_CLASS
        #: The class of the probe under way, -1 for none.
        self.asked = -1
        self._tries = self._spent = 0
        self._due = 0.0
        self._bad = len(CLASSES)
        self._again = 0.0

    def wanted(self, mono: float, traffic: int) -> int | None:
        """The class to probe for now, None for none. traffic is how many bytes this path has carried, and is about to
        carry."""
        if mono < self._due:
            return None
        if self._tries >= TRIES:
            self.failed(self.asked, mono)
        if mono >= self._again:
            self._bad = len(CLASSES)
        wanted = self.best + 1
        if wanted >= self._bad or CLASSES[wanted] + OBJECT_OVERHEAD > self._limits.object_packet_max:
            return None
        return wanted if WORTH * (self._spent + CLASSES[wanted]) <= traffic else None

    def probing(self, size_class: int, mono: float, patience: float) -> None:
        """A probe goes out now; another may after patience seconds."""
        self._tries = self._tries + 1 if size_class == self.asked else 1
        self.asked = size_class
        self._spent += CLASSES[size_class]
        self._due = mono + patience

    def passed(self, size_class: int) -> None:
        """A packet of that class arrived."""
        if size_class > self.best:
            self.best = size_class
        if size_class >= self.asked:
            self.asked, self._tries, self._due = -1, 0, 0.0

    def failed(self, size_class: int, mono: float) -> None:
        """Packets of that class do not pass: nothing so large is tried for a while."""
        if size_class < 1:
            return  # no probe is under way, or none is smaller
        self._bad = size_class
        self._again = mono + self._limits.object_probe_again
        self.best = min(self.best, size_class - 1)
        self.asked, self._tries = -1, 0
