"""One place after another: whoever is said to be at several is asked at the next where a session fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred

from rhotwist.errors import NotProven, SessionLost, TimedOut, Unreachable
from rhotwist.net.peer import Peer

R = TypeVar("R")
PATIENCE = 3.0
"""Seconds, at most half of what is left, that a place has to prove its key before the next is tried: six Hellos."""
BRIEF = 0.2
"""Seconds that are not divided any more."""


class _Silent(Unreachable):
    """A place has not proven its key within ``PATIENCE``. Later it may."""


class Ways:
    """Somebody at several places, the best first. Where he answered he is asked again.

    find gives him at each of them, one at least: told True at once, told False before the first is tried again because
    the last has failed. stands says whether there is a session with a peer. later gives a Deferred for so many seconds
    from now, mono are seconds that never go back.
    """

    def __init__(
        self, find: Callable[[bool], Iterable[Peer]], stands: Callable[[Peer], bool], *,
        later: Callable[[float], Deferred[None]], mono: Callable[[], float],
    ) -> None:  # fmt: skip
        self._find = find
        self._stands = stands
        self._later = later
        self._mono = mono
        self._peers = tuple(find(True))
        self._at = 0
        self._round = False  # all have failed

    def ask(self, fire: Callable[[Peer, float], Deferred[R]], timeout: float) -> Deferred[R]:
        """Have fire ask a peer within so many seconds, and the next where no session comes or where he is not.

        Fails as fire does at the last place, or as where somebody said that he is not there. A session that is lost
        under way fails it at once, because what was asked may have been done: whoever asks again asks at the next.
        """
        return Deferred.fromCoroutine(self._ask(fire, self._mono() + timeout))

    async def _ask(self, fire: Callable[[Peer, float], Deferred[R]], until: float) -> R:
        failed = 0
        told: NotProven | None = None
        while True:
            if self._round:
                self._round, self._peers = False, tuple(self._find(False))
            peer = self._peers[self._at]
            try:
                return await self._one(fire, peer, max(0.001, until - self._mono()))
            except SessionLost:
                self._next(peer)
                raise
            except _Silent:
                self._next(peer)
            except (Unreachable, TimedOut, NotProven) as error:
                failed += 1
                told = error if isinstance(error, NotProven) else told
                self._next(peer)
                if failed >= len(self._peers) or self._mono() >= until:
                    raise told or error from None

    async def _one(self, fire: Callable[[Peer, float], Deferred[R]], peer: Peer, left: float) -> R:
        """Ask one; give it up where others are left and no session comes."""
        asking = fire(peer, left)
        if len(self._peers) == 1 or left <= BRIEF or self._stands(peer):
            return await asking
        silent = False

        def look(_: None) -> None:
            nonlocal silent
            if not self._stands(peer):
                silent = True
                asking.cancel()

        timer = self._later(min(PATIENCE, left / 2))
        timer.addCallbacks(look, lambda failure: failure.trap(CancelledError))
        try:
            return await asking
        except CancelledError:
            if silent:
                raise _Silent from None
            raise
        finally:
            timer.cancel()

    def _next(self, peer: Peer) -> None:
        """Whoever asked this one has failed; of several only the first moves on."""
        if peer is self._peers[self._at]:
            self._at = (self._at + 1) % len(self._peers)
            self._round = not self._at
