"""What the tests of the directory on disk share."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from rhotwist.directory.admission import Put
from rhotwist.directory.record import Record
from rhotwist.directory.validity import DAY
from rhotwist.store.database import Database
from rhotwist.store.directory import KIND, Directory
from rhotwist.store.replica import Replica
from rhotwist.tree.hashes import root_of
from tests.directory import support
from tests.directory.support import NOON
from tests.store.support import SECONDS, FolderCase

CELLS = 88


@functools.cache
def record(number: int, minute: int = 0, days: int = 30) -> Record:
    """A record of a key: the later the minute the newer; it lasts so many days."""
    return support.record(number, NOON + 60 * minute, life=24 * days)


def put(one: Record, local: bool = False) -> Put:
    """As admission gives it."""
    return Put(one.address, one.leaf, one, local)


def puts(records: Iterable[Record], local: bool = False) -> list[Put]:
    """As admission gives them."""
    return [put(one, local) for one in records]


def root_of_records(records: Iterable[Record]) -> bytes:
    """The root from scratch."""
    return root_of(sorted((one.address, one.leaf) for one in records))


def chance(count: int) -> bytes:
    """Chance that is always the same."""
    return hashlib.sha256(b"store").digest()[:count]


def small(reference: bool = False, deep: int = 3, fold: int = 16) -> Replica:
    """A replica whose buckets are soon deep and whose sketch is soon folded."""
    return Replica(chance, reference=reference, cells=CELLS, deep=deep, fold=fold)


class DirectoryCase(FolderCase):
    """A test with a directory in a file of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "machine.db"

    def open(self, replica: Replica | None = None, path: Path | None = None) -> Directory:
        """The directory, closed when the test ends; the database is ``self.database``."""
        self.database = Database(path or self.path, KIND, durable=False)
        self.addCleanup(self.database.close)
        made = Directory(self.database, replica or small())
        self.addCleanup(made.close)
        return made

    def close(self, directory: Directory) -> None:
        """As at the end of a process."""
        directory.close()
        self.database.close()

    def fill(self, directory: Directory, count: int) -> list[Record]:
        """Put so many records."""
        made = [record(number) for number in range(count)]
        directory.apply(puts(made)).result(SECONDS)
        return made


TOMORROW = NOON // DAY + 1
