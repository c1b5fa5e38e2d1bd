"""Virtual time: a heap of things to do, taken one by one in order; nothing ever sleeps.

The heap steps from event to event, so work done at 3.0 s sees 3.0 s on the clock, however far the run goes. Two events
of one time run in the order they were asked for, so a run depends on nothing but what was put in.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

#: What an event does; it is called with the argument that was given along.
Action = Callable[[Any], object]


class Clock:
    """Seconds of virtual time, from 0, and what is to be done when."""

    __slots__ = ("now", "events", "_heap", "_serial", "_stopped")

    def __init__(self) -> None:
        #: Virtual seconds since the start. Only the clock itself moves it.
        self.now = 0.0
        #: How many events have run; one measure of how much a test does.
        self.events = 0
        self._heap: list[tuple[float, int, Action, Any]] = []
        self._serial = count().__next__
        self._stopped = False

    def at(self, when: float, action: Action, argument: Any = None) -> None:
        """Call ``action(argument)`` at that virtual second, or at the present one if it has passed."""
        # The serial number decides between equal times and keeps actions, which have no order, from being compared.
        heappush(self._heap, (when if when > self.now else self.now, self._serial(), action, argument))

    def later(self, seconds: float, action: Action, argument: Any = None) -> None:
        """Call ``action(argument)`` so many seconds from now."""
        self.at(self.now + seconds, action, argument)

    def pending(self) -> int:
        """How many events wait."""
        return len(self._heap)

    def stop(self) -> None:
        """Let the run end after the present event, with the clock where it is."""
        self._stopped = True

    def run(self, end: float, until: Callable[[], object] | None = None) -> bool:
        """Run every event up to and at virtual second ``end`` and leave the clock there.

        True, and the clock stays where it is, if ``stop`` was called or ``until`` turned true after an event.
        """
        heap = self._heap
        pop = heappop
        ran = 0
        self._stopped = False
        try:
            while heap and heap[0][0] <= end:
                self.now, _, action, argument = pop(heap)
                ran += 1
                action(argument)
                if self._stopped or (until is not None and until()):
                    return True
        finally:
            self.events += ran
        if self.now < end:
            self.now = end
        return False
