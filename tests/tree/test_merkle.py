"""The tree of RFC 6962, by the vectors that Certificate Transparency's own programs are tested with."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.tree import merkle
from tests import FULL

#: github.com/google/certificate-transparency, merkletree: inputs, roots of the first n, and paths (index, count).
INPUTS = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
PATHS = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
#: The same, from one count to another.
GROWN = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
LEAVES = [merkle.leaf_hash(entry) for entry in INPUTS]


def by_the_book(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 2.1 writes it down."""
    if not leaves:
        return merkle.EMPTY
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return merkle.node_hash(by_the_book(leaves[:split]), by_the_book(leaves[split:]))


def span(leaves: list[bytes]) -> Callable[[int, int], bytes]:
    """The roots of parts of a list."""
    return lambda begin, end: merkle.root(leaves[begin:end])


class VectorTests(SynchronousTestCase):
    """What others compute."""

    def test_the_roots_are_those_of_certificate_transparency(self) -> None:
        self.assertEqual(ROOTS, tuple(merkle.root(LEAVES[:count]).hex() for count in range(1, 9)))
        self.assertEqual("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", merkle.root([]).hex())

    def test_so_are_the_paths(self) -> None:
        for (index, count), path in PATHS.items():
            self.assertEqual(path, tuple(beside.hex() for beside in merkle.inclusion(LEAVES[:count], index)))

    def test_so_are_the_proofs_that_it_only_grew(self) -> None:
        for (first, count), path in GROWN.items():
            self.assertEqual(path, tuple(beside.hex() for beside in merkle.consistency(span(LEAVES), first, count)))

    def test_a_leaf_is_hashed_apart_from_a_node(self) -> None:
        self.assertNotEqual(merkle.leaf_hash(LEAVES[0] + LEAVES[1]), merkle.node_hash(LEAVES[0], LEAVES[1]))
        self.assertEqual(merkle.leaf_hash(b"ab"), merkle.leaf_hash(memoryview(b"ab")))


class ProofTests(SynchronousTestCase):
    """Who stands where."""

    def test_every_leaf_of_small_lists_is_proven_and_the_root_is_the_book_s(self) -> None:
        for count in range(1, 130 if FULL else 34):
            leaves = [merkle.leaf_hash(bytes([number])) for number in range(count)]
            root = merkle.root(iter(leaves))
            self.assertEqual(by_the_book(leaves), root)
            for index, leaf in enumerate(leaves):
                path = merkle.inclusion(leaves, index)
                self.assertTrue(merkle.included(leaf, index, count, path, root), (index, count))

    @given(st.integers(1, 40), st.integers(0, 2**32))
    @settings(max_examples=2_000 if FULL else 100)
    def test_nothing_else_is_proven(self, count: int, seed: int) -> None:
        random = Random(seed)
        leaves = [merkle.leaf_hash(bytes([number])) for number in range(count)]
        index = random.randrange(count)
        path, root, leaf = list(merkle.inclusion(leaves, index)), merkle.root(leaves), leaves[index]
        self.assertFalse(merkle.included(random.randbytes(32), index, count, path, root))
        self.assertFalse(merkle.included(leaf, index, count, path, random.randbytes(32)))
        self.assertFalse(merkle.included(leaf, index, count, [*path, bytes(32)], root))
        for other in {index + 1, index - 1, index ^ 1, -1, count} - {index}:
            self.assertFalse(merkle.included(leaf, other, count, path, root))
        if path:
            self.assertFalse(merkle.included(leaf, index, count, path[1:], root))
            self.assertFalse(merkle.included(leaf, index, count, path[:-1], root))
            at = random.randrange(len(path))
            for wrong in (random.randbytes(32), path[at][:31], path[at] + b"\0"):
                self.assertFalse(merkle.included(leaf, index, count, [*path[:at], wrong, *path[at + 1 :]], root))

    def test_the_path_of_an_entry_that_is_not_there_is_our_caller_s_mistake(self) -> None:
        for index in (-1, 8):
            self.assertRaises(LocalError, merkle.inclusion, LEAVES, index)


class ConsistencyTests(SynchronousTestCase):
    """What only grew."""

    def test_each_list_is_proven_to_begin_with_each_shorter_one(self) -> None:
        leaves = [merkle.leaf_hash(bytes([number])) for number in range(65 if FULL else 34)]
        for count in range(1, len(leaves) + 1):
            for first in range(1, count + 1):
                path = merkle.consistency(span(leaves), first, count)
                roots = merkle.root(leaves[:first]), merkle.root(leaves[:count])
                self.assertTrue(merkle.consistent(first, roots[0], count, roots[1], path), (first, count))

    @given(st.integers(2, 40), st.integers(0, 2**32))
    @settings(max_examples=2_000 if FULL else 100)
    def test_nothing_else_is(self, count: int, seed: int) -> None:
        random = Random(seed)
        leaves = [merkle.leaf_hash(bytes([number])) for number in range(count)]
        first = random.randrange(1, count)
        path = list(merkle.consistency(span(leaves), first, count))
        old, new, other = merkle.root(leaves[:first]), merkle.root(leaves), random.randbytes(32)
        at = random.randrange(len(path))
        lies = [
            (first, other, count, new, path), (first, old, count, other, path), (first, new, count, new, path),
            (first, old, count, new, [*path, other]), (first, old, count, new, path[1:]),
            (first, old, count, new, path[:-1]), (first, old, count, new, [*path[:at], other, *path[at + 1 :]]),
            (count + 1, old, count, new, path), (-1, old, count, new, path), (0, old, count, new, path),
            (count, old, count, new, []), (count, new, count, new, path), (first, old, count, new, []),
        ]  # fmt: skip
        for lie in lies:
            self.assertFalse(merkle.consistent(*lie), lie)
        for wrong in {first - 1, first + 1} - {0, count}:
            self.assertFalse(merkle.consistent(wrong, old, count, new, path))

    def test_a_list_that_was_rewritten_is_not(self) -> None:
        leaves = [merkle.leaf_hash(bytes([number])) for number in range(20)]
        for at in range(11):
            other = [*leaves[:at], merkle.leaf_hash(b"other"), *leaves[at + 1 :]]
            path = merkle.consistency(span(other), 11, 20)
            self.assertFalse(merkle.consistent(11, merkle.root(leaves[:11]), 20, merkle.root(other), path))

    def test_no_list_is_longer_than_one_it_begins(self) -> None:
        root = merkle.root(LEAVES[:1])
        self.assertFalse(merkle.consistent(2, root, 1, root, []))

    def test_the_empty_list_begins_every_list(self) -> None:
        self.assertTrue(merkle.consistent(0, bytes(32), 8, merkle.root(LEAVES), []))

    def test_a_part_that_is_none_is_our_caller_s_mistake(self) -> None:
        for first in (0, 9):
            self.assertRaises(LocalError, merkle.consistency, span(LEAVES), first, 8)
