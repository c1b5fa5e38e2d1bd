"""News: a record that was stored is announced, pulled by those who lack it, and announced by them. docs/spec/sync.md.

Nothing is sent on before it was verified and stored, and a neighbour is not told what it is known to have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from math import floor

import attrs

from rhotwist.directory.allowance import Allowance
from rhotwist.directory.messages import ID, NEWS, PREFIX, News, NewsRecords, NewsWanted, filled, pack_pieces
from rhotwist.directory.record import Record
from rhotwist.directory.replica import Entry, Replica
from rhotwist.limits import Limits
from rhotwist.moment import Rng
from rhotwist.wire.schema import Schema

ALIKE = 16
"""Records that may begin alike and are looked at for one id."""
OFFERS = 8
"""Neighbours remembered who announced a record that is under way."""


def news_id(record: Record | Entry) -> bytes:
    """How a record is announced: 5 bytes of its address, 3 of its hash."""
    return record.address[:PREFIX] + record.hash[: ID - PREFIX]


@attrs.define
class _Wanted:
    """A record under way: who was asked last, when, and who else has it."""

    asked: bytes
    since: float
    others: deque[bytes]


class Flood:
    """What one node has told to whom and asks of whom. Mentions come out of ``outgoing``; times are mono seconds."""

    def __init__(self, limits: Limits, rng: Rng) -> None:
        self._limits = limits
        # Nodes that all told at the same instants would tell each other the same.
        self._phase = int.from_bytes(rng(4), "big") / 2**32 * limits.news_beat
        self._owed: dict[bytes, dict[bytes, None]] = {}  # by neighbour: ids to be announced
        self._under_way: dict[bytes, int] = {}  # by neighbour: how many of _wanted were asked of it
        self._has: dict[bytes, set[bytes]] = {}  # by id, the oldest first: neighbours that have it
        self._wanted: dict[bytes, _Wanted] = {}  # by id, the one asked first first
        self._served = Allowance(limits.news_rate, 60 * limits.news_rate, limits.record_peers, rng)
        self._beat: float | None = None
        self._out: list[tuple[bytes, Schema]] = []

    @property
    def neighbours(self) -> Sequence[bytes]:
        """Whom it tells."""
        return tuple(self._owed)

    def outgoing(self) -> list[tuple[bytes, Schema]]:
        """What to mention to whom; each call hands out what came up since the last."""
        out, self._out = self._out, []
        return out

    def deadline(self) -> float | None:
        """When ``tick`` wants to be called."""
        first = next(iter(self._wanted.values()), None)
        times = [] if self._beat is None else [self._beat]
        if first is not None:
            times.append(first.since + self._limits.news_patience)
        return min(times, default=None)

    def join(self, peer: bytes) -> None:
        """Tell it from now on; what is older it learns by comparing."""
        self._owed.setdefault(peer, {})
        self._under_way.setdefault(peer, 0)

    def leave(self, peer: bytes, mono: float) -> None:
        """Its session is over."""
        self._owed.pop(peer, None)
        for id in [id for id, wanted in self._wanted.items() if wanted.asked == peer]:
            self._next(id, mono)
        self._under_way.pop(peer, None)

    # --- what neighbours say

    def news(self, peer: bytes, ids: Sequence[bytes], replica: Replica, mono: float) -> None:
        """A neighbour has these."""
        if peer not in self._owed:
            return
        asks = []
        for id in ids:
            self._note(id, peer)
            wanted = self._wanted.get(id)
            if wanted is not None:
                # Each once: who repeats himself must not keep the others out.
                if peer != wanted.asked and peer not in wanted.others and len(wanted.others) < OFFERS:
                    wanted.others.append(peer)
            elif self._under_way[peer] < self._limits.news_wanted and not _holds(id, replica):
                self._want(id, _Wanted(peer, mono, deque()))
                asks.append(id)
        if asks:
            self._out.append((peer, NewsWanted(wants=pack_pieces(id[:PREFIX] for id in asks))))

    def wanted(self, peer: bytes, prefixes: Sequence[bytes], replica: Replica, mono: float) -> None:
        """A neighbour wants of us the records whose addresses begin so."""
        if peer not in self._owed or self._served.wait(peer, len(prefixes), mono):
            return
        self._served.take(peer, len(prefixes), mono)
        found: list[bytes] = []
        for prefix in prefixes:
            found += replica.records(prefix)
            for entry in _alike(prefix, replica):
                self._note(news_id(entry), peer)
        self._out += ((peer, NewsRecords(records=b"".join(run))) for run in filled(found, NEWS))

    def came(self, peer: bytes, records: Iterable[Record]) -> list[Record]:
        """Records came: those that were wanted, of whomever."""
        found = []
        for record in records:
            id = news_id(record)
            wanted = self._wanted.pop(id, None)
            if wanted is not None:
                self._release(wanted)
                self._note(id, peer)
                found.append(record)
        return found

    # --- what we say

    def stored(self, records: Iterable[Record], mono: float, known_to: Collection[bytes] = ()) -> None:
        """These were verified and stored, and are news from now on, but to those who have them for sure."""
        owing = [(peer, owed) for peer, owed in self._owed.items() if peer not in known_to]
        for record in records:
            id = news_id(record)
            wanted = self._wanted.pop(id, None)
            if wanted is not None:
                self._release(wanted)
            has = self._has.get(id, ())
            for peer, owed in owing:
                if peer not in has:
                    owed[id] = None
        if self._beat is None and any(self._owed.values()):
            beat = self._limits.news_beat
            self._beat = self._phase + (floor((mono - self._phase) / beat) + 1) * beat

    def tick(self, mono: float) -> None:
        """Tell what is owed, and ask others for what did not come."""
        if self._beat is not None and self._beat <= mono:
            self._beat = None
            for peer, owed in self._owed.items():
                ids = sorted(owed)
                owed.clear()
                step = NEWS // ID
                for at in range(0, len(ids), step):
                    self._out.append((peer, News(ids=b"".join(ids[at : at + step]))))
        while self._wanted:
            id, wanted = next(iter(self._wanted.items()))
            if wanted.since + self._limits.news_patience > mono:
                break
            self._next(id, mono)

    # --- accounts

    def _want(self, id: bytes, wanted: _Wanted) -> None:
        self._wanted[id] = wanted
        self._under_way[wanted.asked] += 1

    def _release(self, wanted: _Wanted) -> None:
        if wanted.asked in self._under_way:
            self._under_way[wanted.asked] -= 1

    def _next(self, id: bytes, mono: float) -> None:
        """Ask the next who announced it; if nobody else did, comparing will bring it."""
        wanted = self._wanted.pop(id)
        self._release(wanted)
        while wanted.others:
            peer = wanted.others.popleft()
            if peer in self._owed:
                self._want(id, _Wanted(peer, mono, wanted.others))
                self._out.append((peer, NewsWanted(wants=id[:PREFIX])))
                return

    def _note(self, id: bytes, peer: bytes) -> None:
        """A neighbour has it."""
        self._owed.get(peer, {}).pop(id, None)
        has = self._has.get(id)
        if has is None:
            if len(self._has) >= self._limits.news_recent:
                del self._has[next(iter(self._has))]
            has = self._has[id] = set()
        if len(has) > len(self._owed):
            has.intersection_update(self._owed)  # those who came, told of it and went
        has.add(peer)


def _alike(prefix: bytes, replica: Replica) -> Sequence[Entry]:
    """What we hold under addresses that begin so."""
    return replica.entries(8 * PREFIX, prefix.ljust(32, b"\0"), ALIKE)


def _holds(id: bytes, replica: Replica) -> bool:
    """Whether we hold what an id names."""
    return any(news_id(entry) == id for entry in _alike(id[:PREFIX], replica))
