"""A list of leaf hashes that grows, with its RFC 6962 root at every size it had, and proofs that it only grew."""

from __future__ import annotations

from rhotwist.errors import LocalError
from rhotwist.tree import merkle


class Log:
    """The hashes of every whole subtree are kept, 64 bytes an entry: a root is made of log2(n) of them."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]  # of subtrees of 1, 2, 4, ... entries

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """One more entry."""
        self._levels[0].append(leaf)
        self._join(len(self) - 1)

    def replace(self, index: int, leaf: bytes) -> None:
        """Another entry at a place that has one. Raises LocalError."""
        if not 0 <= index < len(self):
            raise LocalError(f"entry {index} of {len(self)}")
        self._levels[0][index] = leaf
        self._join(index)

    def root(self, count: int | None = None) -> bytes:
        """The root over the first entries, all if not said. Raises LocalError for more than there are."""
        if count is None:
            count = len(self)
        if not 0 <= count <= len(self):
            raise LocalError(f"the first {count} of {len(self)} entries")
        return self.span(0, count)

    def span(self, begin: int, end: int) -> bytes:
        """The root over entries begin to end, where begin is a multiple of the power of two that holds them all."""
        parts = []
        while begin < end:
            level = (end - begin).bit_length() - 1
            parts.append(self._levels[level][begin >> level])
            begin += 1 << level
        if not parts:
            return merkle.EMPTY
        made = parts.pop()
        while parts:
            made = merkle.node_hash(parts.pop(), made)
        return made

    def consistency(self, first: int, count: int | None = None) -> tuple[bytes, ...]:
        """The proof for ``merkle.consistent`` that the first entries are those that it had then. Raises LocalError."""
        if count is None:
            count = len(self)
        if count > len(self):
            raise LocalError(f"the first {count} of {len(self)} entries")
        return merkle.consistency(self.span, first, count)

    def _join(self, index: int) -> None:
        """Hash the whole subtrees above an entry."""
        level = 0
        while True:
            index >>= 1
            below = self._levels[level]
            if 2 * index + 1 >= len(below):
                return
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            made = merkle.node_hash(below[2 * index], below[2 * index + 1])
            if index == len(self._levels[level]):
                self._levels[level].append(made)
            else:
                self._levels[level][index] = made
