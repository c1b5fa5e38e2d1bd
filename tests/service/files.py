"""Both ends of a transfer in one process, without a net: calls are handed over, time is a Clock."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import Refused
from rhotwist.limits import Limits
from rhotwist.link.file_plan import FilePlan
from rhotwist.service.files_in import Receiver, World
from rhotwist.service.messages import FileOffer, FilePart, FilePlanPiece
from rhotwist.store import transfers
from rhotwist.store.database import Database
from rhotwist.store.transfers import Transfers
from rhotwist.tree import merkle

ANN, BOB, CAROL = (bytes([n]) * 32 for n in (1, 2, 3))
ID = b"i" * 16
PART = 256
LIMITS = Limits(file_part=PART, file_parts_max=50, file_offers=4, file_offers_wallet=2, file_hold=20.0)


@attrs.frozen
class Asked:
    """A call as a handler sees it."""

    body: Any
    source: bytes = ANN
    destination: bytes = BOB
    peer: bytes = b"p" * 32


def soon(future: Future[Any]) -> Deferred[Any]:
    """What a store promised, waited for here."""
    try:
        return succeed(future.result(10))
    except Exception:
        return fail()


def plan(data: bytes, name: str = "a.bin", part: int = PART) -> FilePlan:
    """The plan of a file with these bytes."""
    hashes = [merkle.leaf_hash(data[at : at + part]) for at in range(0, len(data), part)]
    return FilePlan(name, len(data), part, b"".join(hashes))


def offer(made: FilePlan, **more: Any) -> FileOffer:
    """What a sender says of it."""
    told = {"id": ID, "root": made.root(), "total": made.total, "part": made.part, "name": made.name, **more}
    return FileOffer(**told)


class EndCase(SynchronousTestCase):
    """A store in a folder of its own."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.home = Path(made.name)
        self.into = self.home / "into"
        self.into.mkdir()
        self.clock = Clock()
        self.worker: Callable[[Callable[[], Any]], Deferred[Any]] = lambda work: maybeDeferred(work)
        self.world = World(
            soon=soon, in_thread=lambda work: self.worker(work),
            later=lambda seconds: deferLater(self.clock, seconds), date=lambda: 1_000_000 + int(self.clock.seconds()),
            mono=self.clock.seconds,
        )  # fmt: skip
        self.open()

    def open(self) -> None:
        """Open the store, again after a restart."""
        self.database = Database(self.home / "transfers.db", transfers.KIND, durable=False)
        self.addCleanup(self.database.close)
        self.store = Transfers(self.database)
        self.receiver = Receiver(self.store, self.home, LIMITS, self.world)
        self.admitted: list[tuple[bytes, bool]] = []
        self.receiver.admit = lambda peer, on: self.admitted.append((peer, on))

    def restart(self) -> None:
        """As after SIGKILL."""
        self.database.close()
        self.open()

    def ask(self, body: Any, **more: bytes) -> Deferred[Any]:
        """A call of a peer to the handler of its schema."""
        handlers: dict[type[Any], Any] = {
            FileOffer: self.receiver.offered, FilePlanPiece: self.receiver.planned, FilePart: self.receiver.part,
        }  # fmt: skip
        handler = handlers.get(type(body), self.receiver.cancelled)
        return Deferred.fromCoroutine(handler(Asked(body, **more)))

    def told(self, body: Any, **more: bytes) -> Any:
        """The answer, which must be there at once."""
        return self.successResultOf(self.ask(body, **more))

    def refused(self, body: Any, **more: bytes) -> int:
        """The code of the refusal."""
        return int(self.failureResultOf(self.ask(body, **more), Refused).value.code)

    def take(self, number: int | None = None) -> int:
        """The owner takes what is offered; its number."""
        number = number or self.store.open()[-1].number
        self.successResultOf(Deferred.fromCoroutine(self.receiver.take(number, self.into)))
        return number

    def lies(self) -> dict[str, bytes]:
        """What arrived."""
        return {path.name: path.read_bytes() for path in self.into.iterdir()}
