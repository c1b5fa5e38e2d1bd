"""Private files: whole or not at all, private from the first byte, the generation before beside them."""

import os
import resource
import signal
from pathlib import Path

from rhotwist.errors import DiskFull, OperatorError, StoreError
from rhotwist.store.crashpoint import POINTS, STATUS
from rhotwist.store.files import create_private, previous, read_private, sync_folder, write_atomically
from tests.store.support import FolderCase, mode

WRITE = """
import sys, os
from pathlib import Path
from rhotwist.store.files import write_atomically
write_atomically(Path(sys.argv[1]), sys.argv[2].encode())
"""


class WriteTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "a.key"

    def test_what_was_written_is_read_back_and_nothing_else_lies_there(self) -> None:
        write_atomically(self.path, b"one")
        self.assertEqual(read_private(self.path), b"one")
        self.assertEqual(self.names(), ["a.key"])

    def test_the_generation_before_is_kept_and_only_that(self) -> None:
        for data in (b"one", b"two", b"three"):
            write_atomically(self.path, data)
        self.assertEqual((read_private(self.path), read_private(previous(self.path))), (b"three", b"two"))
        self.assertEqual(self.names(), ["a.key", "a.key.previous"])

    def test_the_mode_is_0600_under_any_umask(self) -> None:
        for umask in (0o000, 0o777, 0o277):
            self.addCleanup(os.umask, os.umask(umask))
            write_atomically(self.path, b"secret")
            self.assertEqual((mode(self.path), mode(previous(self.path)) if umask else 0o600), (0o600, 0o600))
            create_private(self.folder / str(umask))
            self.assertEqual(mode(self.folder / str(umask)), 0o600)

    def test_what_a_crash_left_is_neither_followed_nor_in_the_way(self) -> None:
        write_atomically(self.path, b"one")
        victim = self.folder / "victim"
        victim.write_bytes(b"victim")
        (self.folder / "a.key.new").symlink_to(victim)
        os.link(self.path, self.folder / "a.key.keep")
        write_atomically(self.path, b"two")
        self.assertEqual(victim.read_bytes(), b"victim")
        self.assertEqual(self.names(), ["a.key", "a.key.previous", "victim"])
        self.assertEqual(read_private(previous(self.path)), b"one")

    def test_a_second_try_after_a_crash_between_the_renames_leaves_nothing_over(self) -> None:
        write_atomically(self.path, b"one")
        os.link(self.path, previous(self.path))  # the crash came after the old file was kept
        write_atomically(self.path, b"two")
        self.assertEqual(self.names(), ["a.key", "a.key.previous"])
        self.assertEqual(read_private(previous(self.path)), b"one")

    def test_where_files_cannot_have_two_names_the_generation_before_is_a_copy(self) -> None:
        write_atomically(self.path, b"one")
        self.patch(os, "link", _no_links)
        write_atomically(self.path, b"two")
        self.assertEqual((read_private(self.path), read_private(previous(self.path))), (b"two", b"one"))
        self.assertEqual(mode(previous(self.path)), 0o600)
        self.assertEqual(self.names(), ["a.key", "a.key.previous"])

    def test_a_kill_at_any_step_leaves_the_old_file_or_the_new_one(self) -> None:
        for point in sorted(point for point in POINTS if point.startswith("file-")):
            for first in (False, True):
                path = self.folder / f"{point}-{first}"
                if not first:
                    write_atomically(path, b"old")
                ended = self.run_python(WRITE, path, "new", crash=point)
                if first and point == "file-kept":
                    self.assertEqual(ended.returncode, 0)
                else:
                    self.assertEqual(ended.returncode, STATUS, ended.stderr)
                if path.exists():
                    self.assertEqual(read_private(path), b"new" if first or point == "file-renamed" else b"old")
                else:
                    self.assertTrue(first and point != "file-renamed")
                write_atomically(path, b"next")
                self.assertEqual(read_private(path), b"next")
        self.assertFalse([name for name in self.names() if name.endswith((".new", ".keep"))])

    def test_a_full_disk_is_told_and_the_old_file_stands(self) -> None:
        write_atomically(self.path, b"old")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
        try:
            error = self.assertRaises(StoreError, write_atomically, self.path, bytes(100_000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        self.assertIn("a.key", str(error))
        self.assertEqual(read_private(self.path), b"old")
        self.assertEqual(self.names(), ["a.key"])
        if Path("/dev/full").exists():
            error = self.assertRaises(DiskFull, _fill_device)
            self.assertIn("/dev/full", str(error))

    def test_a_missing_folder_is_told_by_name(self) -> None:
        error = self.assertRaises(StoreError, write_atomically, self.folder / "no" / "file", b"x")
        self.assertIn("No such file", str(error))

    def test_names_are_synced_file_first_then_folder(self) -> None:
        """In the order that makes the new name point at whole data, whatever the disk does."""
        steps: list[str] = []
        fsync, replace = os.fsync, os.replace

        def note_sync(fd: int) -> None:
            steps.append("folder" if _is_folder(fd) else f"{os.fstat(fd).st_size} bytes")
            fsync(fd)

        def note_rename(one: Path, two: Path) -> None:
            steps.append(f"rename {two.name}")
            replace(one, two)

        self.patch(os, "fsync", note_sync)
        self.patch(os, "replace", note_rename)
        before = _open_files()
        write_atomically(self.path, b"one")
        write_atomically(self.path, b"two!")
        whole = ["3 bytes", "rename a.key", "folder", "4 bytes", "rename a.key.previous", "rename a.key", "folder"]
        self.assertEqual(steps, whole)
        sync_folder(self.folder)
        self.assertEqual(steps[len(whole) :], ["folder"])
        self.assertEqual(_open_files(), before)


class ReadTests(FolderCase):
    def test_a_file_that_others_may_use_is_refused_and_the_cure_named(self) -> None:
        path = self.folder / "a.key"
        write_atomically(path, b"secret")
        for bad in (0o640, 0o604, 0o620, 0o601, 0o777):
            path.chmod(bad)
            error = self.assertRaises(OperatorError, read_private, path)
            self.assertEqual((error.code, error.hint), ("RHO-1103", f"chmod 600 {path}"))
            self.assertIn(f"{bad:04o}", error.why)
        path.chmod(0o400)
        self.assertEqual(read_private(path), b"secret")

    def test_a_file_longer_than_any_of_ours_is_not_read(self) -> None:
        path = self.folder / "a.key"
        write_atomically(path, bytes(101))
        self.assertRaises(StoreError, read_private, path, 100)
        self.assertEqual(len(read_private(path, 101)), 101)

    def test_absence_is_told_apart_from_trouble(self) -> None:
        self.assertRaises(FileNotFoundError, read_private, self.folder / "none")
        self.assertRaises(StoreError, read_private, self.folder)


def _no_links(*arguments: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def _is_folder(fd: int) -> bool:
    return os.path.isdir(f"/proc/self/fd/{fd}")


def _fill_device() -> None:
    from rhotwist.store.trouble import from_system

    try:
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(b"x")
    except OSError as error:
        raise from_system(error, Path("/dev/full")) from error
