"""The tree on disk as comparing sees it: the same as the one in memory, from the writer's thread and from another."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any
from unittest import mock

from rhotwist.directory.replica import Replica
from rhotwist.errors import StoreError
from rhotwist.store.directory import Directory
from rhotwist.testing.replicas import MemoryReplica
from rhotwist.tree.hashes import cut
from tests.directory import support
from tests.store.directory_support import CELLS, DirectoryCase, puts, record
from tests.store.support import SECONDS


def told(replica: Replica, prefixes: list[bytes]) -> list[Any]:
    """All that a replica says."""
    return [
        replica.root, replica.total, replica.epoch, replica.seq,
        [replica.since(cursor, most) for cursor in range(0, 70, 7) for most in (1, 5, 99)],
        replica.cells(CELLS), replica.cells(CELLS // 2),
        [replica.records(prefix[:size]) for prefix in prefixes for size in (0, 1, 5)],
        [replica.region(bits, prefix) for prefix in prefixes for bits in range(20)],
        [list(replica.entries(bits, cut(prefix, bits), most)) for prefix in prefixes for bits in (0, 1, 3, 9, 200)
         for most in (1, 17)],
    ]  # fmt: skip


class ComparedTests(DirectoryCase):
    """Beside ``MemoryReplica``, which the tests of comparing use."""

    def filled(self) -> tuple[Directory, MemoryReplica, list[bytes]]:
        """The same records in both, and addresses to look at."""
        directory = self.open()
        directory.opened.result(SECONDS)
        memory = MemoryReplica(cells=CELLS)
        for numbers in (range(40), range(30, 60)):
            made = [record(number, len(numbers)) for number in numbers]
            directory.apply(puts(made)).result(SECONDS)
            memory.put(made)
        return directory, memory, [record(number).address for number in (0, 31, 59)]

    def test_it_says_what_the_one_in_memory_says_in_the_writer_s_thread_and_here(self) -> None:
        directory, memory, prefixes = self.filled()
        expected = told(memory, prefixes)
        self.assertEqual(expected, directory.compare(lambda here: told(here, prefixes)).result(SECONDS))
        for _ in range(2):
            with directory.steady() as here:
                assert here is not None
                self.assertEqual(expected, told(here, prefixes))
            self.assertEqual(memory.root, directory.apply(()).result(SECONDS).root)

    def test_what_is_damaged_is_left_out(self) -> None:
        directory, _, prefixes = self.filled()
        self.database.submit(
            lambda c: c.execute("UPDATE record SET body = zeroblob(9) WHERE seq = (SELECT max(seq) FROM record)")
        ).result(SECONDS)
        with directory.steady() as here:
            assert here is not None
            self.assertEqual([], here.records(prefixes[2]))
            self.assertEqual([], here.entries(200, cut(prefixes[2], 200), 9))
            self.assertEqual(59, len(here.since(0, 99)))

    def test_a_damaged_record_does_not_make_a_page_look_like_the_last(self) -> None:
        """Fewer than were asked for are all that there are."""
        directory, _, _ = self.filled()
        self.database.submit(
            lambda c: c.execute("UPDATE record SET body = zeroblob(9) WHERE seq IN (3, 9)")
        ).result(SECONDS)
        with directory.steady() as here:
            assert here is not None
            pages = [here.since(0, 10)]
            while len(pages[-1]) == 10:
                pages.append(here.since(pages[-1][-1][0], 10))
        self.assertEqual([10, 10, 10, 10, 10, 8], [len(page) for page in pages])

    def test_a_name_of_the_journal_is_told(self) -> None:
        directory, _, _ = self.filled()
        with directory.steady() as here:
            assert here is not None
            self.assertEqual(directory.state.store_id, here.store_id)


class SteadyTests(DirectoryCase):
    """Read while nothing changes."""

    def test_while_a_change_is_not_committed_there_is_nothing_to_see(self) -> None:
        directory = self.open()
        self.fill(directory, 3)
        gate, reached = threading.Event(), threading.Event()
        self.addCleanup(gate.set)
        applying = directory.apply(puts([record(9)]))
        self.database.submit(lambda c: (reached.set(), gate.wait(SECONDS)))
        while not applying.done():
            with directory.steady() as here:
                if here is None:
                    break
        gate.set()
        applying.result(SECONDS)
        with directory.steady() as here:
            assert here is not None
            self.assertEqual((4, directory.root), (here.total, here.root))

    def test_what_would_change_it_waits_until_it_is_read(self) -> None:
        directory = self.open()
        self.fill(directory, 3)
        with directory.steady() as here:
            assert here is not None
            root = here.root
            applying = directory.apply(puts([record(9)]))
            asking = directory.ask(lambda view: view.state.count)
            self.assertFalse(applying.done() or asking.done())
            with directory.steady() as again:
                self.assertIsNone(again)
            self.assertEqual(root, here.region(0, bytes(32)))
        self.assertEqual(4, applying.result(SECONDS).count)
        self.assertEqual(4, asking.result(SECONDS))

    def test_after_a_change_that_was_lost_it_is_seen_again_as_it_is(self) -> None:
        directory = self.open()
        self.fill(directory, 20)
        root = directory.root
        for failing in ("directory-leaves", "directory-step"):
            with self.crashing(failing):
                self.assertRaises(StoreError, directory.apply(puts([record(support.TODAY)])).result, SECONDS)
            found = None
            for _ in range(1000):
                with directory.steady() as here:
                    found = None if here is None else here.region(0, bytes(32))
                if found is not None:
                    break
                self.database.submit(lambda c: None).result(SECONDS)
            self.assertEqual(root, found)

    def crashing(self, name: str) -> Any:
        """Let changes fail at a named point."""

        def fail(point: str) -> None:
            if point == name:
                raise sqlite3.OperationalError("disk I/O error")

        return mock.patch("rhotwist.store.replica.crashpoint", fail)

    def test_one_that_fails_and_one_that_was_cancelled_block_nobody(self) -> None:
        directory = self.open()
        self.fill(directory, 2)
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.database.submit(lambda c: gate.wait(SECONDS))
        cancelled = directory.apply(puts([record(8)]))
        cancelled.cancel()
        broken = directory.ask(lambda view: _raise())
        gate.set()
        self.assertRaises(StoreError, broken.result, SECONDS)
        with directory.steady() as here:
            self.assertIsNotNone(here)


def _raise() -> None:
    raise StoreError("no")
