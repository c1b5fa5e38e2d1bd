"""One SQLite database: one thread that writes, in batches, and readers on connections of their own.

Operations that wait are committed together, each inside its own savepoint: one that fails takes nothing of the others
with it. A ``concurrent.futures.Future`` gets its result once the batch is on disk, as far as ``durable`` promises.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import attrs

from rhotwist.errors import Closed, StoreError
from rhotwist.store.crashpoint import crashpoint
from rhotwist.store.trouble import from_sqlite
from rhotwist.store.upgrade import SCHEMA, bring_up, connect

R = TypeVar("R")
BATCH_MOST = 256
"""Operations in one transaction: some 15 ms of them at the slowest."""


@attrs.frozen
class _Operation:
    work: Callable[[sqlite3.Connection], Any]
    future: Future[Any]


class Database:
    """A database of one kind at path, made or upgraded when opened.

    durable: what is committed survives a power cut (synchronous=FULL); without, a power cut may take the last moments,
    and a killed process takes nothing. schema is the folder of upgrades, another one in tests.
    Raises what ``upgrade.bring_up`` raises.
    """

    def __init__(self, path: Path, kind: str, *, durable: bool, schema: Path = SCHEMA) -> None:
        bring_up(path, kind, schema)
        self.path = path
        self._synchronous = "FULL" if durable else "NORMAL"
        self._queue: SimpleQueue[_Operation | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._readers: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._writer: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._write_all, name=f"store {path.name}", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], R], future: Future[R] | None = None) -> Future[R]:
        """Run work in the writer's thread, inside a transaction that it shares with others and must not end.

        future is the one to use, for whoever has to know before those who wait for it. It fails with what work raised,
        with DiskFull or StoreError if it or the commit failed: then nothing of it is stored. It may be cancelled until
        it runs. Raises Closed after ``close``.
        """
        made: Future[R] = Future() if future is None else future
        with self._gate:
            if self._closed:
                raise Closed(f"{self.path} is closed")
            self._queue.put(_Operation(work, made))
        return made

    def read(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Run work now, in this thread, on its read-only connection. It sees what is committed.

        Raises StoreError, and Closed after ``close``.
        """
        try:
            return work(self._reader())
        except sqlite3.Error as error:
            raise from_sqlite(error, self.path) from error

    def close(self) -> None:
        """Finish what was submitted, then let go of the file. Blocks until then; a second call does nothing."""
        with self._gate:
            self._closed = True
            self._queue.put(None)
            for reader in self._readers:
                reader.close()
        self._thread.join()

    def _reader(self) -> sqlite3.Connection:
        with self._gate:
            if self._closed:
                raise Closed(f"{self.path} is closed")
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = connect(self.path, "ro")
                self._readers.append(connection)
            return connection

    # --- the writer's thread ------------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        going = True
        while going:
            batch, going = self._next_batch()
            if not self._settle(batch) and len(batch) > 1:
                # One of them may have failed all, say by filling the disk: each alone, so that it fails alone.
                for operation in batch:
                    self._settle([operation])
        self._let_go()

    def _next_batch(self) -> tuple[list[_Operation], bool]:
        """What waits, after waiting for something, and whether more may come."""
        waiting = [self._queue.get()]
        try:
            while waiting[-1] is not None and len(waiting) < BATCH_MOST:
                waiting.append(self._queue.get_nowait())
        except Empty:
            pass
        batch = [operation for operation in waiting if operation is not None]
        return [one for one in batch if one.future.set_running_or_notify_cancel()], waiting[-1] is not None

    def _settle(self, batch: list[_Operation]) -> bool:
        """Commit a batch and tell everyone. False if it failed whole; of several nobody has been told then."""
        outcomes = []
        try:
            connection = self._writer = self._writer or self._connect()
            connection.execute("BEGIN IMMEDIATE")
            for operation in batch:
                outcomes.append(self._attempt(connection, operation))
            crashpoint("write-commit")
            connection.execute("COMMIT")
        except (sqlite3.Error, StoreError) as error:
            self._let_go()  # which rolls back, and an I/O error may have left it useless
            if len(batch) == 1:
                batch[0].future.set_exception(self._told(error))
            return False
        crashpoint("write-committed")
        for operation, (result, failure) in zip(batch, outcomes, strict=True):
            if failure is None:
                operation.future.set_result(result)
            else:
                operation.future.set_exception(failure)
        return True

    def _attempt(self, connection: sqlite3.Connection, operation: _Operation) -> tuple[Any, Exception | None]:
        """Result and failure of one operation. Raises sqlite3.Error or StoreError if the transaction is lost."""
        connection.execute("SAVEPOINT one")
        result, failure = None, None
        try:
            result = operation.work(connection)
        except Exception as error:
            failure = error
        if not connection.in_transaction:
            # SQLite rolls all back where it cannot go on, as on a full disk; work itself must not end it.
            lost = StoreError(f"{self.path}: an operation ended the transaction it shares")
            raise failure if isinstance(failure, sqlite3.Error) else lost from failure
        if failure is not None:
            connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return result, failure and self._told(failure)

    def _told(self, error: Exception) -> Exception:
        return from_sqlite(error, self.path) if isinstance(error, sqlite3.Error) else error

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.path, "rw")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return connection

    def _let_go(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
