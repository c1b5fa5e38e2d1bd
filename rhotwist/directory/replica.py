"""What comparing needs of the tree that a node keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rhotwist.tree.sketch import Cells


class Entry(NamedTuple):
    """A record as a list of leaves names it: its address, when it was issued, SHA-256 of its body."""

    address: bytes
    issued: int
    hash: bytes


class Replica(Protocol):
    """One tree, all of whose answers between two changes are of one state; none takes longer the larger it is."""

    @property
    def root(self) -> bytes:
        """The root of the tree."""

    @property
    def total(self) -> int:
        """How many records it has."""

    @property
    def epoch(self) -> int:
        """The day whose records it has."""

    @property
    def store_id(self) -> bytes:
        """8 random bytes that name these numbers: another store, or one made anew, has others."""

    @property
    def seq(self) -> int:
        """The number of the newest record. Each record that is put has the next one, 1 the first."""

    def since(self, cursor: int, most: int) -> Sequence[tuple[int, bytes]]:
        """The records numbered above cursor that still stand, in order, with their numbers; at most so many."""

    def records(self, prefix: bytes) -> Sequence[bytes]:
        """The records whose addresses begin with these bytes, at most 16."""

    def cells(self, count: int) -> Cells:
        """The first cells of its sketch, as many as it keeps if these are fewer."""

    def region(self, bits: int, prefix: bytes) -> bytes:
        """The root of the leaves whose addresses begin with these bits of 32 bytes (``Heap.region``)."""

    def entries(self, bits: int, prefix: bytes, most: int) -> Sequence[Entry]:
        """Those leaves in order of address, but no more than most of them."""
