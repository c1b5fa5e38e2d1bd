"""The directory looked over, from one snapshot: does every hash hold? Beside the writer, whom it does not stop."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import attrs

from rhotwist.errors import DamagedStore
from rhotwist.store import records, steps
from rhotwist.store.forms import ROWS
from rhotwist.store.tree_tables import LeafTable, NodeTable
from rhotwist.tree.hashes import root_of
from rhotwist.tree.heap import Heap

_LEAF_OF = "SELECT hash, seq, day FROM leaf WHERE address = ?"
_ORPHANS = "SELECT address FROM leaf WHERE seq NOT IN (SELECT seq FROM record)"


@attrs.frozen
class Audit:
    """What was found of so many leaves: damage in words, nothing if all is right, and the addresses of lost records."""

    count: int
    damage: tuple[str, ...]
    lost: tuple[bytes, ...] = ()


def audit(connection: sqlite3.Connection, whole: bool) -> Audit:
    """Look at steps, leaves and tree, 1.5 µs a leaf; whole: at every record and page too, 20 µs.

    Raises sqlite3.Error where SQLite itself finds the file damaged.
    """
    connection.execute("BEGIN")
    try:
        count = int(connection.execute("SELECT count(*) FROM leaf").fetchone()[0])
        damage = [*_tree(connection)]
        lost: list[bytes] = []
        if whole:
            damage += _pages(connection)
            lost = sorted({*_lost(connection)}, key=bytes)
            damage += [f"the record at {address.hex()} is damaged" for address in lost]
            damage += _beside(connection)
        return Audit(count, tuple(damage), tuple(lost))
    finally:
        connection.execute("COMMIT")


def _tree(connection: sqlite3.Connection) -> Iterator[str]:
    leaves, nodes = LeafTable(), NodeTable()
    leaves.connection = nodes.connection = connection
    try:
        found = steps.load(connection)
        if found is None:
            return
        meta, step, *_ = found
        if root_of(leaves.everything()) != step.root:
            yield "the leaves have another root than the last step"
        if meta.depth != ROWS:
            rows = connection.execute("SELECT number, count, hash FROM bucket")
            heap = Heap.load(leaves, nodes, rows, meta.depth)
            if (heap.root, heap.count) != (step.root, step.count):
                yield "the buckets have another root than the last step"
    except DamagedStore as damaged:
        yield str(damaged)
    except (TypeError, ValueError, OverflowError):  # LocalError too: what the types of a column do not allow
        yield "rows of the tree hold what no tree has"


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds: three quarters of all damage it does not, but rows that fell out of their table it does."""
    for (told,) in connection.execute("PRAGMA integrity_check(9)"):
        if told != "ok":
            yield f"SQLite says: {told}"


def _lost(connection: sqlite3.Connection) -> Iterator[bytes]:
    """The addresses of leaves whose records are damaged, gone, or another's."""
    damaged = set()
    for seq, record in records.in_order(connection):
        if record is None:
            damaged.add(seq)
        else:
            row = connection.execute(_LEAF_OF, (record.address,)).fetchone()
            if row != (record.leaf, seq, records.day_of(record)):
                yield record.address
    yield from records.addresses(connection, damaged)
    yield from (row[0] for row in connection.execute(_ORPHANS))


def _beside(connection: sqlite3.Connection) -> Iterator[str]:
    for (address,) in connection.execute("SELECT address FROM local").fetchall():
        try:
            records.beside(connection, address)
        except DamagedStore as damaged:
            yield str(damaged)
    for address, made in connection.execute("SELECT address, sum FROM pin").fetchall():
        if records.sum_of(address) != made:
            yield f"the pin of {address.hex()} is damaged"
