"""The bytes of a file that is coming, until it is whole: ``N.part`` in a folder of their own, N the transfer's number.

No name of a stranger's is a path here before ``deliver``, which never overwrites, never follows a link, and gives the
file its name in one step.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from rhotwist.errors import DiskFull, StoreError
from rhotwist.store.crashpoint import crashpoint
from rhotwist.store.files import MODE, sync_folder
from rhotwist.store.trouble import from_system, room

SUFFIX = ".part"
NAMES_MOST = 10_000
"""Names that are tried for a file before we give up: ``a.txt``, ``a (2).txt`` and so on."""
_LEFT = 64 * 2**20
"""Bytes that stay free on the disk when a file is taken, for everything else of this machine."""
_NO_LINKS = frozenset((errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS))
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class PartFile:
    """One file that is coming. Methods raise DiskFull or StoreError, and may run in any thread, one call at a time for
    each offset."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = folder / f"{number}{SUFFIX}"

    def make(self, total: int) -> None:
        """The file with total bytes, all of them a hole, unless it is there already."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | _FLAGS, MODE)
            try:
                if os.name != "nt":
                    os.fchmod(fd, MODE)
                os.ftruncate(fd, total)
            finally:
                os.close(fd)
        except OSError as error:
            raise from_system(error, self.path) from error

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes where they belong. They outlive this process, a power cut only after ``deliver``."""
        try:
            fd = os.open(self.path, os.O_WRONLY | _FLAGS)
            try:
                view = memoryview(data)
                while view:
                    written = os.pwrite(fd, view, offset)
                    view, offset = view[written:], offset + written
            finally:
                os.close(fd)
        except OSError as error:
            raise from_system(error, self.path) from error
        crashpoint("part-written")

    def read(self, offset: int, size: int) -> bytes:
        """Bytes as they lie there; fewer where it is shorter, none where it is not."""
        try:
            fd = os.open(self.path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise from_system(error, self.path) from error
        try:
            return os.pread(fd, size, offset)
        except OSError as error:
            raise from_system(error, self.path) from error
        finally:
            os.close(fd)

    def deliver(self, into: Path, name: str) -> Path:
        """Make the file durable and give it that plain name in the folder into, or the first free one like it.

        The part file stays until ``discard``. A second call after a crash finds what the first one did.
        """
        try:
            _sync(self.path)
            near = self._near(into)
            crashpoint("part-synced")
            target = _name(near, into, name)
            sync_folder(into)
            if near != self.path:
                near.unlink(missing_ok=True)
        except OSError as error:
            raise from_system(error, into) from error
        crashpoint("part-named")
        return target

    def discard(self) -> None:
        """Remove the file, if it is there."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise from_system(error, self.path) from error

    def _near(self, into: Path) -> Path:
        """The file itself, or a copy in the folder into where that is another file system."""
        if self.path.stat().st_dev == into.stat().st_dev:
            return self.path
        copy = into / f".{self.path.stem}-{self.path.stat().st_ino}.rho-part"
        copy.unlink(missing_ok=True)
        try:
            fd = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, MODE)
            with self.path.open("rb") as source, open(fd, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
        except OSError:
            copy.unlink(missing_ok=True)
            raise
        return copy


def need_room(folder: Path, total: int) -> None:
    """Raises DiskFull if total more bytes would fill the disk that folder lies on."""
    free = room(folder)
    if free < total + _LEFT:
        raise DiskFull(f"{folder}: {int(free)} bytes are free, {total} more are to come")


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | _FLAGS)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _name(source: Path, into: Path, name: str) -> Path:
    """Give the file at source another name in into. Raises OSError, and StoreError if all names are taken."""
    for number in range(1, NAMES_MOST):
        target = into / _numbered(name, number)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if os.path.samestat(os.lstat(target), source.stat()):
                return target  # a crash came between this step and whoever notes it
            continue
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if not _claimed(target):
                continue
            os.replace(source, target)
        return target
    raise StoreError(f"{into}: {name!r} and {NAMES_MOST} names like it are taken")


def _claimed(target: Path) -> bool:
    """Whether the name was free and is ours now, on a file system that knows no links."""
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, MODE))
    except FileExistsError:
        return False
    return True


def _numbered(name: str, number: int) -> str:
    """``a.txt``, then ``a (2).txt``."""
    if number == 1:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem} ({number}){dot}{ending}" if stem else f"{name} ({number})"
