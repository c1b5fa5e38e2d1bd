"""What is hashed, and the root of a set from scratch."""

from __future__ import annotations

import hashlib
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.tree import hashes
from rhotwist.tree.merkle import node_hash
from tests import FULL
from tests.tree.support import by_the_book, chain, leaf, random_leaves


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class HashTests(SynchronousTestCase):
    def test_each_hash_begins_with_what_it_is_of(self) -> None:
        one, other = bytes([1]) * 32, bytes([2]) * 32
        self.assertEqual(hashes.address_of(1, one), sha(b"rho/addr/1\1" + one))
        self.assertEqual(hashes.leaf_of(one, b"body"), sha(b"\0" + one + b"body"))
        said = sha(b"\2rho/root/1\2" + one + bytes([0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9]) + other)
        self.assertEqual(hashes.statement(hashes.CONVERSATION, one, 7, 9, other), said)

    def test_no_node_passes_for_a_leaf_and_children_do_not_change_places(self) -> None:
        one, other = bytes([1]) * 32, bytes([2]) * 32
        self.assertNotEqual(hashes.leaf_of(one, other), node_hash(one, other))
        self.assertNotEqual(node_hash(one, other), node_hash(other, one))

    def test_a_statement_that_no_field_holds_is_our_mistake(self) -> None:
        root = bytes(32)
        for wrong in (
            (256, root, 1, 1, root), (1, root[1:], 1, 1, root), (1, root, 2**32, 1, root), (1, root, 1, -1, root),
            (1, root, 1, 1, root + b"0"),
        ):  # fmt: skip
            self.assertRaises(LocalError, hashes.statement, *wrong)

    def test_prefixes_are_counted_and_cut_in_bits(self) -> None:
        self.assertEqual([hashes.common(b"\xa0\0", other) for other in (b"\xa0\0", b"\xa0\1", b"\xb0\0", b"\0\0")],
                         [16, 15, 3, 0])  # fmt: skip
        self.assertEqual([hashes.bit(b"\xa0\1", at) for at in (0, 1, 2, 14, 15)], [1, 0, 1, 0, 1])
        self.assertEqual([hashes.cut(b"\xff\xff", bits) for bits in (0, 3, 9, 16)],
                         [b"\0\0", b"\xe0\0", b"\xff\x80", b"\xff\xff"])  # fmt: skip


class RootTests(SynchronousTestCase):
    def test_none_one_and_two_leaves(self) -> None:
        low, high = leaf(b"\1" * 32), leaf(b"\2" * 32)
        self.assertEqual(hashes.root_of([]), bytes(32))
        self.assertEqual(hashes.root_of([high]), high[1])
        self.assertEqual(hashes.root_of([low, high]), node_hash(low[1], high[1]))

    @given(st.lists(st.binary(min_size=1, max_size=1) | st.sampled_from([b"\x80", b"\x81"]), unique=True))
    def test_every_set_of_short_addresses_has_the_root_of_the_book(self, addresses: list[bytes]) -> None:
        leaves = sorted(map(leaf, addresses))
        self.assertEqual(hashes.root_of(iter(leaves)), by_the_book(leaves))

    @given(st.integers(0, 200), st.integers(0, 2**32))
    @settings(max_examples=1_000 if FULL else 40)
    def test_so_has_every_set_of_long_ones(self, count: int, seed: int) -> None:
        leaves = random_leaves(Random(seed), count)
        self.assertEqual(hashes.root_of(leaves), by_the_book(leaves))

    def test_so_has_a_path_with_a_branch_at_every_bit(self) -> None:
        leaves = chain()
        self.assertEqual(hashes.root_of(leaves), by_the_book(leaves))

    def test_leaves_out_of_order_are_our_mistake(self) -> None:
        low, high = leaf(b"\0" * 32), leaf(b"\2" * 32)
        for wrong in ([high, low], [low, low]):
            self.assertRaises(LocalError, hashes.root_of, wrong)
