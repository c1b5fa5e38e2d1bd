"""The way of records into the tree, a batch at a time, the cheap checks first.

``take`` reads them and looks at date, address, what is held already and what their sender has spent; what is left is a
list of checks for a worker, which ``judge`` does: 75 µs a record for its key and signature, 36 for its work. ``settle``
takes the verdicts and gives what to put into the tree and what to remove. In between any number of other batches may
come; nothing here waits.

What exceeds a budget waits for its time, in a bounded room. What finds no place there is refused and not lost: the
sender has it, and comparing the trees brings it as something asked for, which no budget counts. So all trees agree in
the end, however the records came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import attrs

from rhotwist.directory import validity
from rhotwist.directory.allowance import Allowance
from rhotwist.directory.checks import BAD_WORK, GOOD, REASONS, SIGNATURE_COST, WORK_COST, Check
from rhotwist.directory.endpoints import crowd_of, is_public
from rhotwist.directory.merge import Cap, beats
from rhotwist.directory.record import Record, read_layout
from rhotwist.directory.waiting import Origin, Source, Waiter, WaitingRoom
from rhotwist.errors import BadPacket, LocalError
from rhotwist.limits import Limits
from rhotwist.moment import Moment, Rng
from rhotwist.secret.crowd import Crowd

#: Waiting records that come due at once.
DUE_MOST = 1_000
#: Newcomers of one neighbourhood that count as one.
CROWD = 8
#: A wait of fewer seconds is none.
MOMENTARY = 0.5


class Standing(NamedTuple):
    """What the tree holds at an address: issued, SHA-256 of the body, and the nonce whose work was checked."""

    issued: int
    hash: bytes
    nonce: bytes


class Holdings(Protocol):
    """The tree as far as admission needs it: all that earlier calls of ``settle`` gave has been put and removed."""

    def standing(self, addresses: Sequence[bytes]) -> Sequence[Standing | None]:
        """What stands at each of these addresses."""

    def count(self) -> int:
        """How many addresses are in the tree, pinned ones aside."""

    def addresses(self) -> Iterable[bytes]:
        """Those addresses."""

    def pinned(self, address: bytes) -> bool:
        """Whether an address is a contact of this node's people, which no cap removes."""


class Entry(NamedTuple):
    """A record on its way. local: other nodes would refuse it, so it stays beside the tree."""

    record: Record
    source: Source
    local: bool


@attrs.frozen
class Batch:
    """What ``take`` made of some records: checks for the worker, in the order of entries, and what needs none.

    refused counts by reason; held records wait; duplicates were here already.
    """

    checks: tuple[Check, ...]
    entries: tuple[Entry, ...]
    verified: tuple[Entry, ...]
    refused: Counter[str]
    duplicates: int
    held: int


class Put(NamedTuple):
    """A record for the tree, or beside it if local."""

    address: bytes
    leaf: bytes
    record: Record
    local: bool


@attrs.frozen
class Settled:
    """What became of a batch: puts, the addresses that make room for them, and counts as in ``Batch``."""

    puts: tuple[Put, ...]
    removed: tuple[bytes, ...]
    refused: Counter[str]
    duplicates: int
    held: int


