"""The outbox: every record that a wallet of ours signed, kept before it is sent, under an address given out once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future

import attrs

from rhotwist.store.database import Database

KIND = "user"
"""The kind of database that holds it."""

_PUT = """INSERT INTO outbox (source, destination, position, hash, said, text, body)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""


@attrs.frozen
class Draft:
    """A signed record as it is kept: its hash, date (seconds since 2020), text, and the record whole."""

    hash: bytes
    said: int
    text: str
    body: bytes = attrs.field(repr=False)


def put(connection: sqlite3.Connection, source: bytes, destination: bytes, position: int, draft: Draft) -> None:
    """Keep a record that source has for destination at its position, inside a transaction. A position is given once."""
    row = (source, destination, position, draft.hash, draft.said, draft.text, draft.body)
    connection.execute(_PUT, row)


class Outbox:
    """The outbox of one data folder, in an open database of kind ``KIND``. Futures fail as ``Database.submit`` says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mark_kept(self, hash: bytes, date: int) -> Future[int]:
        """Note that the receiver confirmed a record, at date (seconds since 2020). 1, or 0 if it had done so before."""
        sql = "UPDATE outbox SET kept = ? WHERE hash = ? AND kept IS NULL"
        return self._database.submit(lambda connection: connection.execute(sql, (date, hash)).rowcount)

    def count(self, *, kept: bool) -> int:
        """How many records were confirmed, or were not."""
        sql = f"SELECT count(*) FROM outbox WHERE kept IS {'NOT ' if kept else ''}NULL"  # noqa: S608
        return int(self._database.read(lambda c: c.execute(sql).fetchone())[0])
