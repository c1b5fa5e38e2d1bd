"""The same records make the same tree, in whatever order and however often they come."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import reduce
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory import merge, validity
from rhotwist.directory.merge import Cap, beats, join, rank, surplus
from rhotwist.directory.record import LIFE_MOST, Record, withdraw
from rhotwist.errors import LocalError
from rhotwist.testing import SeededTestCase
from tests import FULL
from tests.directory.support import NOON, TODAY, key, place, record

HOUR = validity.HOUR


class ValidityTests(SynchronousTestCase):
    """Functions of the record and the day."""

    def test_a_record_leaves_the_tree_at_the_midnight_before_it_expires(self) -> None:
        midnight = (TODAY + 1) * validity.DAY
        for until, days in ((midnight - 1, 0), (midnight, 1), (midnight + 1, 1), (midnight + validity.DAY, 2)):
            for day in range(-1, 4):
                self.assertEqual(day < days, validity.stands(until, TODAY + day), (until, day))

    def test_days_and_quarters_count_from_2020(self) -> None:
        self.assertEqual([0, 0, 1], [validity.epoch_of(date) for date in (0, 86_399, 86_400)])
        self.assertEqual([0, 0, 1], [validity.quarter_of(epoch) for epoch in (0, 90, 91)])

    def test_clocks_may_differ_by_ten_minutes(self) -> None:
        self.assertEqual([-600, 0, 1], [validity.early(1_000 + ahead, 1_000) for ahead in (0, 600, 601)])

    def test_whatever_a_withdrawal_beats_has_expired_when_it_does(self) -> None:
        gone = withdraw(key(1), NOON)
        last = record(1, NOON - 60, life=LIFE_MOST)
        self.assertIs(gone, join(gone, last))
        for day in range(40):
            self.assertTrue(validity.stands(gone.until, TODAY + day) or not validity.stands(last.until, TODAY + day))


class JoinTests(SeededTestCase):
    """Which of two stands."""

    def test_the_later_stands_and_of_two_of_one_minute_the_smaller_hash(self) -> None:
        old, new = record(1, NOON - 60), record(1, NOON)
        self.assertEqual((new, new), (join(old, new), join(new, old)))
        one, two = sorted((record(1, NOON, place(n)) for n in (2, 3)), key=lambda one: one.hash)
        self.assertEqual((one, one), (join(one, two), join(two, one)))
        self.assertTrue(beats(1, b"b", None) and beats(2, b"z", (1, b"a")) and beats(1, b"a", (1, b"b")))
        self.assertFalse(beats(1, b"a", (1, b"a")) or beats(1, b"b", (1, b"a")) or beats(0, b"a", (1, b"b")))
        self.assertRaises(LocalError, join, one, record(2))

    def test_all_folds_are_equal(self) -> None:
        """Commutative, associative and idempotent: 2,000 folds of 12 records of one address in random trees."""
        some = [record(1, NOON - 60 * (n % 4), place(n)) for n in range(12)]
        want = reduce(join, some)
        for seed in self.seeds(200, 2_000):
            random = Random(seed)
            waiting = [*some, *random.choices(some, k=5)]
            while len(waiting) > 1:
                one, other = (waiting.pop(random.randrange(len(waiting))) for _ in range(2))
                waiting.append(join(one, other))
            self.assertEqual(want, waiting[0])


def addresses(numbers: Iterable[int]) -> list[bytes]:
    return [hashlib.sha256(bytes([number])).digest() for number in numbers]


class CapTests(SeededTestCase):
    """Who stays in a full tree."""

    def test_the_lowest_ranks_stay_and_each_quarter_draws_them_anew(self) -> None:
        all_of_them = addresses(range(50))
        self.assertEqual(rank(7, b"a"), hashlib.sha256(b"\0\7a").digest())
        going = [address for _, address in surplus(7, all_of_them, 20)]
        self.assertEqual(sorted(all_of_them, key=lambda one: rank(7, one))[:29:-1], going)
        self.assertNotEqual(set(going), {address for _, address in surplus(8, all_of_them, 20)})

    def test_whatever_the_order_and_the_batches_the_same_stay(self) -> None:
        all_of_them = addresses(range(100))
        want = set(sorted(all_of_them, key=lambda one: rank(3, one))[:30])
        for seed in self.seeds(50, 2_000):
            random = Random(seed)
            cap, here = Cap(30), set[bytes]()
            arriving = random.choices(all_of_them, k=100) + random.sample(all_of_them, 100)
            while arriving:
                batch = {arriving.pop() for _ in range(min(len(arriving), random.randint(1, 20)))}
                new = [one for one in batch if one not in here and not cap.refuses(3, one)]
                going = set(cap.settle(3, new, len(here), lambda here=here: here))
                here = {*here, *new} - going
            self.assertEqual(want, here)

    def test_a_tree_with_room_refuses_nobody_and_is_never_gone_through(self) -> None:
        cap = Cap(50)
        some = addresses(range(50))
        self.assertEqual([], cap.settle(3, some, 0, lambda: self.fail("gone through")))
        self.assertFalse(cap.refuses(3, b"x" * 32))
        self.assertRaises(LocalError, Cap, 0)

    def test_all_addresses_are_gone_through_once_in_many_evictions(self) -> None:
        self.patch(merge, "_TAIL", 20)
        cap, here, scans = Cap(50), set[bytes](), []

        def everyone() -> set[bytes]:
            scans.append(1)
            return here

        for number in range(200):
            one = hashlib.sha256(b"%d" % number).digest()
            if not cap.refuses(3, one):
                going = cap.settle(3, [one], len(here), everyone)
                here = {*here, one}.difference(going)
        best = sorted((hashlib.sha256(b"%d" % number).digest() for number in range(200)), key=lambda one: rank(3, one))
        self.assertEqual(set(best[:50]), here)
        self.assertLess(len(scans), 8)

    def test_a_full_tree_refuses_whoever_would_be_the_first_to_go(self) -> None:
        cap, some = Cap(50), addresses(range(60))
        going = cap.settle(3, some, 0, list)
        last = max(rank(3, one) for one in some if one not in going)
        for one in addresses(range(60, 200)):
            self.assertEqual(rank(3, one) > last, cap.refuses(3, one))
            self.assertFalse(cap.refuses(4, one))
        cap.forget()
        self.assertFalse(any(cap.refuses(3, one) for one in addresses(range(60, 200))))


class CapMachine(RuleBasedStateMachine):
    """The cap against sorting all that ever came since the last midnight."""

    def __init__(self) -> None:
        super().__init__()
        self.cap = Cap(12)
        self.quarter = 1
        self.here: set[bytes] = set()
        self.next = 0

    @rule(count=st.integers(0, 9))
    def add(self, count: int) -> None:
        self.next += count
        new = [
            hashlib.sha256(b"%d" % number).digest() for number in range(self.next - count, self.next)
        ]
        kept = [one for one in new if not self.cap.refuses(self.quarter, one)]
        gone = self.cap.settle(self.quarter, kept, len(self.here), lambda: self.here)
        best = sorted((*self.here, *new), key=lambda one: rank(self.quarter, one))[:12]
        self.here = {*self.here, *kept}.difference(gone)
        assert self.here == set(best)

    @rule(data=st.data())
    def midnight(self, data: st.DataObject) -> None:
        self.here = {one for one in self.here if data.draw(st.booleans())}
        self.cap.forget()

    @rule()
    def quarter_ends(self) -> None:
        self.quarter += 1

    @rule()
    def restart(self) -> None:
        self.cap = Cap(12)

    @invariant()
    def within(self) -> None:
        assert len(self.here) <= 12


class MachineTests(SynchronousTestCase):
    def test_the_cap_keeps_what_sorting_keeps(self) -> None:
        self.patch(merge, "_TAIL", 4)
        run_state_machine_as_test(CapMachine, settings=settings(max_examples=300 if FULL else 30))


def tree_of(records: Iterable[Record]) -> dict[bytes, Record]:
    tree: dict[bytes, Record] = {}
    for one in records:
        tree[one.address] = join(tree[one.address], one) if one.address in tree else one
    return tree


class OrderTests(SeededTestCase):
    def test_1000_orders_of_200_records_with_doubles_and_losses_made_good_make_one_tree(self) -> None:
        """Attack: order, duplicates, loss (threats: 1,000 permutations of 200 records, one root)."""
        some = [record(n % 50, NOON - 60 * (n % 3), place(n)) for n in range(200)]
        want = tree_of(some)
        for seed in self.seeds(50, 1_000):
            random = Random(seed)
            arriving = some + random.choices(some, k=40)
            random.shuffle(arriving)
            self.assertEqual(want, tree_of(arriving))
