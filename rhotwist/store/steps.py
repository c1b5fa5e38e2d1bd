"""What each transaction did to the directory as a whole, so that a start reads little and believes nothing.

The sketch is 82 kB, too much to be written with each record. So it is written once in thousands of records; in between
each transaction leaves a step: how many leaves there are now, their root, and which ids came into the sketch and went.
Each step's sum covers the one before, and the meta row's covers the first: what is lost or changed on the disk shows.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence

import attrs

from rhotwist.errors import BadPacket, DamagedStore
from rhotwist.tree.sketch import ID, Cells, Sketch, read_cells

FOLD = 4_096
"""Ids in steps before the sketch is written whole: 20 bytes of it an id, and 20 ms at a start."""
SUM = 8

_PUT = "INSERT INTO step (seq, count, root, came, ids, sum) VALUES (?, ?, ?, ?, ?, ?)"
_STEPS = "SELECT seq, count, root, came, ids, sum FROM step ORDER BY seq"
_LAST = "SELECT sum FROM step ORDER BY seq DESC LIMIT 1"
_META = "SELECT store_id, epoch, depth, cells, sum FROM meta"
_SET = "INSERT OR REPLACE INTO meta (id, store_id, epoch, depth, cells, sum) VALUES (1, ?, ?, ?, ?, ?)"


@attrs.frozen
class Meta:
    """What changes rarely: the journal's name, the day, the form of the tree."""

    store_id: bytes
    epoch: int
    depth: int


@attrs.frozen
class Step:
    """The last number of the journal after a transaction, how many leaves there were, their root; the step's sum."""

    seq: int
    count: int
    root: bytes
    sum: bytes = b""


def last_sum(connection: sqlite3.Connection) -> bytes | None:
    """What tells the state of the directory from any other: the sum of the last step. None of a new one."""
    row = connection.execute(_LAST).fetchone()
    return None if row is None else row[0]


def add(
    connection: sqlite3.Connection, before: bytes, step: Step, came: Sequence[bytes], went: Sequence[bytes]
) -> Step:
    """Write a step behind the one with the sum before."""
    ids = b"".join((*came, *went))
    made = _sum(before, step.seq, step.count, step.root, len(came), ids)
    connection.execute(_PUT, (step.seq, step.count, step.root, len(came), ids, made))
    return attrs.evolve(step, sum=made)


def fold(connection: sqlite3.Connection, meta: Meta, step: Step, sketch: Sketch | None) -> Step:
    """Write all anew: a first step and the sketch as they are now, in place of all steps."""
    connection.execute("DELETE FROM step")
    first = add(connection, b"", step, (), ())
    cells = b"" if sketch is None else sketch.first(sketch.size).encode()
    row = (meta.store_id, meta.epoch, meta.depth, cells)
    connection.execute(_SET, (*row, _sum(*row, first.sum)))
    return first


def load(connection: sqlite3.Connection) -> tuple[Meta, Step, Cells | None, list[bytes], list[bytes]] | None:
    """The directory as it was left: meta row, last step, cells and the ids that came and went since; None of a new one.

    Cells are None where there are none or none that can be read. Raises DamagedStore where the sums do not hold.
    """
    meta = connection.execute(_META).fetchone()
    rows = connection.execute(_STEPS).fetchall()
    if meta is None and not rows:
        return None
    came: list[bytes] = []
    went: list[bytes] = []
    before = b""
    try:
        for seq, count, root, coming, ids, made in rows:
            if _sum(before, seq, count, root, coming, ids) != made:
                raise DamagedStore(f"step {seq} of the directory is damaged, or the one before it is")
            before = made
            found = [ids[at : at + ID] for at in range(0, len(ids), ID)]
            came += found[:coming]
            went += found[coming:]
        if meta is None or not rows or _sum(*meta[:4], rows[0][5]) != meta[4]:
            raise DamagedStore("the meta row of the directory is damaged")
    except TypeError:
        raise DamagedStore("the steps of the directory are damaged") from None
    try:
        cells = read_cells(meta[3]) if meta[3] else None
    except BadPacket:
        cells = None  # the sums hold, so another version wrote it, with cells of another size
    seq, count, root = rows[-1][:3]
    return Meta(*meta[:3]), Step(seq, count, root, before), cells, came, went


def sketch_of(cells: Cells | None, came: Iterable[bytes], went: Iterable[bytes]) -> Sketch | None:
    """The sketch of cells after some ids came and went; None if none is kept."""
    if cells is None:
        return None
    made = Sketch.load(cells)
    made.change(came, went)
    return made


def _sum(*parts: bytes | int) -> bytes:
    """A sum over columns, each behind its length so that no two rows run into one."""
    whole = b"".join(
        part.to_bytes(8, "big", signed=True) if isinstance(part, int) else len(part).to_bytes(4, "big") + part
        for part in parts
    )
    return hashlib.blake2b(whole, digest_size=SUM).digest()
