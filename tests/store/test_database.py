"""The writer: batches, one outcome for each operation, nothing acknowledged that is not on disk."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, Future
from contextlib import closing
from typing import Any

from rhotwist.errors import Closed, DiskFull, LocalError, StoreError
from rhotwist.store.crashpoint import STATUS
from rhotwist.store.database import BATCH_MOST, Database
from rhotwist.store.upgrade import connect
from tests import FULL
from tests.store.support import ROOT, SECONDS, FolderCase, mode

TABLE = "CREATE TABLE t (\n    x INTEGER PRIMARY KEY, -- any number\n    y BLOB -- any bytes\n);\n"
WRITE = """
import sys
from pathlib import Path
from rhotwist.store.database import Database
database = Database(Path(sys.argv[1]), "thing", durable=sys.argv[3] == "full", schema=Path(sys.argv[2]))
first = int(sys.argv[4])
for x in range(first, first + int(sys.argv[5])):
    database.submit(lambda c: c.execute("INSERT INTO t VALUES (?, NULL)", (x,))).result()
    print(x, flush=True)
"""


class DatabaseCase(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.schema = self.folder / "schema"
        self.schema.mkdir()
        (self.schema / "thing-001-t.sql").write_text(TABLE)
        self.path = self.folder / "a.db"

    def open(self, durable: bool = False) -> Database:
        """The database, closed when the test ends."""
        database = Database(self.path, "thing", durable=durable, schema=self.schema)
        self.addCleanup(database.close)
        return database


def insert(x: int, y: bytes | None = None) -> Any:
    """An operation that adds a row and returns its number."""
    return lambda connection: connection.execute("INSERT INTO t VALUES (?, ?)", (x, y)).lastrowid


def rows(connection: sqlite3.Connection) -> list[int]:
    """Every x, in order."""
    return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]


class Stopper:
    """An operation that holds the writer until told, so that a test decides what waits together."""

    def __init__(self, database: Database) -> None:
        self._go, self._there = threading.Event(), threading.Event()
        self.future = database.submit(self._hold)
        self._there.wait(SECONDS)

    def _hold(self, connection: sqlite3.Connection) -> None:
        self._there.set()
        self._go.wait(SECONDS)

    def release(self) -> None:
        """Let the writer go on."""
        self._go.set()


class WriteTests(DatabaseCase):
    def test_an_operation_returns_what_its_work_returned_and_is_on_disk_then(self) -> None:
        database = self.open()
        self.assertEqual(database.submit(insert(5)).result(SECONDS), 5)
        self.assertEqual(database.read(rows), [5])
        with closing(connect(self.path, "ro")) as another:
            self.assertEqual(rows(another), [5])

    def test_what_was_written_is_there_after_reopening(self) -> None:
        database = self.open()
        for x in range(10):
            database.submit(insert(x))
        database.close()
        self.assertEqual(self.open().read(rows), list(range(10)))
        self.assertEqual(mode(self.path), 0o600)

    def test_operations_that_wait_are_committed_together(self) -> None:
        database = self.open()
        stopper = Stopper(database)
        versions: list[Future[int]] = []
        for x in range(BATCH_MOST + 1):
            database.submit(insert(x))
            versions.append(database.submit(lambda c: int(c.execute("PRAGMA data_version").fetchone()[0])))
        seen: list[int] = []
        versions[0].add_done_callback(lambda _: seen.append(len(database.read(rows))))
        stopper.release()
        versions[-1].result(SECONDS)
        self.assertEqual(seen, [BATCH_MOST // 2])
        self.assertEqual(len(database.read(rows)), BATCH_MOST + 1)

    def test_one_that_fails_takes_nothing_of_the_others_with_it(self) -> None:
        database = self.open()
        stopper = Stopper(database)

        def half(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO t VALUES (2, NULL)")
            raise LocalError("not today")

        futures = [database.submit(work) for work in (insert(1), half, insert(1), insert(3))]
        stopper.release()
        self.assertEqual(futures[0].result(SECONDS), 1)
        self.assertRaises(LocalError, futures[1].result, SECONDS)
        self.assertIn("UNIQUE", str(self.assertRaises(StoreError, futures[2].result, SECONDS)))
        self.assertEqual(futures[3].result(SECONDS), 3)
        self.assertEqual(database.read(rows), [1, 3])

    def test_an_operation_that_ends_the_transaction_it_shares_fails_alone(self) -> None:
        database = self.open()
        stopper = Stopper(database)
        futures = [database.submit(work) for work in (insert(0), lambda c: c.execute("ROLLBACK"), insert(1))]
        stopper.release()
        self.assertEqual(futures[0].result(SECONDS), 0)
        self.assertIn("ended the transaction", str(self.assertRaises(StoreError, futures[1].result, SECONDS)))
        self.assertEqual(futures[2].result(SECONDS), 1)
        self.assertEqual(database.read(rows), [0, 1])

        def both(connection: sqlite3.Connection) -> None:
            connection.execute("ROLLBACK")
            raise LocalError("and fails")

        lost = self.assertRaises(StoreError, database.submit(both).result, SECONDS)
        self.assertIsInstance(lost.__cause__, LocalError)
        self.assertEqual(database.submit(insert(2)).result(SECONDS), 2)

    def test_a_cancelled_operation_does_not_run(self) -> None:
        database = self.open()
        stopper = Stopper(database)
        future = database.submit(insert(1))
        self.assertTrue(future.cancel())
        last = database.submit(insert(2))
        stopper.release()
        last.result(SECONDS)
        self.assertRaises(CancelledError, future.result, SECONDS)
        self.assertEqual(database.read(rows), [2])

    def test_closing_finishes_what_was_submitted_and_takes_no_more(self) -> None:
        database = self.open()
        stopper = Stopper(database)
        futures = [database.submit(insert(x)) for x in range(1_000)]
        stopper.release()
        database.close()
        self.assertTrue(all(future.done() for future in futures))
        self.assertRaises(Closed, database.submit, insert(5_000))
        self.assertRaises(Closed, database.read, rows)
        database.close()
        self.assertEqual(self.names(), ["a.db", "schema"])
        self.assertEqual(self.open().read(rows), list(range(1_000)))

    def test_the_promise_of_durability_is_what_was_asked_for(self) -> None:
        for durable, synchronous in ((False, 1), (True, 2)):
            database = self.open(durable)
            asked = database.submit(lambda c: c.execute("PRAGMA synchronous").fetchone()[0])
            self.assertEqual(asked.result(SECONDS), synchronous)
            database.close()


class ReadTests(DatabaseCase):
    def test_readers_see_what_is_committed_and_write_nothing(self) -> None:
        database = self.open()
        database.submit(insert(1)).result(SECONDS)
        stopper = Stopper(database)
        database.submit(insert(2))
        self.assertEqual(database.read(rows), [1])
        stopper.release()
        self.assertRaises(StoreError, database.read, insert(9))

    def test_each_thread_reads_on_a_connection_of_its_own_and_keeps_it(self) -> None:
        database = self.open()
        seen = [database.read(id), database.read(id)]
        kept: list[sqlite3.Connection] = []
        thread = threading.Thread(target=lambda: kept.append(database.read(lambda connection: connection)))
        thread.start()
        thread.join(SECONDS)
        self.assertEqual(seen[0], seen[1])
        self.assertNotEqual(id(kept[0]), seen[0])
        database.close()
        self.assertRaises(sqlite3.ProgrammingError, kept[0].execute, "SELECT 1")


class TroubleTests(DatabaseCase):
    def fill(self, database: Database, count: int) -> list[Future[int]]:
        """Operations of 100 kB, submitted together."""
        stopper = Stopper(database)
        futures = [database.submit(insert(x, bytes(100_000))) for x in range(100, 100 + count)]
        stopper.release()
        return futures

    def test_a_full_database_says_disk_full_stores_nothing_of_it_and_heals(self) -> None:
        database = self.open()
        database.submit(insert(1)).result(SECONDS)


        def too_much(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA max_page_count = 40")  # of this connection, which goes with the failure
            connection.execute("INSERT INTO t VALUES (3, ?)", (bytes(1_000_000),))

        stopper = Stopper(database)
        futures: list[Future[Any]] = [database.submit(work) for work in (insert(2), too_much, insert(4))]
        stopper.release()
        self.assertEqual(futures[0].result(SECONDS), 2)
        self.assertIn("full", str(self.assertRaises(DiskFull, futures[1].result, SECONDS)))
        self.assertEqual(futures[2].result(SECONDS), 4)
        self.assertEqual(database.read(rows), [1, 2, 4])

    def test_a_write_beyond_what_the_system_allows_fails_whole_and_the_next_ones_work(self) -> None:
        """RLIMIT_FSIZE makes write(2) fail with EFBIG, which SQLite reports as an I/O error."""
        database = self.open()
        database.submit(insert(1)).result(SECONDS)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
        try:
            futures = self.fill(database, 4)
            failures = [future.exception(SECONDS) for future in futures]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        self.assertTrue(any(failures))
        for failure in failures:
            self.assertIsInstance(failure, StoreError | None)
        stored = [100 + number for number, failure in enumerate(failures) if failure is None]
        self.assertEqual(database.read(rows), [1, *stored])
        self.assertEqual(database.submit(insert(2)).result(SECONDS), 2)

    def test_a_full_disk_is_told_as_such_and_heals(self) -> None:
        """On a real full file system where this test may mount one."""
        disk = self.folder / "disk"
        disk.mkdir()
        if os.system(f"mount -t tmpfs -o size=400k none {disk} 2>/dev/null"):
            return
        self.addCleanup(os.system, f"umount -l {disk}")
        self.path = disk / "a.db"
        database = self.open(durable=True)
        database.submit(insert(1)).result(SECONDS)
        failures = [future.exception(SECONDS) for future in self.fill(database, 5)]
        self.assertTrue(any(isinstance(failure, DiskFull) for failure in failures), failures)
        self.assertTrue(all(failure is None or isinstance(failure, DiskFull) for failure in failures), failures)
        stored = [100 + number for number, failure in enumerate(failures) if failure is None]
        self.assertEqual(database.read(rows), [1, *stored])
        os.system(f"mount -o remount,size=4m {disk}")
        self.assertEqual(database.submit(insert(2)).result(SECONDS), 2)
        database.close()

    def test_a_database_that_cannot_be_opened_fails_each_operation_and_heals(self) -> None:
        database = self.open()
        database.submit(lambda c: c.execute("COMMIT")).exception(SECONDS)  # its connection is closed then
        away = self.folder / "away.db"
        self.path.rename(away)
        futures = [database.submit(insert(x)) for x in range(3)]
        for future in futures:
            self.assertIsInstance(future.exception(SECONDS), StoreError)
        away.rename(self.path)
        self.assertEqual(database.submit(insert(7)).result(SECONDS), 7)
        self.assertEqual(database.read(rows), [7])


class CrashTests(DatabaseCase):
    def run_writer(self, first: int, count: int, crash: str = "") -> tuple[int, list[int]]:
        """Exit status, and what was acknowledged."""
        ended = self.run_python(WRITE, self.path, self.schema, "full", first, count, crash=crash)
        return ended.returncode, [int(line) for line in ended.stdout.split()]

    def test_a_kill_around_the_commit_loses_nothing_acknowledged(self) -> None:
        self.assertEqual(self.run_writer(0, 5), (0, [0, 1, 2, 3, 4]))
        self.assertEqual(self.run_writer(5, 5, "write-commit"), (STATUS, []))
        self.assertEqual(self.open().read(rows), [0, 1, 2, 3, 4])
        self.assertEqual(self.run_writer(5, 5, "write-committed"), (STATUS, []))
        self.assertEqual(self.open().read(rows), [0, 1, 2, 3, 4, 5])

    def test_kill_9_at_full_speed_loses_nothing_acknowledged(self) -> None:
        first = 0
        for _ in range(100 if FULL else 3):
            code = WRITE + "\nraise SystemExit"
            process = _start(code, self.path, self.schema, "normal", first, 1_000_000)
            for _ in range(40):
                line = process.stdout.readline()
            process.kill()
            acknowledged = [int(line), *map(int, process.stdout.read().split("\n")[:-1])][-1]
            process.communicate()
            with closing(Database(self.path, "thing", durable=False, schema=self.schema)) as database:
                stored = database.read(rows)
            self.assertEqual(stored, list(range(len(stored))))
            self.assertTrue(acknowledged < len(stored) <= acknowledged + 2)
            first = len(stored)


def _start(code: str, *arguments: object) -> Any:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environ, stdout=-1, text=True)
