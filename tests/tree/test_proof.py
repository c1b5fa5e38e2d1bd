"""Proofs: what stands in a tree is proven, what does not is proven not to, and every lie is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from random import Random

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.testing.trees import MemoryRows
from rhotwist.tree.batch import merge
from rhotwist.tree.hashes import EMPTY, Leaf, leaf_of
from rhotwist.tree.proof import (
    BODY_MOST,
    LEVELS_MOST,
    Absence,
    Path,
    Witness,
    absence,
    absent,
    included,
    inclusion,
    read_absence,
    read_path,
)  # fmt: skip
from rhotwist.tree.rows import Tree
from tests import FULL
from tests.tree.support import chain

#: Bytes of the body of a wallet's record, which names its node and nothing else.
BODY = 76


def read(body: bytes) -> Leaf:
    """What a body says of itself: it begins with a key, and the address is the key's hash."""
    if len(body) < 32:
        raise BadPacket("body")
    address = hashlib.sha256(body[:32]).digest()
    return address, leaf_of(address, body)


class Planted:
    """A tree whose leaves have bodies. fixed are addresses that no key hashes to; their bodies are the addresses."""

    def __init__(self, random: Random, count: int, fixed: tuple[bytes, ...] = (), size: int = BODY) -> None:
        self.bodies = {read(body)[0]: body for body in (random.randbytes(size) for _ in range(count))}
        self.bodies |= {address: address for address in fixed}
        leaves = sorted(self.read(body) for body in self.bodies.values())
        rows = MemoryRows()
        self.tree = Tree(rows, 32, merge(rows, None, leaves)[0])
        self.root = self.tree.root

    def read(self, body: bytes) -> Leaf:
        """A body of 32 bytes is its own address."""
        return (body, leaf_of(body, body)) if len(body) == 32 else read(body)

    def absence(self, address: bytes) -> Absence:
        """The proof."""
        return absence(self.tree, address, self.bodies.__getitem__)

    def absent(self, address: bytes, data: bytes) -> bool:
        """Whether encoded bytes prove it."""
        try:
            return absent(address, read_absence(data), self.root, self.read)
        except BadPacket:
            return False


def flips(data: bytes) -> Iterator[bytes]:
    """Each way to change one bit."""
    for at in range(8 * len(data)):
        changed = bytearray(data)
        changed[at >> 3] ^= 1 << (at & 7)
        yield bytes(changed)


class InclusionTests(SynchronousTestCase):
    def test_every_leaf_is_proven_in_35_bytes_a_level(self) -> None:
        for count in (1, 2, 3, 100):
            planted = Planted(Random(count), count)
            for address in planted.bodies:
                leaf = planted.tree.get(address) or b""
                data = inclusion(planted.tree, address).encode()
                self.assertTrue(included(leaf, read_path(data), planted.root))
                self.assertLessEqual(len(data), max(2, 35 * len(read_path(data).steps)))

    def test_no_bit_of_a_proof_may_be_another(self) -> None:
        planted = Planted(Random(1), 60)
        address = min(planted.bodies)
        leaf = planted.tree.get(address) or b""
        for wrong in flips(inclusion(planted.tree, address).encode()):
            try:
                self.assertFalse(included(leaf, read_path(wrong), planted.root))
            except BadPacket:
                pass
        for wrong in flips(leaf):
            self.assertFalse(included(wrong, inclusion(planted.tree, address), planted.root))

    def test_swapped_children_and_levels_left_out_prove_nothing(self) -> None:
        planted = Planted(Random(2), 60)
        address = max(planted.bodies)
        leaf = planted.tree.get(address) or b""
        steps = inclusion(planted.tree, address).steps
        for at, (side, beside) in enumerate(steps):
            for other in (((1 - side, beside),), ()):
                self.assertFalse(included(leaf, Path((*steps[:at], *other, *steps[at + 1 :])), planted.root))

    def test_no_inner_node_passes_for_a_leaf(self) -> None:
        planted = Planted(Random(3), 60)
        steps = inclusion(planted.tree, min(planted.bodies)).steps
        made = Path(steps[:2]).fold(planted.tree.get(min(planted.bodies)) or b"")
        self.assertTrue(included(made, Path(steps[2:]), planted.root))
        side, beside = steps[1]
        pair = Path(steps[:1]).fold(planted.tree.get(min(planted.bodies)) or b"")
        body = beside + pair if side else pair + beside
        self.assertNotEqual(leaf_of(body[:32], body[32:]), made)

    def test_the_longest_path_is_proven_too(self) -> None:
        planted = Planted(Random(4), 0, tuple(address for address, _ in chain()))
        data = inclusion(planted.tree, b"\x5a" * 32).encode()
        self.assertEqual(len(data), 2 + 32 + 256 * 32)
        self.assertTrue(included(leaf_of(b"\x5a" * 32, b"\x5a" * 32), read_path(data), planted.root))

    def test_a_leaf_that_is_not_there_has_no_proof(self) -> None:
        self.assertRaises(LocalError, inclusion, Planted(Random(5), 9).tree, bytes(32))
        self.assertRaises(LocalError, inclusion, Planted(Random(5), 0).tree, bytes(32))


