"""Asking: an event of the core to the Deferred that its user holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from rhotwist.errors import Cancelled, SessionLost
from rhotwist.event.pending import Event
from rhotwist.moment import Moment
from rhotwist.net.driver import Driver
from rhotwist.node import jobs

#: Called with the bytes that have arrived and those there are.
OnProgress = Callable[[int, int], object]


class Withdrawn(Cancelled, CancelledError):
    """The caller cancelled the Deferred. Also what Twisted calls it, so that ``Deferred.addTimeout`` knows it."""


class Canceller(Protocol):
    """What requests need of the core."""

    def cancel(self, event: Event, moment: Moment) -> Any:
        """Forget an event."""


class _Reply(Deferred[Any]):
    """What a user holds, and the event it waits for."""

    event: Event


class Requests:
    """The Deferreds of the requests under way. Each fires exactly once: with the reply or with a RequestFailed."""

    def __init__(self, core: Canceller, driver: Driver) -> None:
        self._core = core
        self._driver = driver
        self._waiting: dict[Event, _Reply] = {}
        self._watching: dict[Event, OnProgress] = {}
        self._withdraw = self._cancel
        driver.runners[jobs.Fired] = self.fired
        driver.runners[jobs.Progress] = self.progressed

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, event: Event, progress: OnProgress | None = None) -> Deferred[Any]:
        """A Deferred for an event that was just fired. Cancelling it withdraws the request. progress is called as it
        gets further, if the core was asked to watch."""
        if progress is not None:
            self._watching[event] = progress
        reply = _Reply(self._withdraw)
        reply.event = event
        self._waiting[event] = reply
        return reply

    def fired(self, job: jobs.Fired) -> None:
        """Hand an outcome to whoever waits for it; nobody does after a cancel."""
        reply = self._waiting.pop(job.event, None)
        if self._watching:
            self._watching.pop(job.event, None)
        if reply is None:
            return
        if isinstance(job.outcome, Exception):
            reply.errback(Failure(job.outcome))
        else:
            reply.callback(job.outcome)

    def progressed(self, job: jobs.Progress) -> None:
        """Tell who watches an event how far it is."""
        watcher = self._watching.get(job.event)
        if watcher is not None:
            watcher(job.done, job.total)

    def _cancel(self, reply: Deferred[Any]) -> None:
        event: Event = reply.event  # type: ignore[attr-defined]  # Deferred does not say that it passes itself
        del self._waiting[event]
        self._watching.pop(event, None)
        self._core.cancel(event, self._driver.now())
        reply.errback(Failure(Withdrawn("the request was withdrawn")))
        self._driver.settle()

    def close(self) -> None:
        """Fail what the core has not failed by itself: the node is gone, so is every session."""
        waiting, self._waiting = self._waiting, {}
        for reply in waiting.values():
            reply.errback(Failure(SessionLost("the node was closed")))
