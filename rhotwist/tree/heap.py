"""The tree as a heap of hashes over buckets of leaves: a change costs one bucket and one path, and hardly any row.

A bucket is all leaves whose addresses begin with the same ``depth`` bits. Slot 1 of the heap is the whole set, slots 2i
and 2i + 1 are the halves of slot i, and the last 2^depth slots are the buckets, 32 bytes each. A slot with one empty
half has the hash of the other, as a Patricia tree has no node there; so the first slot is the root that rows have.

Leaves are the truth and written by the caller; then ``changed`` is told where, and gives back the buckets to be kept,
from which ``load`` makes the heap again. A bucket of more than DEEP leaves, which only grinding makes, has rows of
branches, so that it costs its depth and not its size. After a transaction that was rolled back, load the heap anew.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple, Protocol

from rhotwist.errors import LocalError, StoreError
from rhotwist.tree.batch import grow, merge
from rhotwist.tree.hashes import EMPTY, Leaf, bit, common, cut, root_of
from rhotwist.tree.merkle import SIZE, node_hash
from rhotwist.tree.rows import Branch, Ref, Rows

MEAN = 12
"""Mean leaves of a bucket at which the heap should be a level deeper."""
DEEP = 64
"""Leaves of one bucket beyond which it has rows; by chance none of a billion has so many."""
DEPTH_MOST = 24
"""Levels of the largest heap: a gigabyte of hashes, for 200 million leaves."""


_sha256 = hashlib.sha256


class Leaves(Protocol):
    """Where leaves are kept, in order of address."""

    def between(self, first: bytes, last: bytes) -> Iterable[Leaf]:
        """The leaves from address first to address last, both included, in order."""

    def ends(self, first: bytes, last: bytes) -> tuple[bytes, bytes] | None:
        """The lowest and the highest address among them, None if there are none: two look-ups, not a scan."""

    def count(self) -> int:
        """How many there are in all."""


class Bucket(NamedTuple):
    """The row of a bucket that is not empty, or is so now: its number, how many leaves it has, their root."""

    number: int
    size: int
    hash: bytes


def depth_for(count: int) -> int:
    """The depth that suits so many leaves: the least at which buckets hold MEAN of them on average, or fewer."""
    return min(((max(count, 1) - 1) // MEAN).bit_length(), DEPTH_MOST)


class Heap:
    """A set of leaves, walked like any tree (``rows.Nodes``). Made by ``build`` or ``load``.

    width is that of an address in bytes, at least 4; deep as DEEP.
    """

    def __init__(self, leaves: Leaves, rows: Rows, width: int, depth: int, deep: int) -> None:
        if not 0 <= depth <= DEPTH_MOST or width < 4:
            raise LocalError(f"a heap of depth {depth} over addresses of {width} bytes; up to {DEPTH_MOST}, from 4")
        self.depth = depth
        self._leaves = leaves
        self._rows = rows
        self._width = width
        self._limit = deep
        self._hashes = bytearray(64 << depth)
        self._counts = array("I", [0]) * (1 << depth)
        self._tops: dict[int, Ref] = {}  # of the buckets that have rows
        self._count = 0

    @classmethod
    def build(cls, leaves: Leaves, rows: Rows, width: int = 32, *, deep: int = DEEP) -> Heap:
        """The heap of all leaves, read and hashed once, at the depth that suits them; 1.4 µs a leaf."""
        made = cls(leaves, rows, width, depth_for(leaves.count()), deep)
        rows.clear()
        first, last = made._span(0, bytes(width))
        for index, group in groupby(leaves.between(first, last), lambda leaf: made._index(leaf[0])):
            made._set_small(index, list(group))
        made._fill()
        return made

    @classmethod
    def load(
        cls, leaves: Leaves, rows: Rows, buckets: Iterable[tuple[int, int, bytes]], depth: int, width: int = 32,
        *, deep: int = DEEP,
    ) -> Heap:  # fmt: skip
        """The heap as it was left, from the buckets it gave out; no leaf is read but those at the ends of deep ones."""
        made = cls(leaves, rows, width, depth, deep)
        counts, hashes, most = made._counts, made._hashes, 1 << depth
        for number, size, found in buckets:
            if not 0 <= number < most or len(found) != SIZE:
                raise LocalError(f"bucket {number} with {len(found)} bytes of hash in a heap of {most}")
            counts[number] = size
            at = 32 * (most + number)
            hashes[at : at + 32] = found
            if size > deep:
                top = made._region(depth, made._prefix(number))
                if top is not None:
                    made._tops[number] = top
        made._count = sum(counts)
        made._fill()
        return made

    # --- what it is

    @property
    def root(self) -> bytes:
        """The root of the set."""
        return bytes(self._hashes[32:64])

    @property
    def count(self) -> int:
        """How many leaves it has."""
        return self._count

    @property
    def crowded(self) -> bool:
        """Whether it should be built anew, being a level too shallow, or three too deep."""
        return not depth_for(self._count) <= self.depth < depth_for(self._count) + 3

    def buckets(self) -> list[Bucket]:
        """Every bucket that has leaves: what is to be kept after ``build``."""
        kept = enumerate(self._counts)
        return [Bucket(index, count, self._slot((1 << self.depth) + index)) for index, count in kept if count]

    # --- what changes

    def changed(self, addresses: Iterable[bytes]) -> list[Bucket]:
        """Leaves were added, changed or taken out at these addresses: the buckets to be kept now, in order."""
        touched: dict[int, list[bytes]] = {}
        for address in addresses:
            touched.setdefault(self._index(address), []).append(address)
        found = []
        for index in sorted(touched):
            if index in self._tops:
                self._change_deep(index, touched[index])
            else:
                self._set_small(index, list(self._leaves.between(*self._span(self.depth, self._prefix(index)))))
            found.append(Bucket(index, self._counts[index], self._slot((1 << self.depth) + index)))
        self._climb([(1 << self.depth) + index for index in touched])
        return found

    def _change_deep(self, index: int, addresses: list[bytes]) -> None:
        changes = [(address, dict(self._leaves.between(address, address)).get(address))
                   for address in sorted(set(addresses))]  # fmt: skip
        top, more = merge(self._rows, self._tops[index], changes)
        count = self._counts[index] + more
        if top is not None and count > self._limit:
            self._tops[index] = top
        else:
            del self._tops[index]
            self._uproot(top)
        self._set(index, count, EMPTY if top is None else top.hash)

    def _set_small(self, index: int, leaves: list[Leaf]) -> None:
        if len(leaves) <= self._limit:
            self._set(index, len(leaves), root_of(leaves))
            return
        top, branches = grow(leaves)
        for branch in branches:
            self._rows.put(branch)
        if top is not None:
            self._tops[index] = top
            self._set(index, len(leaves), top.hash)

    def _uproot(self, top: Ref | None) -> None:
        """A bucket that is deep no more needs no rows."""
        waiting = [top]
        while waiting:
            ref = waiting.pop()
            if ref is not None and not ref.leaf:
                branch = self._rows.get(ref.bits, ref.prefix)
                self._rows.delete(ref.bits, ref.prefix)
                waiting += branch.left, branch.right

    def _set(self, index: int, count: int, made: bytes) -> None:
        self._count += count - self._counts[index]
        self._counts[index] = count
        at = 32 << self.depth | 32 * index
        self._hashes[at : at + 32] = made

    def _climb(self, slots: list[int]) -> None:
        """Hash what is above some slots of one level, each slot once."""
        hashes = self._hashes
        for _ in range(self.depth):
            slots = list({slot >> 1: None for slot in slots})
            for slot in slots:
                at = 32 * slot
                pair = bytes(hashes[2 * at : 2 * at + 64])  # the halves of a slot lie side by side
                if pair.startswith(EMPTY):
                    hashes[at : at + 32] = pair[32:]
                elif pair.endswith(EMPTY):
                    hashes[at : at + 32] = pair[:32]
                else:
                    hashes[at : at + 32] = node_hash(pair[:32], pair[32:])

    def _fill(self) -> None:
        """Hash all above the buckets: every slot of a level at once, then those right that have an empty half."""
        hashes = self._hashes
        empty = [(1 << self.depth) + index for index, count in enumerate(self._counts) if not count]
        for level in range(self.depth - 1, -1, -1):
            below = bytes(hashes[64 << level : 128 << level])
            pairs = [below[at : at + 64] for at in range(0, len(below), 64)]
            hashes[32 << level : 64 << level] = b"".join([_sha256(b"\1" + pair).digest() for pair in pairs])
            halved = {slot >> 1 for slot in empty}
            for slot in halved:
                one, other = self._slot(2 * slot), self._slot(2 * slot + 1)
                hashes[32 * slot : 32 * slot + 32] = other if one == EMPTY else one
            empty = [slot for slot in halved if self._slot(slot) == EMPTY]

    # --- the nodes that rows would hold

    @property
    def top(self) -> Ref | None:
        """``Nodes.top``."""
        return self._region(0, bytes(self._width))

    def branch(self, bits: int, prefix: bytes) -> Branch:
        """``Nodes.branch``: made from the slots, or from the leaves of one bucket."""
        if 0 <= bits < 8 * self._width and cut(prefix, bits) == prefix:
            turn = bytearray(prefix)
            turn[bits >> 3] |= 0x80 >> (bits & 7)
            left, right = self._region(bits + 1, prefix), self._region(bits + 1, bytes(turn))
            if left is not None and right is not None:
                return Branch(bits, prefix, left, right)
        raise StoreError(f"no branch at {prefix.hex()}/{bits}")

    def region(self, bits: int, prefix: bytes) -> bytes:
        """The root of the leaves whose addresses begin with the first ``bits`` bits of prefix; EMPTY if none do."""
        if bits <= self.depth:
            return self._slot(1 << bits | self._index(prefix) >> (self.depth - bits))
        ref = self._region(bits, cut(prefix, bits))
        return EMPTY if ref is None else ref.hash

    def leaves(self, bits: int, prefix: bytes) -> list[Leaf]:
        """Those leaves, in order."""
        return list(self._leaves.between(*self._span(bits, cut(prefix, bits))))

    def _region(self, bits: int, prefix: bytes) -> Ref | None:
        """The top node of the leaves whose addresses begin so."""
        if bits > self.depth:
            return self._inside(bits, prefix)
        ends = self._leaves.ends(*self._span(bits, prefix))
        if ends is None:
            return None
        shared = common(*ends)
        return Ref(shared, cut(ends[0], shared), self._slot(1 << bits | self._index(prefix) >> (self.depth - bits)))

    def _inside(self, bits: int, prefix: bytes) -> Ref | None:
        """The same within one bucket."""
        ref = self._tops.get(self._index(prefix))
        if ref is None:
            return grow(list(self._leaves.between(*self._span(bits, prefix))))[0]
        while ref.bits < bits and common(ref.prefix, prefix) >= ref.bits:
            branch = self._rows.get(ref.bits, ref.prefix)
            ref = branch.right if bit(prefix, ref.bits) else branch.left
        return ref if common(ref.prefix, prefix) >= bits else None

    # --- numbers

    def _index(self, address: bytes) -> int:
        return int.from_bytes(address[:4], "big") >> (32 - self.depth)

    def _prefix(self, index: int) -> bytes:
        return (index << (32 - self.depth)).to_bytes(4, "big") + bytes(self._width - 4)

    def _span(self, bits: int, prefix: bytes) -> tuple[bytes, bytes]:
        rest = (1 << (8 * self._width - bits)) - 1
        return prefix, (int.from_bytes(prefix, "big") | rest).to_bytes(self._width, "big")

    def _slot(self, slot: int) -> bytes:
        return bytes(self._hashes[32 * slot : 32 * slot + 32])
