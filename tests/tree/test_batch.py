"""Many changes in one pass: the same rows as one by one, each written once."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.testing.trees import MemoryRows
from rhotwist.tree.batch import Change, grow, merge
from rhotwist.tree.hashes import root_of
from rhotwist.tree.rows import Tree
from tests.tree.support import chain, leaf, random_leaves

#: Addresses that part early, late, and at the very end.
ADDRESSES = [bytes([high, 0, low]) for high in (0, 1, 0x40, 0xC0) for low in (0, 1, 2, 0x80, 0xFF)]


class MergeTests(SynchronousTestCase):
    @given(st.lists(st.dictionaries(st.sampled_from(ADDRESSES), st.none() | st.integers(0, 3)), max_size=6))
    def test_rows_top_and_count_are_those_of_single_steps(self, batches: list[dict[bytes, int | None]]) -> None:
        rows, plain = MemoryRows(), MemoryRows()
        top, tree, count = None, Tree(plain, 3), 0
        for batch in batches:
            changes: list[Change] = [
                (address, None if body is None else leaf(address, bytes([body]))[1])
                for address, body in sorted(batch.items())
            ]
            for address, made in changes:
                if made is None:
                    tree.remove(address)
                else:
                    tree.put(address, made)
            top, more = merge(rows, top, changes)
            count += more
            self.assertEqual((top, rows.branches), (tree.top, plain.branches))
            self.assertEqual(count, sum(tree.get(address) is not None for address in ADDRESSES))

    def test_each_row_is_read_and_written_once_at_most(self) -> None:
        random = Random(1)
        rows = MemoryRows()
        top, _ = merge(rows, None, random_leaves(random, 1_000))
        self.assertEqual((rows.read, rows.written), (0, 999))
        rows.read = rows.written = 0
        merge(rows, top, random_leaves(random, 1_000))
        self.assertEqual(len(rows.branches), 1_999)
        self.assertTrue(rows.read < 1_000 and rows.written < 2_000, (rows.read, rows.written))

    def test_what_changes_nothing_writes_nothing(self) -> None:
        leaves = random_leaves(Random(2), 100)
        rows = MemoryRows()
        top, _ = merge(rows, None, leaves)
        rows.written = 0
        others: list[Change] = [(address, None) for address, _ in random_leaves(Random(3), 50)]
        self.assertEqual(merge(rows, top, others), (top, 0))
        self.assertEqual(merge(rows, top, leaves[::20]), (top, 0))
        self.assertEqual(merge(rows, top, []), (top, 0))
        self.assertEqual(rows.written, 0)

    def test_a_branch_at_every_bit_comes_and_goes_in_one_pass(self) -> None:
        rows = MemoryRows()
        top, more = merge(rows, None, chain())
        self.assertEqual((top is not None and top.hash, more), (root_of(chain()), 257))
        gone: list[Change] = [(address, None) for address, _ in chain()]
        self.assertEqual(merge(rows, top, gone), (None, -257))
        self.assertEqual(rows.branches, {})

    def test_changes_out_of_order_are_our_mistake(self) -> None:
        one, other = random_leaves(Random(4), 2)
        for wrong in ([other, one], [one, one]):
            self.assertRaises(LocalError, merge, MemoryRows(), None, wrong)


class GrowTests(SynchronousTestCase):
    def test_it_gives_the_root_and_the_branches_children_first(self) -> None:
        self.assertEqual(grow([]), (None, []))
        for leaves in (random_leaves(Random(5), 1), random_leaves(Random(5), 200), chain()):
            top, branches = grow(leaves)
            seen: set[bytes] = {made for _, made in leaves}
            for branch in branches:
                self.assertTrue({branch.left.hash, branch.right.hash} <= seen)
                seen.add(branch.ref.hash)
            self.assertEqual((top is not None and top.hash, len(branches)), (root_of(leaves), len(leaves) - 1))
