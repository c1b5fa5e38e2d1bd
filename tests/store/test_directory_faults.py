"""The directory under kills, full disks and flipped bits: nothing acknowledged is lost, nothing wrong is believed."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from rhotwist.directory.record import Record
from rhotwist.errors import StoreError
from rhotwist.store.crashpoint import STATUS
from rhotwist.store.database import Database
from rhotwist.store.directory import KIND, Directory
from tests import FULL
from tests.directory.support import TODAY
from tests.store.directory_support import DirectoryCase, put, puts, record, root_of_records, small
from tests.store.support import ROOT, SECONDS

#: Applies batches numbered from argv[2] to argv[3], says which are acknowledged, and goes on after what failed.
WRITE = """
import sys
from pathlib import Path
from tests.store.test_directory_faults import batch, opened
from rhotwist.errors import StoreError
database, directory = opened(Path(sys.argv[1]))
try:
    directory.opened.result()
except StoreError:
    pass
print("open", flush=True)
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    try:
        directory.apply(*batch(number)).result()
    except StoreError as error:
        print("failed", flush=True)
    else:
        print(number, flush=True)
if len(sys.argv) > 4:
    directory.purge(int(sys.argv[4])).result()
    directory.rebuild(int(sys.argv[4])).result()
"""
KEYS = 50
PATIENCE = 300.0
"""Seconds after which a process is taken for stuck: some machines stop idle ones for minutes."""


def batch(number: int) -> tuple[list[Any], list[bytes]]:
    """What batch of that number does, always the same: newer records of seven keys, and one key's record goes."""
    chosen = Random(number).sample(range(KEYS), 8)
    return puts(record(one, number % 200) for one in chosen[1:]), [record(chosen[0]).address]


def after(numbers: list[int]) -> dict[bytes, Record]:
    """What stands after batches."""
    held: dict[bytes, Record] = {}
    for number in numbers:
        made, gone = batch(number)
        held.update((one.address, one.record) for one in made)
        for address in gone:
            held.pop(address, None)
    return held


def opened(path: Path) -> tuple[Database, Directory]:
    """A database and its directory."""
    database = Database(path, KIND, durable=False)
    return database, Directory(database, small())


