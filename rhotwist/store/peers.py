"""Nodes that we compare trees with: where we are in their journals, and what they have been worth, over restarts."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future

import attrs

from rhotwist.store.database import Database

KIND = "machine"
"""The kind of database that holds them."""
MOST = 4_096
"""Peers kept; beyond that those that answered longest ago go."""

_COLUMNS = "key, store_id, cursor, score, good, bad, first, last"
_PUT = f"INSERT OR REPLACE INTO peer ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_CUT = "DELETE FROM peer WHERE key IN (SELECT key FROM peer ORDER BY last DESC, key LIMIT -1 OFFSET ?)"


@attrs.frozen
class Peer:
    """A node by its key. Dates are seconds since 2020.

    cursor is what we have of the journal store_id, None as long as its name is not known. score is what the peer is
    worth, higher is better; good and bad count its records that we took and what of it was wrong. first is when we met
    it, last when it answered last.
    """

    key: bytes
    store_id: bytes | None
    cursor: int
    score: float
    good: int
    bad: int
    first: int
    last: int


class Peers:
    """The peers of one process, in an open database of kind ``KIND``. Futures fail as ``Database.submit`` says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, peer: Peer) -> Future[None]:
        """Keep what is known of a peer, in place of what was."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_PUT, attrs.astuple(peer))
            if connection.execute("SELECT count(*) FROM peer").fetchone()[0] > MOST:
                connection.execute(_CUT, (MOST,))

        return self._database.submit(work)

    def get(self, key: bytes) -> Peer | None:
        """What is known of a peer."""
        sql = f"SELECT {_COLUMNS} FROM peer WHERE key = ?"  # noqa: S608
        row = self._database.read(lambda c: c.execute(sql, (key,)).fetchone())
        return row and Peer(*row)

    def best(self, most: int) -> list[Peer]:
        """At most so many, those worth most first; among equals the one that answered last."""
        sql = f"SELECT {_COLUMNS} FROM peer ORDER BY score DESC, last DESC, key LIMIT ?"  # noqa: S608
        return [Peer(*row) for row in self._database.read(lambda c: c.execute(sql, (most,)).fetchall())]
