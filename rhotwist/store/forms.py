"""The two forms in which the directory's tree is kept beside its leaves; both give the same root.

``HeapForm`` keeps a row for each bucket, and hashes in memory: what a node uses. ``RowForm`` keeps a row for each
branch, which anybody can walk with plain SQL: slower by three to five times, and the oracle for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rhotwist.store.tree_tables import WIDTH, LeafTable, NodeTable
from rhotwist.tree.batch import grow, merge
from rhotwist.tree.hashes import EMPTY, bit, common
from rhotwist.tree.heap import DEEP, Bucket, Heap
from rhotwist.tree.rows import Nodes, Ref, Tree

ROWS = -1
"""The depth that stands for rows of all branches."""

_KEEP = "INSERT OR REPLACE INTO bucket (number, count, hash) VALUES (?, ?, ?)"


class Form(Protocol):
    """A tree over the tables, its rows in step with the leaves. leaves and nodes are the tables it reads and writes."""

    leaves: LeafTable
    nodes: NodeTable

    @property
    def tree(self) -> Nodes:
        """The tree, to be walked."""

    @property
    def depth(self) -> int:
        """Bits of a bucket's number, or ROWS: what ``load`` wants to know."""

    @property
    def root(self) -> bytes:
        """The root of the leaves."""

    @property
    def count(self) -> int:
        """How many leaves there are."""

    def build(self) -> None:
        """Write all rows anew from the leaves."""

    def load(self, depth: int) -> None:
        """Take the rows as they are. Raises ValueError or StoreError for rows that no tree has."""

    def changed(self, addresses: Sequence[bytes]) -> None:
        """Leaves were added, changed or taken out at these addresses: bring the rows up to them."""

    def region(self, bits: int, prefix: bytes) -> bytes:
        """The root of the leaves whose addresses begin with the first ``bits`` bits of prefix; EMPTY if none do."""


class HeapForm:
    """``Form`` as ``rhotwist.tree.heap``. deep as there."""

    def __init__(self, deep: int = DEEP) -> None:
        self.leaves, self.nodes = LeafTable(), NodeTable()
        self._deep = deep
        self.tree: Heap

    @property
    def depth(self) -> int:
        """``Form.depth``."""
        return self.tree.depth

    @property
    def root(self) -> bytes:
        """``Form.root``."""
        return self.tree.root

    @property
    def count(self) -> int:
        """``Form.count``."""
        return self.tree.count

    def build(self) -> None:
        """``Form.build``."""
        self.tree = Heap.build(self.leaves, self.nodes, WIDTH, deep=self._deep)
        self.leaves.connection.execute("DELETE FROM bucket")
        self._keep(self.tree.buckets())

    def load(self, depth: int) -> None:
        """``Form.load``."""
        rows = self.leaves.connection.execute("SELECT number, count, hash FROM bucket")
        self.tree = Heap.load(self.leaves, self.nodes, rows, depth, WIDTH, deep=self._deep)

    def changed(self, addresses: Sequence[bytes]) -> None:
        """``Form.changed``."""
        buckets = self.tree.changed(addresses)
        if self.tree.crowded:
            self.build()
        else:
            self._keep(buckets)

    def region(self, bits: int, prefix: bytes) -> bytes:
        """``Form.region``."""
        return self.tree.region(bits, prefix)

    def _keep(self, buckets: Sequence[Bucket]) -> None:
        connection = self.leaves.connection
        connection.executemany(_KEEP, [one for one in buckets if one.size])
        gone = [(one.number,) for one in buckets if not one.size]
        if gone:
            connection.executemany("DELETE FROM bucket WHERE number = ?", gone)


class RowForm:
    """``Form`` as ``rhotwist.tree.rows``."""

    depth = ROWS

    def __init__(self) -> None:
        self.leaves, self.nodes = LeafTable(), NodeTable()
        self.tree: Tree
        self.count = 0

    @property
    def root(self) -> bytes:
        """``Form.root``."""
        return self.tree.root

    def build(self) -> None:
        """``Form.build``."""
        self.nodes.clear()
        self.leaves.connection.execute("DELETE FROM bucket")
        leaves = list(self.leaves.everything())
        top, branches = grow(leaves)
        for branch in branches:
            self.nodes.put(branch)
        self._stand(top, len(leaves))

    def load(self, depth: int) -> None:
        """``Form.load``."""
        top = self.nodes.top()
        if top is None:
            top = next((Ref(8 * WIDTH, *leaf) for leaf in self.leaves.everything()), None)
        self._stand(top, self.leaves.count())

    def changed(self, addresses: Sequence[bytes]) -> None:
        """``Form.changed``."""
        changes = [(one, dict(self.leaves.between(one, one)).get(one)) for one in sorted(set(addresses))]
        top, more = merge(self.nodes, self.tree.top, changes)
        self._stand(top, self.count + more)

    def region(self, bits: int, prefix: bytes) -> bytes:
        """``Form.region``."""
        ref = self.tree.top
        while ref is not None and ref.bits < bits and common(ref.prefix, prefix) >= ref.bits:
            branch = self.nodes.get(ref.bits, ref.prefix)
            ref = branch.right if bit(prefix, ref.bits) else branch.left
        return EMPTY if ref is None or common(ref.prefix, prefix) < bits else ref.hash

    def _stand(self, top: Ref | None, count: int) -> None:
        self.tree = Tree(self.nodes, WIDTH, top)
        self.count = count
