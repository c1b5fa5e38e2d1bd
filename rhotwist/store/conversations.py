"""Conversations: every record that is held of them, and the tree that the records of one make.

Rows are the truth. The tree of a conversation is made of them when it is wanted, and stays in the writer's thread as
long as the row's count of changes says that it is what the rows say: an operation that fails, or whose transaction is
lost with others, takes the count back, and the next one reads the rows again.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import attrs

from rhotwist.errors import BadPacket, LocalError, StoreError
from rhotwist.store import inbox, outbox
from rhotwist.store.database import Database
from rhotwist.talk.messages import Said
from rhotwist.talk.record import Pair, Place, entry_of
from rhotwist.tree.conversation import HIGHER, Conversation, Entry

KIND = "user"
"""The kind of database that holds them."""
HELD_MOST = 16
"""Conversations whose trees stay in memory, those used last; 0.6 kB a record."""

_FIND = "SELECT id, lower, higher, pair, changes FROM conversation WHERE name = ?"
_ADD = "INSERT INTO conversation (name, lower, higher, pair) VALUES (?, ?, ?, ?)"
_PUT = "INSERT INTO said (conversation, address, hash, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_DROP = "DELETE FROM said WHERE conversation = ? AND address = ? AND hash = ?"
_BODY = "SELECT body FROM said WHERE conversation = ? AND address = ? AND hash = ?"
_LAST = "SELECT max(address) FROM said WHERE conversation = ? AND address BETWEEN ? AND ?"

R = TypeVar("R")


class OtherPair(LocalError):
    """A conversation is held with another pair hash: whoever signed one of them lied."""


@attrs.define(eq=False)
class _Held:
    """A conversation in memory, as its row says at that count of changes."""

    row: int
    pair: Pair
    changes: int
    talk: Conversation


class View:
    """A conversation inside one operation, in the writer's thread. pair is None, and talk empty, if none is held."""

    def __init__(self, connection: sqlite3.Connection, held: _Held | None) -> None:
        self._connection = connection
        self._held = held
        self.pair = held.pair if held else None
        self.talk = held.talk if held else Conversation()

    def records(self, entries: Iterable[Entry]) -> list[Said]:
        """The records of these entries, which stand in it or wait."""
        row = self._held.row if self._held else 0
        keys = [(row, _key(entry.address), entry.leaf) for entry in entries]
        return [Said.decode(self._connection.execute(_BODY, key).fetchone()[0]) for key in keys]


class Conversations:
    """All conversations of one data folder, in an open database of kind ``KIND``.

    Futures fail as ``Database.submit`` says, and with OtherPair where the conversation has another pair hash. Records
    that are put were checked before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: OrderedDict[bytes, _Held] = OrderedDict()

    def hear(self, pair: Pair, records: Sequence[Said], letters: Sequence[inbox.Letter] = ()) -> Future[int]:
        """Put records into a conversation, and letters into the inbox, all or nothing. How many records are new."""

        def work(connection: sqlite3.Connection) -> int:
            for letter in letters:
                inbox.put(connection, letter)
            return self._put(connection, self._opened(connection, pair), records)

        return self._database.submit(work)

    def say(self, pair: Pair, author: bytes, make: Callable[[Place], Said]) -> Future[Said]:
        """Have make sign a record for the author's next place, and keep it; it may be sent once the future has it.

        make runs in the writer's thread, some 0.2 ms, and what it raises fails the future: then the place is free. The
        next place is behind every record that is held of him, whoever brought it.
        """

        def work(connection: sqlite3.Connection) -> Said:
            held = self._opened(connection, pair)
            side = pair.side(author)
            bounds = (_key(side * HIGHER), _key(side * HIGHER | HIGHER - 1))
            last = connection.execute(_LAST, (held.row, *bounds)).fetchone()[0]
            index = 0 if last is None else (int.from_bytes(last, "big") & HIGHER - 1) + 1
            record = make(Place(index, *held.talk.view(side)))
            entry = entry_of(record)
            draft = outbox.Draft(entry.leaf, record.date, record.text, record.encode())
            outbox.put(connection, author, pair.other(author), index, draft)
            self._put(connection, held, [record])
            return record

        return self._database.submit(work)

    def look(self, name: bytes, work: Callable[[View], R]) -> Future[R]:
        """What work makes of the conversation of that name. It runs in the writer's thread and changes nothing."""
        return self._database.submit(lambda connection: work(View(connection, self._find(connection, name))))

    def all(self) -> list[Pair]:
        """Whose conversations are held, in the order in which they began here."""
        sql = "SELECT lower, higher, pair FROM conversation ORDER BY id"
        return [Pair(*row) for row in self._database.read(lambda c: c.execute(sql).fetchall())]

    # --- in the writer's thread --------------------------------------------------------------------------------------

    def _opened(self, connection: sqlite3.Connection, pair: Pair) -> _Held:
        held = self._find(connection, pair.name)
        if held is None:
            connection.execute(_ADD, (pair.name, *pair.keys, pair.hash))
            held = self._find(connection, pair.name)
        if held is None or held.pair != pair:
            raise OtherPair("that conversation is held with another pair hash")
        return held

    def _find(self, connection: sqlite3.Connection, name: bytes) -> _Held | None:
        found = connection.execute(_FIND, (name,)).fetchone()
        held = self._held.pop(name, None)
        if found is None:
            return None
        row, lower, higher, pair, changes = found
        if held is None or (held.row, held.changes) != (row, changes):
            held = _Held(row, Pair(lower, higher, pair), changes, self._read(connection, row))
        self._held[name] = held
        if len(self._held) > HELD_MOST:
            self._held.popitem(last=False)
        return held

    def _read(self, connection: sqlite3.Connection, row: int) -> Conversation:
        """The tree of a conversation, every record hashed again. Raises StoreError for one that is not what it was."""
        talk = Conversation()
        sql = "SELECT address, hash, body FROM said WHERE conversation = ? ORDER BY address, hash"
        for address, name, body in connection.execute(sql, (row,)):
            try:
                entry = entry_of(Said.decode(body))
            except BadPacket:
                entry = None
            if entry is None or (_key(entry.address), entry.leaf) != (address, name):
                raise StoreError(f"{self._database.path}: record {name.hex()[:16]} of a conversation is damaged")
            talk.put(entry)
        return talk

    def _put(self, connection: sqlite3.Connection, held: _Held, records: Sequence[Said]) -> int:
        new = 0
        held.changes += 1
        connection.execute("UPDATE conversation SET changes = ? WHERE id = ?", (held.changes, held.row))
        for record in records:
            entry = entry_of(record)
            put = held.talk.put(entry)
            new += connection.execute(
                _PUT, (held.row, _key(entry.address), entry.leaf, record.encode())
            ).rowcount
            for gone in put.dropped:
                connection.execute(_DROP, (held.row, _key(gone.address), gone.leaf))
                new -= gone == entry
        return new


def _key(address: int) -> bytes:
    return address.to_bytes(8, "big")
