"""Files of the owner's that go out: empty, sparse, unreadable, changing."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from unittest import mock

from rhotwist.errors import OperatorError
from rhotwist.store.source import Source
from rhotwist.tree import merkle
from tests.store.support import FolderCase


class SourceTests(FolderCase):
    """One file."""

    def file(self, data: bytes = b"abcdefg", name: str = "a.txt") -> Source:
        """An open source with these bytes."""
        path = self.folder / name
        path.write_bytes(data)
        source = Source(path)
        self.addCleanup(source.close)
        return source

    def wrong(self, code: str, call: object, *arguments: object) -> OperatorError:
        """The error that a call raises."""
        error = self.assertRaises(OperatorError, call, *arguments)
        self.assertEqual(code, error.code, error)
        return error

    def test_its_plan_names_the_hash_of_every_part(self) -> None:
        source = self.file()
        seen: list[int] = []
        plan = source.plan(3, seen.append)
        self.assertEqual(("a.txt", 7, 3, [3, 6, 7]), (plan.name, plan.total, plan.part, seen))
        self.assertEqual([merkle.leaf_hash(part) for part in (b"abc", b"def", b"g")], [plan.hash(n) for n in range(3)])
        self.assertEqual([b"abc", b"def", b"g"], [source.part(plan, index) for index in range(3)])

    def test_an_empty_file_has_no_parts(self) -> None:
        plan = self.file(b"").plan(3)
        self.assertEqual((0, 0, merkle.EMPTY), (plan.total, plan.count, plan.root()))

    def test_holes_are_not_read(self) -> None:
        path = self.folder / "sparse"
        with path.open("wb") as file:
            file.truncate(1 << 30)
            file.seek(1 << 29)
            file.write(b"x")
        source = Source(path)
        self.addCleanup(source.close)
        read, pread = [], os.pread
        with mock.patch.object(os, "pread", side_effect=lambda fd, n, at: read.append(at) or pread(fd, n, at)):
            plan = source.plan(1 << 20)
        self.assertEqual([1 << 29], read)
        self.assertEqual(1023, plan.empty_parts().bit_count())

    def test_a_system_that_knows_no_holes_reads_zeros(self) -> None:
        source = self.file(bytes(6))
        wanted = source.plan(3)
        with mock.patch.object(os, "lseek", side_effect=OSError(errno.EINVAL, "Invalid argument")):
            self.assertEqual(wanted, source.plan(3))

    def test_its_name_is_made_plain(self) -> None:
        self.assertEqual("_a_b", self.file(name=".a:b").plan(3).name)

    def test_what_is_no_file_is_told_with_what_to_do(self) -> None:
        os.mkfifo(self.folder / "pipe")
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(self.folder / "socket"))
        (self.folder / "loop").symlink_to(self.folder / "loop")
        for name, hint in ((".", "tar"), ("pipe", "copy"), ("absent", "check"), ("loop", "check"), ("socket", "check")):
            self.assertIn(hint, self.wrong("RHO-2301", Source, self.folder / name).hint)
        self.assertIn("pipe", self.wrong("RHO-2301", Source, Path("/dev/null")).why)

    def test_no_file_stays_open(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        source = self.file()
        source.close()
        self.wrong("RHO-2301", Source, self.folder)
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    def test_a_file_that_may_not_be_read_names_the_chmod(self) -> None:
        denied = PermissionError(errno.EACCES, "Permission denied")
        with mock.patch.object(os, "open", side_effect=denied):
            self.assertIn("chmod", self.wrong("RHO-2301", Source, self.folder / "a").hint)

    def test_a_disk_that_fails_while_reading_is_told(self) -> None:
        source = self.file()
        with mock.patch.object(os, "pread", side_effect=OSError(errno.EIO, "Input/output error")):
            self.assertIn("Input/output error", self.wrong("RHO-2301", source.plan, 3).why)

    def test_a_file_written_to_while_it_is_read_is_told(self) -> None:
        source = self.file()

        def write(done: int) -> None:
            os.utime(source.path, ns=(1, done))

        self.wrong("RHO-2302", source.plan, 3, write)

    def test_a_part_that_changed_or_was_cut_off_is_told_and_the_others_still_go(self) -> None:
        source = self.file()
        plan = source.plan(3)
        source.path.write_bytes(b"abcdEf")
        self.assertEqual(b"abc", source.part(plan, 0))
        self.assertIn("part 2 of 3", self.wrong("RHO-2302", source.part, plan, 1).why)
        self.assertIn("shorter", self.wrong("RHO-2302", source.part, plan, 2).why)

    def test_it_can_be_stopped_while_it_is_read(self) -> None:
        def stop(done: int) -> None:
            raise KeyError(done)

        self.assertRaises(KeyError, self.file().plan, 3, stop)

    def test_a_closed_file_is_read_no_more(self) -> None:
        source = self.file()
        plan = source.plan(3)
        source.close()
        source.close()
        self.wrong("RHO-2301", source.part, plan, 0)
