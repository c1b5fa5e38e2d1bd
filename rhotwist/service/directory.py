"""The directory of one process: what comes is admitted and kept, day by day, and nothing of it stops the reactor.

Everything that changes the tree stands in one line: looked at, checked by a worker, settled, written, so that each step
sees what the one before did. Both roles have one; the wallet process has its own, so that looking somebody up tells
nobody.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from rhotwist.control import trouble
from rhotwist.directory.admission import Admission, Batch, Put, Settled
from rhotwist.directory.checks import Check, judge
from rhotwist.directory.merge import beats
from rhotwist.directory.pending import Pending
from rhotwist.directory.record import address_of
from rhotwist.directory.validity import epoch_of
from rhotwist.directory.waiting import Source
from rhotwist.errors import DamagedStore, OperatorError, StoreError
from rhotwist.limits import Limits
from rhotwist.moment import EPOCH_2020, Moment, Rng
from rhotwist.service.files_in import World
from rhotwist.store.compared import Compared
from rhotwist.store.database import Database
from rhotwist.store.directory import Directory
from rhotwist.store.replica import Replica, View

R = TypeVar("R")
Judge = Callable[[tuple[Check, ...]], Deferred[bytes]]
"""Gives a byte for each check, as ``directory.checks.judge`` does, from wherever it is worked out."""
SLICE = 300
"""Records looked at between two turns of the reactor: about 10 ms."""
AHEAD = 4
"""Slices that may be with those who check: two for each of two processes."""
LOOK = 1.0  # seconds between two looks at what is due
PIN_AGAIN = 60.0  # seconds between two looks at which nodes the records of contacts name; 25 µs a contact


@attrs.define
class Outcome:
    """What became of records: new keys, newer records of keys known here, those known already; the rest as in
    ``admission.Batch``. local counts those of new and newer that stand beside the tree.
    """

    total: int = 0
    new: int = 0
    newer: int = 0
    known: int = 0
    held: int = 0
    local: int = 0
    refused: Counter[str] = attrs.Factory(Counter)


class DirectoryKeeper:
    """Made with the process; ``open`` before anything is asked, ``close`` before its database.

    private: as ``Admission``. judge is where records are checked, a worker of this process if None. renew is called
    once in a look for what its process has to say anew.
    """

    _log = Logger()

    def __init__(
        self, limits: Limits, world: World, rng: Rng, *, private: bool = False, judge: Judge | None = None
    ) -> None:
        self.limits = limits
        self.private = private
        self._world = world
        self._rng = rng
        self.judge = judge or self._judged_here
        self.admission = Admission(limits, rng, private)
        self.renew: Callable[[], Iterable[Deferred[Any]]] = tuple
        #: Told what ``give`` put into the tree.
        self.kept: Callable[[tuple[Put, ...]], None] = lambda puts: None
        #: Gives the keys of whom this process's people call by name, and of the nodes at which those were said to be.
        self.contacts: Callable[[], Iterable[bytes]] = tuple
        self._pin_at = 0.0
        #: Where others put or removed something while an import is looked at.
        self._meanwhile: set[bytes] | None = None
        self._line = DeferredLock()
        self._store: Directory | None = None
        self._going: Deferred[None] | None = None
        self._trouble = ""
        self._lost = 0

    # --- its life ----------------------------------------------------------------------------------------------------

    def open(self, database: Database) -> Deferred[None]:
        """Go to work on an open database. Fires once the tree is there; what fails is told by ``health``."""
        self._store = Directory(database, Replica(self._rng))
        self._pin_at = 0.0
        self._going = Deferred.fromCoroutine(self._live())
        self._going.addErrback(lambda failure: failure.trap(CancelledError))
        # Behind whatever opens the directory, so that nobody sees the tree of another day.
        return self._line.run(lambda: None)

    def let_go(self) -> None:
        """Begin nothing any more."""
        if self._going is not None:
            self._going.cancel()

    def close(self) -> None:
        """Let go of the store. Blocks for an audit under way, 2 s for a million records."""
        self.let_go()
        if self._store is not None:
            self._store.close()

    def health(self) -> tuple[str, ...]:
        """What is wrong with the directory, each in a line; nothing if nothing is."""
        lines = [f"the directory cannot be used: {self._trouble}"] if self._trouble else []
        if self._lost:
            lines.append(f"the directory was damaged and made anew, without {self._lost} records that peers will bring")
        return tuple(lines)

    @property
    def store(self) -> Directory:
        """The tree on the disk. Raises OperatorError before it is open."""
        if self._store is None:
            raise trouble.DIRECTORY_OUT(why="it is not open")
        return self._store

    @property
    def moment(self) -> Moment:
        """Both clocks, as admission wants them."""
        return Moment(self._world.mono(), EPOCH_2020 + self._world.date())

    async def _live(self) -> None:
        await self._line.run(self._begin)
        while True:
            try:
                await self._line.run(self._due)
                if self._pin_at <= self._world.mono():
                    await self._agree()
                for saying in self.renew():
                    saying.addErrback(self._not_renewed)
                self._trouble = ""
            except DamagedStore as damaged:
                await self._line.run(self._rebuild, str(damaged))
            except StoreError as error:
                self.failed(error)
            await self._world.later(LOOK)

    async def _begin(self) -> None:
        """The tree as it was left, looked over; made anew from what is whole where it is damaged."""
        try:
            await self._world.soon(self.store.opened)
        except DamagedStore as damaged:
            await self._rebuild(str(damaged))
        except StoreError as error:
            self.failed(error)
            return
        self._world.soon(self.store.audit()).addCallbacks(self._audited, self._unaudited)
        try:
            await self._due()
        except StoreError as error:
            self.failed(error)

    def _audited(self, found: Any) -> Any:
        if found.damage:
            return self._line.run(self._rebuild, "; ".join(found.damage[:3]))
        return None

    def _unaudited(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.failed(failure.value)

    async def _rebuild(self, why: str) -> None:
        self._log.error("the directory is damaged and made anew: {why}", why=why)
        try:
            rebuilt = await self._world.soon(self.store.rebuild(epoch_of(self._world.date())))
        except StoreError as error:
            self.failed(error)
            return
        self.admission.forget()
        self._lost = len(rebuilt.lost) + len(rebuilt.lost_local)

    def failed(self, error: BaseException | None) -> None:
        """The store did not do what it was asked for: it is told, and admission begins anew."""
        if str(error) != self._trouble:
            self._log.error("the directory cannot be used: {why}", why=str(error))
        self._trouble = str(error)
        self.admission.forget()

    def _not_renewed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.warn("a record was not renewed: {why}", why=str(failure.value))

    async def _due(self) -> None:
        """What time alone brings: another day, and records whose time has come."""
        epoch = epoch_of(self._world.date())
        if epoch != self.store.epoch:
            await self._world.soon(self.store.purge(epoch))
            self.admission.forget()
        moment = self.moment
        deadline = self.admission.deadline()
        if deadline is not None and deadline <= moment.mono:
            batch = self.admission.due(self.store, moment)
            settled = await self._settled(batch, self._verdicts(batch), Pending(self.store))
            puts = await self._applied(settled.puts, settled.removed)
            self.kept(tuple(put for put in puts if not put.local))

    def pin(self) -> Deferred[None]:
        """Have no cap remove the contacts, from now on as they are now. Never fails: what went wrong is told by
        ``health``, and done again at the next look.
        """
        self._pin_at = 0.0
        return Deferred.fromCoroutine(self._agree()).addErrback(self._unpinned)

    async def _agree(self) -> None:
        """Make the pins those of the contacts, of the nodes they were said to be at, and of those their records name.

        Contacts and pins are in two databases, so that one may be ahead of the other after a crash.
        """
        keys = dict.fromkeys(self.contacts())
        for key in tuple(keys):
            with suppress(DamagedStore):  # a whole copy will come
                record = self.store.lookup(key)
                keys.update(dict.fromkeys(() if record is None else record.parties()[1:]))
        wanted = frozenset(map(address_of, keys))
        if wanted != self.store.state.pins:
            await self._world.soon(self.store.pin(wanted))
            self.admission.forget()
        self._pin_at = self._world.mono() + PIN_AGAIN

    def _unpinned(self, failure: Failure) -> None:
        failure.trap(StoreError, OperatorError, CancelledError)
        if not failure.check(CancelledError):
            self.failed(failure.value)

    # --- what comes --------------------------------------------------------------------------------------------------

    def give(self, encoded: Sequence[bytes], source: Source) -> Deferred[Outcome]:
        """Have records admitted; those that are taken are written in one transaction, which the Deferred fires after.

        Fails with StoreError, and then nothing of them is kept. Cancelled before its turn it does nothing.
        """
        return self._line.run(self._give, encoded, source)

    async def _give(self, encoded: Sequence[bytes], source: Source) -> Outcome:
        outcome = Outcome(total=len(encoded))
        pending, meanwhile = Pending(self.store), set[bytes]()
        self._meanwhile = meanwhile
        try:
            async for part in self._looked_at(encoded, source, pending):
                outcome.known += part.duplicates
                outcome.held += part.held
                outcome.refused += part.refused
        except BaseException:
            self.admission.forget()  # what was settled does not come
            raise
        finally:
            self._meanwhile = None
        puts = await self._applied(pending.puts, pending.removed, meanwhile)
        outcome.known += outcome.refused.pop("old", 0) + len(pending.puts) - len(puts)
        outcome.newer = sum(map(pending.newer, puts))
        outcome.new = len(puts) - outcome.newer
        outcome.local = sum(put.local for put in puts)
        shared = tuple(put for put in puts if not put.local)
        for start in range(0, len(shared), SLICE):
            if start:
                await self._world.later(0)
            self.kept(shared[start : start + SLICE])
        return outcome

    async def _looked_at(
        self, encoded: Sequence[bytes], source: Source, pending: Pending
    ) -> AsyncIterator[Batch | Settled]:
        """What becomes of records, a slice at a time; some slices are ahead of the one that is settled, so that those
        who check have work while we look.
        """
        ahead: deque[tuple[Batch, Deferred[bytes]]] = deque()
        try:
            for start in range(0, len(encoded), SLICE):
                if start:
                    await self._world.later(0)
                batch = self.admission.take(encoded[start : start + SLICE], source, pending, self.moment)
                yield batch
                ahead.append((batch, self._verdicts(batch)))
                if len(ahead) > AHEAD:
                    yield await self._settled(*ahead.popleft(), pending)
            while ahead:
                yield await self._settled(*ahead.popleft(), pending)
        finally:
            for _, verdicts in ahead:
                verdicts.addErrback(lambda _: None)
                verdicts.cancel()

    def _stands(self, put: Put) -> bool:
        """Whether a record still beats what stands: others were put while its batch was looked at."""
        [held] = self.store.standing([put.address])
        return put.local or held is None or beats(put.record.issued, put.record.hash, held[:2])

    def _verdicts(self, batch: Batch) -> Deferred[bytes]:
        return self.judge(batch.checks) if batch.checks else succeed(b"")

    async def _settled(self, batch: Batch, verdicts: Deferred[bytes], pending: Pending) -> Settled:
        settled = self.admission.settle(batch, await verdicts, pending, self.moment)
        pending.add(settled)
        return settled

    async def _applied(
        self, puts: Sequence[Put], removed: Sequence[bytes], meanwhile: Collection[bytes] = ()
    ) -> Sequence[Put]:
        """Write down what was settled, but for what no longer stands because of what others did meanwhile: the rest."""
        try:
            puts = self._left(puts, meanwhile)
            if len(puts) <= SLICE:
                if puts or removed:
                    await self._world.soon(self.store.apply(puts, removed))
                return puts
            # What a large batch adds is counted row by row before it is written: in a thread, and others go on.
            addresses = {*removed, *(put.address for put in puts)}
            changed = self._meanwhile = set[bytes]()
            try:
                held = await self._world.in_thread(lambda: self.store.held(addresses))
            finally:
                self._meanwhile = None
            puts = self._left(puts, changed)
            held = held - changed | self.store.held(changed & addresses)
            await self._world.soon(self.store.apply(puts, removed, held))
            return puts
        except BaseException:
            self.admission.forget()  # what was settled does not come
            raise

    def _left(self, puts: Sequence[Put], changed: Collection[bytes]) -> Sequence[Put]:
        """Those that stand, where others changed something. Nothing comes between this and changing the tree."""
        return tuple(put for put in puts if put.address not in changed or self._stands(put))

    def begin(self, puts: Sequence[Put], removed: Sequence[bytes]) -> Deferred[Any]:
        """Write down what admission came to elsewhere. Fires when it is there; fails with StoreError."""
        if self._meanwhile is not None:
            self._meanwhile.update(put.address for put in puts)
            self._meanwhile.update(removed)
        return self._world.soon(self.store.apply(puts, removed))

    def _judged_here(self, checks: tuple[Check, ...]) -> Deferred[bytes]:
        return self._world.in_thread(lambda: judge(checks, self.limits.directory_work))

    # --- what it is --------------------------------------------------------------------------------------------------

    def ask(self, question: Callable[[View], R]) -> Deferred[R]:
        """Put a question to the tree, as ``Directory.ask``. Fails with StoreError."""
        return self._world.soon(self.store.ask(question))

    def compare(self, question: Callable[[Compared], R]) -> Deferred[R]:
        """The same for a question that compares trees."""
        return self._world.soon(self.store.compare(question))
