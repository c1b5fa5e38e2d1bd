"""The data folder: ours alone, and one process at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from rhotwist.errors import OperatorError
from rhotwist.store.folder import FolderLock, prepare
from tests.store.support import ROOT, FolderCase, mode

HOLD = """
import sys
from pathlib import Path
from rhotwist.store.folder import FolderLock
lock = FolderLock(Path(sys.argv[1]), "node")
print("held", flush=True)
sys.stdin.read()
"""


class PrepareTests(FolderCase):
    def test_a_new_folder_is_0700_under_any_umask(self) -> None:
        for umask in (0o000, 0o077, 0o377):
            path = self.folder / f"{umask}"
            before = os.umask(umask)
            try:
                prepare(path)
            finally:
                os.umask(before)
            self.assertEqual(mode(path), 0o700)
            prepare(path)

    def test_folders_above_are_made_too(self) -> None:
        prepare(self.folder / "a" / "b")
        self.assertEqual(mode(self.folder / "a" / "b"), 0o700)

    def test_a_folder_open_to_others_is_refused_and_the_cure_named(self) -> None:
        for bad in (0o750, 0o701, 0o1777):
            self.folder.chmod(bad)
            error = self.assertRaises(OperatorError, prepare, self.folder)
            self.assertEqual((error.code, error.hint), ("RHO-1103", f"chmod 700 {self.folder}"))
        self.folder.chmod(0o700)
        prepare(self.folder)

    def test_another_users_folder_is_refused(self) -> None:
        self.patch(os, "geteuid", lambda: self.folder.stat().st_uid + 1)
        error = self.assertRaises(OperatorError, prepare, self.folder)
        self.assertEqual(error.code, "RHO-1101")
        self.assertIn("belongs to user", error.why)

    def test_a_file_in_the_way_is_told(self) -> None:
        (self.folder / "file").touch()
        for path in (self.folder / "file", self.folder / "file" / "below"):
            self.assertEqual(self.assertRaises(OperatorError, prepare, path).code, "RHO-1101")

    def test_a_folder_that_cannot_be_written_is_told(self) -> None:
        self.folder.chmod(0o500)
        self.addCleanup(self.folder.chmod, 0o700)
        if os.geteuid() == 0:  # root may write anywhere, but for a read-only file system
            self.patch(os, "access", lambda path, wanted: not wanted & os.W_OK)
        error = self.assertRaises(OperatorError, prepare, self.folder)
        self.assertEqual((error.code, error.why), ("RHO-1101", "it cannot be written"))


class LockTests(FolderCase):
    def hold(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(self.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert process.stdout is not None
        self.addCleanup(process.communicate)
        self.assertEqual(process.stdout.readline(), "held\n")
        return process

    def test_a_second_process_is_told_who_has_the_folder(self) -> None:
        process = self.hold()
        error = self.assertRaises(OperatorError, FolderLock, self.folder, "node")
        self.assertEqual(error.code, "RHO-1102")
        self.assertEqual(error.why, f"another node process holds it (pid {process.pid})")
        self.assertEqual((self.folder / "lock").read_text(), f"{process.pid}\n")

    def test_a_killed_process_holds_nothing(self) -> None:
        process = self.hold()
        process.send_signal(signal.SIGKILL)
        process.wait()
        lock = FolderLock(self.folder, "node")
        self.assertEqual((self.folder / "lock").read_text(), f"{os.getpid()}\n")
        lock.release()

    def test_a_released_folder_can_be_held_again(self) -> None:
        lock = FolderLock(self.folder, "node")
        self.assertRaises(OperatorError, FolderLock, self.folder, "node")
        lock.release()
        lock.release()
        self.assertEqual((self.folder / "lock").read_text(), "")
        again = FolderLock(self.folder, "node")
        self.assertEqual(mode(self.folder / "lock"), 0o600)
        again.release()

    def test_a_refused_lock_leaves_no_file_open(self) -> None:
        lock = FolderLock(self.folder, "wallet")
        self.addCleanup(lock.release)
        before = _open_files()
        for _ in range(5):
            self.assertRaises(OperatorError, FolderLock, self.folder, "wallet")
        self.assertEqual(_open_files(), before)

    def test_the_lock_file_holds_one_number_whatever_was_in_it_and_however_often_it_is_noted(self) -> None:
        (self.folder / "lock").write_text("9" * 30 + "\n")
        lock = FolderLock(self.folder, "node")
        self.addCleanup(lock.release)
        self.assertEqual((self.folder / "lock").read_text(), f"{os.getpid()}\n")
        lock.note_pid()
        self.assertEqual((self.folder / "lock").read_text(), f"{os.getpid()}\n")

    def test_a_lock_file_with_nonsense_names_nobody(self) -> None:
        lock = FolderLock(self.folder, "wallet")
        self.addCleanup(lock.release)
        for nonsense in ("", "\x1b[31m12", "9" * 20_000 + "x", "-1"):
            (self.folder / "lock").write_text(nonsense)
            error = self.assertRaises(OperatorError, FolderLock, self.folder, "wallet")
            self.assertNotIn("\x1b", error.why)
            self.assertNotIn("-1", error.why)

    def test_a_folder_where_no_file_can_be_made_is_told(self) -> None:
        error = self.assertRaises(OperatorError, FolderLock, self.folder / "none", "node")
        self.assertEqual(error.code, "RHO-1101")
        self.assertIn("No such file", error.why)
        if Path("/dev/full").exists():
            (self.folder / "lock").symlink_to("/dev/full")
            before = _open_files()
            error = self.assertRaises(OperatorError, FolderLock, self.folder, "node")
            self.assertEqual(error.code, "RHO-1101")
            self.assertEqual(_open_files(), before)


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
