"""A node's tree in memory, as comparing and admission need it: for tests, simulations and benchmarks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice

from rhotwist.directory.admission import Settled
from rhotwist.directory.record import Record
from rhotwist.directory.replica import Entry
from rhotwist.directory.validity import stands
from rhotwist.testing.holdings import MemoryHoldings
from rhotwist.testing.trees import MemoryLeaves, MemoryRows
from rhotwist.tree.hashes import cut
from rhotwist.tree.heap import Heap
from rhotwist.tree.sketch import CELLS_MOST, Cells, Sketch, sketch_id

ALIKE_MOST = 16
"""Records given for one prefix of an address."""


class MemoryReplica:
    """Fits ``directory.replica.Replica`` and ``directory.admission.Holdings``. cells is the size of its sketch."""

    def __init__(self, store_id: bytes = bytes(8), epoch: int = 0, cells: int = CELLS_MOST) -> None:
        self.store_id = store_id
        self.epoch = epoch
        #: The number of the newest record.
        self.seq = 0
        self.held = MemoryHoldings()
        self.standing = self.held.standing
        self.count = self.held.count
        self.addresses = self.held.addresses
        self.pinned = self.held.pinned
        self._leaves = MemoryLeaves()
        self._heap = Heap.build(self._leaves, MemoryRows())
        self._sketch = Sketch(cells)
        self._numbers: dict[bytes, int] = {}
        self._journal: list[tuple[int, bytes]] = []

    # --- changes

    def apply(self, settled: Settled) -> None:
        """Do what a batch came to."""
        self.put([put.record for put in settled.puts if not put.local])
        self.held.beside.update({put.address: put.record for put in settled.puts if put.local})
        self.take_out(settled.removed)

    def put(self, records: Iterable[Record]) -> None:
        """Put records, whatever stood there."""
        put, taken, addresses = [], [], []
        for record in records:
            address, leaf = record.address, record.leaf
            old = self.held.records.get(address)
            if old is not None:
                taken.append(sketch_id(address, old.leaf))
            put.append(sketch_id(address, leaf))
            addresses.append(address)
            self.seq += 1
            self.held.records[address] = record
            self._numbers[address] = self.seq
            self._journal.append((self.seq, address))
            self._leaves.put(address, leaf)
        self._changed(addresses, put, taken)

    def take_out(self, addresses: Sequence[bytes]) -> None:
        """Take records out."""
        taken = []
        for address in addresses:
            taken.append(sketch_id(address, self.held.records.pop(address).leaf))
            del self._numbers[address]
            self._leaves.remove(address)
        self._changed(addresses, [], taken)

    def purge(self, epoch: int) -> None:
        """Begin that day."""
        self.epoch = epoch
        self.take_out([address for address, one in self.held.records.items() if not stands(one.until, epoch)])

    def _changed(self, addresses: Iterable[bytes], put: list[bytes], taken: list[bytes]) -> None:
        self._sketch.change(put, taken)
        if self._heap.crowded:
            self._heap = Heap.build(self._leaves, MemoryRows())
        else:
            self._heap.changed(addresses)

    # --- what it is

    @property
    def root(self) -> bytes:
        """``Replica.root``."""
        return self._heap.root

    @property
    def total(self) -> int:
        """``Replica.total``."""
        return len(self.held.records)

    def since(self, cursor: int, most: int) -> list[tuple[int, bytes]]:
        """``Replica.since``."""
        start = bisect_right(self._journal, cursor, key=lambda line: line[0])
        newest = (line for line in islice(self._journal, start, None) if self._numbers.get(line[1]) == line[0])
        return [(number, self.held.records[address].encode()) for number, address in islice(newest, most)]

    def records(self, prefix: bytes) -> list[bytes]:
        """``Replica.records``."""
        span = self._leaves.between(prefix.ljust(32, b"\0"), prefix.ljust(32, b"\xff"))
        return [self.held.records[address].encode() for address, _ in islice(span, ALIKE_MOST)]

    def cells(self, count: int) -> Cells:
        """``Replica.cells``."""
        return self._sketch.first(min(count, self._sketch.size))

    def region(self, bits: int, prefix: bytes) -> bytes:
        """``Replica.region``."""
        return self._heap.region(bits, prefix)

    def entries(self, bits: int, prefix: bytes, most: int) -> list[Entry]:
        """``Replica.entries``."""
        low = cut(prefix, bits)
        rest = (1 << 256 - bits) - 1
        high = (int.from_bytes(low, "big") | rest).to_bytes(32, "big")
        found = (self.held.records[address] for address, _ in islice(self._leaves.between(low, high), most))
        return [Entry(one.address, one.issued, one.hash) for one in found]
