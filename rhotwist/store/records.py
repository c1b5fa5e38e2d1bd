"""Records as rows: what is written of one, and what is checked when one is read, because disks forget quietly.

``PRAGMA integrity_check`` overlooks three flipped bits in four: only hashes tell. A leaf's hash covers its body alone,
so each row has a sum over the rest too. What fails is refused as ``DamagedStore``, never given out.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from rhotwist.directory.record import Record, read_layout
from rhotwist.directory.validity import DAY
from rhotwist.errors import BadPacket, DamagedStore

SUM = 4
"""Bytes of the sum over a record."""
#: The columns body and proof.
Row = Sequence[bytes]

AT_ONCE, FEW = 100, 10
"""Addresses that one statement asks for: 1 µs each instead of 4; fewer than FEW are asked for one by one."""
#: Leaves, and leaves with their records, of any addresses.
LEAVES = "SELECT address, hash, seq FROM leaf WHERE address IN ({})"
WITH_RECORD = "SELECT address, body, proof, hash FROM leaf LEFT JOIN record USING (seq)"
RECORDS = WITH_RECORD + " WHERE address IN ({})"

_IN_TREE = RECORDS.format("?")
_LOCAL = "SELECT body, proof FROM local WHERE address = ?"
_KEEP = "INSERT OR REPLACE INTO local (address, body, proof) VALUES (?, ?, ?)"
_IN_ORDER = "SELECT seq, body, proof FROM record ORDER BY seq"


def row_of(record: Record) -> Row:
    """The columns of a record."""
    proof = record.signature + record.nonce
    return record.body, proof + sum_of(record.body, proof)


def sum_of(*parts: bytes) -> bytes:
    """The sum over some columns."""
    return hashlib.blake2b(b"".join(parts), digest_size=SUM).digest()


def whole(row: Row) -> bytes | None:
    """The bytes of a record; None if its sum does not hold, or its columns hold no bytes."""
    try:
        body, proof = row
        return body + proof[:-SUM] if sum_of(body, proof[:-SUM]) == proof[-SUM:] else None
    except TypeError:
        return None


def read(row: Row) -> Record | None:
    """The record of a row; None if it is damaged."""
    data = whole(row)
    try:
        return None if data is None else read_layout(data)
    except BadPacket:
        return None


def day_of(record: Record) -> int:
    """The first day whose tree a record is not in."""
    return record.until // DAY


def in_tree(connection: sqlite3.Connection, address: bytes) -> Record | None:
    """The record of the tree at an address, if there is one. Raises DamagedStore if it is not what the leaf says."""
    row = connection.execute(_IN_TREE, (address,)).fetchone()
    return None if row is None else standing(row)


def standing(row: Sequence[Any]) -> Record:
    """The record of a row of RECORDS. Raises DamagedStore if it is not what the leaf says."""
    address, body, proof, leaf = row
    record = read((body, proof))
    if record is None or record.address != address or record.leaf != leaf:
        raise DamagedStore(f"the record at {address.hex()} is damaged")
    return record


def each(connection: sqlite3.Connection, what: str, addresses: Sequence[bytes]) -> Iterator[Sequence[Any]]:
    """The rows of LEAVES or RECORDS at those of these addresses that are in the tree, in any order."""
    step = AT_ONCE if len(addresses) >= FEW else 1
    sql = what.format(",".join("?" * step))
    for at in range(0, len(addresses), step):
        some = list(addresses[at : at + step])
        some += some[-1:] * (step - len(some))  # always as many, so that SQLite compiles it once
        yield from connection.execute(sql, some)


def beside(connection: sqlite3.Connection, address: bytes) -> Record | None:
    """The local record of an address, if there is one. Raises DamagedStore."""
    row = connection.execute(_LOCAL, (address,)).fetchone()
    if row is None:
        return None
    record = read(row)
    if record is None or record.address != address:
        raise DamagedStore(f"the local record at {address.hex()} is damaged")
    return record


def keep_beside(connection: sqlite3.Connection, record: Record) -> None:
    """Keep a local record in place of the one of its address."""
    connection.execute(_KEEP, (record.address, *row_of(record)))


def addresses(connection: sqlite3.Connection, numbers: Collection[int]) -> list[bytes]:
    """The addresses of the leaves that name such numbers of the journal; looks at every leaf, unless there are none."""
    if not numbers:
        return []
    return [address for address, seq in connection.execute("SELECT address, seq FROM leaf") if seq in numbers]


def in_order(connection: sqlite3.Connection) -> Iterator[tuple[int, Record | None]]:
    """Every record of the journal by its number; None for one that is damaged."""
    for seq, *row in connection.execute(_IN_ORDER):
        yield seq, read(row)
