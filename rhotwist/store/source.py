"""A file of the owner's that goes out: read in parts, hashed first, and held to what it was then."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from rhotwist.control import trouble
from rhotwist.link.file_plan import FilePlan, count_of, plain_name, zeros
from rhotwist.tree import merkle

_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe nobody writes to would block


class Source:
    """An open file to be sent. Methods raise OperatorError, and may run in any thread."""

    def __init__(self, path: Path) -> None:
        """Raises OperatorError RHO-2301 for what is no file, or cannot be read."""
        self.path = path
        self._lock = threading.Lock()  # or a thread may read by a number that was closed and given to another file
        try:
            self._fd = os.open(path, _OPEN)
        except OSError as error:
            raise self._unreadable(error) from None
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            folder = stat.S_ISDIR(found.st_mode)
            raise trouble.FILE_UNREADABLE(
                path=path, why="it is a folder" if folder else "it is a device, a pipe or a socket, and no file",
                hint="pack it first: tar -cf folder.tar FOLDER" if folder else "copy what it says into a file first",
            )  # fmt: skip
        self.total = found.st_size

    def close(self) -> None:
        """Let the file go; a second call does nothing."""
        with self._lock:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    def plan(self, part: int, told: Callable[[int], None] = lambda done: None) -> FilePlan:
        """Hash the file whole, 0.5 to 1 s a GB; told hears how many bytes are read, and may raise to stop it.

        Raises RHO-2302 if somebody writes to it meanwhile.
        """
        before = _mark(os.fstat(self._fd))
        hashes = []
        for index in range(count_of(self.total, part)):
            size = min(part, self.total - index * part)
            if self._is_hole(index * part, size):
                hashes.append(zeros(size))
            else:
                hashes.append(merkle.leaf_hash(self._read(index * part, size)))
            told(index * part + size)
        if _mark(os.fstat(self._fd)) != before:
            raise self._changed("somebody wrote to it while it was read")
        return FilePlan(plain_name(self.path.name), self.total, part, b"".join(hashes))

    def part(self, plan: FilePlan, index: int) -> bytes:
        """A part, as it was planned. Raises RHO-2302 if it is another now."""
        data = self._read(index * plan.part, plan.size(index))
        if not plan.fits(index, data):
            raise self._changed(f"part {index + 1} of {plan.count} has other bytes now")
        return data

    def _read(self, offset: int, size: int) -> bytes:
        data = b""
        try:
            while len(data) < size:
                with self._lock:
                    more = os.pread(self._fd, size - len(data), offset + len(data))
                if not more:
                    raise self._changed("it has become shorter")
                data += more
        except OSError as error:
            raise self._unreadable(error) from None
        return data

    def _is_hole(self, offset: int, size: int) -> bool:
        """Whether the file system knows that nothing was ever written there."""
        try:
            return os.lseek(self._fd, offset, os.SEEK_DATA) >= offset + size
        except OSError as error:
            return error.errno == errno.ENXIO  # no data from there to the end
        except AttributeError:  # a system without holes
            return False

    def _unreadable(self, error: OSError) -> Exception:
        denied = isinstance(error, PermissionError)
        return trouble.FILE_UNREADABLE(
            path=self.path, why=f"the system says: {error.strerror or error}",
            hint="let this user read it: chmod u+r FILE" if denied else "check the name and the disk",
        )  # fmt: skip

    def _changed(self, why: str) -> Exception:
        return trouble.FILE_CHANGED(path=self.path, why=why)


def _mark(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns
