"""What the directory's tests share: keys, records, a day, and the whole way of a batch."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence

from rhotwist.directory import validity
from rhotwist.directory.admission import Admission, Batch, Settled
from rhotwist.directory.checks import judge
from rhotwist.directory.endpoints import Endpoint, at_ip
from rhotwist.directory.record import LIFE_MOST, Record, make_record
from rhotwist.directory.waiting import Origin, Source
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.moment import EPOCH_2020, Moment
from rhotwist.testing.holdings import MemoryHoldings

#: Noon of a day in the middle of a quarter.
TODAY = 20 * validity.QUARTER + 40
NOON = TODAY * validity.DAY + validity.DAY // 2
NO_WORK = Limits(directory_work=0)
PEER = Source(Origin.UNSOLICITED, bytes(32))
ASKED = Source(Origin.ASKED, bytes(32))
PASTED = Source(Origin.PASTED)
SOMEWHERE = at_ip("udp", "8.8.8.8", 7460)


@functools.cache
def key(number: int) -> SeedKey:
    """The key of a number, always the same."""
    return SeedKey(hashlib.sha256(b"directory %d" % number).digest())


def place(number: int) -> Endpoint:
    """A public address of its own /24."""
    return at_ip("udp", f"{8 + number // 65_536 % 100}.{number // 256 % 256}.{number % 256}.1", 7460)


def record(number: int, issued: int = NOON, *places: Endpoint, life: int = LIFE_MOST) -> Record:
    """A record of a key, without work."""
    return make_record(key(number), issued, places or (place(number),), life)


def at(date: int, mono: float | None = None) -> Moment:
    """A moment of that date; the monotonic clock goes with it unless it is given."""
    return Moment(float(date - NOON) if mono is None else mono, EPOCH_2020 + date)


def chance(count: int) -> bytes:
    """Chance that has no say in these tests."""
    return bytes(count)


class Node:
    """An admission with the tree that it fills."""

    def __init__(self, limits: Limits = NO_WORK, private: bool = False) -> None:
        self.limits = limits
        self.admission = Admission(limits, chance, private)
        self.tree = MemoryHoldings()

    def take(self, records: Iterable[Record | bytes], source: Source = PEER, moment: Moment | None = None) -> Batch:
        """The first step."""
        encoded = [one.encode() if isinstance(one, Record) else one for one in records]
        return self.admission.take(encoded, source, self.tree, moment or at(NOON))

    def settle(self, batch: Batch, moment: Moment | None = None, verdicts: Sequence[int] | None = None) -> Settled:
        """The second step, with the verdicts that are due unless others are given."""
        due = judge(batch.checks, self.limits.directory_work) if verdicts is None else bytes(verdicts)
        settled = self.admission.settle(batch, due, self.tree, moment or at(NOON))
        self.tree.apply(settled)
        return settled

    def admit(
        self, records: Iterable[Record | bytes], source: Source = PEER, moment: Moment | None = None
    ) -> tuple[Batch, Settled]:
        """Both steps."""
        batch = self.take(records, source, moment)
        return batch, self.settle(batch, moment)

    def wait(self, moment: Moment) -> Settled:
        """What is due at a moment."""
        return self.settle(self.admission.due(self.tree, moment), moment)
