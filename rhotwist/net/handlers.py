"""Answering: a call of a peer to the user's handler, and what the handler made of it back to the peer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from rhotwist.errors import HandlerFailed, LocalError, NotSpoken, Refused
from rhotwist.link.messages import RefusalCode
from rhotwist.moment import Moment
from rhotwist.net.driver import Driver
from rhotwist.node import jobs
from rhotwist.wire.datagram import Path
from rhotwist.wire.schema import Schema

#: Handlers of messages that want no answer, running at once. Requests have their own bound in the core; of these nobody
#: waits for, so that only a bound keeps a peer from starting ever more. With large bodies they hold 64 MiB at most.
TOLD_AT_ONCE = 1_024

#: Called with what has come of a message so far: a ``jobs.Arriving``.
OnArriving = Callable[[jobs.Arriving], object]

B = TypeVar("B", bound=Schema, covariant=True)


class Call(Protocol, Generic[B]):
    """What a handler is called with: a peer's message and who says it. Nothing in it is unproven.

    A type for annotations, ``def greet(call: Call[Say]) -> Said``; the object itself is the node's.
    """

    @property
    def peer(self) -> bytes:
        """The 32-byte key that the session proved; ``node.peer(call.peer)`` asks it something in turn."""

    @property
    def source(self) -> bytes:
        """Who speaks: the peer itself, or the wallet behind it that it proved."""

    @property
    def destination(self) -> bytes:
        """Who is spoken to: this node, or a wallet of this process."""

    @property
    def body(self) -> B:
        """The message."""

    @property
    def hash(self) -> bytes:
        """The 32-byte name of the message object: the same for a repeat, another for anything else."""

    @property
    def path(self) -> Path:
        """Where it came from; may be somewhere else the next moment."""

    @property
    def wants_answer(self) -> bool:
        """False for what was only told: whatever the handler returns goes nowhere."""


class Answerer(Protocol):
    """What handlers need of the core."""

    def answer(self, call: jobs.Call, reply: Schema | Refused, moment: Moment) -> None:
        """Answer a call; once. Raises LocalError for what no packet holds."""


class Handlers:
    """The handlers of one node, by schema."""

    def __init__(self, core: Answerer, driver: Driver) -> None:
        self._core = core
        self._driver = driver
        self._handlers: dict[type[Schema], Callable[[Any], Any]] = {}
        self._running: dict[Deferred[Any], jobs.Call] = {}
        self._progress: dict[type[Schema], OnArriving] = {}
        self._told = 0
        driver.counters.setdefault("handler_failed", 0)
        driver.counters.setdefault("told_dropped", 0)
        driver.runners[jobs.Call] = self.run
        driver.runners[jobs.Arriving] = self.arriving

    def add(
        self, schema: type[Schema], handler: Callable[[Any], Any], progress: OnArriving | None = None
    ) -> None:
        """Calls with this schema go to handler, what is known before they are whole to progress. Raises LocalError if
        they go to another already."""
        if schema in self._handlers:
            raise LocalError(f"{schema.schema_name} has a handler already; one node answers a schema in one way")
        self._handlers[schema] = handler
        if progress is not None:
            self._progress[schema] = progress

    def run(self, call: jobs.Call) -> None:
        """Have a call answered, now or when its handler is done."""
        if self._told + _weight(call) > TOLD_AT_ONCE and not call.wants_answer:
            self._driver.counters["told_dropped"] += 1
            return
        handler = self._handlers.get(type(call.body))
        if handler is None:
            self._answer(call, NotSpoken(RefusalCode.NOT_SPOKEN))
            return
        try:
            result = handler(call)
        except Exception:
            self._failed(Failure(), call)
            return
        if isinstance(result, Schema):
            self._answer(call, result)
            return
        self._later(result, call)

    def arriving(self, job: jobs.Arriving) -> None:
        """Tell a handler how far a message for it has come."""
        progress = self._progress.get(job.schema)
        if progress is not None:
            progress(job)

    def close(self) -> None:
        """Cancel the handlers that still run; what they make of it goes nowhere."""
        for running in list(self._running):
            running.cancel()

    def _later(self, result: object, call: jobs.Call) -> None:
        if isinstance(result, Coroutine):
            result = Deferred.fromCoroutine(result)
        elif isinstance(result, Awaitable) and not isinstance(result, Deferred):
            result = Deferred.fromCoroutine(_await(result))
        if not isinstance(result, Deferred):
            self._answer(call, result)
            return
        # Before the callbacks: a Deferred that has its result already runs them at once.
        self._running[result] = call
        self._told += _weight(call)
        result.addBoth(self._done, result)

    def _done(self, outcome: object, running: Deferred[Any]) -> None:
        call = self._running.pop(running)
        self._told -= _weight(call)
        if self._driver.closed:
            return
        if isinstance(outcome, Failure):
            self._failed(outcome, call)
        else:
            self._answer(call, outcome)
        self._driver.settle()

    def _answer(self, call: jobs.Call, reply: object) -> None:
        """Send a reply; whatever is wrong with it is the handler's fault."""
        if not call.wants_answer:
            return
        try:
            expected = getattr(type(call.body), "reply", None)
            if expected is not None and not isinstance(reply, (expected, Refused)):
                returned = type(reply).__name__
                raise LocalError(f"{call.body.schema_name} was answered with a {returned}, not a {expected.__name__}")
            self._core.answer(call, reply, self._driver.now())  # type: ignore[arg-type]  # it was checked just now
        except LocalError:
            self._failed(Failure(), call)

    def _failed(self, failure: Failure, call: jobs.Call) -> None:
        refused = failure.value
        if not isinstance(refused, Refused):
            self._driver.counters["handler_failed"] += 1
            if not failure.check(CancelledError):
                self._driver.faults.failure(f"handling {call.body.schema_name}", failure)
            refused = HandlerFailed(RefusalCode.HANDLER_FAILED)
        if call.wants_answer:
            self._core.answer(call, refused, self._driver.now())


def _weight(call: jobs.Call) -> int:
    """What a message that was only told counts for: one, and one more for each 64 KiB of a big one."""
    return 0 if call.wants_answer else 1 + (call.size >> 16)


async def _await(result: Awaitable[Any]) -> Any:
    return await result
