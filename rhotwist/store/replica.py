"""The directory as the writer's thread holds it: tables, tree and sketch, changed together in one transaction.

Tree and sketch in memory follow the tables by construction: each operation first compares the sum of the last step
with what it remembers, and loads all anew where they differ, as after a transaction that was lost. So nothing has to be
undone in memory, whatever failed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import attrs

from rhotwist.directory.admission import Put
from rhotwist.directory.merge import beats
from rhotwist.directory.record import Record
from rhotwist.errors import DamagedStore, LocalError
from rhotwist.moment import Rng
from rhotwist.store import records, steps
from rhotwist.store.crashpoint import crashpoint
from rhotwist.store.forms import ROWS, Form, HeapForm, RowForm
from rhotwist.store.steps import Meta, Step
from rhotwist.tree.hashes import EMPTY, Leaf
from rhotwist.tree.heap import DEEP
from rhotwist.tree.rows import Nodes
from rhotwist.tree.sketch import CELLS_MOST, Cells, Sketch, sketch_id

STORE_ID = 8
"""Bytes of a journal's name."""

_ADD_RECORD = "INSERT INTO record (seq, body, proof) VALUES (?, ?, ?)"
_PUT_LEAF = "INSERT OR REPLACE INTO leaf (address, hash, seq, day) VALUES (?, ?, ?, ?)"
_EXPIRED = "SELECT address, hash, seq FROM leaf WHERE day <= ? ORDER BY address"
_PIN = "INSERT OR REPLACE INTO pin (address, sum) VALUES (?, ?)"


def _size(pins: frozenset[bytes]) -> str:
    return f"{len(pins)} of them"


@attrs.frozen
class State:
    """What the directory was after a transaction.

    store_id names its journal, of which seq is the last number; epoch is the day whose tree it is; count leaves are in
    it, pinned of them at addresses of pins.
    """

    store_id: bytes = bytes(STORE_ID)
    epoch: int = 0
    seq: int = 0
    count: int = 0
    root: bytes = attrs.field(default=EMPTY, repr=bytes.hex)
    pins: frozenset[bytes] = attrs.field(default=frozenset(), repr=_size)
    pinned: int = 0


@attrs.frozen
class View:
    """The directory at one moment, for as long as the question runs that it is given to."""

    state: State
    _form: Form
    _sketch: Sketch | None

    @property
    def tree(self) -> Nodes:
        """The tree, to be walked: for proofs and differences."""
        return self._form.tree

    def region(self, bits: int, prefix: bytes) -> bytes:
        """The root of the leaves whose addresses begin with the first ``bits`` bits of prefix; EMPTY if none do."""
        return self._form.region(bits, prefix)

    def leaves(self, bits: int, prefix: bytes) -> list[Leaf]:
        """Those leaves, in order."""
        return self._form.leaves.below(bits, prefix)

    def cells(self, count: int) -> Cells:
        """The first cells of the sketch. Raises LocalError for more than are kept."""
        if self._sketch is None:
            raise LocalError(f"{count} cells of a directory that keeps no sketch")
        return self._sketch.first(count)

    def record(self, address: bytes) -> Record | None:
        """The record at an address of the tree. Raises DamagedStore."""
        return records.in_tree(self._form.leaves.connection, address)


@attrs.frozen
class Rebuilt:
    """What was left: the state, and the addresses in the tree and beside it of which nothing is. Peers have them."""

    state: State
    lost: tuple[bytes, ...]
    lost_local: tuple[bytes, ...]
    lost_pins: int


