"""The directory on disk: what stands at an address, what came since, and batches that change it.

One thread writes (``Database``). The reactor asks for what is one look-up away and gets it at once, from a snapshot;
what needs the tree is a question that the writer's thread answers between its changes, so it sees one root. Whatever is
read was hashed: damage is named, never given out.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import attrs

from rhotwist.directory.admission import Put, Standing
from rhotwist.directory.merge import join
from rhotwist.directory.record import Record, address_of
from rhotwist.errors import Closed, DamagedStore
from rhotwist.store import records
from rhotwist.store.audit import Audit, audit
from rhotwist.store.compared import Compared
from rhotwist.store.database import Database
from rhotwist.store.replica import Rebuilt, Replica, State, View

R = TypeVar("R")
Made = TypeVar("Made", State, Rebuilt)
KIND = "machine"
"""The kind of database that holds it."""

_SINCE = "SELECT seq, body, proof FROM record WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
_SEQ = "SELECT coalesce(max(seq), 0) FROM step"


@attrs.frozen
class Page:
    """Encoded records of the journal in their order, and the cursor behind them; damaged are addresses of others."""

    records: tuple[bytes, ...] = attrs.field(repr=False)
    cursor: int
    damaged: tuple[bytes, ...] = ()


class Directory:
    """The directory in an open database of kind ``KIND``. Futures fail as ``Database.submit`` says.

    opened fires with the first state, within 150 ms for a million leaves; it fails with DamagedStore, as everything
    that needs the tree does then, until ``rebuild``. Batches of 300 records keep the writer's queue short.
    It fits ``rhotwist.directory.admission.Holdings``: what was applied counts at once, what failed no longer. After
    a failure, and after ``purge``, ``rebuild`` and ``pin``, the admission has to ``forget``.
    replica is from then on the writer's thread's alone.
    """

    def __init__(self, database: Database, replica: Replica) -> None:
        self._database = database
        self._replica = replica
        self._behind = ThreadPoolExecutor(1, "directory audit")
        self._gate = threading.Lock()
        #: Whether the reactor reads what the writer's thread has in memory, or how many changes are not committed.
        self._turn = threading.Condition()
        self._reading = False
        self._changing = 0
        self._state = State()
        self._ahead: dict[bytes, tuple[object, Standing | None]] = {}
        self._more = 0
        self.opened: Future[State] = self._change(self._replica.follow)

    def close(self) -> None:
        """Wait for an audit under way. The database is closed by whoever opened it, afterwards."""
        self._behind.shutdown()

    # --- what it is

    @property
    def state(self) -> State:
        """What is committed, as one value: journal, day, count and root."""
        return self._state

    @property
    def root(self) -> bytes:
        """The root of what is committed."""
        return self._state.root

    @property
    def epoch(self) -> int:
        """The day whose tree that is."""
        return self._state.epoch

    def lookup(self, *keys: bytes) -> Record | None:
        """The record that stands for a key, in the tree or beside it; for master and subordinate their delegation.

        25 µs. Raises DamagedStore, StoreError.
        """
        address = address_of(*keys)

        def work(connection: sqlite3.Connection) -> Record | None:
            shared, local = records.in_tree(connection, address), records.beside(connection, address)
            return join(shared, local) if shared is not None and local is not None else shared or local

        return self._database.read(work)

    def record(self, address: bytes) -> Record | None:
        """The record at an address of the tree. Raises DamagedStore, StoreError."""
        return self._database.read(lambda connection: records.in_tree(connection, address))

    def since(self, cursor: int, most: int) -> Page:
        """The next records of the journal behind a cursor, at most so many. Raises StoreError."""

        def work(connection: sqlite3.Connection) -> Page:
            last = connection.execute(_SEQ).fetchone()[0]
            if cursor > last:  # and maybe more than SQLite has numbers for
                return Page((), cursor)
            rows = connection.execute(_SINCE, (cursor, last, most)).fetchall()
            found = [(seq, records.whole(row)) for seq, *row in rows]
            damaged = records.addresses(connection, {seq for seq, data in found if data is None})
            good = tuple(data for _, data in found if data is not None)
            return Page(good, rows[-1][0] if len(rows) == most else max(cursor, last), tuple(damaged))

        return self._database.read(work)

    def ask(self, question: Callable[[View], R]) -> Future[R]:
        """Put a question to the tree. It runs in the writer's thread and must not keep the view."""
        return self._database.submit(lambda connection: self._quietly(lambda: question(self._replica.view(connection))))

    def compare(self, question: Callable[[Compared], R]) -> Future[R]:
        """The same for a question that compares the tree with another."""
        return self._database.submit(lambda c: self._quietly(lambda: question(Compared(self._replica.view(c), c))))

    @contextmanager
    def steady(self) -> Iterator[Compared | None]:
        """The committed tree for this thread, at once, and nothing changes it meanwhile: so be brief, 20 ms. None while
        something does change it; then try again soon.
        """
        with self._turn:
            if self._changing or self._reading:
                found = None
            else:
                self._reading = True
                found = self._steady()
        try:
            yield found
        finally:
            with self._turn:
                if found is not None:
                    self._reading = False
                self._turn.notify_all()

    def still(self) -> Future[None] | None:
        """Fires when what is being changed, or waits to be, is done: then try ``steady`` again. None if nothing is
        being changed, and ``steady`` has another reason.
        """
        return self._database.submit(lambda _: None) if self._changing else None

    def _steady(self) -> Compared | None:
        def work(connection: sqlite3.Connection) -> Compared | None:
            view = self._replica.steady(connection)
            return None if view is None else Compared(view, connection)

        found = None
        try:
            found = self._database.read(work)
        finally:
            self._reading = found is not None
        if found is None:
            self.ask(lambda _: None)  # it loads what is lacking
        return found

    def _quietly(self, work: Callable[[], R]) -> R:
        """Do something to what is in memory while nobody else reads it. In the writer's thread."""
        self._begin()
        try:
            return work()
        finally:
            self._end(1)

    def _begin(self) -> None:
        with self._turn:
            while self._reading:
                self._turn.wait()
            self._changing += 1

    def _end(self, times: int) -> None:
        with self._turn:
            self._changing -= times

    # --- Holdings

    def standing(self, addresses: Sequence[bytes]) -> Sequence[Standing | None]:
        """What stands at each of these addresses; nothing where it is damaged, so that a whole copy is welcome."""
        ahead, asked = self._looked_ahead(addresses)
        found = self._database.read(lambda connection: _standing(records.each(connection, records.RECORDS, asked)))
        return [ahead[address] if address in ahead else found.get(address) for address in addresses]

    def count(self) -> int:
        """How many addresses are in the tree, pinned ones aside."""
        with self._gate:
            return self._state.count - self._state.pinned + self._more

    def addresses(self) -> Iterable[bytes]:
        """Those addresses; a second for two million."""
        with self._gate:
            ahead = {address: standing is not None for address, (_, standing) in self._ahead.items()}
        for (address,) in self._database.read(lambda c: c.execute("SELECT address FROM leaf").fetchall()):
            if ahead.pop(address, True) and not self.pinned(address):
                yield address
        yield from (address for address, stands in ahead.items() if stands and not self.pinned(address))

    def pinned(self, address: bytes) -> bool:
        """Whether an address is pinned."""
        return address in self._state.pins

    def held(self, addresses: Iterable[bytes]) -> set[bytes]:
        """Those of these addresses at which something stands; from any thread. 1 µs each."""
        ahead, asked = self._looked_ahead(addresses)
        rows = self._database.read(lambda connection: list(records.each(connection, records.LEAVES, asked)))
        return {row[0] for row in rows}.union(address for address, standing in ahead.items() if standing is not None)

    def _looked_ahead(self, addresses: Iterable[bytes]) -> tuple[dict[bytes, Standing | None], list[bytes]]:
        """What will stand at those of these addresses that are being changed, and the others, to be read behind this:
        what is committed meanwhile is in one of both.
        """
        addresses = tuple(addresses)
        with self._gate:
            ahead = {address: self._ahead[address][1] for address in addresses if address in self._ahead}
        return ahead, [address for address in addresses if address not in ahead]

    # --- what changes

    def apply(
        self, puts: Sequence[Put], removed: Iterable[bytes] = (), held: Collection[bytes] | None = None
    ) -> Future[State]:
        """Do what ``Admission.settle`` came to, whole or not at all. held is what ``held`` says now of its addresses,
        for who has asked.
        """
        removed = tuple(removed)
        ahead: dict[bytes, Standing | None] = dict.fromkeys(removed)
        for put in puts:
            if not put.local:
                ahead[put.address] = Standing(put.record.issued, put.record.hash, put.record.nonce)
        mark = object()
        counted = [address for address in ahead if not self.pinned(address)]
        stands = self.held(counted) if held is None else held
        more = sum((ahead[address] is not None) - (address in stands) for address in counted)
        with self._gate:
            self._more += more
            self._ahead.update((address, (mark, standing)) for address, standing in ahead.items())

        def settle() -> None:
            self._more -= more
            for address in ahead:
                if self._ahead.get(address, (None, None))[0] is mark:
                    del self._ahead[address]

        return self._change(lambda connection: self._replica.apply(connection, puts, removed), settle=settle)

    def purge(self, epoch: int) -> Future[State]:
        """Make it the tree of a day, at its start. 20 µs for each record that expired."""
        return self._change(lambda connection: self._replica.purge(connection, epoch))

    def pin(self, addresses: Iterable[bytes]) -> Future[State]:
        """Have these addresses pinned, those of contacts, and no others."""
        addresses = tuple(addresses)
        return self._change(lambda connection: self._replica.pin(connection, addresses))

    def audit(self, whole: bool = False) -> Future[Audit]:
        """Look it over, in a thread of its own: 2 s for a million leaves; whole: every record too, 20 s.

        Fails with StoreError where SQLite cannot read the file: then it is to be moved away, and filled by peers anew.
        """
        return self._behind.submit(self._database.read, lambda connection: audit(connection, whole))

    def rebuild(self, epoch: int) -> Future[Rebuilt]:
        """Make everything anew from the records that are whole, as the tree of a day. Tells what is lost."""
        return self._change(lambda connection: self._replica.rebuild(connection, epoch))

    def _change(
        self, work: Callable[[sqlite3.Connection], Made], settle: Callable[[], None] = lambda: None
    ) -> Future[Made]:
        """Submit a change. Once it is committed its state is what we are; settle is called then, or when it failed."""

        begun = 0

        def change(connection: sqlite3.Connection) -> Made:
            nonlocal begun
            self._begin()
            begun += 1  # twice where it is done again, alone
            return work(connection)

        def done(made: Made | None) -> None:
            with self._gate:
                settle()
                if made is not None:
                    self._state = _state(made)
            self._end(begun)

        try:
            return self._database.submit(change, _Change(done))
        except Closed:
            done(None)
            raise


def _standing(rows: Iterable[Sequence[Any]]) -> dict[bytes, Standing]:
    """What stands by address; nothing of what is damaged."""
    found = {}
    for row in rows:
        with suppress(DamagedStore):
            record = records.standing(row)
            found[record.address] = Standing(record.issued, record.hash, record.nonce)
    return found


def _state(made: State | Rebuilt) -> State:
    return made.state if isinstance(made, Rebuilt) else made


class _Change(Future[R]):
    """A future that tells its outcome, None for a failure, before whoever waits for it can go on."""

    def __init__(self, done: Callable[[R | None], None]) -> None:
        super().__init__()
        self._tell = done

    def set_result(self, result: R) -> None:
        """``Future.set_result``."""
        self._tell(result)
        super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        """``Future.set_exception``."""
        self._tell(None)
        super().set_exception(exception)

    def cancel(self) -> bool:
        """``Future.cancel``."""
        before = self.cancelled()
        cancelled = super().cancel()
        if cancelled and not before:
            self._tell(None)
        return cancelled
