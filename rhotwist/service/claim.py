"""What a process takes before it goes to work: folder, lock, key, sockets. All of it at once, or nothing.

This happens in ``makeService``, so while ``twistd`` still has the terminal and before it forks: whatever is wrong is
told to the operator there, with its exit status, in the background too. A lock and sockets survive the fork.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

import attrs

from rhotwist.control import explain, trouble
from rhotwist.errors import OperatorError, StoreError
from rhotwist.keys.address import TCP
from rhotwist.keys.pair import SEED_SIZE, SeedKey
from rhotwist.net.sockets import open_tcp, open_udp
from rhotwist.service import siblings as siblings_file
from rhotwist.service.listening import EVERYWHERE, Place
from rhotwist.service.options import Settings
from rhotwist.store import folder, inbox, tokens
from rhotwist.store.files import read_private, write_atomically
from rhotwist.store.upgrade import bring_up

TRIES = 16
"""A port that the kernel chose for one family may be taken in the other; then it is asked again."""
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


@attrs.define
class Claim:
    """What one process holds until ``release``."""

    settings: Settings
    lock: folder.FolderLock
    key: SeedKey
    sockets: list[socket.socket]
    control_socket: Path
    siblings: siblings_file.Siblings | None = None

    def release(self) -> None:
        """Give everything back; a second call does nothing."""
        for sock in self.sockets:
            sock.close()
        self.sockets = []
        self.lock.release()


def claim(settings: Settings) -> Claim:
    """Take all that the settings ask for. Raises OperatorError, and then holds nothing."""
    places, role = settings.places, settings.role
    control_socket = places.checked_socket(role, sys.platform)
    siblings = siblings_file.load(settings.siblings) if settings.siblings else None
    folder.prepare(places.datadir)
    folder.prepare(places.folder(role))
    if role == "wallet":
        folder.prepare(places.wallets)
    lock = folder.FolderLock(places.folder(role), role)
    try:
        _bring_up(settings)
        key = read_key(places.key(role))
        return Claim(settings, lock, key, open_sockets(settings.listen), control_socket, siblings)
    except BaseException:
        lock.release()
        raise


def _bring_up(settings: Settings) -> None:
    """Make or upgrade the databases now: an upgrade may take a while, and an operator may have to act."""
    places, role = settings.places, settings.role
    try:
        bring_up(places.machine(role), tokens.KIND)
        if role == "wallet":
            bring_up(places.database, inbox.KIND)
    except StoreError as error:
        raise explain.store(error) from error


def read_key(path: Path) -> SeedKey:
    """The key of a process, made at its first start. Raises OperatorError."""
    try:
        seed = read_private(path)
    except FileNotFoundError:
        seed = os.urandom(SEED_SIZE)
        try:
            write_atomically(path, seed)
        except StoreError as error:
            raise explain.store(error) from error
    except StoreError as error:
        raise trouble.FOLDER_UNUSABLE(path=path, why=error) from error
    if len(seed) != SEED_SIZE:
        raise trouble.NODE_KEY_DAMAGED(path=path, length=len(seed))
    return SeedKey(seed)


def open_sockets(places: tuple[Place, ...]) -> list[socket.socket]:
    """A bound socket for each place; where the kernel chooses ports, one port for all. Raises OperatorError."""
    for last in range(TRIES - 1, -1, -1):
        opened: list[socket.socket] = []
        try:
            _open_each(places, opened)
        except OperatorError as error:
            for sock in opened:
                sock.close()
            chosen = error.code == trouble.PORT_TAKEN.code and any(place.port == 0 for place in places)
            if not chosen or not last:
                raise
        else:
            return opened
    raise trouble.NO_NETWORK(why="no free port was found")


def _open_each(places: tuple[Place, ...], opened: list[socket.socket]) -> None:
    chosen = 0
    missing: tuple[Place, OSError] | None = None
    for place in places:
        try:
            sock = (open_tcp if place.carrier == TCP else open_udp)(place.host, place.port or chosen)
        except OSError as error:
            if place.host in EVERYWHERE and error.errno in _NO_FAMILY:
                missing = (place, error)  # a machine without IPv6 (or IPv4) listens on what it has
                continue
            raise _told(place, error) from error
        opened.append(sock)
        if not place.port:
            chosen = int(sock.getsockname()[1])
    if not opened and missing is not None:
        raise _told(*missing) from missing[1]


def _told(place: Place, error: OSError) -> OperatorError:
    address, why = place.named, error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        return trouble.PORT_TAKEN(address=address)
    if error.errno in (errno.EACCES, errno.EPERM):
        return trouble.PORT_FORBIDDEN(address=address)
    if error.errno == errno.EADDRNOTAVAIL:
        return trouble.ADDRESS_ABSENT(address=address, why=why)
    return trouble.NO_NETWORK(why=f"{address}: {why}")