class Replica:
    """The directory behind a database. Every method runs in the writer's thread, inside a transaction.

    reference: as rows of all branches. cells: how many the sketch has, 0 for none. deep as in ``Heap``; fold as FOLD.
    """

    def __init__(
        self, rng: Rng, *, reference: bool = False, cells: int = CELLS_MOST, deep: int = DEEP, fold: int = steps.FOLD
    ) -> None:
        self._rng = rng
        self._reference = reference
        self._cells = cells
        self._deep = deep
        self._fold = fold
        self._form: Form
        self._sketch: Sketch | None = None
        self._mark = b""  # the sum of the step that form and sketch stand at
        self._moving = True  # they stand nowhere: a change has begun and not come to its step
        self._loose = 0  # ids in steps
        self._depth = 0  # as the meta row has it
        self.state = State()

    # --- what changes

    def apply(self, connection: sqlite3.Connection, puts: Sequence[Put], removed: Iterable[bytes]) -> State:
        """Put records into the tree or, those that are local, beside it; take addresses out that are in it."""
        self.follow(connection)
        for put in puts:
            if put.local:
                _keep_beside(connection, put.record)
        shared = {put.address: put for put in puts if not put.local}
        touched = sorted({*shared, *removed})
        if not touched:
            return self.state
        self._moving = True
        came, went, numbers = [], [], []
        for address, leaf, number in records.each(connection, records.LEAVES, touched):
            went.append(sketch_id(address, leaf))
            numbers.append((number,))
        gone = [(address,) for address in touched if address not in shared]
        seq = self.state.seq
        added = {put.address: seq + at for at, put in enumerate(shared.values(), 1)}
        connection.executemany("DELETE FROM record WHERE seq = ?", numbers)
        connection.executemany("DELETE FROM leaf WHERE address = ?", gone)
        connection.executemany(
            _ADD_RECORD, ((added[put.address], *records.row_of(put.record)) for put in shared.values())
        )
        leaves = []
        for address in touched:
            if address in shared:
                put = shared[address]
                came.append(sketch_id(address, put.leaf))
                leaves.append((address, put.leaf, added[address], records.day_of(put.record)))
        connection.executemany(_PUT_LEAF, leaves)
        crashpoint("directory-leaves")
        self._form.changed(touched)
        return self._step(connection, seq + max(len(shared), 1), came, went)

    def purge(self, connection: sqlite3.Connection, epoch: int) -> State:
        """Make it the tree of a day: what does not stand in that goes."""
        self.follow(connection)
        if epoch == self.state.epoch:
            return self.state
        self._moving = True
        rows = connection.execute(_EXPIRED, (epoch,)).fetchall()
        connection.executemany("DELETE FROM record WHERE seq = ?", ((row[2],) for row in rows))
        connection.execute("DELETE FROM leaf WHERE day <= ?", (epoch,))
        for (address,) in connection.execute("SELECT address FROM local").fetchall():
            record = _sound(connection, address)
            if record is not None and records.day_of(record) <= epoch:
                connection.execute("DELETE FROM local WHERE address = ?", (address,))
        crashpoint("directory-purged")
        self._form.changed([row[0] for row in rows])
        self.state = attrs.evolve(self.state, epoch=epoch)
        return self._step(connection, self.state.seq + 1, (), [sketch_id(row[0], row[1]) for row in rows], whole=True)

    def pin(self, connection: sqlite3.Connection, address: bytes, pinned: bool) -> State:
        """Pin an address, or no longer."""
        self.follow(connection)
        self._moving = True
        if pinned:
            connection.execute(_PIN, (address, records.sum_of(address)))
        else:
            connection.execute("DELETE FROM pin WHERE address = ?", (address,))
        self.state = attrs.evolve(self.state, pins=_pins(connection))
        return self._step(connection, self.state.seq + 1, (), ())

    def rebuild(self, connection: sqlite3.Connection, epoch: int) -> Rebuilt:
        """Make all anew, as the tree of a day, from the records that are whole; under a new name, because a journal
        with holes is another journal.
        """
        self._moving = True
        before = {row[0] for row in connection.execute("SELECT address FROM leaf")}
        last = connection.execute("SELECT max(coalesce((SELECT max(seq) FROM record), 0), "
                                  "coalesce((SELECT max(seq) FROM step), 0))").fetchone()[0]  # fmt: skip
        connection.execute("DELETE FROM leaf")
        for seq, record in records.in_order(connection):
            if record is not None:
                row = (record.address, record.leaf, seq, records.day_of(record))
                connection.execute(_PUT_LEAF, row)
        kept = {row[0] for row in connection.execute("SELECT address FROM leaf")}
        connection.execute("DELETE FROM leaf WHERE day <= ?", (epoch,))
        connection.execute("DELETE FROM record WHERE seq NOT IN (SELECT seq FROM leaf)")
        lost_local = _drop_damaged(connection)
        lost_pins = connection.execute("SELECT count(*) FROM pin").fetchone()[0]
        pins = _pins(connection)
        connection.execute("DELETE FROM pin")
        connection.executemany(_PIN, ((address, records.sum_of(address)) for address in pins))
        self._form = self._made_form(connection)
        self._form.build()
        crashpoint("directory-built")
        self._sketch = self._made_sketch()
        self.state = State(self._rng(STORE_ID), epoch, last, pins=pins)
        state = self._step(connection, last + 1, (), (), whole=True)
        return Rebuilt(state, tuple(sorted(before - kept, key=bytes)), lost_local, lost_pins - len(pins))

    # --- what it is

    def view(self, connection: sqlite3.Connection) -> View:
        """It as it stands in this transaction."""
        self.follow(connection)
        return View(self.state, self._form, self._sketch)

    def steady(self, connection: sqlite3.Connection) -> View | None:
        """The same from another thread's connection, while nothing changes it; None if memory is not what the tables
        are.
        """
        if self._moving or steps.last_sum(connection) != self._mark:
            return None
        self._form.leaves.connection = self._form.nodes.connection = connection
        return View(self.state, self._form, self._sketch)

    def follow(self, connection: sqlite3.Connection) -> State:
        """See to it that memory is what the tables are. Raises DamagedStore where they contradict each other."""
        if not self._moving and steps.last_sum(connection) == self._mark:
            self._form.leaves.connection = self._form.nodes.connection = connection
        else:
            self._moving = True
            try:
                self._load(connection)
            except (TypeError, ValueError, OverflowError) as wrong:
                raise DamagedStore(f"the directory's rows hold what no tree has: {wrong}") from None
        return self.state

    def _load(self, connection: sqlite3.Connection) -> None:
        found = steps.load(connection)
        self._form = self._made_form(connection)
        if found is None:
            if connection.execute("SELECT 1 FROM leaf UNION ALL SELECT 1 FROM record LIMIT 1").fetchone():
                raise DamagedStore("the meta row of the directory is lost")
            self._form.build()
            self._sketch = self._made_sketch()
            self.state = State(self._rng(STORE_ID), pins=_pins(connection))
            self._step(connection, 0, (), (), whole=True)
            return
        meta, step, cells, came, went = found
        pins = _pins(connection)
        self.state = State(meta.store_id, meta.epoch, step.seq, step.count, step.root, pins, _pinned(connection, pins))
        self._mark, self._depth = step.sum, meta.depth
        self._loose = len(came) + len(went)
        other = (meta.depth == ROWS) != self._reference or (0 if cells is None else len(cells.mixed)) != self._cells
        if other:
            self._form.build()
            self._sketch = self._made_sketch()
        else:
            self._form.load(meta.depth)
            self._sketch = steps.sketch_of(cells, came, went)
        if (self._form.root, self._form.count) != (step.root, step.count):
            raise DamagedStore(f"the directory's tree has not the root of step {step.seq}")
        if other:
            self._step(connection, step.seq + 1, (), (), whole=True)
        self._moving = False

    def _made_form(self, connection: sqlite3.Connection) -> Form:
        form: Form = RowForm() if self._reference else HeapForm(self._deep)
        form.leaves.connection = form.nodes.connection = connection
        return form

    def _made_sketch(self) -> Sketch | None:
        """The sketch of all leaves; 5 µs each."""
        if not self._cells:
            return None
        made = Sketch(self._cells)
        made.change(sketch_id(*leaf) for leaf in self._form.leaves.everything())
        return made

    def _step(
        self, connection: sqlite3.Connection, seq: int, came: Sequence[bytes], went: Sequence[bytes],
        *, whole: bool = False,
    ) -> State:  # fmt: skip
        """Write down what the transaction did; whole: with the meta row."""
        state = self.state
        depth = self._form.depth
        step = Step(seq, self._form.count, self._form.root)
        if self._sketch is None:
            came = went = ()
        else:
            self._sketch.change(came, went)
        self._loose += len(came) + len(went)
        if whole or self._loose >= self._fold or depth != self._depth:
            self._loose = 0
            step = steps.fold(connection, Meta(state.store_id, state.epoch, depth), step, self._sketch)
        else:
            step = steps.add(connection, self._mark, step, came, went)
        crashpoint("directory-step")
        self._depth = depth
        pinned = _pinned(connection, state.pins)
        self.state = attrs.evolve(state, seq=seq, count=step.count, root=step.root, pinned=pinned)
        self._mark, self._moving = step.sum, False
        return self.state


