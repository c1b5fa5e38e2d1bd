"""A group event as a Twisted program holds it: one Deferred for an array of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rhotwist.event.group import Group, indices

T = TypeVar("T")

#: Called with how many have fired, of how many.
GroupProgress = Callable[[int, int], object]


def together(members: Sequence[Deferred[T]], progress: GroupProgress | None = None) -> Deferred[list[T]]:
    """One Deferred for all: it fires once, with their results in order, or fails once, with the first failure.

    Then, or when it is cancelled, the members that are still under way are cancelled, and what becomes of them is
    nobody's any more. The members are the group's from here on: add no callbacks to them.
    """
    return _Gathering(list(members), progress).deferred


class _Gathering:
    """The members of one group and what they have come to."""

    def __init__(self, members: list[Deferred[Any]], progress: GroupProgress | None) -> None:
        self._members = members
        self._progress = progress
        self._group = Group(len(members))
        self._results: list[Any] = [None] * len(members)
        self.deferred: Deferred[list[Any]] = Deferred(self._cancel)
        if not members:
            self.deferred.callback([])
        for index, member in enumerate(members):
            member.addCallbacks(self._fired, self._lost, callbackArgs=(index,))

    def _fired(self, result: Any, index: int) -> None:
        if not self._group.fire(1 << index):
            return
        self._results[index] = result
        if self._progress is not None:
            try:
                self._progress(self._group.done, self._group.count)
            except Exception:
                self._lost(Failure())
                return
        if self._group.fired:
            self.deferred.callback(self._results)

    def _lost(self, failure: Failure) -> None:
        withdrawn = self._group.lose(failure.value or RuntimeError("a failure without its exception"))
        if withdrawn is not None:
            self._withdraw(withdrawn)
            self.deferred.errback(failure)

    def _cancel(self, deferred: Deferred[list[Any]]) -> None:
        # What the Deferred fails with is CancelledError, which Twisted adds by itself.
        withdrawn = self._group.lose(RuntimeError("cancelled"))
        if withdrawn is not None:
            self._withdraw(withdrawn)

    def _withdraw(self, bits: int) -> None:
        for index in indices(bits):
            if not self._members[index].called:
                self._members[index].cancel()