class Admission:
    """One node's gate for records. private: strangers may name private addresses, in a network of one's own."""

    def __init__(self, limits: Limits, rng: Rng, private: bool = False) -> None:
        self._limits = limits
        self._rng = rng
        self._private = private
        self._records = Allowance(limits.record_rate, limits.record_burst, limits.record_peers, rng)
        self._verifying = Allowance(limits.verify_rate, limits.verify_burst, limits.record_peers, rng)
        self._keys = Allowance(1 / limits.key_pause, limits.key_burst, limits.key_max, rng)
        self._room = WaitingRoom(limits.waiting_records, limits.waiting_share)
        self._cap = Cap(limits.directory_max)
        self._epoch = -1
        self._crowds: Crowd[bytes, int] = Crowd(limits.crowd_max, rng)

    @property
    def waiting(self) -> int:
        """Records that wait for their time."""
        return len(self._room)

    def deadline(self) -> float | None:
        """When ``due`` wants to be called, monotonic seconds; None for never."""
        return self._room.deadline()

    def forget(self) -> None:
        """Records left the tree, or were pinned or no longer, without having been told by ``settle``."""
        self._cap.forget()

    def take(self, encoded: Sequence[bytes], source: Source, holdings: Holdings, moment: Moment) -> Batch:
        """Look at records that came together; their keys, signatures and work are left to the checks. 20 µs each."""
        tally = _Tally()
        arrived = []
        once = dict.fromkeys(encoded)
        tally.duplicates = len(encoded) - len(once)
        for data in once:
            try:
                arrived.append(Waiter(read_layout(data), source, moment.mono, verified=False))
            except BadPacket as bad:
                tally.refused[bad.reason] += 1
        return self._sift(arrived, False, holdings, moment, tally)

    def due(self, holdings: Holdings, moment: Moment) -> Batch:
        """The records whose time has come, at most 1,000, to be judged and settled as any others."""
        waiters = self._room.due(moment.mono, DUE_MOST)
        batch = self._sift([waiter for waiter in waiters if not waiter.verified], True, holdings, moment, _Tally())
        verified = (Entry(waiter.record, waiter.source, False) for waiter in waiters if waiter.verified)
        return attrs.evolve(batch, verified=tuple(verified))

    def settle(self, batch: Batch, verdicts: bytes, holdings: Holdings, moment: Moment) -> Settled:
        """What comes of a batch, verdicts being what ``judge`` says of its checks. Raises LocalError for another number
        of them.
        """
        if len(verdicts) != len(batch.entries):
            raise LocalError(f"{len(verdicts)} verdicts for {len(batch.entries)} checks")
        self._begin(validity.epoch_of(moment.date))
        tally = _Tally()
        good = list(batch.verified)
        for entry, verdict in zip(batch.entries, verdicts, strict=True):
            if verdict == GOOD:
                good.append(entry)
            elif verdict == BAD_WORK and entry.source.origin is Origin.PASTED:
                good.append(entry._replace(local=True))
            else:
                tally.refused[REASONS[verdict]] += 1
        fresh = self._fresh(good, holdings, tally)
        best: dict[tuple[bytes, bool], Entry] = {}
        for entry, _ in fresh:
            record, place = entry.record, (entry.record.address, entry.local)
            other = best.get(place)
            if other is None or beats(record.issued, record.hash, (other.record.issued, other.record.hash)):
                best[place] = entry
        known = {entry.record.address for entry, held in fresh if held is not None}
        return self._put([entry for entry in best.values() if self._may(entry, moment, tally)], known, holdings, tally)

    # --- on the way in

    def _sift(self, arrived: list[Waiter], paid: bool, holdings: Holdings, moment: Moment, tally: _Tally) -> Batch:
        self._begin(validity.epoch_of(moment.date))
        entries = []
        for waiter in arrived:
            record, source, _, _ = waiter
            local = not (self._private or all(map(is_public, record.endpoints)))
            if local and source.origin is not Origin.PASTED:
                tally.refused["address"] += 1
            elif record.issued > moment.date + self._limits.record_ahead:
                tally.refused["future"] += 1
            else:
                entries.append(Entry(record, source, local))
        checks, going = [], []
        fill = holdings.count() / self._limits.directory_max
        for entry, held in self._fresh(entries, holdings, tally):
            check = _check(entry, held)
            wait = float(max(0, validity.early(entry.record.issued, moment.date)))
            booked = entry.source.origin is Origin.UNSOLICITED and not paid
            if booked:
                wait = max(wait, self._book(entry, check, moment.mono), self._newcomer(entry, held, fill))
            if wait <= 0:
                checks.append(check)
                going.append(entry)
            elif self._room.put(Waiter(entry.record, entry.source, moment.mono + wait, verified=False)):
                tally.held += 1
            else:
                tally.refused["full"] += 1
                if booked:
                    self._book(entry, check, moment.mono, -1)
        return Batch(tuple(checks), tuple(going), (), tally.refused, tally.duplicates, tally.held)

    def _begin(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._epoch = epoch
            self._crowds = Crowd(self._limits.crowd_max, self._rng)
            self._cap.forget()

    def _fresh(self, entries: list[Entry], holdings: Holdings, tally: _Tally) -> list[tuple[Entry, Standing | None]]:
        """Those that would change the tree, each with what it would replace."""
        found: list[tuple[Entry, Standing | None]] = []
        quarter = validity.quarter_of(self._epoch)
        standing = holdings.standing([entry.record.address for entry in entries])
        for entry, held in zip(entries, standing, strict=True):
            record = entry.record
            if not validity.stands(record.until, self._epoch):
                tally.refused["expired"] += 1
            elif held is None:
                if entry.local or holdings.pinned(record.address) or not self._cap.refuses(quarter, record.address):
                    found.append((entry, held))
                else:
                    tally.refused["cap"] += 1
            elif (record.issued, record.hash) == held[:2]:
                tally.duplicates += 1
            elif beats(record.issued, record.hash, held[:2]):
                found.append((entry, held))
            else:
                tally.refused["old"] += 1
        return found

    def _book(self, entry: Entry, check: Check, mono: float, times: int = 1) -> float:
        """Book a record with its sender's budgets, or take it back; seconds until it may be checked."""
        cost = SIGNATURE_COST + (WORK_COST if check.work else 0)
        sender = entry.source.sender
        wait = self._records.take(sender, times, mono)
        return max(wait, self._verifying.take(sender, times * cost, mono))

    def _newcomer(self, entry: Entry, held: Standing | None, fill: float) -> float:
        """Seconds that a key seen first waits: 0 in an empty tree and neighbourhood, more with both."""
        if held is not None:
            return 0.0
        beside = max((self._crowds.get(crowd) or 0 for crowd in _crowds_of(entry.record)), default=0)
        free = max(1 - fill, 1e-9)
        # Eight newcomers of a /24 go through as one does: a house may have as many nodes.
        wait = self._limits.newcomer_wait * ((1 + beside // CROWD) / free - 1)
        return min(wait, self._limits.newcomer_wait_most) if wait >= MOMENTARY else 0.0

    # --- on the way out

    def _may(self, entry: Entry, moment: Moment, tally: _Tally) -> bool:
        """Whether a good record's key may change its record now; if not, the newest waits."""
        record, source, _ = entry
        if source.origin is not Origin.UNSOLICITED or record.withdraws:
            return True
        wait = self._keys.wait(record.address, 1, moment.mono)
        if wait <= 0:
            self._keys.take(record.address, 1, moment.mono)
            return True
        if self._room.put(Waiter(record, source, moment.mono + wait, verified=True)):
            tally.held += 1
        else:
            tally.refused["full"] += 1
        return False

    def _put(self, entries: list[Entry], known: set[bytes], holdings: Holdings, tally: _Tally) -> Settled:
        shared = [entry.record for entry in entries if not entry.local]
        new = [record for record in shared if record.address not in known]
        for record in new:
            for crowd in _crowds_of(record):
                self._crowds.put(crowd, (self._crowds.get(crowd) or 0) + 1)
        added = [record.address for record in new if not holdings.pinned(record.address)]
        quarter = validity.quarter_of(self._epoch)
        removed = self._cap.settle(quarter, added, holdings.count(), holdings.addresses)
        gone = set(removed)
        puts = tuple(
            Put(entry.record.address, entry.record.leaf, entry.record, entry.local)
            for entry in entries
            if entry.local or entry.record.address not in gone
        )
        tally.refused["cap"] += len(entries) - len(puts)
        gone.difference_update(added)
        return Settled(puts, tuple(gone), +tally.refused, tally.duplicates, tally.held)


class _Tally:
    """Counts of one batch while it is being made."""

    __slots__ = ("duplicates", "held", "refused")

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.duplicates = 0
        self.held = 0


def _check(entry: Entry, held: Standing | None) -> Check:
    record = entry.record
    quarter = validity.quarter_of(validity.epoch_of(record.issued))
    # Done once for a key and quarter: the same nonce need not be looked at again.
    proven = (
        held is not None
        and held.nonce == record.nonce
        and validity.quarter_of(validity.epoch_of(held.issued)) == quarter
    )
    asked = None if proven else (quarter, record.address, record.nonce)
    return Check(record.key, record.signed, record.signature, record.parties()[1:], asked)


def _crowds_of(record: Record) -> set[bytes]:
    return {crowd for crowd in map(crowd_of, record.endpoints) if crowd is not None}
