"""The tree as rows, one a branch: the plain form, which the others must agree with. Page: docs/spec/tree.md.

The key of a node is how many bits its leaves have in common, and those bits; a leaf's are its whole address. A branch
row holds the keys and hashes of both children. Paths are walked, never recursed into: whoever grinds a chain of 256
branches gets a path of 256 steps and nothing worse.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from rhotwist.errors import LocalError
from rhotwist.tree.hashes import EMPTY, bit, common, cut
from rhotwist.tree.merkle import node_hash


@attrs.frozen
class Ref:
    """A node as its parent names it. prefix is as long as an address, zeros behind its ``bits`` bits."""

    bits: int
    prefix: bytes
    hash: bytes

    @property
    def leaf(self) -> bool:
        """Whether it is a leaf; then its prefix is the address and its hash the leaf's."""
        return self.bits == 8 * len(self.prefix)


@attrs.frozen
class Branch:
    """A node with two children; left has a 0 as bit number ``bits``, right a 1."""

    bits: int
    prefix: bytes
    left: Ref
    right: Ref

    @property
    def ref(self) -> Ref:
        """What its parent holds of it, hashed anew."""
        return Ref(self.bits, self.prefix, node_hash(self.left.hash, self.right.hash))


class Rows(Protocol):
    """Where branches are kept, by bits and prefix."""

    def get(self, bits: int, prefix: bytes) -> Branch:
        """The branch of a key. Raises StoreError where there is none: the rows are damaged."""

    def put(self, branch: Branch) -> object:
        """Keep a branch, instead of one with that key."""

    def delete(self, bits: int, prefix: bytes) -> object:
        """Forget the branch of a key, which is there."""

    def clear(self) -> object:
        """Forget them all."""


class Nodes(Protocol):
    """A tree that can be walked: ``Tree`` and ``Heap`` are."""

    @property
    def top(self) -> Ref | None:
        """The node above all others; None of an empty tree."""

    def branch(self, bits: int, prefix: bytes) -> Branch:
        """The branch of a key that ``top`` or another branch named. Raises StoreError where there is none."""


def descend(nodes: Nodes, address: bytes) -> tuple[list[tuple[Branch, int]], Ref | None]:
    """The way to an address: the branches it passes, each with the side taken, and the node where it ends.

    That is the leaf at the address, or the node in whose stead or beside whose prefix it would be put.
    """
    trail: list[tuple[Branch, int]] = []
    ref = nodes.top
    while ref is not None and not ref.leaf and common(ref.prefix, address) >= ref.bits:
        branch = nodes.branch(ref.bits, ref.prefix)
        side = bit(address, ref.bits)
        trail.append((branch, side))
        ref = branch.right if side else branch.left
    return trail, ref


class Tree:
    """A set of leaves over rows. width is that of its addresses in bytes, top what ``top`` was when it was left."""

    def __init__(self, rows: Rows, width: int = 32, top: Ref | None = None) -> None:
        self._rows = rows
        self._width = width
        self._top = top

    @property
    def top(self) -> Ref | None:
        """``Nodes.top``; it has to be kept beside the rows."""
        return self._top

    @property
    def root(self) -> bytes:
        """The root of the set."""
        return EMPTY if self._top is None else self._top.hash

    def branch(self, bits: int, prefix: bytes) -> Branch:
        """``Nodes.branch``."""
        return self._rows.get(bits, prefix)

    def get(self, address: bytes) -> bytes | None:
        """The hash of the leaf at an address, if there is one."""
        end = descend(self, self._fitting(address))[1]
        return end.hash if end is not None and end.prefix == address else None

    def put(self, address: bytes, leaf: bytes) -> None:
        """Add a leaf, or change the one at its address. Raises LocalError for an address of another width."""
        trail, end = descend(self, self._fitting(address))
        made = Ref(8 * self._width, address, leaf)
        if end is not None and end.prefix != address:
            bits = common(end.prefix, address)
            pair = (end, made) if bit(address, bits) else (made, end)
            branch = Branch(bits, cut(address, bits), *pair)
            self._rows.put(branch)
            made = branch.ref
        self._climb(trail, made)

    def remove(self, address: bytes) -> bool:
        """Take a leaf out; whether there was one. Raises LocalError for an address of another width."""
        trail, end = descend(self, self._fitting(address))
        if end is None or end.prefix != address:
            return False
        if not trail:
            self._top = None
            return True
        branch, side = trail.pop()
        self._rows.delete(branch.bits, branch.prefix)
        self._climb(trail, branch.left if side else branch.right)
        return True

    def _climb(self, trail: list[tuple[Branch, int]], made: Ref) -> None:
        """Write every branch of the way anew, the lowest first."""
        for branch, side in reversed(trail):
            changed = attrs.evolve(branch, right=made) if side else attrs.evolve(branch, left=made)
            self._rows.put(changed)
            made = changed.ref
        self._top = made

    def _fitting(self, address: bytes) -> bytes:
        if len(address) != self._width:
            raise LocalError(f"an address of {len(address)} bytes in a tree of {self._width}")
        return address
