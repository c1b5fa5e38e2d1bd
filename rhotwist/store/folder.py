"""The data folder: made for this user alone, and held by one process at a time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rhotwist.control import trouble
from rhotwist.store.files import MODE, check_private

FOLDER_MODE = 0o700
#: Bytes of a lock file that may be read: a pid and a line end.
_PID_MOST = 32

if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        """Lock one byte far behind the pid, which others are to read. Raises OSError if another process has it."""
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(fd: int) -> None:
        """Lock the file. Raises OSError if another process has it; the system unlocks it when this one ends."""
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def prepare(path: Path) -> None:
    """Make the folder, 0700, if it is not there; check that it is ours, ours alone, and can be written.

    Raises OperatorError: RHO-1101 if it cannot be used, RHO-1103 if other users may look into it.
    """
    try:
        if not path.is_dir():
            path.mkdir(FOLDER_MODE, parents=True)
            path.chmod(FOLDER_MODE)  # whatever the umask says
        found = path.stat()
    except OSError as error:
        raise _unusable(path, error) from error
    if sys.platform != "win32" and found.st_uid != os.geteuid():
        raise trouble.FOLDER_UNUSABLE(path=path, why=f"it belongs to user {found.st_uid}, this is {os.geteuid()}")
    check_private(path, found, "700")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise trouble.FOLDER_UNUSABLE(path=path, why="it cannot be written")


class FolderLock:
    """A folder held by this process in one role, until ``release`` or the end of the process, however it ends.

    A fork keeps it; the child then calls ``note_pid``, because the lock file names the process that holds it.
    Raises OperatorError: RHO-1102, with the holder's pid, if another process has the folder, RHO-1101 if it cannot be
    used.
    """

    def __init__(self, path: Path, role: str) -> None:
        self.path = path / "lock"
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, MODE)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            _lock(self._fd)
        except OSError as error:
            pid = _read_pid(self._fd)
            os.close(self._fd)
            holder = f" (pid {pid})" if pid else ""
            raise trouble.FOLDER_LOCKED(path=path, role=role, holder=holder) from error
        try:
            self.note_pid()
        except OSError as error:
            os.close(self._fd)
            raise _unusable(path, error) from error

    def note_pid(self) -> None:
        """Write this process's number into the lock file: again after a fork, over which the lock is kept."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        os.write(self._fd, f"{os.getpid()}\n".encode("ascii"))

    def release(self) -> None:
        """Let the folder go. A second call does nothing. The file stays: removing it could unlock a third process."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def _read_pid(fd: int) -> str:
    told = os.read(fd, _PID_MOST).decode("ascii", "replace").strip()
    return told if told.isdecimal() else ""


def _unusable(path: Path, error: OSError) -> Exception:
    return trouble.FOLDER_UNUSABLE(path=path, why=f"the system says: {error.strerror or error}")