def _keep_beside(connection: sqlite3.Connection, record: Record) -> None:
    """Keep a local record, unless a better one is there."""
    held = _sound(connection, record.address)
    if held is None or beats(record.issued, record.hash, (held.issued, held.hash)):
        records.keep_beside(connection, record)


def _sound(connection: sqlite3.Connection, address: bytes) -> Record | None:
    """The local record of an address, unless it is damaged."""
    try:
        return records.beside(connection, address)
    except DamagedStore:
        return None


def _drop_damaged(connection: sqlite3.Connection) -> tuple[bytes, ...]:
    """Delete the local records that are damaged: their addresses."""
    found = [row for row in connection.execute("SELECT address FROM local") if _sound(connection, row[0]) is None]
    connection.executemany("DELETE FROM local WHERE address = ?", found)
    return tuple(row[0] for row in found)


def _pins(connection: sqlite3.Connection) -> frozenset[bytes]:
    """The pins that are whole."""
    rows = connection.execute("SELECT address, sum FROM pin").fetchall()
    return frozenset(address for address, made in rows if records.sum_of(address) == made)


def _pinned(connection: sqlite3.Connection, pins: frozenset[bytes]) -> int:
    """How many of the pinned addresses are in the tree."""
    return sum(1 for _ in records.each(connection, records.LEAVES, tuple(pins)))
