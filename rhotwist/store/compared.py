"""The directory on disk as comparing sees it (``directory.replica.Replica``), for as long as one question runs."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from rhotwist.directory.record import Record
from rhotwist.directory.replica import Entry
from rhotwist.errors import DamagedStore
from rhotwist.store import records
from rhotwist.store.replica import View
from rhotwist.tree.hashes import cut
from rhotwist.tree.sketch import CELLS_MOST, Cells

ALIKE_MOST = 16
"""Records given for one prefix of an address."""

_SINCE = "SELECT seq, body, proof FROM record WHERE seq > ? ORDER BY seq LIMIT ?"
_BETWEEN = f"{records.WITH_RECORD} WHERE address BETWEEN ? AND ? ORDER BY address LIMIT ?"


class Compared:
    """A view of the tree. What is damaged is left out: the root will say so, and whoever has it bring it."""

    def __init__(self, view: View, connection: sqlite3.Connection) -> None:
        self._view = view
        self._connection = connection
        self.root = view.state.root
        self.total = view.state.count
        self.epoch = view.state.epoch
        self.store_id = view.state.store_id
        self.seq = view.state.seq
        self.region = view.region

    def since(self, cursor: int, most: int) -> list[tuple[int, bytes]]:
        """``Replica.since``."""
        found: list[tuple[int, bytes]] = []
        more = True
        while more and len(found) < most:  # again where some are damaged: fewer than most are all that there are
            rows = self._connection.execute(_SINCE, (cursor, most - len(found))).fetchall()
            more = len(rows) == most - len(found)
            cursor = rows[-1][0] if rows else cursor
            read = ((seq, records.whole(row)) for seq, *row in rows)
            found += [(seq, data) for seq, data in read if data is not None]
        return found

    def records(self, prefix: bytes) -> list[bytes]:
        """``Replica.records``."""
        return [record.encode() for record in self._below(8 * len(prefix), prefix.ljust(32, b"\0"), ALIKE_MOST)]

    def cells(self, count: int) -> Cells:
        """``Replica.cells``."""
        return self._view.cells(min(count, CELLS_MOST))

    def entries(self, bits: int, prefix: bytes, most: int) -> list[Entry]:
        """``Replica.entries``."""
        return [Entry(one.address, one.issued, one.hash) for one in self._below(bits, prefix, most)]

    def _below(self, bits: int, prefix: bytes, most: int) -> list[Record]:
        first = cut(prefix, bits)
        last = (int.from_bytes(first, "big") | (1 << 256 - bits) - 1).to_bytes(32, "big")
        found = []
        for row in self._connection.execute(_BETWEEN, (first, last, most)):
            with suppress(DamagedStore):
                found.append(records.standing(row))
        return found
