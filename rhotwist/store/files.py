"""Private files: written whole or not at all, 0600 from their first byte, the generation before kept beside them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rhotwist.control import trouble as told
from rhotwist.errors import StoreError
from rhotwist.store.crashpoint import crashpoint
from rhotwist.store.trouble import from_system

MODE = 0o600
MOST = 2**20
"""Bytes that ``read_private`` takes at most, unless told: every private file of ours is far below."""


def previous(path: Path) -> Path:
    """Where the generation before the file at path lies."""
    return path.with_name(path.name + ".previous")


def write_atomically(path: Path, data: bytes) -> None:
    """Put data at path, durably; a crash at any step leaves the old file or the new one there, whole.

    What was there before becomes ``previous(path)``. One process writes a path at a time: the folder's lock sees to it.
    Raises DiskFull or StoreError, and then the old file stands.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        try:
            _write(fresh, data)
            _keep(path)
            os.replace(fresh, path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        crashpoint("file-renamed")
        sync_folder(path.parent)
    except OSError as error:
        raise from_system(error, path) from error


def create_private(path: Path) -> None:
    """An empty file at path, 0600 whatever the umask says. Raises OSError, FileExistsError too."""
    os.close(_create(path))


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable. Windows has no such call and does it by itself."""
    if os.name == "nt":
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_private(path: Path, most: int = MOST) -> bytes:
    """The bytes of a file that this user alone may read.

    Raises OperatorError RHO-1103 if others may read or write it, StoreError if it is longer than most or cannot be
    read, FileNotFoundError if it is not there.
    """
    try:
        with path.open("rb") as file:
            check_private(path, os.fstat(file.fileno()), "600")
            data = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise from_system(error, path) from error
    if len(data) > most:
        raise StoreError(f"{path}: longer than {most} bytes")
    return data


def check_private(path: Path, found: os.stat_result, wanted: str) -> None:
    """Raise OperatorError RHO-1103 if others may use path. wanted is the mode to advise, such as "600"."""
    mode = stat.S_IMODE(found.st_mode)
    if os.name != "nt" and mode & 0o077:
        raise told.FOLDER_OPEN(path=path, mode=f"{mode:04o}", wanted=wanted)


def _create(path: Path) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), MODE)
    if os.name != "nt":
        os.fchmod(fd, MODE)  # a strange umask may have taken our own bits away
    return fd


def _write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # what a crash left
    with open(_create(path), "wb") as file:
        crashpoint("file-created")
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    crashpoint("file-written")


def _keep(path: Path) -> None:
    """Make the file at path, if there is one, the previous generation too: a second name, so path is never empty."""
    name = path.with_name(path.name + ".keep")
    try:
        os.link(path, name)
    except FileNotFoundError:
        return
    except OSError:  # a file system without links, or a crash left that name
        _write(name, path.read_bytes())
    os.replace(name, previous(path))
    name.unlink(missing_ok=True)  # rename(2) does nothing where both names are one file already
    crashpoint("file-kept")
