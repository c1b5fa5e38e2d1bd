"""The heap: the root and the nodes of rows, from buckets, at the cost of one bucket and one path."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError, StoreError
from rhotwist.testing.trees import MemoryLeaves, MemoryRows
from rhotwist.tree import heap as module
from rhotwist.tree.batch import grow
from rhotwist.tree.hashes import EMPTY, Leaf, cut, root_of
from rhotwist.tree.heap import Bucket, Heap, depth_for
from tests.tree.support import chain, leaf, leaves_of, random_leaves


def heaped(leaves: list[Leaf], width: int = 32) -> tuple[MemoryLeaves, MemoryRows, Heap]:
    """A heap of leaves and its storage."""
    held, rows = MemoryLeaves(leaves), MemoryRows()
    return held, rows, Heap.build(held, rows, width)


def under_one_prefix(random: Random, count: int) -> list[Leaf]:
    """Leaves that share their first 24 bits, as somebody grinds them."""
    return sorted(leaf(b"abc" + random.randbytes(29)) for _ in range(count))


class ShapeTests(SynchronousTestCase):
    def test_the_depth_is_the_least_with_twelve_leaves_a_bucket(self) -> None:
        for count, depth in (
            (0, 0), (12, 0), (13, 1), (24, 1), (25, 2), (10_000, 10), (100_000, 14), (1_000_000, 17), (2**40, 24),
        ):  # fmt: skip
            self.assertEqual(depth_for(count), depth, count)

    def test_none_one_and_two_leaves(self) -> None:
        for count in range(3):
            leaves = random_leaves(Random(count), count)
            heap = heaped(leaves)[2]
            self.assertEqual((heap.root, heap.count, heap.depth), (root_of(leaves), count, 0))
            self.assertEqual(leaves_of(heap, heap.top), leaves)

    def test_its_branches_are_those_of_rows(self) -> None:
        for leaves in (
            random_leaves(Random(1), 700), random_leaves(Random(2), 300, 8), chain(), chain(8),
            sorted(random_leaves(Random(3), 50) + under_one_prefix(Random(3), 90)),
        ):  # fmt: skip
            heap = heaped(leaves, len(leaves[0][0]))[2]
            top, branches = grow(leaves)
            self.assertEqual(heap.top, top)
            for branch in branches:
                self.assertEqual(heap.branch(branch.bits, branch.prefix), branch)

    def test_there_is_no_branch_where_rows_have_none(self) -> None:
        leaves = sorted(random_leaves(Random(3), 50) + under_one_prefix(Random(3), 90))
        heap = heaped(leaves)[2]
        top, branches = grow(leaves)
        keys = {(branch.bits, branch.prefix) for branch in branches}
        for address, _ in leaves[::7]:
            for bits in range(256):
                if (bits, cut(address, bits)) not in keys:
                    self.assertRaises(StoreError, heap.branch, bits, cut(address, bits))
        for bits in (-1, 256):
            self.assertRaises(StoreError, heap.branch, bits, bytes(32))
        self.assertRaises(StoreError, heap.branch, 1, b"\x40" + bytes(31))

    def test_a_region_is_all_leaves_that_begin_so(self) -> None:
        leaves = sorted(random_leaves(Random(4), 300) + under_one_prefix(Random(4), 90))
        held, _, heap = heaped(leaves)
        for prefix in (b"a", b"ab", b"abc", b"abcd", leaves[0][0], leaves[-1][0][:2], b"\0" * 32):
            for bits in (0, 3, 4, 5, 6, 8, 15, 24, 26, 32, 256):
                address = prefix.ljust(32, b"\xff")
                want = [one for one in leaves if cut(one[0], bits) == cut(address, bits)]
                deep = len(heap.leaves(heap.depth, address)) > module.DEEP
                held.read = 0
                self.assertEqual(heap.region(bits, address), root_of(want), (prefix, bits))
                self.assertEqual(held.read == 0, bits <= heap.depth or deep or not want)
                self.assertEqual(heap.leaves(bits, address), want)

    def test_a_heap_that_cannot_be_is_our_mistake(self) -> None:
        for depth, width in ((-1, 32), (25, 32), (0, 3)):
            self.assertRaises(LocalError, Heap.load, MemoryLeaves(), MemoryRows(), [], depth, width)
        for wrong in (Bucket(-1, 1, bytes(32)), Bucket(4, 1, bytes(32)), Bucket(0, 1, bytes(31))):
            self.assertRaises(LocalError, Heap.load, MemoryLeaves(), MemoryRows(), [wrong], 2)


class ChangeTests(SynchronousTestCase):
    def test_a_change_reads_one_bucket_and_gives_it_back(self) -> None:
        held, rows, heap = heaped(random_leaves(Random(5), 3_000))
        address, made = leaf(b"\x12" * 32)
        held.put(address, made)
        held.read = 0
        (bucket,) = heap.changed([address, address])
        self.assertEqual(bucket.number, 0x12121212 >> (32 - heap.depth))
        self.assertEqual(held.read, bucket.size)
        self.assertEqual(bucket.hash, heap.region(heap.depth, address))
        self.assertEqual((heap.count, rows.written), (3_001, 0))
        held.remove(address)
        self.assertEqual(heap.changed([address])[0].size, bucket.size - 1)

    def test_each_slot_is_hashed_once_however_many_leaves_changed_below(self) -> None:
        held, _, heap = heaped(random_leaves(Random(6), 3_000))
        hashed: list[bytes] = []
        whole = module.node_hash

        def counting(left: bytes, right: bytes) -> bytes:
            hashed.append(bytes(left))
            return whole(left, right)

        self.patch(module, "node_hash", counting)
        new = random_leaves(Random(7), 3_000)
        for address, made in new:
            held.put(address, made)
        kept = heap.changed(address for address, _ in new)
        self.assertEqual(kept, sorted(kept, key=lambda bucket: bucket.number))
        self.assertTrue(len(hashed) < 1 << heap.depth, len(hashed))
        self.assertEqual(heap.root, root_of(held.between(bytes(32), b"\xff" * 32)))

    def test_a_bucket_that_somebody_ground_costs_its_depth_and_not_its_size(self) -> None:
        ground = under_one_prefix(Random(8), 2_000)
        held, rows, heap = heaped(sorted(random_leaves(Random(8), 2_000) + ground))
        self.assertEqual(len(rows.branches), len(heap.leaves(heap.depth, ground[0][0])) - 1)
        held.read = rows.read = rows.written = 0
        address, made = leaf(ground[7][0], b"new")
        held.put(address, made)
        heap.changed([address])
        self.assertEqual(held.read, 1)
        self.assertTrue(rows.read < 40 and rows.written < 40, (rows.read, rows.written))
        self.assertEqual(heap.root, root_of(held.between(bytes(32), b"\xff" * 32)))

    def test_the_rows_of_a_bucket_come_with_the_65th_leaf_and_go_with_it(self) -> None:
        ground = under_one_prefix(Random(9), 70)
        held, rows, heap = heaped(ground[:63])
        for count, (address, made) in enumerate(ground[63:], 64):
            held.put(address, made)
            heap.changed([address])
            self.assertEqual(len(rows.branches), count - 1 if count > 64 else 0)
        for count, (address, _) in zip(range(69, -1, -1), ground, strict=True):
            held.remove(address)
            heap.changed([address])
            self.assertEqual(len(rows.branches), count - 1 if count > 64 else 0)
            self.assertEqual((heap.root, heap.count), (root_of(ground[70 - count :]), count))
        for address, made in ground:
            held.put(address, made)
        heap.changed([address for address, _ in ground])
        for address, _ in ground:
            held.remove(address)
        self.assertEqual(heap.changed([address for address, _ in ground])[0].hash, EMPTY)
        self.assertEqual(rows.branches, {})

    def test_it_is_crowded_when_another_depth_suits_it_better(self) -> None:
        leaves = random_leaves(Random(10), 49)
        held, _, heap = heaped(leaves[:48])
        self.assertEqual((heap.depth, heap.crowded), (2, False))
        held.put(*leaves[48])
        heap.changed([leaves[48][0]])
        self.assertTrue(heap.crowded)
        held, _, heap = heaped(random_leaves(Random(11), 97))
        self.assertEqual((heap.depth, heap.crowded), (4, False))
        gone = [address for address, _ in held.between(bytes(32), b"\xff" * 32)]
        for left, crowded in ((25, False), (24, True)):
            while held.count() > left:
                held.remove(gone[-1])
                heap.changed([gone.pop()])
            self.assertEqual(heap.crowded, crowded, left)


class RestartTests(SynchronousTestCase):
    def test_the_root_is_there_without_reading_the_leaves_but_two_of_each_deep_bucket(self) -> None:
        held, rows, heap = heaped(sorted(random_leaves(Random(12), 1_000) + under_one_prefix(Random(12), 100)))
        buckets = heap.buckets()
        held.read = rows.read = 0
        again = Heap.load(held, rows, buckets, heap.depth)
        self.assertEqual((held.read, rows.read), (2, 0))
        self.assertEqual((again.root, again.count, again.buckets()), (heap.root, heap.count, heap.buckets()))
        self.assertEqual(leaves_of(again, again.top), list(held.between(bytes(32), b"\xff" * 32)))

    def test_building_anew_leaves_no_row_of_before(self) -> None:
        held, rows, heap = heaped(under_one_prefix(Random(13), 100))
        for address, _ in heap.leaves(0, bytes(32))[:50]:
            held.remove(address)
        self.assertEqual(Heap.build(held, rows).root, root_of(held.between(bytes(32), b"\xff" * 32)))
        self.assertEqual(rows.branches, {})
