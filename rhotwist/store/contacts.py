"""Contacts: what this user calls a wallet, and where it was said to be."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future

import attrs

from rhotwist.store.database import Database

KIND = "user"
"""The kind of database that holds them."""

_LIST = "SELECT name, wallet, places, added FROM contact"
_PUT = """INSERT INTO contact (name, wallet, places, added) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET places = excluded.places, added = excluded.added"""


@attrs.frozen
class Contact:
    """A name of the user's own, the wallet of it, its places as NODE@HOST:PORT, and when that was told (since 2020)."""

    name: str
    wallet: bytes = attrs.field(repr=bytes.hex)
    places: tuple[str, ...]
    added: int


class Contacts:
    """The contacts of a data folder, in an open database of kind ``KIND``. Futures fail as ``Database.submit`` says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, contact: Contact) -> Future[Contact | None]:
        """Keep a contact, or what is new of one: its places. The contact in its way if there is one, else None.

        In its way is one of that name with another wallet, and one of that wallet with another name: nothing changes.
        """

        def work(connection: sqlite3.Connection) -> Contact | None:
            sql = f"{_LIST} WHERE (name = ?) <> (wallet = ?)"
            row = connection.execute(sql, (contact.name, contact.wallet)).fetchone()
            if row is None:
                row_of = (contact.name, contact.wallet, " ".join(contact.places), contact.added)
                connection.execute(_PUT, row_of)
                return None
            return _contact(row)

        return self._database.submit(work)

    def remove(self, name: str) -> Future[bool]:
        """Forget a contact. False if there is none of that name."""
        sql = "DELETE FROM contact WHERE name = ?"
        return self._database.submit(lambda connection: connection.execute(sql, (name,)).rowcount == 1)

    def all(self) -> list[Contact]:
        """All of them, by name."""
        return [_contact(row) for row in self._database.read(lambda c: c.execute(f"{_LIST} ORDER BY name").fetchall())]


def _contact(row: tuple[str, bytes, str, int]) -> Contact:
    name, wallet, places, added = row
    return Contact(name, wallet, tuple(places.split()), added)
