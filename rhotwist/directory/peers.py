"""Whom a node keeps sessions with, so that nobody can choose for it: neither by many keys nor by waiting.

Nodes come from records, which anybody can make; so a free place goes to a neighbourhood first, each as likely as
another, and to a node of it then. Whoever has answered once is remembered apart and makes room for a newcomer only when
it does not answer any more (test before evict; Heilman et al.: Eclipse Attacks on Bitcoin's Peer-to-Peer Network,
USENIX Security 2015).
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import attrs

from rhotwist.directory.endpoints import SIZES, Kind
from rhotwist.limits import Limits
from rhotwist.moment import Rng
from rhotwist.secret.crowd import Crowd

TRIED_CROWD, UNTRIED_CROWD = 8, 64
"""Nodes remembered of one neighbourhood that have answered once, and that have not."""
BAD = -8.0
"""A node with this score or less is not dialled and not kept."""
BEST = 8.0
HALF = 86_400.0
"""Seconds in which a score halves: blame is forgotten in days, and so is merit."""
LONGEST = 3_600.0
"""Seconds after which a node that did not answer is tried again at the latest."""
ALONE = 3
"""Others that must agree against one."""


def crowd_of(place: bytes) -> bytes:
    """The neighbourhood of an encoded endpoint: a /16, the /32 of an IPv6 address, an onion service."""
    if place[0] == Kind.ONION:
        return place[:-2]
    return (b"6" + place[1:5]) if SIZES[place[0]] > SIZES[Kind.UDP4] else b"4" + place[1:3]


@attrs.frozen
class Known:
    """What is kept of a node over restarts: where it is, its score at that date, when it last answered or was judged,
    whether it was one of the peers, how far its store was read, and how many of its records were taken here, and were
    false.
    """

    key: bytes
    place: bytes
    score: float = 0.0
    date: int = 0
    kept: bool = False
    store_id: bytes = bytes(8)
    cursor: int = 0
    good: int = 0
    bad: int = 0


@attrs.frozen
class Connect:
    """Open a session with that node, then ``opened`` or ``failed``. feel: to see it answer, and for one comparison."""

    key: bytes
    place: bytes
    feel: bool = False


class Use(enum.Enum):
    """What a session that was opened is for: to be kept, to be left after one comparison, to be left."""

    KEPT = 1
    ONCE = 2
    NONE = 3


@attrs.define
class _Node:
    place: bytes
    score: float = 0.0
    date: int = 0
    again: float = 0.0  # mono, before which it is not dialled
    pause: float = 0.0
    heard: float = 0.0  # mono, when it last answered
    good: int = 0
    bad: int = 0


class Peers:
    """One node's choice. Times are mono seconds, dates seconds since 2020."""

    def __init__(self, own: bytes, limits: Limits, rng: Rng) -> None:
        self._own = own
        self._limits = limits
        self._rng = rng
        self._tried: dict[bytes, _Node] = {}
        self._untried: Crowd[bytes, _Node] = Crowd(limits.peers_untried, rng)
        self._untried_of: dict[bytes, dict[bytes, None]] = {}  # by neighbourhood
        self._strangers: Crowd[bytes, _Node] = Crowd(limits.peers_untried, rng)
        self._pasted: dict[bytes, bytes] = {}
        self._first: list[bytes] = []  # those of the last run
        self._dialling: dict[bytes, bool] = {}  # whether only to feel
        self._out: dict[bytes, bytes] = {}  # places of the sessions that we opened
        self._in: dict[bytes, None] = {}
        self._once: set[bytes] = set()  # sessions for one comparison: no peers, and not to be dialled again meanwhile
        self._newcomers: dict[bytes, bytes] = {}  # an old node that is being tested -> who would take its place
        self._feel_at = 0.0
        #: Nodes that our own people named: they are taken however many visitors there are.
        self.named: frozenset[bytes] = frozenset()

    # --- what is known

    def load(self, kept: Iterable[Known]) -> None:
        """What the last run gave as ``kept``."""
        for known in kept:
            self._tried[known.key] = _Node(known.place, known.score, known.date, good=known.good, bad=known.bad)
            if known.kept and len(self._first) < self._limits.peers_kept:
                self._first.append(known.key)

    def kept(self) -> list[Known]:
        """What to keep for the next run, those who are peers now and have the best scores marked."""
        best = sorted((key for key in self._out if key in self._tried), key=lambda key: -self._tried[key].score)
        marked = set(best[: self._limits.peers_kept])
        return [
            Known(key, it.place, it.score, it.date, key in marked, good=it.good, bad=it.bad)
            for key, it in self._tried.items()
        ]

    def learn(self, key: bytes, place: bytes) -> None:
        """A record says that this node is there."""
        tried = self._tried.get(key)
        if tried is not None:
            tried.place = place
            return
        crowd = crowd_of(place)
        beside = self._untried_of.setdefault(crowd, {})
        if key == self._own or (key not in beside and len(beside) >= UNTRIED_CROWD):
            return
        # What it has earned stays, or whoever behaved badly would be as good as new by saying where it is once more.
        known = self._forget_untried(key) or self._strangers.pop(key) or _Node(place)
        gone = self._untried.put(key, _Node(place, known.score, known.date))
        self._untried_of.setdefault(crowd, {})[key] = None
        if gone is not None:
            self._unlist(*gone)

    def forget(self, key: bytes) -> None:
        """Its record was withdrawn or has expired. Blame stays, or it would be worth taking a record back."""
        known = self._forget_untried(key)
        if key not in self._out:
            known = self._tried.pop(key, None) or known
        if known is not None and known.score < 0:
            self._strangers.put(key, _Node(b"", known.score, known.date))

    def paste(self, key: bytes, place: bytes) -> None:
        """Our own people name this node: it has one place before all others."""
        self._pasted = {key: place}

    # --- what happens

    @property
    def out(self) -> tuple[bytes, ...]:
        """Those we keep sessions with of our own accord."""
        return tuple(self._out)

    def __contains__(self, key: bytes) -> bool:
        return key in self._out or key in self._in

    def opened(self, key: bytes, place: bytes, mono: float, date: int) -> Use:
        """A session is open; ``closed`` has to follow, also one for once. A place that we did not dial is a visit."""
        feel = self._dialling.pop(key, None)
        if key in self:
            return Use.KEPT
        if feel is None:
            full = len(self._in) >= self._limits.peers_in and key not in self.named
            if full or self.score(key, date) <= BAD:
                return Use.NONE
            self._in[key] = None
            return Use.KEPT
        self._answered(key, place, mono, date)
        if feel or len(self._out) >= self._limits.peers_out:
            self._once.add(key)
            return Use.ONCE
        self._out[key] = place
        return Use.KEPT

    def closed(self, key: bytes, mono: float) -> None:
        """The session is gone; the place is free."""
        self._in.pop(key, None)
        self._once.discard(key)
        if self._out.pop(key, None) is not None:
            self._rest(key, mono)

    def failed(self, key: bytes, mono: float, date: int) -> None:
        """It did not answer."""
        self._dialling.pop(key, None)
        self._rest(key, mono)
        newcomer = self._newcomers.pop(key, None)
        if newcomer is not None:
            self._tried.pop(key, None)  # tested, and gone: now the other has its place
            node = self._untried.get(newcomer)
            if node is not None:
                self._answered(newcomer, node.place, mono, date)

    def judge(self, key: bytes, points: float, date: int) -> bool:
        """Praise it or blame it; whether it may stay."""
        node = self._account(key)
        node.score = max(2 * BAD, min(BEST, _faded(node, date) + points))
        node.date = date
        return node.score > BAD

    def count(self, key: bytes, good: int = 0, bad: int = 0) -> None:
        """So many of its records were taken here, and so many were false."""
        node = self._account(key)
        node.good += good
        node.bad += bad

    def counts(self, key: bytes) -> tuple[int, int]:
        """How many of its records were taken here, and were false, as far as that is remembered."""
        node = self._node(key)
        return (0, 0) if node is None else (node.good, node.bad)

    def score(self, key: bytes, date: int) -> float:
        """What it has earned, faded since."""
        node = self._node(key)
        return 0.0 if node is None else _faded(node, date)

    # --- the choice

    def choose(self, mono: float, date: int) -> list[Connect]:
        """Whom to dial now: for each free place one, and now and then one to feel."""
        chosen = []
        going = sum(not feel for feel in self._dialling.values())
        free = self._limits.peers_out - len(self._out) - going
        while free > 0:
            key = self._pick(mono, date)
            if key is None:
                break
            chosen.append(self._dial(key, False))
            free -= 1
        chosen += (self._dial(oldest, True) for oldest in list(self._newcomers) if self._free(oldest, mono, date))
        if self._feel_at <= mono:
            self._feel_at = mono + self._limits.feel_every
            felt = self._random(self._everybody(), mono, date)
            if felt is not None:
                chosen.append(self._dial(felt, True))
        return chosen

    def _dial(self, key: bytes, feel: bool) -> Connect:
        self._dialling[key] = feel
        return Connect(key, self._place(key), feel)

    def _pick(self, mono: float, date: int) -> bytes | None:
        for key in (*self._pasted, *self._first):
            if self._free(key, mono, date):
                return key
        used = Counter(crowd_of(place) for place in self._out.values())
        used.update(crowd_of(place) for place in map(self._place, self._dialling) if place)
        tried = self._tried_of()
        # Half of the places go to nodes that have answered before, so that newcomers alone never fill them.
        groups = [tried, self._untried_of]
        if self._rng(1)[0] & 1:
            groups.reverse()
        # A second of one neighbourhood only while we know too few: who waits long enough would have two of each of his.
        going = sum(not feel for feel in self._dialling.values())
        few = len(self._out) + going < self._limits.peers_out // 2
        for most in range(self._limits.peers_crowd if few else 1):
            for crowds in groups:
                found = self._random(crowds, mono, date, {crowd for crowd, count in used.items() if count > most})
                if found is not None:
                    return found
        return None

    def _tried_of(self) -> dict[bytes, dict[bytes, None]]:
        crowds: dict[bytes, dict[bytes, None]] = {}
        for key, node in self._tried.items():
            crowds.setdefault(crowd_of(node.place), {})[key] = None
        return crowds

    def _everybody(self) -> dict[bytes, dict[bytes, None]]:
        crowds = self._tried_of()
        for crowd, keys in self._untried_of.items():
            crowds[crowd] = crowds.get(crowd, {}) | keys
        return crowds

    def _random(
        self, crowds: Mapping[bytes, Mapping[bytes, None]], mono: float, date: int, full: Collection[bytes] = ()
    ) -> bytes | None:
        """A node that may be dialled, of a random neighbourhood but the full ones."""
        names = list(crowds)
        while names:  # whoever is looked at first mostly may
            at = self._below(len(names))
            names[at], names[-1] = names[-1], names[at]
            crowd = names.pop()
            keys = [] if crowd in full else [key for key in crowds[crowd] if self._free(key, mono, date)]
            if keys:
                return keys[self._below(len(keys))]
        return None

    def _below(self, count: int) -> int:
        return int.from_bytes(self._rng(8), "big") % count

    def _free(self, key: bytes, mono: float, date: int) -> bool:
        if key in self or key in self._once or key in self._dialling or key == self._own:
            return False
        node = self._node(key)
        if not self._place(key):
            return False
        return node is None or (node.again <= mono and _faded(node, date) > BAD)

    # --- accounts

    def _place(self, key: bytes) -> bytes:
        """Where a node is said to be, b"" if nobody says it, as of a visitor whose record was withdrawn."""
        node = self._node(key)
        return (node.place if node is not None else b"") or self._pasted.get(key, b"")

    def _node(self, key: bytes) -> _Node | None:
        return self._tried.get(key) or self._untried.get(key) or self._strangers.get(key)

    def _account(self, key: bytes) -> _Node:
        node = self._node(key)
        if node is None:  # a visitor that no record names has a score as well, or it would come again at once
            node = _Node(b"")
            self._strangers.put(key, node)
        return node

    def _answered(self, key: bytes, place: bytes, mono: float, date: int) -> None:
        self._newcomers.pop(key, None)
        node = self._tried.get(key)
        if node is None:
            beside = [(it.heard, other) for other, it in self._tried.items() if crowd_of(it.place) == crowd_of(place)]
            if len(beside) >= TRIED_CROWD or len(self._tried) >= self._limits.peers_tried:
                oldest = min(beside, default=(0.0, b""))[1]
                if oldest and oldest not in self and oldest not in self._dialling:
                    self._newcomers[oldest] = key
                    self._tried[oldest].again = 0.0
                return
            node = self._tried[key] = self._untried.get(key) or self._strangers.pop(key) or _Node(place)
            self._forget_untried(key)
        node.place, node.pause, node.again, node.heard = place, 0.0, 0.0, mono
        node.score, node.date = _faded(node, date), date

    def shun(self, key: bytes, mono: float) -> None:
        """It is of no use: it is not dialled for an hour."""
        node = self._node(key)
        if node is not None:
            node.pause, node.again = LONGEST, mono + LONGEST

    def _rest(self, key: bytes, mono: float) -> None:
        node = self._node(key)
        if node is not None:
            node.pause = min(max(2 * node.pause, self._limits.peers_again), LONGEST)
            node.again = mono + node.pause

    def _forget_untried(self, key: bytes) -> _Node | None:
        node = self._untried.pop(key)
        if node is not None:
            self._unlist(key, node)
        return node

    def _unlist(self, key: bytes, node: _Node) -> None:
        crowd = crowd_of(node.place)
        self._untried_of[crowd].pop(key, None)
        if not self._untried_of[crowd]:
            del self._untried_of[crowd]


def _faded(node: _Node, date: int) -> float:
    return node.score * float(0.5 ** (max(0, date - node.date) / HALF))


def alone(views: Mapping[bytes, tuple[int, bytes]], key: bytes) -> bool:
    """Whether one peer's tree, by count and root, stands alone: three others have one root that is not its own, or all
    of three and more others have more records, by a hundredth. It may withhold, so it is compared with last.
    """
    if key not in views:
        return False
    count, root = views[key]
    others = [view for other, view in views.items() if other != key]
    roots = Counter(other for _, other in others)
    agreed = max(roots.values(), default=0) >= ALONE and roots[root] == 0
    short = len(others) >= ALONE and all(count < 0.99 * other for other, _ in others)
    return agreed or short
