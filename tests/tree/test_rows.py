"""The tree as rows: every branch stands where it must, and no change leaves a row behind."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError, StoreError
from rhotwist.testing.trees import MemoryRows
from rhotwist.tree.hashes import EMPTY, Leaf, common, root_of
from rhotwist.tree.rows import Tree, descend
from tests.tree.support import by_the_book, chain, leaf, leaves_of, random_leaves


def planted(leaves: list[Leaf], width: int = 32) -> tuple[MemoryRows, Tree]:
    """A tree of rows that holds leaves."""
    rows = MemoryRows()
    tree = Tree(rows, width)
    for address, made in leaves:
        tree.put(address, made)
    return rows, tree


class TreeTests(SynchronousTestCase):
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 255)), max_size=80))
    def test_rows_and_root_are_those_of_the_set_after_every_change(self, steps: list[tuple[bool, int]]) -> None:
        rows, tree = planted([], 1)
        held: dict[bytes, bytes] = {}
        for step, (puts, number) in enumerate(steps):
            address = bytes([number])
            if puts:
                held[address] = leaf(address, bytes([step]))[1]
                tree.put(address, held[address])
            else:
                self.assertEqual(tree.remove(address), held.pop(address, None) is not None)
            self.assertEqual(tree.root, by_the_book(sorted(held.items())))
            self.assertEqual(leaves_of(tree, tree.top), sorted(held.items()))
            self.assertEqual(len(rows.branches), max(0, len(held) - 1))
            self.assertEqual(tree.get(address), held.get(address))

    def test_a_branch_stands_where_its_leaves_part(self) -> None:
        rows, tree = planted(random_leaves(Random(1), 300))
        for branch in rows.branches.values():
            below = leaves_of(tree, branch.ref)
            self.assertEqual(common(below[0][0], below[-1][0]), branch.bits)
            self.assertEqual(common(branch.prefix, below[0][0]) >= branch.bits, True)

    def test_it_is_found_again_by_its_rows_and_its_top(self) -> None:
        rows, tree = planted(random_leaves(Random(2), 50))
        again = Tree(rows, 32, tree.top)
        self.assertEqual((again.root, leaves_of(again, again.top)), (tree.root, leaves_of(tree, tree.top)))

    def test_a_branch_at_every_bit_is_walked_like_any_other(self) -> None:
        leaves = chain()
        rows, tree = planted(leaves)
        self.assertEqual(tree.root, root_of(leaves))
        self.assertEqual(len(descend(tree, b"\x5a" * 32)[0]), 256)
        rows.read = rows.written = 0
        tree.put(*leaf(b"\x5a" * 32, b"new"))
        self.assertEqual((rows.read, rows.written), (256, 256))
        for address, _ in leaves:
            self.assertTrue(tree.remove(address))
        self.assertEqual((tree.root, rows.branches), (EMPTY, {}))

    def test_an_address_of_another_width_is_our_mistake(self) -> None:
        tree = planted([])[1]
        for call in (lambda: tree.put(bytes(8), bytes(32)), lambda: tree.remove(bytes(33)), lambda: tree.get(b"")):
            self.assertRaises(LocalError, call)

    def test_rows_that_are_missing_are_the_store_s_fault(self) -> None:
        rows, tree = planted(random_leaves(Random(3), 9))
        rows.clear()
        self.assertRaises(StoreError, tree.get, bytes(32))
