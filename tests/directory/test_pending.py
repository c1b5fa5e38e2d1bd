"""What is settled and not written yet counts as if it were."""

from __future__ import annotations

from collections import Counter
from random import Random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.admission import Admission, Put, Settled
from rhotwist.directory.checks import judge
from rhotwist.directory.pending import Pending
from rhotwist.directory.record import Record
from rhotwist.testing.holdings import MemoryHoldings
from tests.directory.support import ASKED, NO_WORK, NOON, at, record


def settled(*puts: Put, removed: tuple[bytes, ...] = ()) -> Settled:
    """What a batch came to."""
    return Settled(puts, removed, Counter(), 0, 0)


def put(one: Record, local: bool = False) -> Put:
    """A record that was admitted."""
    return Put(one.address, one.leaf, one, local)


class PendingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.under = MemoryHoldings()
        self.old = [record(number) for number in range(4)]
        self.under.apply(settled(*map(put, self.old)))
        self.pending = Pending(self.under)

    def test_it_looks_as_the_tree_will_once_it_is_written(self) -> None:
        newer, new = record(0, NOON + 60), record(9)
        batches = [
            settled(put(newer), put(new)), settled(removed=(self.old[1].address, new.address)),
            settled(put(self.old[1])), settled(put(record(10)), removed=(self.old[2].address,)),
        ]  # fmt: skip
        there = MemoryHoldings()
        there.records.update(self.under.records)
        everyone = [one.address for one in (*self.old, new, record(10), record(11))]
        for batch in batches:
            self.pending.add(batch)
            there.apply(batch)
            self.assertEqual(there.standing(everyone), self.pending.standing(everyone))
            self.assertEqual(there.count(), self.pending.count())
            self.assertEqual(set(there.addresses()), set(self.pending.addresses()))
        self.assertEqual({self.old[2].address}, set(self.pending.removed))
        self.assertEqual({newer, self.old[1], record(10)}, {one.record for one in self.pending.puts})
        self.assertEqual([True, True, False], [self.pending.newer(one) for one in self.pending.puts])
        self.assertEqual(4, self.under.count())

    def test_pinned_addresses_count_no_more_than_they_do_in_the_tree(self) -> None:
        new = record(9)
        self.under.pins |= {self.old[0].address, new.address}
        self.pending.add(settled(put(new), put(record(0, NOON + 60))))
        self.assertEqual((3, 3), (self.under.count(), self.pending.count()))
        self.assertEqual({one.address for one in self.old[1:]}, set(self.pending.addresses()))
        self.assertTrue(self.pending.pinned(new.address))

    def test_a_record_beside_the_tree_counts_not_and_of_two_the_better_stays(self) -> None:
        better = record(9, NOON + 60)
        for order in ((record(9), better), (better, record(9))):
            pending = Pending(self.under)
            for one in order:
                pending.add(settled(put(one, local=True)))
            self.assertEqual((4, [None]), (pending.count(), pending.standing([better.address])))
            self.assertEqual([put(better, local=True)], list(pending.puts))

    def test_slices_come_to_the_tree_that_one_batch_comes_to(self) -> None:
        """With a cap, several records of one key, and any cut into slices."""
        limits = attrs.evolve(NO_WORK, directory_max=20)
        for seed in range(20):
            noise = Random(seed)
            some = [record(noise.randrange(40), NOON + 60 * noise.randrange(3)).encode() for _ in range(80)]
            roots = set()
            for size in (80, noise.randrange(1, 30)):
                tree, admission = MemoryHoldings(), Admission(limits, noise.randbytes)
                tree.apply(settled(*map(put, self.old)))
                pending = Pending(tree)
                slices, now = [some[start : start + size] for start in range(0, 80, size)], at(NOON + 600)
                for batch in [admission.take(one, ASKED, pending, now) for one in slices]:
                    pending.add(admission.settle(batch, judge(batch.checks, 0), pending, now))
                tree.apply(settled(*pending.puts, removed=pending.removed))
                self.assertLessEqual(tree.count(), 20)
                roots.add(tree.root())
            self.assertEqual(1, len(roots), seed)
