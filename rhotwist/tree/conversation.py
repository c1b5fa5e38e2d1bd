"""What two wallets said: the same root for every reader, in whatever order it came. Page: docs/spec/conversation.md.

Each of the two keeps a log of his own records, numbered from 0; a conversation is both logs. A record's address is u64:
bit 63 is its author's, 0 for the lower key, the rest its number. The root over those addresses, the Patricia tree's, is

    both have spoken:  node(root of the lower key's log, root of the higher's)        RFC 6962 roots
    one has:           the root of that log
    nobody has:        32 zero bytes

Here a record is an ``Entry``: what it says about the conversation. Who made and signed it was checked before.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from rhotwist.errors import LocalError
from rhotwist.tree import merkle
from rhotwist.tree.hashes import EMPTY
from rhotwist.tree.log import Log
from rhotwist.tree.merkle import node_hash

HIGHER = 1 << 63
"""The author bit of an address."""
WAITING_MOST = 1_024
"""Records of one author that are held until those before them come; 300 kB."""


@attrs.frozen
class Entry:
    """A record: address, hash, how many of the other's its author had seen, their root, and the date by his clock."""

    address: int
    leaf: bytes
    seen: int
    seen_root: bytes
    date: int

    @property
    def author(self) -> int:
        """0 for the lower key, 1 for the higher."""
        return self.address >> 63

    @property
    def index(self) -> int:
        """Its number among the author's."""
        return self.address & (HIGHER - 1)


@attrs.frozen
class Fork:
    """Two records at one address. Both with their signatures prove to anybody that their author says two things."""

    kept: Entry
    other: Entry


@attrs.frozen
class Gap:
    """An author's records from first up to end, without it."""

    author: int
    first: int
    end: int


@attrs.frozen
class Put:
    """What came of a record.

    joined stand in the conversation now, the record itself and those that waited for it; fork is what it proves about
    its author; dropped are records no longer held, perhaps the record itself. Of a known record nothing comes.
    """

    joined: tuple[Entry, ...] = ()
    fork: Fork | None = None
    dropped: tuple[Entry, ...] = ()


class _Side:
    """One author's records. Those that wait and the forks have addresses as keys, 8 bytes."""

    def __init__(self, author: int) -> None:
        self.author = author
        self.log = Log()
        self.entries: list[Entry] = []
        self.waiting: dict[bytes, Entry] = {}
        self.others: dict[bytes, Entry] = {}

    def join(self) -> Iterator[Entry]:
        """Move what waits for nothing any more into the log."""
        while entry := self.waiting.pop(_key(len(self.entries) | self.author << 63), None):
            self.entries.append(entry)
            self.log.append(entry.leaf)
            yield entry


