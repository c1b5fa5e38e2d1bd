"""Whose turn it is among strangers without a cookie, while more of them come than get a Retry.

To read a Hello and answer it costs 30 µs and more: a flood of 20,000 a second would take most of a core, and overflow
the socket's buffer, from which the packets of open sessions are lost as well. So only a part of them is read, and
whoever carries a cookie, a token or a session's packet always is. Which part is not left to chance, nor to who comes
first in a burst: a keyed hash of address, port and hashcode gives each stranger one of ``PLACES`` places, and a window
moves over the places. An honest stranger repeats his Hello at most ``SLOT`` seconds later, so he is read when the
window comes to him, at the latest after one lap of ``SLOT / width`` seconds: 2.2 s under 20,000 Hellos a second. With
as many Retries by chance, six tries in 3 s leave one stranger in seven outside. A flooder cannot know whose turn it is.

The carriers (net/) do the sorting, in the kernel where it lets them: then the node does not even wake for the others.
Times are mono seconds. Spec page: docs/spec/cookies.md.
"""

from __future__ import annotations

from typing import NamedTuple

from rhotwist.moment import Rng

#: Places on the ring.
PLACES = 2**32
#: Bytes of the key of the places: six u32 for a carrier's hash.
KEY = 24
#: Seconds that the window stays where it is: 0.5 s and a fifth, the longest between two copies of a Hello.
SLOT = 0.6
#: Seconds that one key serves. Meanwhile a flooder who has addresses of his own could learn something about it.
KEY_LIFE = 60.0
#: The narrowest window, a 64th: good for 64 times the rate, with a lap of 38 s.
LEAST = PLACES // 64
#: After one slot the window is at most so many times as wide: a flood that only drew breath finds no open door.
GROWTH = 2.0
#: While all are read, a slot ends after so many seconds or later when half more Hellos came than are due by then. Later
#: no slot is cut short: those whose turn it is have all of it.
EARLY, EXCESS = 0.05, 1.5
#: What is aimed at after a slot that left a socket's buffer ``CROWDED``, as a part of what was before; after another
#: one; and the least, as a part of the whole aim. Open sessions go before newcomers, on a slow machine too.
CROWDED = 0.75
SLOWER, FASTER, SLOWEST = 0.5, 1.25, 1 / 16
#: A window that is wrong by less than this part is left as it is.
NEAR = 0.1


class Turn(NamedTuple):
    """Those are read whose place, less start, mod ``PLACES``, is below width. key is ``KEY`` bytes."""

    key: bytes
    start: int
    width: int


class Sieve:
    """Moves the window and sees to its width, so that about aim Hellos a second are read.

    turn is None while all are. Each time a slot ends, the carriers are told the turn and say how many datagrams they
    dropped meanwhile, so the width follows from what comes, not from what we had time to read; and how full their
    buffers are: there may be time for fewer.
    """

    __slots__ = ("_aim", "_aimed", "_begun", "_ended", "_keyed", "_moved", "_rng", "_seen", "turn")

    def __init__(self, aim: float, rng: Rng) -> None:
        self._aim = self._aimed = aim
        self._rng = rng
        self._begun = self._keyed = 0.0
        self._seen = 0
        self._moved = False
        #: What was read in the slot before, and its seconds, until ``told``.
        self._ended: tuple[int, float] | None = None
        self.turn: Turn | None = None

    def came(self, mono: float) -> None:
        """A Hello without a cookie was read while one is demanded."""
        self._seen += 1
        passed = mono - self._begun
        rush = self.turn is None and passed >= EARLY and self._seen > self._aim * EXCESS * passed
        if rush or passed >= SLOT:
            self._move(mono)

    def told(self, dropped: int, full: float, mono: float) -> None:
        """What the carriers dropped in the slot before, for whatever reason, and how full the fullest buffer is, from 0
        to 1. Sets the width by it."""
        if self._ended is None:
            return
        (seen, passed), self._ended = self._ended, None
        if self.turn is not None:
            aim = self._aim * (SLOWER if full > CROWDED else FASTER)
            self._aim = min(max(aim, self._aimed * SLOWEST), self._aimed)
        comes = (seen + dropped) / passed
        width = PLACES if comes <= self._aim else int(PLACES * self._aim / comes)
        if self.turn is not None:
            width = min(width, int(self.turn.width * GROWTH))
            if abs(width - self.turn.width) < NEAR * self.turn.width:
                return
        self._open(width, mono)

    def moved(self) -> bool:
        """Whether the carriers must be told; once for each time."""
        moved, self._moved = self._moved, False
        return moved

    def deadline(self) -> float | None:
        """When ``tick`` has something to do."""
        return None if self.turn is None else self._begun + SLOT

    def tick(self, mono: float, demanded: bool) -> None:
        """Move on if it is time; let everyone be read if no cookie is demanded any more."""
        if self.turn is not None and mono >= self._begun + SLOT:
            self._move(mono)
            if not demanded:
                self._ended = self.turn = None

    def _move(self, mono: float) -> None:
        """The slot is over: on to the places beside it."""
        self._ended = self._seen, mono - self._begun
        self._begun, self._seen, self._moved = mono, 0, True
        if self.turn is not None:
            key, start, width = self.turn
            if mono >= self._keyed + KEY_LIFE:
                self._keyed, key = mono, self._rng(KEY)
            self.turn = Turn(key, (start + width) % PLACES, width)

    def _open(self, width: int, mono: float) -> None:
        """Make the window that wide."""
        width = max(width, LEAST)
        if width >= PLACES:
            self._moved |= self.turn is not None
            self.turn = None
            return
        self._moved = True
        if self.turn is None:
            self._keyed = mono
            self.turn = Turn(self._rng(KEY), 0, width)
        else:
            self.turn = self.turn._replace(width=width)
