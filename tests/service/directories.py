"""A directory on a real disk, in virtual time: workers do their work at once, stores are waited for."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.record import Record
from rhotwist.directory.waiting import Origin, Source
from rhotwist.keys.address import NODE, WALLET, Address, NodeAt, format_address
from rhotwist.limits import Limits
from rhotwist.service.bundles import Bundles
from rhotwist.service.directory import LOOK, SLICE, DirectoryKeeper, Outcome
from rhotwist.service.files_in import World
from rhotwist.service.publishing import Publisher
from rhotwist.store import directory
from rhotwist.store.database import Database
from tests.directory.support import NOON, key
from tests.service.files import soon

PASTED = Source(Origin.PASTED)
LIMITS = Limits(directory_work=0)


def at_once(work: Any) -> Deferred[Any]:
    """A worker that has nothing else to do."""
    try:
        return succeed(work())
    except Exception:
        return fail(Failure())


def wallet(number: int) -> str:
    """The address of a wallet with the key of that number."""
    return format_address(Address(WALLET, key(number).public))


def node(number: int) -> str:
    """The address of a node with the key of that number."""
    return format_address(Address(NODE, key(number).public))


class Home:
    """One process's directory, its publisher with the key of that number, and its bundles."""

    def __init__(self, case: SynchronousTestCase, number: int, limits: Limits, **more: Any) -> None:
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.clock = Clock()
        #: Seconds by which the wall clock is ahead of noon, beside those that passed.
        self.ahead = 0
        self.reached: list[NodeAt] = [NodeAt(key(number).public, "8.8.8.8", 7460)]
        self.world = World(
            soon=soon, in_thread=at_once, later=lambda seconds: deferLater(self.clock, seconds, lambda: None),
            date=lambda: NOON + self.ahead + int(self.clock.seconds()), mono=self.clock.seconds,
        )  # fmt: skip
        self.keeper = DirectoryKeeper(limits, self.world, lambda count: bytes([number + 1]) * count, **more)
        self.publisher = Publisher(
            self.keeper, key(number), lambda: self.reached, self.world, lambda count: bytes(count)
        )
        self.bundles = Bundles(self.keeper, self.world)
        case.addCleanup(self.close)
        self.open()

    def open(self) -> None:
        """Begin with what is on the disk."""
        self.database = Database(self.folder / "machine.db", directory.KIND, durable=False)
        self.keeper.open(self.database)

    def close(self) -> None:
        """End."""
        self.keeper.close()
        self.database.close()

    def pass_on(self, seconds: float = LOOK) -> None:
        """Let the clocks go on, a look at a time."""
        self.clock.pump([LOOK] * max(1, int(seconds / LOOK)))

    def file(self, text: str | bytes, name: str = "paste") -> Path:
        """A file with a text."""
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path


class HomeCase(SynchronousTestCase):
    """Has homes."""

    def home(self, number: int = 0, limits: Limits = LIMITS, **more: Any) -> Home:
        """One more, its process's key that of the number."""
        return Home(self, number, limits, **more)

    def give(self, home: Home, *records: Record, source: Source = PASTED) -> Outcome:
        """Give it records."""
        giving = home.keeper.give([record.encode() for record in records], source)
        for _ in range(2 * (len(records) // SLICE + 1)):
            home.clock.advance(0)
        return self.successResultOf(giving)

    def result(self, work: Any) -> Any:
        """What a coroutine or Deferred comes to."""
        return self.successResultOf(work if isinstance(work, Deferred) else Deferred.fromCoroutine(work))
