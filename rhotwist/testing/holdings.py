"""A tree of records as a dict: what admission needs of one, for tests and simulations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rhotwist.directory.admission import Settled, Standing
from rhotwist.directory.record import Record
from rhotwist.directory.validity import stands
from rhotwist.tree import merkle


class MemoryHoldings:
    """Records by address in the tree, and beside it those that are local or pinned."""

    def __init__(self) -> None:
        self.records: dict[bytes, Record] = {}
        self.beside: dict[bytes, Record] = {}
        self.pins: set[bytes] = set()

    def standing(self, addresses: Sequence[bytes]) -> Sequence[Standing | None]:
        """What stands at each of these addresses."""
        found = map(self.records.get, addresses)
        return [None if one is None else Standing(one.issued, one.hash, one.nonce) for one in found]

    def count(self) -> int:
        """How many addresses are in the tree, pinned ones aside."""
        return sum(address not in self.pins for address in self.records) if self.pins else len(self.records)

    def addresses(self) -> Iterable[bytes]:
        """Those addresses."""
        return [address for address in self.records if address not in self.pins]

    def pinned(self, address: bytes) -> bool:
        """Whether an address is pinned."""
        return address in self.pins

    def apply(self, settled: Settled) -> None:
        """Do what a batch came to."""
        for put in settled.puts:
            (self.beside if put.local else self.records)[put.address] = put.record
        for address in settled.removed:
            del self.records[address]

    def purge(self, epoch: int) -> None:
        """Drop what does not stand in the tree of that day."""
        self.records = {address: one for address, one in self.records.items() if stands(one.until, epoch)}

    def root(self) -> bytes:
        """A hash over the leaves in order of their addresses: equal when the trees are."""
        return merkle.root(self.records[address].leaf for address in sorted(self.records))
