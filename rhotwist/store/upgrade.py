"""Bringing a database file to the schema of this version, by numbered SQL files; docs/spec/store.md.

Before anything is written, the file is looked at through a read-only connection: it must be a database of the kind we
expect, not newer than we are, and hold exactly the tables that its number says: no trigger or view of another's making
ever runs. Each upgrade is one transaction, and the number moves inside it, so a killed upgrade goes on where it was.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rhotwist.errors import NewerSchema, StoreError
from rhotwist.store.crashpoint import crashpoint
from rhotwist.store.files import create_private, sync_folder
from rhotwist.store.trouble import from_sqlite, from_system

SCHEMA = Path(__file__).with_name("schema")
"""The folder of the SQL files, ``KIND-NNN-NAME.sql``."""
APPLICATION = 0x72686F31
"""The application_id in a database's header: "rho1"."""
BUSY = 5.0
"""Seconds that a connection waits for another of the same process."""

_FILE = re.compile(r"([a-z]+)-(\d{3})-[a-z0-9-]+\.sql")
_TEXT = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection that trusts nothing in the file. mode is "ro" or "rw". Raises sqlite3.Error.

    mode "ro&immutable=1" makes no files beside it either, and is right only where there is no journal to heed.
    """
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def steps(kind: str, folder: Path = SCHEMA) -> list[str]:
    """The SQL of each upgrade of a kind of database, in order from number 1. Raises StoreError for a missing one."""
    found = {}
    for path in folder.iterdir():
        match = _FILE.fullmatch(path.name)
        if match and match[1] == kind:
            found[int(match[2])] = path.read_text("utf-8")
    if not found or sorted(found) != list(range(1, len(found) + 1)):
        raise StoreError(f"{folder}: the numbers of {kind} are {sorted(found)}, not 1 and up")
    return [found[number] for number in sorted(found)]


def bring_up(path: Path, kind: str, folder: Path = SCHEMA) -> None:
    """Make the database at path, or upgrade it, so that it has the newest schema of its kind.

    What it was before an upgrade from number N lies beside it as ``NAME.bak-N``. Raises NewerSchema, the file
    untouched, StoreError for a file that is no such database, DiskFull.
    """
    sql = steps(kind, folder)
    try:
        try:
            create_private(path)
        except FileExistsError:
            pass
        number = _look(path, sql)
        if number < len(sql):
            with closing(connect(path, "rw")) as connection:
                if number:
                    _copy(connection, path, number)
                _upgrade(connection, sql, number)
            sync_folder(path.parent)
    except sqlite3.Error as error:
        raise from_sqlite(error, path) from error
    except UnicodeDecodeError as error:
        raise StoreError(f"{path}: its tables have names that are no text") from error
    except OSError as error:
        raise from_system(error, path) from error


def _look(path: Path, sql: list[str]) -> int:
    """The number of the schema that the file has, 0 for an empty one, after all checks; writes nothing."""
    journal = path.with_name(f"{path.name}-wal")
    with closing(connect(path, "ro" if journal.exists() else "ro&immutable=1")) as connection:
        number = int(connection.execute("PRAGMA user_version").fetchone()[0])
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        schema = connection.execute(_TEXT).fetchall()
    if number == application == 0 and not schema:
        return 0
    if application != APPLICATION:
        raise StoreError(f"{path}: a database of another program")
    if number > len(sql):
        raise NewerSchema(f"{path}: its schema is number {number}, this version knows {len(sql)}")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        for step in sql[:number]:
            fresh.executescript(step)
        if schema != fresh.execute(_TEXT).fetchall():
            raise StoreError(f"{path}: its tables are not those of schema {number}; somebody changed them")
    return number


def _copy(connection: sqlite3.Connection, path: Path, number: int) -> None:
    """A whole copy beside the database, made under another name first. An older copy of the same number goes."""
    copy = path.with_name(f"{path.name}.bak-{number}")
    part = path.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    create_private(part)  # SQLite would make it readable for all; it takes an empty file
    connection.execute("VACUUM INTO ?", (str(part),))
    crashpoint("upgrade-copying")
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, copy)
    sync_folder(path.parent)
    crashpoint("upgrade-copied")


def _upgrade(connection: sqlite3.Connection, sql: list[str], number: int) -> None:
    connection.execute("PRAGMA synchronous = FULL")  # the default, but not on every system
    connection.execute("PRAGMA journal_mode = WAL")
    for next_number in range(number + 1, len(sql) + 1):
        connection.execute("BEGIN IMMEDIATE")  # undone when the connection closes, unless committed
        for statement in _statements(sql[next_number - 1]):
            connection.execute(statement)
            crashpoint("upgrade-statement")
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {next_number}")
        crashpoint("upgrade-commit")
        connection.execute("COMMIT")
        crashpoint("upgrade-done")


def _statements(sql: str) -> Iterator[str]:
    """One SQL file cut into statements, at line ends."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if re.sub(r"--.*", "", statement).strip():
        raise StoreError(f"an upgrade ends inside a statement: {statement.strip()[:60]!r}")