class AbsenceTests(SynchronousTestCase):
    @given(st.integers(0, 40), st.integers(0, 2**32), st.binary(min_size=32, max_size=32))
    @settings(max_examples=2_000 if FULL else 60)
    def test_whatever_is_not_there_is_proven_not_to_be(self, count: int, seed: int, address: bytes) -> None:
        planted = Planted(Random(seed), count)
        proof = planted.absence(address)
        self.assertEqual(read_absence(proof.encode()), proof)
        self.assertTrue(planted.absent(address, proof.encode()))
        self.assertFalse(absent(address, proof, hashlib.sha256(planted.root).digest(), read))

    def test_addresses_that_part_at_every_place_of_a_tree_are_proven_absent(self) -> None:
        fixed = (bytes(32), b"\0\1" + bytes(30), b"\0\3" + bytes(30), b"\xf0" * 32, b"\xff" * 32)
        planted = Planted(Random(1), 0, fixed)
        forms = set()
        for at in range(256):
            for near in fixed:
                address = (int.from_bytes(near, "big") ^ 1 << at).to_bytes(32, "big")
                if address not in fixed:
                    data = planted.absence(address).encode()
                    forms.add(data[0])
                    self.assertTrue(planted.absent(address, data), (near, at))
        self.assertEqual(forms, {5, 6})
        pair = Planted(Random(1), 0, fixed[3:])
        self.assertEqual(pair.absence(bytes(32)).encode()[0], 2)
        self.assertTrue(pair.absent(bytes(32), pair.absence(bytes(32)).encode()))

    def test_nothing_proves_that_a_leaf_is_absent(self) -> None:
        """A liar shows true leaves and true paths of the tree, in any of their places, for an address that is there."""
        fixed = (bytes(32), b"\0\1" + bytes(30), b"\0\3" + bytes(30), b"\xf0" * 32, b"\xff" * 32)
        planted = Planted(Random(2), 0, fixed)
        whole = {address: inclusion(planted.tree, address).steps for address in fixed}
        witnesses = [
            Witness(address, Path(steps[:levels]))
            for address, steps in whole.items() for levels in range(len(steps) + 1)
        ]  # fmt: skip
        aboves = {Path(steps[levels:]) for steps in whole.values() for levels in range(len(steps) + 1)}
        nodes = [(), *((one,) for one in witnesses), *((one, two) for one in witnesses for two in witnesses)]
        true = {planted.absence(bytes([at]) + bytes(31)) for at in range(1, 256)}
        proven = 0
        for node in nodes:
            for beside in (None, *witnesses):
                for above in aboves:
                    proof = Absence(node, beside, above)
                    for address in fixed:
                        self.assertFalse(absent(address, proof, planted.root, planted.read))
                    proven += proof in true
        self.assertEqual(proven, len(true))

    def test_no_bit_of_a_proof_may_be_another(self) -> None:
        planted = Planted(Random(3), 30)
        seen = set()
        for address in (Random(n).randbytes(32) for n in range(40)):
            data = planted.absence(address).encode()
            if data[0] not in seen:
                seen.add(data[0])
                self.assertEqual([wrong for wrong in flips(data) if planted.absent(address, wrong)], [])
        self.assertEqual(seen, {5, 6})

    def test_other_parts_of_a_proof_are_refused(self) -> None:
        planted = Planted(Random(4), 200)
        for address in (Random(n).randbytes(32) for n in range(40)):
            proof = planted.absence(address)
            for wrong in (
                attrs.evolve(proof, node=proof.node[::-1] if len(proof.node) == 2 else ()),
                attrs.evolve(proof, beside=None), attrs.evolve(proof, beside=proof.node[0]),
                attrs.evolve(proof, above=Path(proof.above.steps[1:])), attrs.evolve(proof, node=proof.node[:1] * 2),
                attrs.evolve(proof, beside=None, above=Path()), Absence(above=proof.above), Absence(),
            ):  # fmt: skip
                self.assertFalse(absent(address, wrong, planted.root, read))
        self.assertFalse(absent(bytes(32), Absence(beside=Witness(bytes(40))), EMPTY, read))
        self.assertTrue(absent(bytes(32), Absence(), EMPTY, read))

    def test_a_proof_among_20_000_records_has_800_bytes_at_most(self) -> None:
        planted = Planted(Random(5), 20_000)
        sizes = sorted(
            len(planted.absence(Random(n).randbytes(32)).encode()) for n in range(20_000 if FULL else 500)
        )
        self.assertLessEqual(sizes[-1], 800, (sum(sizes) / len(sizes), sizes[-10:]))

    def test_a_leaf_that_is_there_is_not_proven_absent(self) -> None:
        planted = Planted(Random(6), 9)
        self.assertRaises(LocalError, planted.absence, min(planted.bodies))


class BytesTests(SynchronousTestCase):
    def refusal(self, data: bytes) -> str:
        return self.assertRaises(BadPacket, read_absence, data).reason

    def test_each_way_to_be_wrong_has_its_reason(self) -> None:
        self.assertEqual(self.refusal(b""), "short")
        self.assertEqual([self.refusal(bytes([form])) for form in (3, 4, 7, 8, 255)], ["form"] * 5)
        self.assertEqual(self.refusal(b"\1"), "short")
        self.assertEqual(self.refusal(b"\0\0"), "trailing")
        self.assertEqual(self.refusal(b"\1" + (BODY_MOST + 1).to_bytes(2, "big")), "long")
        self.assertEqual(self.refusal(b"\1\0\0" + (LEVELS_MOST + 1).to_bytes(2, "big")), "levels")
        self.assertEqual(self.refusal(b"\1\0\0\0\1\x40" + bytes(32)), "sides")
        self.assertEqual(self.refusal(b"\1\0\0\0\1\x80" + bytes(31)), "short")
        self.assertEqual(self.assertRaises(BadPacket, read_path, b"\0\0\0").reason, "trailing")

    def test_a_body_that_no_proof_carries_is_our_mistake(self) -> None:
        self.assertEqual(len(Witness(bytes(BODY_MOST)).encode()), BODY_MOST + 4)
        self.assertRaises(LocalError, Witness(bytes(BODY_MOST + 1)).encode)
