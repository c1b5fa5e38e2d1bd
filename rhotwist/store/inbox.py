"""The inbox: every message kept once, by its hash, newest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from concurrent.futures import Future

import attrs

from rhotwist.store.database import Database

KIND = "user"
"""The kind of database that holds it."""

_COLUMNS = "hash, received, said, source, destination, text, body, name, read"
_PUT = f"INSERT INTO inbox ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING"  # noqa: S608
_LIST = f"SELECT {_COLUMNS} FROM inbox"  # noqa: S608


@attrs.frozen
class Letter:
    """One message kept. Dates are seconds since 2020: received by our clock, said by the sender's.

    hash names the message object; source signed it, destination is the wallet of ours that it is for; body is the
    signed record whole, of which text is what it says. name is what the sender calls itself, unproven.
    """

    hash: bytes
    received: int
    said: int
    source: bytes
    destination: bytes
    text: str
    body: bytes = attrs.field(repr=False)
    name: str | None = None
    read: bool = attrs.field(default=False, converter=bool)


def put(connection: sqlite3.Connection, letter: Letter) -> bool:
    """Keep a letter, inside a transaction. True if it is new, False if its hash was here already: nothing changes."""
    return connection.execute(_PUT, attrs.astuple(letter)).rowcount == 1


class Inbox:
    """The inbox of one data folder, in an open database of kind ``KIND``. Futures fail as ``Database.submit`` says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, letter: Letter) -> Future[bool]:
        """Keep a letter, as ``put`` does, alone."""
        return self._database.submit(lambda connection: put(connection, letter))

    def mark_read(self, hashes: Iterable[bytes]) -> Future[int]:
        """Set the read flag of these letters; how many were unread before."""
        rows = [(name,) for name in hashes]

        def work(connection: sqlite3.Connection) -> int:
            return connection.executemany("UPDATE inbox SET read = 1 WHERE hash = ? AND read = 0", rows).rowcount

        return self._database.submit(work)

    def get(self, hash: bytes) -> Letter | None:
        """The letter of a hash, None if there is none."""
        row = self._database.read(lambda c: c.execute(f"{_LIST} WHERE hash = ?", (hash,)).fetchone())
        return row and Letter(*row)

    def newest(self, wallet: bytes | None = None, limit: int = 100) -> list[Letter]:
        """At most limit letters, those that came last first; only those for wallet if it is named."""
        where, values = _wallet(wallet)
        sql = f"{_LIST}{where} ORDER BY seq DESC LIMIT ?"
        return [Letter(*row) for row in self._database.read(lambda c: c.execute(sql, (*values, limit)).fetchall())]

    def count(self, wallet: bytes | None = None, *, unread: bool = False) -> int:
        """How many letters there are; only those for wallet if it is named, only those not read if asked."""
        where, values = _wallet(wallet)
        what = "count(*) FILTER (WHERE read = 0)" if unread else "count(*)"
        sql = f"SELECT {what} FROM inbox{where}"  # noqa: S608
        return int(self._database.read(lambda c: c.execute(sql, values).fetchone())[0])


def _wallet(wallet: bytes | None) -> tuple[str, tuple[bytes, ...]]:
    return ("", ()) if wallet is None else (" WHERE destination = ?", (wallet,))
