"""Where two trees differ: all of it, in order, and nothing else is looked at."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.testing.trees import MemoryLeaves, MemoryRows
from rhotwist.tree.batch import merge
from rhotwist.tree.difference import Differing, difference
from rhotwist.tree.hashes import Leaf
from rhotwist.tree.heap import Heap
from rhotwist.tree.rows import Tree
from tests.tree.support import chain, leaf, random_leaves


def rows_of(leaves: list[Leaf], width: int = 32) -> tuple[MemoryRows, Tree]:
    """A tree of rows that holds leaves."""
    rows = MemoryRows()
    return rows, Tree(rows, width, merge(rows, None, leaves)[0])


def naive(here: list[Leaf], there: list[Leaf]) -> list[Differing]:
    """The difference of two lists."""
    one, other = dict(here), dict(there)
    return [
        Differing(address, one.get(address), other.get(address))
        for address in sorted({*one, *other})
        if one.get(address) != other.get(address)
    ]


class DifferenceTests(SynchronousTestCase):
    @given(*[st.dictionaries(st.binary(min_size=2, max_size=2) | st.sampled_from([b"a\0", b"a\1", b"a\2", b"b\0"]),
                             st.integers(0, 1), max_size=12)] * 2)  # fmt: skip
    def test_it_is_that_of_the_sets(self, here: dict[bytes, int], there: dict[bytes, int]) -> None:
        one, other = ([leaf(address, bytes([body])) for address, body in sorted(held.items())]
                      for held in (here, there))  # fmt: skip
        self.assertEqual(list(difference(rows_of(one, 2)[1], rows_of(other, 2)[1])), naive(one, other))

    def test_equal_trees_are_not_walked(self) -> None:
        leaves = random_leaves(Random(1), 500)
        (rows, one), (_, other) = rows_of(leaves), rows_of(leaves)
        self.assertEqual(list(difference(one, other)), [])
        self.assertEqual(rows.read, 0)

    def test_only_what_is_above_a_difference_is_read(self) -> None:
        random = Random(2)
        leaves = random_leaves(random, 5_000)
        changed = sorted(set(leaves) - set(random.sample(leaves, 3)) | set(random_leaves(random, 3)))
        address, _ = changed[77]
        changed[77] = leaf(address, b"new")
        (rows, one), (_, other) = rows_of(leaves), rows_of(changed)
        self.assertEqual(list(difference(one, other)), naive(leaves, changed))
        self.assertTrue(rows.read < 7 * 20, rows.read)

    def test_a_heap_is_walked_like_rows(self) -> None:
        random = Random(3)
        leaves = random_leaves(random, 400) + chain()
        some = sorted(random.sample(leaves, 500))
        heap = Heap.build(MemoryLeaves(leaves), MemoryRows())
        self.assertEqual(list(difference(heap, rows_of(some)[1])), naive(leaves, some))
        self.assertEqual(list(difference(rows_of(some)[1], heap)), naive(some, leaves))

    def test_against_nothing_everything_differs(self) -> None:
        leaves = chain()
        one, nothing = rows_of(leaves)[1], rows_of([])[1]
        self.assertEqual([(found.address, found.here) for found in difference(one, nothing)], leaves)
        self.assertEqual([(found.address, found.there) for found in difference(nothing, one)], leaves)
        self.assertEqual(list(difference(nothing, nothing)), [])