class ProcessCase(DirectoryCase):
    """A test with another process that writes."""

    def start(self, first: int, end: int, *before: str, crash: str = "", more: str = "") -> subprocess.Popen[str]:
        """A process that writes."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        environ |= {"RHO_CRASH": crash} if crash else {}
        command = [*before, sys.executable, "-c", WRITE, str(self.path), str(first), str(end), *more.split()]
        return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def check(self, *possible: list[int]) -> int:
        """That the file holds what one of these lists of batches left, and all hashes; which."""
        directory = self.open()
        directory.opened.result(SECONDS)
        self.assertEqual(directory.audit(True).result(SECONDS).damage, ())
        roots = [root_of_records(after(numbers).values()) for numbers in possible]
        self.assertIn(directory.root, roots)
        held = after(possible[roots.index(directory.root)])
        self.assertEqual({*directory.since(0, 10_000).records}, {one.encode() for one in held.values()})
        self.close(directory)
        return roots.index(directory.root)


class KillTests(ProcessCase):
    def test_a_kill_at_every_named_place_leaves_the_batch_out_or_whole(self) -> None:
        self.start(0, 3).wait(PATIENCE)
        self.check([0, 1, 2])
        for name, end, stands in (
            ("directory-leaves", 4, 3), ("directory-step", 4, 3), ("write-commit", 4, 3), ("directory-purged", 4, 4),
            ("directory-built", 5, 5),
        ):
            process = self.start(3, end, crash=name, more=str(TODAY))
            self.assertEqual(process.wait(PATIENCE), STATUS, name)
            self.check([*range(stands)])

    def test_kill_9_at_any_moment_loses_nothing_acknowledged(self) -> None:
        random, done = Random(5), 0
        for _ in range(200 if FULL else 3):
            process = self.start(done, 100_000)
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(random.randrange(1, 60))]
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().split("\n")[:-1]
            process.communicate()
            told = max([done, *(int(line) + 1 for line in lines if line.strip().isdigit())])
            done = told + self.check([*range(told)], [*range(told + 1)])
            if done > 300:
                self.path.unlink()
                done = 0


class FaultTests(ProcessCase):
    """Each system call that writes or syncs fails once, where this machine can make it fail (strace)."""

    def test_every_write_and_sync_that_fails_fails_its_batch_alone(self) -> None:
        if shutil.which("strace") is None or subprocess.run(["strace", "true"], capture_output=True).returncode:
            return
        calls = [(call, error) for error in ("EIO", "ENOSPC") for call in ("pwrite64", "fdatasync,fsync")]
        failed = 0
        for number in range(1, 101) if FULL else (9,):
            for call, error in calls if FULL else calls[:1] + calls[3:]:
                self.path = self.folder / f"{number}-{call}-{error}.db"
                self.start(0, 1).wait(PATIENCE)
                inject = f"inject={call}:error={error}:when={number}"
                process = self.start(1, 15, *f"strace -f -qq -o /dev/null -e trace={call} -e {inject}".split())
                said = process.communicate(timeout=PATIENCE)[0].split()
                stored = [0, *(int(line) for line in said if line.isdigit())]
                self.check(stored)
                failed += "failed" in said
        self.assertGreater(failed, 0)


class LimitTests(DirectoryCase):
    def test_a_write_beyond_what_the_system_allows_fails_whole_and_memory_is_right_again(self) -> None:
        directory = self.open()
        directory.apply(*batch(0)).result(SECONDS)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, before)
        stored, failed = [0], 0
        wal = self.path.with_name("machine.db-wal")
        for number in range(1, 101 if FULL else 20):
            resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 4_096 * (number % 7), hard))
            try:
                error = directory.apply(*batch(number)).exception(SECONDS)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            self.assertIsInstance(error, StoreError | None)
            failed += error is not None
            stored += [number] if error is None else []
            self.assertEqual(directory.count(), len(after(stored)))
            view = directory.ask(lambda view: (view.state.root, view.region(0, bytes(32))))
            self.assertEqual(view.result(SECONDS), (root_of_records(after(stored).values()),) * 2)
            self.assertEqual(set(directory.since(0, 999).records), {one.encode() for one in after(stored).values()})
        self.assertGreater(failed, 3)
        self.assertEqual(directory.audit(True).result(SECONDS).damage, ())


class FlipTests(DirectoryCase):
    """One bit of the closed file flips: it is found, or it changed nothing."""

    def setUp(self) -> None:
        super().setUp()
        directory = self.open()
        self.kept = self.fill(directory, 60)
        self.local = [record(number) for number in (70, 71)]
        directory.apply([put(one, local=True) for one in self.local]).result(SECONDS)
        directory.pin([self.kept[5].address]).result(SECONDS)
        self.state = directory.purge(TODAY).result(SECONDS)
        self.close(directory)
        # What is flipped is the file alone: nothing of it may still lie in the log beside it.
        with closing(sqlite3.connect(self.path)) as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self.assertEqual(0, busy)
        self.whole = self.path.read_bytes()

    def look(self, directory: Directory) -> None:
        """That all is as it was."""
        self.assertEqual(directory.state, self.state)
        self.assertEqual([directory.record(one.address) for one in self.kept], self.kept)
        self.assertEqual([directory.lookup(one.key) for one in self.local], self.local)
        self.assertEqual(directory.since(0, 999).records, tuple(one.encode() for one in self.kept))

    def look_again(self, directory: Directory) -> None:
        """That after a rebuild whatever is not as it was has been named."""
        rebuilt = directory.rebuild(TODAY).result(SECONDS)
        present = [one for one in self.kept if directory.record(one.address) == one]
        self.assertEqual(directory.root, root_of_records(present))
        self.assertLessEqual({one.address for one in self.kept} - {one.address for one in present}, {*rebuilt.lost})
        for one in self.local:
            found = directory.lookup(one.key)
            self.assertTrue(found == one or (found is None and rebuilt.lost_local))
        self.assertEqual(len(directory.state.pins) + rebuilt.lost_pins, 1)
        self.assertEqual(directory.audit(True).result(SECONDS).damage, ())

    def test_no_flipped_bit_makes_a_silent_difference(self) -> None:
        random, outcomes = Random(9), {"refused": 0, "rebuilt": 0, "same": 0}
        for _ in range(400 if FULL else 60):
            at = random.randrange(8 * len(self.whole))
            flipped = bytearray(self.whole)
            flipped[at >> 3] ^= 1 << (at & 7)
            for old in self.folder.glob("machine.db*"):
                old.unlink()
            self.path.write_bytes(flipped)
            try:
                database, directory = opened(self.path)
            except StoreError:
                outcomes["refused"] += 1
                continue
            try:
                damage = directory.opened.exception(SECONDS) or directory.audit(True).result(SECONDS).damage
                if damage:
                    self.look_again(directory)
                    outcomes["rebuilt"] += 1
                else:
                    self.look(directory)
                    outcomes["same"] += 1
            except StoreError:
                outcomes["refused"] += 1
            finally:
                directory.close()
                database.close()
        self.assertTrue(all(outcomes.values()), outcomes)
