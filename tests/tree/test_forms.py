"""Rows, batches, heap and from scratch: one set, one root, whatever happened to it."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rhotwist.testing import SeededTestCase
from rhotwist.testing.trees import MemoryLeaves, MemoryRows
from rhotwist.tree.batch import Change, merge
from rhotwist.tree.hashes import root_of
from rhotwist.tree.heap import Heap
from rhotwist.tree.rows import Ref, Tree
from tests import FULL
from tests.tree.support import chain, leaf

WIDTH = 8
#: Leaves of a bucket beyond which these tests give it rows.
DEEP = 4


class Forms:
    """The same leaves in every form. expiry is the epoch from which a leaf is out."""

    def __init__(self) -> None:
        self.expiry: dict[bytes, int] = {}
        self.epoch = 0
        self.plain = Tree(MemoryRows(), WIDTH)
        self.batched = MemoryRows()
        self.top: Ref | None = None
        self.leaves = MemoryLeaves()
        self.rows = MemoryRows()
        self.heap = Heap.build(self.leaves, self.rows, WIDTH, deep=DEEP)
        self.kept = {bucket.number: bucket for bucket in self.heap.buckets()}

    def change(self, bodies: dict[bytes, int | None]) -> None:
        """Put leaves, anew where the body is another; None takes one out."""
        changes: list[Change] = [
            (address, None if body is None else leaf(address, b"%d" % body)[1])
            for address, body in sorted(bodies.items())
        ]
        for address, made in changes:
            if made is None:
                self.plain.remove(address)
                self.leaves.remove(address)
                self.expiry.pop(address, None)
            else:
                self.plain.put(address, made)
                self.leaves.put(address, made)
                self.expiry[address] = self.epoch + 1 + made[0] % 4
        self.top, _ = merge(self.batched, self.top, changes)
        self.kept |= {bucket.number: bucket for bucket in self.heap.changed(bodies)}

    def expire(self) -> None:
        """An epoch ends."""
        self.epoch += 1
        self.change({address: None for address, until in self.expiry.items() if until <= self.epoch})

    def restart(self, *, whole: bool) -> None:
        """The heap is lost, and made of its buckets, or of all leaves."""
        if whole:
            self.heap = Heap.build(self.leaves, self.rows, WIDTH, deep=DEEP)
            self.kept = {bucket.number: bucket for bucket in self.heap.buckets()}
        else:
            self.heap = Heap.load(
                self.leaves, self.rows, self.kept.values(), self.heap.depth, WIDTH, deep=DEEP
            )
        self.plain = Tree(self.plain._rows, WIDTH, self.plain.top)

    def check(self) -> None:
        """They agree."""
        want = root_of(self.leaves.between(bytes(WIDTH), b"\xff" * WIDTH))
        assert self.plain.root == want
        assert self.heap.root == want
        assert self.top == self.plain.top == self.heap.top
        assert self.heap.count == len(self.expiry) == sum(bucket.size for bucket in self.kept.values())
        deep = [bucket.size for bucket in self.kept.values() if bucket.size > DEEP]
        assert len(self.rows.branches) == sum(deep) - len(deep)
        assert len(self.batched.branches) == max(0, len(self.expiry) - 1)


#: Random, ground under one prefix, and a chain.
POOL = sorted({
    *(Random(1).randbytes(WIDTH) for _ in range(40)),
    *(b"abc\0\0" + Random(n).randbytes(WIDTH - 5) for n in range(12)),
    *(address for address, _ in chain(WIDTH)[::3]),
})  # fmt: skip


class FormsMachine(RuleBasedStateMachine):
    """Puts, refreshes, removals, expiry and restarts in any order."""

    addresses = st.sampled_from(POOL)
    bodies = st.integers(0, 9)

    def __init__(self) -> None:
        super().__init__()
        self.forms = Forms()

    @rule(address=addresses, body=bodies)
    def put(self, address: bytes, body: int) -> None:
        self.forms.change({address: body})

    @rule(address=addresses)
    def remove(self, address: bytes) -> None:
        self.forms.change({address: None})

    @rule(bodies=st.dictionaries(addresses, st.none() | bodies, max_size=40))
    def batch(self, bodies: dict[bytes, int | None]) -> None:
        self.forms.change(bodies)

    @rule()
    def expire(self) -> None:
        self.forms.expire()

    @rule(whole=st.booleans())
    def restart(self, whole: bool) -> None:
        self.forms.restart(whole=whole)

    @invariant()
    def agree(self) -> None:
        self.forms.check()


class FormsTests(SeededTestCase):
    def test_all_forms_agree_over_any_changes_and_restarts(self) -> None:
        run_state_machine_as_test(
            FormsMachine, settings=settings(stateful_step_count=30, max_examples=300 if FULL else 15)
        )

    def test_all_forms_agree_over_many_changes(self) -> None:
        for seed in self.seeds(1, 10):
            random = Random(seed)
            forms = Forms()
            pool = [*POOL, *(random.randbytes(WIDTH) for _ in range(500))]
            for step in range(10_000 if FULL else 600):
                if step % 100 == 99:
                    forms.expire()
                elif step % 50 == 49:
                    forms.restart(whole=forms.heap.crowded)
                else:
                    count = random.choice((1, 1, 1, 1, 30))
                    forms.change({
                        address: random.choice((None, step, step)) for address in random.sample(pool, count)
                    })  # fmt: skip
                if not step % 10:
                    forms.check()
            forms.check()

    def test_any_order_and_any_copies_give_one_root(self) -> None:
        random = Random(1)
        leaves = [leaf(random.randbytes(WIDTH)) for _ in range(200)]
        want = root_of(sorted(leaves))
        for _ in range(1_000 if FULL else 20):
            order = random.sample(leaves, 200) + random.sample(leaves, 50)
            tree = Tree(MemoryRows(), WIDTH)
            for address, made in order:
                tree.put(address, made)
            self.assertEqual(tree.root, want)
