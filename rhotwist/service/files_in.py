"""Files that others send: offered, taken by their owner, checked part by part, and put into a folder when whole.

A stranger's offer costs a row, and bounded many of those; not a byte of a file is taken before the owner says so.
Whatever fails leaves what is here in place, and the sender asks again how far it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from rhotwist.control import explain
from rhotwist.control.values import Problem
from rhotwist.errors import BadPacket, DiskFull, Refused, StoreError
from rhotwist.limits import Limits
from rhotwist.link import file_plan
from rhotwist.link.file_plan import FilePlan
from rhotwist.link.messages import RefusalCode
from rhotwist.net.handlers import Call
from rhotwist.service.messages import (
    FileCancel,
    FileForgotten,
    FileOffer,
    FilePart,
    FilePlanPiece,
    FileRefusal,
    FileStage,
    FileStand,
    PartHere,
)
from rhotwist.store import transfers
from rhotwist.store.parts import SUFFIX, PartFile, need_room
from rhotwist.store.transfers import Transfer, Transfers

R = TypeVar("R")
PART_LEAST = 256
"""Bytes of a part, at least: a plan is cut into pieces of that size, each of them a row."""


@attrs.frozen
class World:
    """What files need of the process around them.

    soon gives a Deferred for what a store promised, in_thread for the result of a function run in a worker, later for
    so many seconds from now. date counts seconds since 2020, mono is ``Moment.mono``.
    """

    soon: Callable[[Future[Any]], Deferred[Any]]
    in_thread: Callable[[Callable[[], Any]], Deferred[Any]]
    later: Callable[[float], Deferred[None]]
    date: Callable[[], int]
    mono: Callable[[], float]


@attrs.define(eq=False)
class Coming:
    """A file that comes in now. have are the parts whose hash was seen right since this process began."""

    row: Transfer
    file: PartFile
    plan: FilePlan | None = None
    have: int = 0
    peers: set[bytes] = attrs.field(factory=set)
    lock: DeferredLock = attrs.field(factory=DeferredLock)
    ready: bool = False


def pieces_of(row: Transfer) -> int:
    """Into how many pieces the plan of a transfer is cut."""
    return file_plan.count_of(file_plan.plan_size(row.name, row.total, row.part), row.part)


class Receiver:
    """The files that come into one data folder. Its handlers take calls whose wallets are proven."""

    _log = Logger()

    def __init__(self, store: Transfers, folder: Path, limits: Limits, world: World) -> None:
        self._store = store
        self._folder = folder
        self._limits = limits
        self._world = world
        self._coming: dict[int, Coming] = {}
        self._waiting: dict[int, list[Deferred[None]]] = {}
        self.problems: dict[int, Problem] = {}
        self.admit: Callable[[bytes, bool], None] = lambda peer, on: None

    def sweep(self) -> None:
        """Remove what a process before this one had no time to: parts of files that have ended. Raises StoreError."""
        for path in self._folder.glob(f"*{SUFFIX}"):
            row = self._store.get(int(path.stem)) if path.stem.isdecimal() else None
            if row is not None and row.state in transfers.ENDED:
                PartFile(self._folder, row.number).discard()

    # --- what a sender asks ------------------------------------------------------------------------------------------

    async def offered(self, call: Call[FileOffer]) -> FileStand:
        """How far a file is. While its owner has not taken it, the answer waits for him, ``file_hold`` at most."""
        row = await self._noted(call)
        if row.state == transfers.OFFERED:
            await self._decision(row.number)
            row = self._row(call)
        if row.state == transfers.OFFERED:
            return FileStand(stage=FileStage.WAITING)
        if row.state == transfers.DONE:
            return FileStand(stage=FileStage.DONE)
        # Hashing again what lies here, or copying it to another disk, may take longer than anybody waits.
        stand = await self._within(self._stand(row, call.peer))
        return stand or FileStand(stage=FileStage.CHECKING)

    async def planned(self, call: Call[FilePlanPiece]) -> PartHere:
        """A piece of a plan."""
        coming, body = await self._live(self._row(call)), call.body
        row = coming.row
        if coming.plan is None:
            whole = file_plan.plan_size(row.name, row.total, row.part)
            if len(body.data) != min(row.part, whole - body.index * row.part) or not body.data:
                raise Refused(FileRefusal.WRONG, f"piece {body.index} of the plan has another length")
            await self._kept(self._world.soon(self._store.put_page(row.number, body.index, body.data)), row.number)
            await self._kept(self._lock(coming, self._assemble), row.number)
        return PartHere(index=body.index)

    async def part(self, call: Call[FilePart]) -> PartHere:
        """A part of a file: checked, on the disk, and only then confirmed."""
        coming, body = await self._live(self._row(call)), call.body
        plan = coming.plan
        if plan is None or body.index >= plan.count:
            raise Refused(FileRefusal.UNKNOWN, f"no part {body.index} is wanted now")
        if not coming.have >> body.index & 1:
            await self._kept(self._take(coming, plan, body.index, body.data), coming.row.number)
        return PartHere(index=body.index)

    async def cancelled(self, call: Call[FileCancel]) -> FileForgotten:
        """The sender gave it up."""
        row = self._store.incoming(call.source, call.destination, call.body.id)
        if row is not None and row.state not in transfers.ENDED:
            await self.cancel(row.number, "its sender cancelled it")
        return FileForgotten()

    # --- what the owner does -----------------------------------------------------------------------------------------

    async def take(self, number: int, into: Path) -> Transfer | None:
        """Let a file come, to lie in the folder into. None if it has ended meanwhile. Raises StoreError."""
        row: Transfer | None
        row = await self._world.soon(self._store.move(number, transfers.GOING, place=str(into)))
        self._decided(number)
        return row

    async def cancel(self, number: int, why: str) -> Transfer | None:
        """Want a file no more; what came of it goes. None if it had ended. Raises StoreError."""
        ended = self._store.move(number, transfers.CANCELLED, why, ended=self._world.date())
        row: Transfer | None = await self._world.soon(ended)
        if row is not None:
            self._let_go(number)
            PartFile(self._folder, number).discard()
        self._decided(number)
        return row

    def done(self, row: Transfer) -> int:
        """Bytes of an incoming file that lie here, checked."""
        coming = self._coming.get(row.number)
        return attrs.evolve(row, have=coming.have).done if coming and coming.ready else row.done

    # --- its rows ----------------------------------------------------------------------------------------------------

    def _row(self, call: Call[Any]) -> Transfer:
        """The row of a transfer that goes on. Raises Refused."""
        row = self._store.incoming(call.source, call.destination, call.body.id)
        if row is None:
            raise Refused(FileRefusal.UNKNOWN, "no such file was offered")
        if row.state == transfers.CANCELLED:
            raise Refused(FileRefusal.CANCELLED, "its receiver does not want it")
        if row.state == transfers.DONE and not isinstance(call.body, FileOffer):
            raise Refused(FileRefusal.UNKNOWN, "it is here already, whole")
        return row

    async def _noted(self, call: Call[FileOffer]) -> Transfer:
        body, date = call.body, self._world.date()
        try:
            file_plan.check_name(body.name.encode("utf-8"))
        except BadPacket:
            raise Refused(RefusalCode.BAD_BODY, "its name is no plain name") from None
        if not PART_LEAST <= body.part <= file_plan.PART_MOST:
            raise Refused(RefusalCode.BAD_BODY, f"a part has {PART_LEAST} to {file_plan.PART_MOST} bytes")
        if file_plan.count_of(body.total, body.part) > self._limits.file_parts_max:
            raise Refused(FileRefusal.TOO_LARGE, f"more than {self._limits.file_parts_max} parts are not taken")
        wanted = Transfer(
            0, False, body.id, call.source, call.destination, body.root, body.name, body.total, body.part,
            transfers.OFFERED, "", "", "", False, date, None, 0,
        )  # fmt: skip
        row: Transfer | None = await self._kept(self._world.soon(self._store.offer(
            wanted, most=self._limits.file_offers, most_source=self._limits.file_offers_wallet,
            since=date - int(self._limits.file_offer_life),
        )))  # fmt: skip
        if row is None:
            raise Refused(FileRefusal.TOO_MANY, "too many files wait to be taken here")
        if (row.root, row.total, row.part, row.name) != (body.root, body.total, body.part, body.name):
            raise Refused(RefusalCode.BAD_BODY, "another file was offered under that id")
        return self._row(call)

    async def _decision(self, number: int) -> None:
        """Wait until the owner takes or refuses an offer, at most ``file_hold``."""
        decided: Deferred[None] = Deferred()
        waiting = self._waiting.setdefault(number, [])
        waiting.append(decided)

        def over(_: object) -> None:
            if not decided.called:
                decided.callback(None)

        timer = self._world.later(self._limits.file_hold)
        timer.addCallbacks(over, lambda _: None)
        try:
            await decided
        finally:
            waiting.remove(decided)
            if not waiting:
                self._waiting.pop(number, None)
            timer.cancel()

    def _decided(self, number: int) -> None:
        for waiting in list(self._waiting.get(number, ())):
            if not waiting.called:
                waiting.callback(None)

    # --- its parts ---------------------------------------------------------------------------------------------------

    async def _live(self, row: Transfer) -> Coming:
        """The file as this process knows it; the first time what lies on the disk is hashed again."""
        if row.state == transfers.OFFERED:
            raise Refused(FileRefusal.UNKNOWN, "it was not taken yet")
        coming = self._coming.get(row.number)
        if coming is None:
            coming = self._coming[row.number] = Coming(row, PartFile(self._folder, row.number))
        if not coming.ready:
            await self._kept(self._lock(coming, self._look), row.number)
        return coming

    async def _look(self, coming: Coming) -> None:
        """Find what a process before this one left."""
        if coming.ready:
            return
        row, world = coming.row, self._world
        data = self._store.plan(row.number)
        if data is None:
            await self._assemble(coming)
        else:
            plan = await world.in_thread(lambda: file_plan.read_plan(data))
            await world.in_thread(lambda: coming.file.make(row.total))
            have = await world.in_thread(lambda: _right(plan, coming.file, row.have))
            if have != row.have:
                await world.soon(self._store.set_have(row.number, have))
            coming.plan, coming.have = plan, have
        coming.ready = True

    async def _assemble(self, coming: Coming) -> None:
        """Make the plan of its pieces, if all are here and fit the root that was offered."""
        row, world = coming.row, self._world
        if coming.plan is not None or len(pages := self._store.pages(row.number)) < pieces_of(row):
            return
        data = b"".join(pages[index] for index in sorted(pages))
        plan: FilePlan | None = await world.in_thread(lambda: _plan(data, row))
        if plan is None:
            await world.soon(self._store.drop_pages(row.number))
            raise Refused(FileRefusal.WRONG, "its plan is not that of the file that was offered")
        # Parts of zeros need not come: the file is made as one hole, which reads as zeros.
        empty = await world.in_thread(plan.empty_parts)
        await world.in_thread(lambda: need_room(self._folder, row.total - attrs.evolve(row, have=empty).done))
        await world.in_thread(lambda: coming.file.make(row.total))
        await world.soon(self._store.set_have(row.number, empty))
        await world.soon(self._store.put_plan(row.number, data))
        coming.plan, coming.have = plan, empty

    async def _take(self, coming: Coming, plan: FilePlan, index: int, data: bytes) -> None:
        def check_and_write() -> bool:
            if not plan.fits(index, data):
                return False
            coming.file.write(index * plan.part, data)
            return True

        if not await self._world.in_thread(check_and_write):
            raise Refused(FileRefusal.WRONG, f"part {index} is not the one of the plan")
        await self._world.soon(self._store.put_part(coming.row.number, index))
        coming.have |= 1 << index

    async def _stand(self, row: Transfer, peer: bytes) -> FileStand:
        coming = await self._live(row)
        plan = coming.plan
        if peer not in coming.peers:
            coming.peers.add(peer)
            self.admit(peer, True)  # what its owner takes comes in objects larger than a stranger's
        if plan is None:
            bits = file_plan.bits_of(self._store.pages(row.number), pieces_of(row))
            return FileStand(stage=FileStage.PLANNING, here=file_plan.pack_bits(bits, pieces_of(row)))
        if file_plan.missing(coming.have, plan.count):
            return FileStand(stage=FileStage.TAKING, here=file_plan.pack_bits(coming.have, plan.count))
        await self._kept(self._lock(coming, self._deliver), row.number)
        ended = self._store.get(row.number)
        if ended is None or ended.state != transfers.DONE:
            raise Refused(FileRefusal.CANCELLED, "its receiver does not want it")
        return FileStand(stage=FileStage.DONE)

    async def _deliver(self, coming: Coming) -> None:
        """All parts are here, each of them checked: the file gets its name."""
        row = self._store.get(coming.row.number)
        if row is None or row.state != transfers.GOING:
            return
        into, world = Path(row.place), self._world
        path = await world.in_thread(lambda: coming.file.deliver(into, row.name))
        await world.soon(
            self._store.move(row.number, transfers.DONE, place=str(path), ended=world.date())
        )
        self._let_go(row.number)
        coming.file.discard()

    def _let_go(self, number: int) -> None:
        """A file comes no more: its senders are strangers again, unless another of theirs does."""
        self.problems.pop(number, None)
        coming = self._coming.pop(number, None)
        others = {peer for other in self._coming.values() for peer in other.peers}
        for peer in coming.peers - others if coming else ():
            self.admit(peer, False)

    async def _within(self, work: Coroutine[Deferred[Any], Any, R]) -> R | None:
        """What work gives, or None if it takes longer than ``file_hold``: then it goes on by itself."""
        working = Deferred.fromCoroutine(work)
        given: Deferred[R | None] = Deferred()
        timer = self._world.later(self._limits.file_hold)

        def late(_: object) -> None:
            if not given.called:
                given.callback(None)

        def done(outcome: Any) -> None:
            if not given.called:
                given.callback(outcome)  # a Failure is one too
            elif isinstance(outcome, Failure) and not outcome.check(Refused):
                self._log.failure("looking at a file failed", outcome)

        timer.addCallbacks(late, lambda _: None)
        working.addBoth(done)
        try:
            return await given
        finally:
            timer.cancel()

    def _lock(self, coming: Coming, work: Callable[[Coming], Coroutine[Deferred[Any], Any, None]]) -> Deferred[None]:
        def locked() -> Deferred[None]:
            return Deferred.fromCoroutine(work(coming))

        return coming.lock.run(locked)

    async def _kept(self, work: Awaitable[R], number: int = 0) -> R:
        """What work gives; a disk that fails is told to the owner of that transfer, and to the sender in few words."""
        try:
            given = await work
        except StoreError as error:
            problem = explain.to_problem(explain.store(error))
            if self.problems.get(number) != problem:
                self._log.error("a file that comes cannot be kept: {why}", why=str(error))
            self.problems[number] = problem
            full = isinstance(error, DiskFull)
            words = "its receiver's disk is full" if full else "its receiver cannot write it to the disk"
            raise Refused(FileRefusal.NO_ROOM, words) from None
        self.problems.pop(number, None)
        return given


def _plan(data: bytes, row: Transfer) -> FilePlan | None:
    try:
        plan = file_plan.read_plan(data)
    except BadPacket:
        return None
    same = (plan.name, plan.total, plan.part, plan.root()) == (row.name, row.total, row.part, row.root)
    return plan if same else None


def _right(plan: FilePlan, file: PartFile, have: int) -> int:
    """Those of the parts that have names which are right on the disk."""
    counted = [index for index, bit in enumerate(f"{have:b}"[::-1]) if bit == "1"]
    right = (index for index in counted if plan.fits(index, file.read(index * plan.part, plan.size(index))))
    return file_plan.bits_of(right, plan.count)
