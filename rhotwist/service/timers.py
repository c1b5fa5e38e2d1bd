"""Work that is done later, by name: one timer for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred


class Timers:
    """later gives a Deferred that fires after so many seconds, and may be cancelled."""

    def __init__(self, later: Callable[[float], Deferred[None]]) -> None:
        self._later = later
        self._timers: dict[str, Deferred[None]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._timers

    def __len__(self) -> int:
        return len(self._timers)

    def set(
        self, name: str, seconds: float, work: Callable[[], None], sooner: Deferred[Any] | None = None
    ) -> None:
        """Do work then, or once sooner has fired; the timer of that name, if there is one, is set anew."""
        old = self._timers.pop(name, None)
        if old is not None:
            old.cancel()

        def due(_: None) -> None:
            del self._timers[name]
            work()

        timer = self._timers[name] = self._later(seconds)
        timer.addCallbacks(due, lambda failure: failure.trap(CancelledError))

        def hasten(_: object) -> None:
            if self._timers.get(name) is timer:
                self.set(name, 0.0, work)

        if sooner is not None:
            sooner.addCallbacks(hasten, lambda failure: None)

    def stop(self) -> None:
        """Do nothing of it any more."""
        timers, self._timers = self._timers, {}
        for timer in timers.values():
            timer.cancel()
