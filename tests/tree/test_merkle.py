"""The tree of RFC 6962, by the vectors that Certificate Transparency's own programs are tested with."""

from __future__ import annotations

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


class VectorTests(SynchronousTestCase):
    """What others compute."""

    def test_the_roots_are_those_of_certificate_transparency(self) -> None:
        self.assertEqual(ROOTS, tuple(merkle.root(LEAVES[:count]).hex() for count in range(1, 9)))
        self.assertEqual("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", merkle.root([]).hex())

    def test_so_are_the_paths(self) -> None:
        for (index, count), path in PATHS.items():
            self.assertEqual(path, tuple(beside.hex() for beside in merkle.inclusion(LEAVES[:count], index)))

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
