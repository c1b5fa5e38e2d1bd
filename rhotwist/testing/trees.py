"""Storage for trees in memory: what ``rhotwist.tree`` asks of a store, for tests and simulated nodes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence

from rhotwist.errors import StoreError
from rhotwist.tree.hashes import Leaf
from rhotwist.tree.rows import Branch


class MemoryRows:
    """Branches in a dict; fits ``rhotwist.tree.rows.Rows``. read and written count calls."""

    def __init__(self) -> None:
        self.branches: dict[tuple[int, bytes], Branch] = {}
        self.read = 0
        self.written = 0

    def get(self, bits: int, prefix: bytes) -> Branch:
        """``Rows.get``."""
        self.read += 1
        try:
            return self.branches[bits, prefix]
        except KeyError:
            raise StoreError(f"no branch at {prefix.hex()}/{bits}") from None

    def put(self, branch: Branch) -> None:
        """``Rows.put``."""
        self.written += 1
        self.branches[branch.bits, branch.prefix] = branch

    def delete(self, bits: int, prefix: bytes) -> None:
        """``Rows.delete``."""
        self.written += 1
        del self.branches[bits, prefix]

    def clear(self) -> None:
        """``Rows.clear``."""
        self.branches.clear()


class MemoryLeaves:
    """Leaves in order of address; fits ``rhotwist.tree.heap.Leaves``. read counts the leaves looked at."""

    def __init__(self, leaves: Sequence[Leaf] = ()) -> None:
        self._hashes: dict[bytes, bytes] = dict(leaves)
        self._order = sorted(self._hashes)
        self.read = 0

    def put(self, address: bytes, leaf: bytes) -> None:
        """Add a leaf or change it."""
        if address not in self._hashes:
            insort(self._order, address)
        self._hashes[address] = leaf

    def remove(self, address: bytes) -> None:
        """Take a leaf out, if it is there."""
        if self._hashes.pop(address, None) is not None:
            del self._order[bisect_left(self._order, address)]

    def between(self, first: bytes, last: bytes) -> Iterator[Leaf]:
        """``Leaves.between``."""
        for address in self._order[bisect_left(self._order, first) : bisect_right(self._order, last)]:
            self.read += 1
            yield address, self._hashes[address]

    def ends(self, first: bytes, last: bytes) -> tuple[bytes, bytes] | None:
        """``Leaves.ends``."""
        self.read += 2
        low, high = bisect_left(self._order, first), bisect_right(self._order, last)
        return (self._order[low], self._order[high - 1]) if low < high else None

    def count(self) -> int:
        """``Leaves.count``."""
        return len(self._order)
