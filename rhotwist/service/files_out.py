"""A file of ours on its way: offered, planned, sent part by part, until its receiver says that it is whole.

The receiver alone knows what is missing, so whatever breaks is mended in one way: ask it again how far it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, FirstError, gatherResults
from twisted.logger import Logger

from rhotwist.control import explain, trouble
from rhotwist.control.text import quoted
from rhotwist.errors import (
    BadPacket,
    HandlerFailed,
    OperatorError,
    Overloaded,
    Refused,
    RequestFailed,
    Unreachable,
)
from rhotwist.limits import Limits
from rhotwist.link import file_plan
from rhotwist.link.file_plan import FilePlan
from rhotwist.link.messages import RefusalCode
from rhotwist.service.files_in import World, pieces_of
from rhotwist.service.messages import (
    FileOffer,
    FilePart,
    FilePlanPiece,
    FileRefusal,
    FileStage,
    FileStand,
)
from rhotwist.store import transfers
from rhotwist.store.source import Source
from rhotwist.store.transfers import Transfer, Transfers
from rhotwist.wire.schema import Request

Progress = Callable[[int, int], None]
Ask = Callable[[Request[Any], float, Progress], Deferred[Any]]
"""Ask the receiver: what, how many seconds without progress, and who hears how much of it was acknowledged."""
#: Refusals that another try may meet otherwise: a wallet that will be unlocked, a process that is busy.
_PASSING = frozenset((RefusalCode.OVERLOADED, RefusalCode.NOT_HERE, RefusalCode.NO_ROOM, FileRefusal.UNKNOWN))


class Sender:
    """One file on its way out. ``run`` is its life; lanes bounds the parts under way to one receiver."""

    _log = Logger()

    def __init__(
        self, store: Transfers, row: Transfer, source: Source, ask: Ask, *, limits: Limits, world: World,
        lanes: DeferredSemaphore,
    ) -> None:  # fmt: skip
        self._store = store
        self._row = row
        self._source = source
        self._ask = ask
        self._limits = limits
        self._world = world
        self._lanes = lanes
        self._have = row.have
        self._partial: dict[int, int] = {}
        self._moved = 0.0
        self._moves = 0
        self._heard = False
        self._plan: FilePlan
        self._planned: bytes

    @property
    def done(self) -> int:
        """Bytes that the receiver has acknowledged; all of them only when it has the file whole."""
        return attrs.evolve(self._row, have=self._have).done + sum(self._partial.values())

    async def run(self) -> None:
        """Send it. Returns when the receiver has it whole. Raises OperatorError; then its row says why it stands."""
        number, world = self._row.number, self._world
        try:
            data = self._store.plan(number)
            if data is None:
                raise trouble.TRANSFER_ABSENT(number=number, why="its plan is lost")
            self._planned = data
            self._plan = await world.in_thread(lambda: file_plan.read_plan(data))
            if self._source.total != self._row.total:
                why = f"it had {self._row.total} bytes, and has {self._source.total}"
                raise trouble.FILE_CHANGED(path=self._source.path, why=why)
            await self._insist()
            await world.soon(self._store.move(number, transfers.DONE, ended=world.date()))
        except OperatorError as error:
            state = transfers.CANCELLED if error.code == trouble.TRANSFER_REFUSED.code else transfers.PAUSED
            ended = world.date() if state in transfers.ENDED else None
            await world.soon(self._store.move(number, state, error.why, ended=ended))
            raise
        finally:
            self._source.close()

    async def _insist(self) -> None:
        """Go on until the file is there, past whatever passes. Raises OperatorError when it does not."""
        limits, world = self._limits, self._world
        pause, self._moved = limits.file_retry, world.mono()
        while True:
            began, before = world.mono(), self._moves
            try:
                if await self._step():
                    return
                # An honest receiver has something to send, or has us wait.
                rest = self._moves == before and world.mono() - began < limits.file_retry
                why = "the receiver has all of it and does not say that it is whole"
            except CancelledError:  # of requests that were withdrawn, too
                raise
            except RequestFailed as error:
                self._judge(error)
                if isinstance(error, Unreachable) and not self._heard:
                    raise self._stopped(_words(error)) from error  # whoever asked for it is still looking on
                rest, why = True, _words(error)
            if world.mono() - self._moved >= limits.file_patience:
                raise self._stopped(why)
            if self._moves > before:
                pause = limits.file_retry
            if rest:
                await world.later(pause)
                pause = min(2 * pause, limits.file_retry_most)

    async def _step(self) -> bool:
        """Ask how far it is and send what is missing, once. True if it is whole."""
        row = self._row
        offer = FileOffer(id=row.id, root=row.root, total=row.total, part=row.part, name=row.name)
        stand: FileStand = await self._ask(offer, self._limits.file_hold + self._limits.request_timeout, _unheard)
        self._heard = True
        if stand.stage == FileStage.DONE:
            return True
        if stand.stage in (FileStage.WAITING, FileStage.CHECKING):
            self._moved = self._world.mono()
            return False
        await self._world.soon(self._store.move(row.number, transfers.GOING))
        try:
            if stand.stage == FileStage.PLANNING:
                here = file_plan.read_bits(stand.here, pieces_of(row))
                await self._all(self._piece, file_plan.missing(here, pieces_of(row)))
            elif stand.stage == FileStage.TAKING:
                self._have = file_plan.read_bits(stand.here, row.count)
                await self._world.soon(self._store.set_have(row.number, self._have))
                await self._all(self._part, file_plan.missing(self._have, row.count))
            else:
                raise BadPacket("stage")
        except BadPacket:
            raise self._stopped("the receiver does not count as we do: it may be another version") from None
        return False

    async def _all(self, send: Callable[[int], Any], missing: Iterable[int]) -> None:
        """Send all of these in order, as many at once as there are lanes."""
        rest = iter(missing)

        async def lane() -> None:
            while True:
                await self._lanes.acquire()
                try:
                    index = next(rest, None)
                    if index is None:
                        return
                    await send(index)
                finally:
                    self._lanes.release()

        going = [Deferred.fromCoroutine(lane()) for _ in range(self._limits.file_lanes)]
        try:
            await gatherResults(going, consumeErrors=True)
        except FirstError as first:
            failure: BaseException = first.subFailure.value  # type: ignore[assignment]  # it holds an exception
            raise failure from None
        finally:
            for one in going:
                one.cancel()

    async def _piece(self, index: int) -> None:
        size = self._row.part
        data = self._planned[index * size : (index + 1) * size]
        await self._ask(FilePlanPiece(id=self._row.id, index=index, data=data), self._limits.request_timeout, _unheard)
        self._step_on()

    async def _part(self, index: int) -> None:
        data = await self._world.in_thread(lambda: self._source.part(self._plan, index))

        def heard(done: int, total: int) -> None:
            # What travels is a little more than the part; what is not confirmed never makes the bar full.
            self._partial[index] = min(len(data) - 1, len(data) * done // max(1, total))
            self._moved = self._world.mono()

        try:
            part = FilePart(id=self._row.id, index=index, data=data)
            await self._ask(part, self._limits.request_timeout, heard)
        finally:
            self._partial.pop(index, None)
        self._have |= 1 << index
        self._step_on()
        await self._world.soon(self._store.put_part(self._row.number, index))

    def _step_on(self) -> None:
        self._moves += 1
        self._moved = self._world.mono()

    def _judge(self, error: RequestFailed) -> None:
        """Raise OperatorError for what no patience mends."""
        if not isinstance(error, Refused) or isinstance(error, (Overloaded, HandlerFailed)):
            return
        name, number = self._row.name, self._row.number
        if error.code == FileRefusal.CANCELLED:
            raise trouble.TRANSFER_REFUSED(name=name, number=number, why="its receiver does not want it") from None
        if error.code not in _PASSING:
            raise self._stopped(_words(error)) from None

    def _stopped(self, why: str) -> OperatorError:
        return trouble.TRANSFER_STOPPED(name=self._row.name, number=self._row.number, why=why)


def _unheard(done: int, total: int) -> None:
    """Of what is small nobody counts the bytes."""


def _words(error: RequestFailed) -> str:
    if isinstance(error, Refused) and error.said:
        return f"the receiver said {quoted(error.said)}"
    return explain.request_failed(error, "the receiver").why
