"""Files under way, out and in: what is known of each, so that it goes on where it stopped whoever was killed.

Bits of parts are ints here, bit i for part i. A transfer's number is never given out again, so a part file of an older
one can never be taken for a newer one's.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future

import attrs

from rhotwist.link.file_plan import FilePlan, count_of, pack_bits, read_bits
from rhotwist.store.database import Database

KIND = "files"
"""The kind of database that holds it."""
OFFERED, GOING, PAUSED, DONE, CANCELLED = "offered", "going", "paused", "done", "cancelled"
"""The states. Of an outgoing one: offered until the receiver's owner takes it. Of an incoming one: the same."""
ENDED = frozenset((DONE, CANCELLED))

_ROW = """number, outgoing, id, source, destination, root, name, total, part, state, why, place, at, gentle, begun,
    ended, have"""
_PUT = """INSERT INTO transfer
    (outgoing, id, source, destination, root, name, total, part, state, place, at, gentle, begun, have, plan)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_BY_NUMBER = f"SELECT {_ROW} FROM transfer WHERE number = ?"  # noqa: S608
_BY_ID = f"SELECT {_ROW} FROM transfer WHERE outgoing = 0 AND source = ? AND destination = ? AND id = ?"  # noqa: S608
_ALL = f"SELECT {_ROW} FROM transfer ORDER BY number DESC LIMIT ?"  # noqa: S608
_OPEN = f"SELECT {_ROW} FROM transfer WHERE state NOT IN ('done', 'cancelled') ORDER BY number"  # noqa: S608
_OFFERS = "SELECT count(*), count(*) FILTER (WHERE source = ?) FROM transfer WHERE outgoing = 0 AND state = 'offered'"
_FORGET = "DELETE FROM transfer WHERE outgoing = 0 AND state = 'offered' AND begun < ?"


@attrs.frozen
class Transfer:
    """One file under way or arrived, as its row says. Dates are seconds since 2020; have is one bit a part."""

    number: int
    outgoing: bool = attrs.field(converter=bool)
    id: bytes
    source: bytes
    destination: bytes
    root: bytes
    name: str
    total: int
    part: int
    state: str
    why: str
    place: str
    at: str
    gentle: bool = attrs.field(converter=bool)
    begun: int
    ended: int | None
    have: int

    @property
    def count(self) -> int:
        """How many parts there are."""
        return count_of(self.total, self.part)

    @property
    def done(self) -> int:
        """Bytes of the parts that the receiver has."""
        had = self.have.bit_count() * self.part
        last = self.count - 1
        return had - (self.count * self.part - self.total if last >= 0 and self.have >> last & 1 else 0)


class Transfers:
    """The transfers of one data folder, in an open database of kind ``KIND``. Futures fail as ``Database.submit``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- new ones ----------------------------------------------------------------------------------------------------

    def send(
        self, plan: FilePlan, id: bytes, source: bytes, destination: bytes, *, place: str, at: str, begun: int,
        gentle: bool = False,
    ) -> Future[Transfer]:  # fmt: skip
        """Note a file of ours that shall go out: the file at place to the process at, gentle behind all else."""

        def work(connection: sqlite3.Connection) -> Transfer:
            # Root and bytes of a plan for a terabyte take seconds: they are made in the writer's thread.
            row = (1, id, source, destination, plan.root(), plan.name, plan.total, plan.part, OFFERED, place, at,
                   gentle, begun, pack_bits(0, plan.count), plan.encode())  # fmt: skip
            return _get(connection, connection.execute(_PUT, row).lastrowid)

        return self._database.submit(work)

    def offer(self, offered: Transfer, *, most: int, most_source: int, since: int) -> Future[Transfer | None]:
        """Note what a peer wants to send, or find it noted; its number counts for nothing. None if there is no room.

        At most ``most`` offers wait for their owner, most_source of one wallet; those begun before since are forgotten
        first.
        """

        def work(connection: sqlite3.Connection) -> Transfer | None:
            key = (offered.source, offered.destination, offered.id)
            known = connection.execute(_BY_ID, key).fetchone()
            if known is not None:
                return _transfer(known)
            connection.execute(_FORGET, (since,))
            waiting, of_source = connection.execute(_OFFERS, (offered.source,)).fetchone()
            if waiting >= most or of_source >= most_source:
                return None
            row = (0, offered.id, offered.source, offered.destination, offered.root, offered.name, offered.total,
                   offered.part, OFFERED, "", "", 0, offered.begun, pack_bits(0, offered.count), None)  # fmt: skip
            return _get(connection, connection.execute(_PUT, row).lastrowid)

        return self._database.submit(work)

    # --- what is known -----------------------------------------------------------------------------------------------

    def get(self, number: int) -> Transfer | None:
        """The transfer of that number."""
        row = self._database.read(lambda c: c.execute(_BY_NUMBER, (number,)).fetchone())
        return row and _transfer(row)

    def incoming(self, source: bytes, destination: bytes, id: bytes) -> Transfer | None:
        """What a peer calls so."""
        row = self._database.read(lambda c: c.execute(_BY_ID, (source, destination, id)).fetchone())
        return row and _transfer(row)

    def newest(self, limit: int) -> list[Transfer]:
        """At most limit transfers, the newest last."""
        rows = self._database.read(lambda c: c.execute(_ALL, (limit,)).fetchall())
        return [_transfer(row) for row in reversed(rows)]

    def open(self) -> list[Transfer]:
        """All that have not ended, the oldest first."""
        return [_transfer(row) for row in self._database.read(lambda c: c.execute(_OPEN).fetchall())]

    def plan(self, number: int) -> bytes | None:
        """A transfer's plan, None while it is not whole."""
        sql = "SELECT plan FROM transfer WHERE number = ?"
        found: bytes | None = self._database.read(lambda c: (c.execute(sql, (number,)).fetchone() or (None,))[0])
        return found

    def pages(self, number: int) -> dict[int, bytes]:
        """The pieces of a plan that have come."""
        sql = "SELECT page, data FROM page WHERE number = ? ORDER BY page"
        return dict(self._database.read(lambda c: c.execute(sql, (number,)).fetchall()))

    # --- what happens ------------------------------------------------------------------------------------------------

    def move(
        self, number: int, state: str, why: str = "", *, place: str | None = None, at: str | None = None,
        ended: int | None = None,
    ) -> Future[Transfer | None]:  # fmt: skip
        """Bring a transfer into a state; what is not said stays. None, and nothing moves, once it has ended."""

        def work(connection: sqlite3.Connection) -> Transfer | None:
            found = _get(connection, number)
            if found.state in ENDED:
                return None
            if place is not None:
                connection.execute("UPDATE transfer SET place = ? WHERE number = ?", (place, number))
            if at is not None:
                connection.execute("UPDATE transfer SET at = ? WHERE number = ?", (at, number))
            row = (state, why, ended, number)
            connection.execute("UPDATE transfer SET state = ?, why = ?, ended = ? WHERE number = ?", row)
            if state in ENDED:  # nobody sends a part of it any more: the root is enough
                connection.execute("DELETE FROM page WHERE number = ?", (number,))
                connection.execute("UPDATE transfer SET plan = NULL WHERE number = ?", (number,))
            return _get(connection, number)

        return self._database.submit(work)

    def put_page(self, number: int, page: int, data: bytes) -> Future[None]:
        """Keep a piece of a plan; the one that came first stays."""

        def work(connection: sqlite3.Connection) -> None:
            row = (number, page, data)
            connection.execute("INSERT INTO page VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)

        return self._database.submit(work)

    def drop_pages(self, number: int) -> Future[None]:
        """Forget the pieces of a plan that does not fit its root."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM page WHERE number = ?", (number,))

        return self._database.submit(work)

    def put_plan(self, number: int, plan: bytes) -> Future[None]:
        """Keep the plan whole; its pieces go."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE transfer SET plan = ? WHERE number = ?", (plan, number))
            connection.execute("DELETE FROM page WHERE number = ?", (number,))

        return self._database.submit(work)

    def put_part(self, number: int, index: int) -> Future[None]:
        """Note that the receiver has a part."""

        def work(connection: sqlite3.Connection) -> None:
            found = _get(connection, number)
            _set_have(connection, found, found.have | 1 << index)

        return self._database.submit(work)

    def set_have(self, number: int, have: int) -> Future[None]:
        """Note what the receiver has: after a look at the disk, or as the receiver says."""
        return self._database.submit(lambda connection: _set_have(connection, _get(connection, number), have))


def _set_have(connection: sqlite3.Connection, found: Transfer, have: int) -> None:
    row = (pack_bits(have, found.count), found.number)
    connection.execute("UPDATE transfer SET have = ? WHERE number = ?", row)


def _get(connection: sqlite3.Connection, number: int | None) -> Transfer:
    return _transfer(connection.execute(_BY_NUMBER, (number,)).fetchone())


def _transfer(row: tuple[object, ...]) -> Transfer:
    found = Transfer(*row)  # type: ignore[arg-type]  # the table is STRICT
    return attrs.evolve(found, have=read_bits(row[-1], count_of(found.total, found.part)))  # type: ignore[arg-type]
