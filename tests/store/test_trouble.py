"""What the system said becomes DiskFull where there is no room, StoreError otherwise, and names the file."""

import errno
import sqlite3
from pathlib import Path

from rhotwist.errors import DiskFull, StoreError
from rhotwist.store.trouble import from_sqlite, from_system
from tests.store.support import FolderCase

NOWHERE = Path("/nowhere/at/all/a.db")


def said(code: int) -> sqlite3.Error:
    """An error of SQLite's with a result code."""
    error = sqlite3.OperationalError("so it is")
    error.sqlite_errorcode = code
    return error


class TroubleTests(FolderCase):
    def test_no_room_is_told_apart_from_other_failures_of_the_system(self) -> None:
        for number, kind in ((errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, StoreError)):
            error = from_system(OSError(number, "what it says"), NOWHERE)
            self.assertIs(type(error), kind)
            self.assertEqual(str(error), f"{NOWHERE}: what it says")
        self.assertEqual(str(from_system(OSError("no number"), NOWHERE)), f"{NOWHERE}: no number")

    def test_a_full_database_is_a_full_disk_and_a_broken_one_is_not(self) -> None:
        path = self.folder / "a.db"
        for code, kind in (
            (sqlite3.SQLITE_FULL, DiskFull), (sqlite3.SQLITE_CORRUPT, StoreError), (sqlite3.SQLITE_IOERR, StoreError),
            (sqlite3.SQLITE_IOERR | 19 << 8, StoreError), (sqlite3.SQLITE_CANTOPEN, StoreError),
        ):  # fmt: skip
            error = from_sqlite(said(code), path)
            self.assertIs(type(error), kind)
            self.assertEqual(str(error), f"{path}: so it is")
        self.assertIs(type(from_sqlite(sqlite3.ProgrammingError("no code"), path)), StoreError)

    def test_where_the_room_cannot_be_told_no_disk_is_called_full(self) -> None:
        self.assertIs(type(from_sqlite(said(sqlite3.SQLITE_IOERR), NOWHERE)), StoreError)

    def test_an_input_error_without_any_room_left_is_a_full_disk(self) -> None:
        """/proc is a file system with no room at all."""
        path = Path("/proc/a.db")
        if path.parent.is_dir():
            self.assertIs(type(from_sqlite(said(sqlite3.SQLITE_IOERR | 19 << 8), path)), DiskFull)
            self.assertIs(type(from_sqlite(said(sqlite3.SQLITE_CORRUPT), path)), StoreError)
