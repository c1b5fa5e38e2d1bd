"""The one place that asks the machine what time it is, and what is done about reactors that follow the wall clock.

Twisted counts its delays on ``time.time`` (Twisted issue 2424). Set forward, the wall clock makes every delayed call
due at once; set back by a year, it stalls them for a year. Two cures, by who owns the process:

- Our own programs call ``make_monotonic`` before anything is scheduled, and the matter is closed.
- A library must not swap the clock of somebody else's running program: what was scheduled by the old one would go
  wrong. There a delayed call that comes too soon does no harm, because the node reads the monotonic clock and simply
  waits again; and one that would come too late is found by ``JumpWatch``: a thread that compares the two clocks once a
  second and has the reactor arm our call anew when they moved apart. A thread, because a reactor asleep for a year is
  woken only from outside; not ``os.timerfd``, which would do the same, because that is of Linux and Python 3.13.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from rhotwist.errors import LocalError
from rhotwist.moment import Moment

#: Seconds between two looks at the clocks, which is also how long a timer may be late after a jump.
WATCH = 1.0
#: Seconds by which the clocks may drift apart between two looks: slewing by NTP is a thousandth of this.
DRIFT = 0.1

_monotonic = time.monotonic
_new = tuple.__new__
_wall = time.time  # noqa: TID251 - here it is read, so that nothing else needs to


def now() -> Moment:
    """Both clocks of this machine, read at this moment."""
    return _new(Moment, (_monotonic(), _wall()))


def make_monotonic(reactor: Any) -> None:
    """Count the reactor's delays on the monotonic clock. For programs that own their process, as the first thing.

    Raises LocalError if something is scheduled already.
    """
    if reactor.seconds is _monotonic:
        return
    if reactor.getDelayedCalls():
        raise LocalError("make_monotonic comes before anything is scheduled on the reactor")
    reactor.seconds = _monotonic


def follows_wall(reactor: Any) -> bool:
    """True if the reactor's seconds are those of the wall clock, so that its delays jump with it."""
    seconds = getattr(reactor, "seconds", None)
    if seconds is None or not hasattr(reactor, "callFromThread"):
        return False
    return bool(abs(seconds() - _wall()) < 1.0)


class JumpWatch:
    """Tells subscribers, in the reactor's thread, that the reactor's clock was moved. One thread for each reactor."""

    _all: ClassVar[dict[int, JumpWatch]] = {}

    def __init__(self, reactor: Any, watch: float = WATCH) -> None:
        self._reactor = reactor
        self._watch = watch
        self._subscribers: list[Callable[[], None]] = []
        self._stop: threading.Event | None = None

    @classmethod
    def of(cls, reactor: Any) -> JumpWatch:
        """The watch of this reactor."""
        watch = cls._all.get(id(reactor))
        if watch is None:
            watch = cls._all[id(reactor)] = cls(reactor)
        return watch

    def subscribe(self, moved: Callable[[], None]) -> None:
        """Call moved in the reactor's thread after each jump, until it is unsubscribed. The first starts the thread."""
        self._subscribers.append(moved)
        if self._stop is None:
            self._stop = threading.Event()
            thread = threading.Thread(target=self._run, args=(self._stop,), name="rhotwist clock watch", daemon=True)
            thread.start()

    def unsubscribe(self, moved: Callable[[], None]) -> None:
        """Forget moved. The last one stops the thread."""
        if moved in self._subscribers:
            self._subscribers.remove(moved)
        if not self._subscribers and self._stop is not None:
            self._stop.set()
            self._stop = None
            self._all.pop(id(self._reactor), None)

    def _apart(self) -> float:
        return float(self._reactor.seconds()) - _monotonic()

    def _run(self, stop: threading.Event) -> None:
        apart = self._apart()
        # Event.wait counts on the monotonic clock, so this loop does not sleep for a year itself.
        while not stop.wait(self._watch):
            was, apart = apart, self._apart()
            if abs(apart - was) > DRIFT:
                self._reactor.callFromThread(self._moved)

    def _moved(self) -> None:
        for moved in list(self._subscribers):
            moved()
