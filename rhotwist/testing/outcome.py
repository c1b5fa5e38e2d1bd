"""What becomes of something asked for in virtual time, without Deferreds; and coroutines that wait for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class NotSettled(AssertionError):
    """The virtual time given for it was over before an outcome came."""


class SettledTwice(AssertionError):
    """One request got a second outcome. Whatever caused it has a bug: every request has exactly one."""


class Crashed(Exception):
    """The host on which the request was made crashed, so nobody is left who waits for an outcome."""


class Outcome(Generic[T]):
    """Holds what became of one request: nothing yet, a reply, or a failure. May be awaited in a coroutine.

    ``reply`` and ``failure`` are None until settled; one of them may then be looked at. Times are virtual seconds.
    """

    __slots__ = ("what", "asked", "settled_at", "reply", "failure", "progress", "_watchers")

    def __init__(self, what: str, asked: float) -> None:
        #: What was asked for, in words, for error texts.
        self.what = what
        #: When it was asked for.
        self.asked = asked
        #: When the outcome came; None as long as there is none.
        self.settled_at: float | None = None
        #: The reply, where there was one.
        self.reply: T | None = None
        #: The exception, where it failed.
        self.failure: BaseException | None = None
        #: What was reported on the way, in order.
        self.progress: list[object] = []
        self._watchers: list[Callable[[Outcome[T]], object]] = []

    @property
    def settled(self) -> bool:
        """Whether the outcome is known."""
        return self.settled_at is not None

    @property
    def took(self) -> float:
        """Virtual seconds from asking to the outcome. Raises NotSettled."""
        if self.settled_at is None:
            raise NotSettled(f"{self.what}: no outcome yet")
        return self.settled_at - self.asked

    def result(self) -> T:
        """The reply. Raises the failure if it failed, NotSettled if there is no outcome yet."""
        if self.settled_at is None:
            raise NotSettled(f"{self.what}: no outcome yet")
        if self.failure is not None:
            raise self.failure
        return self.reply  # type: ignore[return-value]  # settled without failure: it is a T, which may be None

    def settle(self, now: float, result: T | BaseException) -> None:
        """Record the outcome, an exception being a failure. Raises SettledTwice."""
        if self.settled_at is not None:
            raise SettledTwice(f"{self.what}: {self._told()} at {self.settled_at} s, then {result!r} at {now} s")
        self.settled_at = now
        if isinstance(result, BaseException):
            self.failure = result
        else:
            self.reply = result
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher(self)

    def watch(self, watcher: Callable[[Outcome[T]], object]) -> None:
        """Call ``watcher(outcome)`` when it is settled, at once if it is."""
        if self.settled_at is None:
            self._watchers.append(watcher)
        else:
            watcher(self)

    def __await__(self) -> Generator[Outcome[T], None, T]:
        if self.settled_at is None:
            yield self
        return self.result()

    def __repr__(self) -> str:
        return f"<{self.what}: {self._told()}>"

    def _told(self) -> str:
        if self.settled_at is None:
            return "no outcome yet"
        return f"reply {self.reply!r}" if self.failure is None else f"failed with {self.failure!r}"


def drive(coroutine: Coroutine[Any, Any, Any], done: Callable[[Any], object]) -> None:
    """Run a coroutine that awaits Outcomes or Deferreds; ``done`` gets what it returns or the exception it raises."""

    def step(move: Callable[[Any], Any], argument: object) -> None:
        try:
            waited = move(argument)
        except StopIteration as stop:
            done(stop.value)
        except Exception as error:
            done(error)
        else:
            if isinstance(waited, Outcome):
                waited.watch(lambda _: step(coroutine.send, None))
            else:
                # A Deferred, known by its methods so that nothing here needs Twisted. It looks up its own result when
                # the coroutine goes on; its failure is thrown in, for it cannot be looked up while it is being told.
                waited.addCallbacks(
                    lambda _: step(coroutine.send, None), lambda failure: step(coroutine.throw, failure.value)
                )

    step(coroutine.send, None)


def whenever(result: object, done: Callable[[Any], object]) -> None:
    """Hand on what a handler gave back: a value at once; an Outcome, a Deferred or a coroutine when it has come."""
    if isinstance(result, Outcome):
        result.watch(lambda outcome: done(outcome.reply if outcome.failure is None else outcome.failure))
    elif isinstance(result, Coroutine):
        drive(result, done)
    elif hasattr(result, "addCallbacks"):
        result.addCallbacks(done, lambda failure: done(failure.value))
    else:
        done(result)
