"""What the system said, as our errors."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from rhotwist.errors import DiskFull, StoreError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Primary result codes of SQLite (sqlite.org/rescode.html) that a full disk can hide behind: I/O error, cannot open.
_PERHAPS_FULL = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
#: Less room than this, and such an error is taken for a full disk: SQLite's shared memory grows by 32 KiB at a time.
_NO_ROOM = 65_536


def from_system(error: OSError, path: Path) -> StoreError:
    """The error for a failed system call on path."""
    kind = DiskFull if error.errno in _FULL else StoreError
    return kind(f"{path}: {error.strerror or error}")


def from_sqlite(error: sqlite3.Error, path: Path) -> StoreError:
    """The error for a failed statement on the database at path."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    full = code == sqlite3.SQLITE_FULL or (code in _PERHAPS_FULL and room(path.parent) < _NO_ROOM)
    return (DiskFull if full else StoreError)(f"{path}: {error}")


def room(folder: Path) -> float:
    """Bytes that this user may still write into a folder; without end where the system does not tell."""
    try:
        told = os.statvfs(folder)
    except (OSError, AttributeError):
        return float("inf")
    return told.f_bavail * told.f_frsize
