"""Twisted's timers on the virtual clock, for handlers that use ``deferLater``, ``addTimeout`` and the like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rhotwist.errors import LocalError
from rhotwist.testing.clock import Clock


class Timer:
    """What ``callLater`` gives: the methods of Twisted's IDelayedCall."""

    __slots__ = ("_call", "_clock", "_due", "_failed")

    def __init__(
        self, clock: Clock, due: float, call: Callable[[], object], failed: Callable[[BaseException], object]
    ) -> None:
        self._clock = clock
        self._call: Callable[[], object] | None = call
        self._failed = failed
        self._due = due
        clock.at(due, self._fire, due)

    def active(self) -> bool:
        """Whether it has neither fired nor been cancelled."""
        return self._call is not None

    def getTime(self) -> float:  # noqa: N802  # Twisted's name
        """The virtual second at which it fires."""
        return self._due

    def cancel(self) -> None:
        """Never fire. Raises LocalError if it has fired or been cancelled."""
        self._live()
        self._call = None

    def reset(self, seconds: float) -> None:
        """Fire so many seconds from now instead. Raises LocalError as ``cancel``."""
        self._live()
        self._due = self._clock.now + seconds
        self._clock.at(self._due, self._fire, self._due)

    def delay(self, seconds: float) -> None:
        """Fire so many seconds later than it would. Raises LocalError as ``cancel``."""
        self.reset(self._due + seconds - self._clock.now)

    def _live(self) -> None:
        if self._call is None:
            raise LocalError("this timer has fired or been cancelled")

    def _fire(self, due: float) -> None:
        call = self._call
        if call is None or due != self._due:
            return  # cancelled, or put off since
        self._call = None
        try:
            call()
        except Exception as error:  # as a reactor does: a timer's error stops no other
            self._failed(error)


class Timers:
    """A reactor as far as time goes: ``seconds`` and ``callLater`` (Twisted's IReactorTime), in virtual time.

    What a call raises goes to ``failed`` and stops nothing else, as with a reactor.
    """

    def __init__(self, clock: Clock, failed: Callable[[BaseException], object]) -> None:
        self._clock = clock
        self._failed = failed

    def seconds(self) -> float:
        """The virtual second it is."""
        return self._clock.now

    def callLater(  # noqa: N802  # Twisted's name
        self, delay: float, call: Callable[..., object], *args: Any, **kw: Any
    ) -> Timer:
        """Call ``call(*args, **kw)`` so many seconds from now. Raises LocalError for a delay below 0."""
        if not delay >= 0:
            raise LocalError(f"a delay of {delay} s is below 0")
        return Timer(self._clock, self._clock.now + delay, lambda: call(*args, **kw), self._failed)