class Conversation:
    """The records of two wallets; once all have come it is in one state, whatever order they came in.

    Of two records at one address the one with the smaller hash stands; of the others the smallest is kept as proof. So
    a fork changes a root, and stops nothing.
    """

    def __init__(self, waiting_most: int = WAITING_MOST) -> None:
        self._sides = (_Side(0), _Side(1))
        self._waiting_most = waiting_most

    # --- records come

    def put(self, entry: Entry) -> Put:
        """Take a record in; one that comes before its predecessors waits. Raises LocalError for no address."""
        if not 0 <= entry.address < 2 * HIGHER:
            raise LocalError(f"{entry.address} is not within u64")
        side, key = self._sides[entry.author], _key(entry.address)
        known = entry.index < len(side.entries)
        held = side.entries[entry.index] if known else side.waiting.get(key)
        if held is not None:
            return self._again(side, key, held, entry)
        side.waiting[key] = entry
        if entry.index == len(side.entries):
            return Put(joined=tuple(side.join()))
        if len(side.waiting) <= self._waiting_most:
            return Put()
        # The farthest can be asked for again; it would have waited longest.
        farthest = max(side.waiting)
        other = side.others.pop(farthest, None)
        return Put(dropped=(side.waiting.pop(farthest), *([other] if other else [])))

    def _again(self, side: _Side, key: bytes, held: Entry, entry: Entry) -> Put:
        """A record for an address that has one."""
        other = side.others.get(key)
        if entry.leaf == held.leaf or other is not None and entry.leaf == other.leaf:
            return Put()
        rivals = [held, entry] if other is None else [held, other, entry]
        first, second, *rest = sorted(rivals, key=lambda rival: rival.leaf)
        side.others[key] = second
        joined: tuple[Entry, ...] = ()
        if first is entry:
            if entry.index < len(side.entries):
                side.entries[entry.index] = entry
                side.log.replace(entry.index, entry.leaf)
                joined = (entry,)
            else:
                side.waiting[key] = entry
        return Put(joined, None if rest == [entry] else Fork(first, second), tuple(rest))

    # --- what they are

    @property
    def sizes(self) -> tuple[int, int]:
        """How many records of either author there are without a gap, the lower key's first."""
        return len(self._sides[0].entries), len(self._sides[1].entries)

    @property
    def root(self) -> bytes:
        """The root of the conversation."""
        return root_of(*(self.root_at(author, count) for author, count in enumerate(self.sizes)))

    def root_at(self, author: int, count: int) -> bytes:
        """The root over an author's first records, zeros if that is none. Raises LocalError for more than there are."""
        root = self._sides[author].log.root(count)
        return root if count else EMPTY

    def view(self, author: int) -> tuple[int, bytes]:
        """What an author puts into his next record, as seen of the other: size and root."""
        count = self.sizes[1 - author]
        return count, self.root_at(1 - author, count)

    def agrees(self, entry: Entry) -> bool | None:
        """Whether what a record says it has seen is what stands here; None as long as less stands here.

        Where it is not, one of the two has rewritten what he said, or the other's records came with a fork.
        """
        if entry.seen > self.sizes[1 - entry.author]:
            return None
        return entry.seen_root == self.root_at(1 - entry.author, entry.seen)

    @property
    def forks(self) -> tuple[Fork, ...]:
        """Every proof held that an author said two things, in order of address."""
        found = []
        for side in self._sides:
            for key in sorted(side.others):
                index = int.from_bytes(key, "big") & (HIGHER - 1)
                kept = side.entries[index] if index < len(side.entries) else side.waiting[key]
                found.append(Fork(kept, side.others[key]))
        return tuple(found)

    def missing(self, sizes: tuple[int, int]) -> list[Gap]:
        """What another reader of these sizes has and we do not: what to ask for."""
        found = []
        for author, (side, theirs) in enumerate(zip(self._sides, sizes, strict=True)):
            at = len(side.entries)
            for index in [*sorted(entry.index for entry in side.waiting.values() if entry.index < theirs), theirs]:
                if at < index:
                    found.append(Gap(author, at, index))
                at = index + 1
        return found

    def consistency(self, author: int, first: int, count: int) -> tuple[bytes, ...]:
        """The proof for ``merkle.consistent`` that an author's log only grew from first to count. Raises LocalError."""
        return self._sides[author].log.consistency(first, count)

    def inclusion(self, address: int) -> tuple[bytes, ...]:
        """The proof for ``merkle.included`` that a record stands on its author's side. Raises LocalError for none."""
        entries = self._sides[address >> 63].entries
        return merkle.inclusion([entry.leaf for entry in entries], address & (HIGHER - 1))

    def at(self, address: int) -> list[Entry]:
        """All that is held at an address that is no gap: the record that stands there, and its rival if it has one."""
        side, key = self._sides[address >> 63], _key(address)
        return [side.entries[address & (HIGHER - 1)], *([side.others[key]] if key in side.others else [])]

    @property
    def waiting(self) -> int:
        """How many records stand behind a gap."""
        return sum(len(side.waiting) for side in self._sides)

    def entry(self, address: int) -> Entry | None:
        """The record that stands at an address."""
        side = self._sides[address >> 63]
        index = address & (HIGHER - 1)
        return side.entries[index] if index < len(side.entries) else None

    def order(self) -> Iterator[Entry]:
        """The records as one reads them: what its author had seen comes before it; then dates decide, then authors.

        Where each says to have seen the other's next one, which cannot be, dates decide as well.
        """
        low, high = (side.entries for side in self._sides)
        at, beside = 0, 0
        while at < len(low) and beside < len(high):
            one, other = low[at], high[beside]
            free, other_free = one.seen <= beside, other.seen <= at
            if free > other_free or free == other_free and one.date <= other.date:
                yield one
                at += 1
            else:
                yield other
                beside += 1
        yield from low[at:]
        yield from high[beside:]


def root_of(lower: bytes, higher: bytes) -> bytes:
    """The root of a conversation from those of its sides, EMPTY for a side without records."""
    if lower == EMPTY or higher == EMPTY:
        return higher if lower == EMPTY else lower
    return node_hash(lower, higher)


def _key(address: int) -> bytes:
    return address.to_bytes(8, "big")
