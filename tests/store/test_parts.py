"""The bytes of a file that is coming, and the name it gets."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest import mock

from rhotwist.errors import DiskFull, StoreError
from rhotwist.store import parts
from rhotwist.store.parts import PartFile
from tests.store.support import FolderCase, mode


class PartCase(FolderCase):
    """A folder for parts and one that files are put into."""

    def setUp(self) -> None:
        super().setUp()
        self.own, self.into = self.folder / "own", self.folder / "into"
        self.own.mkdir()
        self.into.mkdir()
        self.file = PartFile(self.own, 7)

    def whole(self, data: bytes = b"abcdef") -> PartFile:
        """A part file with these bytes."""
        self.file.make(len(data))
        self.file.write(0, data)
        return self.file

    def lies(self) -> dict[str, bytes]:
        """What was delivered."""
        return {path.name: path.read_bytes() for path in self.into.iterdir()}


class PartTests(PartCase):
    """Before it is whole."""

    def test_parts_lie_where_they_belong_in_whatever_order_they_come(self) -> None:
        self.file.make(7)
        for offset, data in ((6, b"g"), (0, b"abc"), (3, b"def")):
            self.file.write(offset, data)
        self.assertEqual(b"abcdefg", self.file.path.read_bytes())
        self.assertEqual((b"def", b"g", b""), (self.file.read(3, 3), self.file.read(6, 3), self.file.read(9, 3)))

    def test_it_is_the_owner_s_alone_and_what_never_came_takes_no_room(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.file.make(1 << 30)
        found = self.file.path.stat()
        self.assertEqual((1 << 30, 0o600), (found.st_size, mode(self.file.path)))
        self.assertLess(found.st_blocks, 100)

    def test_making_it_again_loses_nothing(self) -> None:
        self.whole().make(6)
        self.assertEqual(b"abcdef", self.file.read(0, 6))

    def test_two_transfers_have_two_files(self) -> None:
        self.whole()
        other = PartFile(self.own, 8)
        other.make(3)
        other.write(0, b"xyz")
        other.discard()
        other.discard()
        self.assertEqual(b"abcdef", self.file.read(0, 6))
        self.assertEqual(["7.part"], [path.name for path in self.own.iterdir()])

    def test_a_link_that_somebody_put_there_is_not_followed(self) -> None:
        victim = self.folder / "victim"
        victim.write_bytes(b"precious")
        self.file.path.symlink_to(victim)
        for attempt in (lambda: self.file.make(0), lambda: self.file.write(0, b"x"), lambda: self.file.read(0, 1)):
            self.assertRaises(StoreError, attempt)
        self.assertEqual(b"precious", victim.read_bytes())

    def test_a_strange_umask_takes_nothing_from_us(self) -> None:
        before = os.umask(0o777)
        self.addCleanup(os.umask, before)
        self.file.make(1)
        self.assertEqual(0o600, mode(self.file.path))

    def test_killed_after_a_part_was_written_it_lies_there(self) -> None:
        code = "import sys, pathlib; from rhotwist.store.parts import PartFile\n" \
               "PartFile(pathlib.Path(sys.argv[1]), 7).write(2, b'xy')"  # fmt: skip
        self.file.make(6)
        self.assertEqual(137, self.run_python(code, self.own, crash="part-written").returncode)
        self.assertEqual(b"xy", self.file.read(2, 2))

    def test_no_file_stays_open(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        self.whole().read(0, 6)
        self.file.deliver(self.into, "a.txt")
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    def test_what_the_system_refuses_is_told(self) -> None:
        self.whole()
        with mock.patch.object(Path, "unlink", side_effect=PermissionError(errno.EPERM, "not permitted")):
            self.assertRaises(StoreError, self.file.discard)
        with mock.patch.object(os, "open", side_effect=PermissionError(errno.EACCES, "denied")):
            self.assertRaises(StoreError, self.file.read, 0, 1)

    def test_a_file_that_is_gone_has_no_bytes(self) -> None:
        self.assertEqual(b"", self.file.read(0, 3))

    def test_a_full_disk_is_told_as_one(self) -> None:
        self.whole()
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(os, "pwrite", side_effect=full):
            self.assertRaises(DiskFull, self.file.write, 0, b"x")
        with mock.patch.object(parts, "room", return_value=100.0 * 2**20):
            parts.need_room(self.own, 36 * 2**20)
            error = self.assertRaises(DiskFull, parts.need_room, self.own, 37 * 2**20)
        self.assertIn("104857600 bytes are free", str(error))

    def test_a_write_that_the_system_cuts_short_goes_on(self) -> None:
        whole = os.pwrite
        self.file.make(6)
        with mock.patch.object(os, "pwrite", side_effect=lambda fd, data, at: whole(fd, bytes(data[:2]), at)):
            self.file.write(0, b"abcdef")
        self.assertEqual(b"abcdef", self.file.read(0, 6))


class DeliverTests(PartCase):
    """When it is whole."""

    def test_it_gets_its_name_and_the_part_file_can_go(self) -> None:
        target = self.whole().deliver(self.into, "a.txt")
        self.file.discard()
        self.assertEqual((self.into / "a.txt", {"a.txt": b"abcdef"}), (target, self.lies()))
        self.assertEqual(0o600, mode(target))

    def test_nothing_is_overwritten_and_no_link_is_followed(self) -> None:
        (self.into / "a.txt").write_bytes(b"old")
        (self.into / "a (2).txt").symlink_to(self.folder / "elsewhere")
        (self.into / "a (3).txt").mkdir()
        self.assertEqual("a (4).txt", self.whole().deliver(self.into, "a.txt").name)
        self.assertEqual(b"old", (self.into / "a.txt").read_bytes())
        self.assertFalse((self.folder / "elsewhere").exists())

    def test_names_without_ending_are_counted_too(self) -> None:
        for name, second in (("a", "a (2)"), ("b.tar.gz", "b.tar (2).gz")):
            (self.into / name).touch()
            file = PartFile(self.own, len(name))
            file.make(0)
            self.assertEqual(second, file.deliver(self.into, name).name)

    def test_a_second_call_finds_what_the_first_one_did(self) -> None:
        first = self.whole().deliver(self.into, "a.txt")
        self.assertEqual(first, self.file.deliver(self.into, "a.txt"))
        self.assertEqual({"a.txt": b"abcdef"}, self.lies())

    def test_killed_on_the_way_it_is_there_once_or_not_yet(self) -> None:
        code = "import sys, pathlib; from rhotwist.store.parts import PartFile\n" \
               "PartFile(pathlib.Path(sys.argv[1]), 7).deliver(pathlib.Path(sys.argv[2]), 'a.txt')"  # fmt: skip
        self.whole()
        for crash in ("part-synced", "part-named"):
            self.assertEqual(137, self.run_python(code, self.own, self.into, crash=crash).returncode)
            self.assertEqual(self.into / "a.txt", self.file.deliver(self.into, "a.txt"))
            self.assertEqual({"a.txt": b"abcdef"}, self.lies())

    def test_another_file_system_gets_a_whole_copy_in_one_step(self) -> None:
        near = PartFile._near
        stat = Path.stat

        class Other:
            st_dev = -1

        def strange(path: Path, **more: bool) -> object:
            return Other() if path == self.into else stat(path, **more)

        def seen(file: PartFile, into: Path) -> Path:
            with mock.patch.object(Path, "stat", strange):
                copy = near(file, into)
            self.assertEqual((self.into, b"abcdef"), (copy.parent, copy.read_bytes()))
            self.assertEqual(0o600, mode(copy))
            return copy

        with mock.patch.object(PartFile, "_near", seen):
            self.assertEqual("a.txt", self.whole().deliver(self.into, "a.txt").name)
        self.assertEqual({"a.txt": b"abcdef"}, self.lies())

    def test_without_links_a_name_is_claimed_first(self) -> None:
        (self.into / "a.txt").write_bytes(b"old")

        def link(*arguments: object, follow_symlinks: bool) -> None:
            raise FileExistsError if (self.into / "a.txt") == arguments[1] else OSError(errno.EPERM, "no links here")

        (self.into / "a (2).txt").write_bytes(b"old too")
        with mock.patch.object(os, "link", link):
            self.assertEqual("a (3).txt", self.whole().deliver(self.into, "a.txt").name)
        self.assertEqual(
            {"a.txt": b"old", "a (2).txt": b"old too", "a (3).txt": b"abcdef"}, self.lies()
        )

    def test_file_and_folder_are_synced_before_it_counts(self) -> None:
        synced: list[str] = []
        fsync = os.fsync

        def note(fd: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{fd}"))
            fsync(fd)

        self.whole()
        with mock.patch.object(os, "fsync", note):
            self.file.deliver(self.into, "a.txt")
        self.assertEqual([str(self.file.path), str(self.into)], synced)

    def test_when_all_names_are_taken_it_says_so(self) -> None:
        self.whole()
        for number in (1, 2):
            (self.into / ("a", "a (2)")[number - 1]).touch()
        with mock.patch.object(parts, "NAMES_MOST", 3):
            self.assertIn("are taken", str(self.assertRaises(StoreError, self.file.deliver, self.into, "a")))

    def test_a_disk_that_fails_while_naming_is_told(self) -> None:
        self.whole()
        with mock.patch.object(os, "link", side_effect=OSError(errno.EIO, "Input/output error")):
            self.assertRaises(StoreError, self.file.deliver, self.into, "a")
        self.assertEqual({}, self.lies())

    def test_a_copy_that_fails_leaves_nothing_and_one_that_a_crash_left_is_no_hindrance(self) -> None:
        self.whole()
        stat = Path.stat

        class Other:
            st_dev = -1

        def strange(path: Path, **more: bool) -> object:
            return Other() if path == self.into else stat(path, **more)

        with mock.patch.object(Path, "stat", strange):
            (self.into / f".7-{stat(self.file.path).st_ino}.rho-part").write_bytes(b"left by a crash")
            copy = self.file._near(self.into)
            self.assertEqual(b"abcdef", copy.read_bytes())
            synced: list[int] = []
            with mock.patch.object(os, "fsync", synced.append):
                self.file._near(self.into)
            self.assertEqual(1, len(synced))
            with mock.patch.object(os, "fsync", side_effect=OSError(errno.ENOSPC, "No space left on device")):
                self.assertRaises(OSError, self.file._near, self.into)
            self.assertEqual({}, self.lies())

    def test_a_folder_that_went_away_is_told_and_nothing_is_lost(self) -> None:
        self.whole()
        self.assertRaises(StoreError, self.file.deliver, self.folder / "gone", "a.txt")
        self.assertEqual(b"abcdef", self.file.read(0, 6))
