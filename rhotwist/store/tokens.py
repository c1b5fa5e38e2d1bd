"""Address tokens: each saves one connect a round trip, and is gone from here once it is handed out."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future

import attrs

from rhotwist.store.database import Database

KIND = "machine"
"""The kind of database that holds them."""
MOST = 1_024
"""Tokens kept; beyond that those that expire first go."""

_COLUMNS = "server, address, kind, token, expires"
_PUT = f"INSERT OR REPLACE INTO token ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
_CUT = """DELETE FROM token WHERE (server, address, kind) IN
    (SELECT server, address, kind FROM token ORDER BY expires DESC, server, address, kind LIMIT -1 OFFSET ?)"""
_TAKE = f"DELETE FROM token WHERE server = ? AND address = ? AND kind = ? RETURNING {_COLUMNS}"  # noqa: S608
_TAKE_ALL = f"DELETE FROM token RETURNING {_COLUMNS}"  # noqa: S608


@attrs.frozen
class KeptToken:
    """A token that server (its key) gave when we reached it at address (18 bytes, or empty where that is not known).

    kind is 1 if it replaces a cookie, 2 if the puzzle too; expires is in seconds since 2020.
    """

    server: bytes
    address: bytes
    kind: int
    token: bytes = attrs.field(repr=False)
    expires: int


class Tokens:
    """The tokens of one process, in an open database of kind ``KIND``. Futures fail as ``Database.submit`` says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, token: KeptToken) -> Future[None]:
        """Keep a token in place of the one of that server, address and kind."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_PUT, attrs.astuple(token))
            if connection.execute("SELECT count(*) FROM token").fetchone()[0] > MOST:
                connection.execute(_CUT, (MOST,))

        return self._database.submit(work)

    def take(self, server: bytes, address: bytes, kind: int, date: int) -> Future[KeptToken | None]:
        """The token to use now, None if there is none that is still good at date (seconds since 2020).

        It is deleted in the same transaction, so no crash lets it be used twice.
        """

        def work(connection: sqlite3.Connection) -> KeptToken | None:
            return next(iter(_good(connection.execute(_TAKE, (server, address, kind)).fetchall(), date)), None)

        return self._database.submit(work)

    def take_all(self, date: int) -> Future[list[KeptToken]]:
        """Every token still good at date, the longest-lived first; all are deleted. For the start of a process."""
        return self._database.submit(lambda connection: _good(connection.execute(_TAKE_ALL).fetchall(), date))


def _good(rows: list[tuple[bytes, bytes, int, bytes, int]], date: int) -> list[KeptToken]:
    tokens = [token for token in (KeptToken(*row) for row in rows) if token.expires > date]
    return sorted(tokens, key=lambda token: (-token.expires, token.server, token.address, token.kind))
