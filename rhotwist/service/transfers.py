"""The files of a wallet process: what its owner asks about them, and what its peers say of them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, succeed
from twisted.logger import Logger

from rhotwist.control import explain, trouble, values
from rhotwist.errors import OperatorError, Refused, StoreError
from rhotwist.keys.address import WALLET, Address, format_address
from rhotwist.limits import Limits
from rhotwist.link.messages import RefusalCode
from rhotwist.moment import EPOCH_2020, Rng
from rhotwist.net.handlers import Call
from rhotwist.service.files_in import Receiver, World
from rhotwist.service.files_out import Ask, Sender
from rhotwist.service.keystore import Hot, Keystore
from rhotwist.service.messages import FileCancel, FileOffer, FilePart, FilePlanPiece
from rhotwist.store import folder, transfers
from rhotwist.store.database import Database
from rhotwist.store.source import Source
from rhotwist.store.transfers import Transfer, Transfers

R = TypeVar("R")
LISTED_MOST = 10_000
"""Transfers that one answer lists."""


class Halt(Exception):
    """Raised inside a worker that reads a file whose reader went away."""


@attrs.define(eq=False)
class Going:
    """A file that goes out now."""

    sender: Sender
    working: Deferred[None]


class FileService:
    """The transfers of one data folder, while their process runs.

    asker gives the way to ask the wallet of a key in the process at, in the name of a hot wallet, gentle or not; it
    raises OperatorError for an address that is none. admit says of whom parts are taken: a peer's key, and whether
    from now on or no more.
    """

    _log = Logger()

    def __init__(
        self, home: Path, keystore: Keystore, limits: Limits, *, world: World, rng: Rng,
        asker: Callable[[Hot, bytes, str, bool], Ask], admit: Callable[[bytes, bool], None],
    ) -> None:  # fmt: skip
        self._folder = home
        self._keystore = keystore
        self._limits = limits
        self._world = world
        self._rng = rng
        self._asker = asker
        self._admit = admit
        self._going: dict[int, Going] = {}
        self._lanes: dict[bytes, DeferredSemaphore] = {}
        self._problems: dict[int, values.Problem] = {}
        self._database: Database
        self.store: Transfers
        self.receiver: Receiver

    # --- its life ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the store; what a process before this one was sending waits to be resumed. Raises as stores do."""
        folder.prepare(self._folder)
        self._database = Database(self._folder / "transfers.db", transfers.KIND, durable=False)
        self.store = Transfers(self._database)
        self.receiver = Receiver(self.store, self._folder, self._limits, self._world)
        self.receiver.admit = self._admit
        self.receiver.sweep()
        for row in self.store.open():
            if row.outgoing and row.state != transfers.PAUSED:
                self.store.move(row.number, transfers.PAUSED, "the wallet process ended").result()

    def let_go(self) -> None:
        """Stop sending; rows say why."""
        for number in list(self._going):
            self._halt(number, "the wallet process ended")

    def close(self) -> None:
        """Close the store."""
        if hasattr(self, "_database"):
            self._database.close()

    def handlers(self) -> dict[Any, Callable[[Call[Any]], Awaitable[Any]]]:
        """What peers may ask, by schema."""
        return {
            FileOffer: self._here(lambda call: self.receiver.offered(call)),
            FilePlanPiece: self._here(lambda call: self.receiver.planned(call)),
            FilePart: self._here(lambda call: self.receiver.part(call)),
            FileCancel: self._here(lambda call: self.receiver.cancelled(call)),
        }

    def _here(self, answer: Callable[[Call[Any]], Awaitable[R]]) -> Callable[[Call[Any]], Awaitable[R]]:
        async def answered(call: Call[Any]) -> R:
            if self._keystore.hot_by_key(call.destination) is None:
                raise Refused(RefusalCode.NOT_HERE, "that wallet is not unlocked here")
            return await answer(call)

        return answered

    # --- sending -----------------------------------------------------------------------------------------------------

    async def send(self, hot: Hot, to: bytes, ask: values.FileSend) -> values.TransferRow:
        """Read a file once and set it on its way. Raises OperatorError."""
        asking = self._asker(hot, to, ask.at, ask.gentle)
        source = Source(Path(ask.path))
        try:
            plan = await self._read(source)
            row = await self._world.soon(self.store.send(
                plan, self._rng(16), hot.key.public, to, place=ask.path, at=ask.at, begun=self._world.date(),
                gentle=ask.gentle,
            ))  # fmt: skip
        except BaseException:
            source.close()
            raise
        self._start(row, source, hot, asking)
        return self._told(row)

    async def _read(self, source: Source) -> Any:
        """Plan a file in a worker, which stops when nobody waits for it any more."""
        most = self._limits.file_part * self._limits.file_parts_max
        if source.total > most:
            raise trouble.FILE_TOO_LARGE(path=source.path, length=source.total, most=most)
        gone = False

        def told(done: int) -> None:
            if gone:
                raise Halt

        try:
            return await self._world.in_thread(lambda: source.plan(self._limits.file_part, told))
        except CancelledError:
            gone = True
            raise

    async def resume(self, ask: values.TransferNumbers) -> values.TransferList:
        """Go on with files that were stopped. Raises OperatorError."""
        rows = self._rows(ask.numbers) if ask.numbers else [
            row for row in self.store.open() if row.outgoing and row.state == transfers.PAUSED
        ]  # fmt: skip
        for row in rows:
            if not row.outgoing:
                raise trouble.TRANSFER_INCOMING(number=row.number, peer=_address(row.source))
            if row.state in transfers.ENDED:
                raise trouble.TRANSFER_OVER(number=row.number, state=row.state)
        return values.TransferList(tuple([await self._resume(row, ask.at) for row in rows]))

    async def _resume(self, row: Transfer, at: str) -> values.TransferRow:
        going = self._going.get(row.number)
        if going is not None and row.state != transfers.PAUSED:
            return self._told(row)
        if going is not None:  # it has just stopped, and the last of it is still under way
            await _ended(going.working)
        hot = self._keystore.hot_by_key(row.source)
        if hot is None:
            raise trouble.WALLET_LOCKED(name=self._name(row.source))
        asking = self._asker(hot, row.destination, at or row.at, row.gentle)
        source = Source(Path(row.place))
        # It was offered before; how far it is the receiver will say.
        moved = await self._world.soon(self.store.move(row.number, transfers.OFFERED, at=at or None))
        if moved is None or row.number in self._going:
            source.close()
        else:
            self._start(moved, source, hot, asking)
        return self._told(moved or row)

    def _start(self, row: Transfer, source: Source, hot: Hot, asking: Ask) -> None:
        self._keystore.touch(hot)
        self._problems.pop(row.number, None)
        lanes = self._lanes.setdefault(row.destination, DeferredSemaphore(self._limits.file_lanes))
        sender = Sender(
            self.store, row, source, asking, limits=self._limits, world=self._world, lanes=lanes
        )
        working = Deferred.fromCoroutine(sender.run())
        going = self._going[row.number] = Going(sender, working)
        hot.busy.add(working)

        def over(failure: Any) -> None:
            hot.busy.discard(working)
            if self._going.get(row.number) is not going:
                return  # somebody halted it, and noted why
            del self._going[row.number]
            error = getattr(failure, "value", None)
            if isinstance(error, CancelledError):
                self._note(row.number, "the wallet was locked")
            elif error is not None:
                self._failed(row.number, failure)

        working.addBoth(over)

    def _failed(self, number: int, failure: Any) -> None:
        error = failure.value
        if isinstance(error, StoreError):
            error = explain.store(error)
        if not isinstance(error, OperatorError):
            self._log.failure("sending a file failed", failure)
            error = explain.bug(error)
        self._problems[number] = explain.to_problem(error)
        self._note(number, error.why)

    def _note(self, number: int, why: str) -> None:
        """Let the row say that it stands, unless it says so already."""
        row = self.store.get(number)
        if row is not None and row.state in (transfers.OFFERED, transfers.GOING):
            self.store.move(number, transfers.PAUSED, why)

    def _halt(self, number: int, why: str) -> Deferred[Any]:
        going = self._going.pop(number, None)
        if going is None:
            return succeed(None)
        noted = self._world.soon(self.store.move(number, transfers.PAUSED, why))
        going.working.cancel()
        return noted

    async def pause(self, ask: values.TransferNumbers) -> values.TransferList:
        """Stop sending for now. Raises OperatorError."""
        rows = self._rows(ask.numbers)
        for row in rows:
            await self._halt(row.number, "its owner stopped it")
        return self.listed(values.TransfersAsk(ask.numbers))

    async def cancel(self, ask: values.TransferNumbers) -> values.TransferList:
        """Give files up, and tell the other side if it hears us. Raises OperatorError."""
        for row in self._rows(ask.numbers):
            if row.state in transfers.ENDED:
                raise trouble.TRANSFER_OVER(number=row.number, state=row.state)
            if not row.outgoing:
                await self.receiver.cancel(row.number, "its owner cancelled it")
                continue
            await self._halt(row.number, "")
            ended = self.store.move(
                row.number, transfers.CANCELLED, "its owner cancelled it", ended=self._world.date()
            )
            await self._world.soon(ended)
            self._tell_cancelled(row)
        return self.listed(values.TransfersAsk(ask.numbers))

    def _tell_cancelled(self, row: Transfer) -> None:
        """The other side may be away: then it learns it when its owner looks, or never; its parts lie apart."""
        hot = self._keystore.hot_by_key(row.source)
        if hot is None:
            return
        try:
            asking = self._asker(hot, row.destination, row.at, False)
        except OperatorError:
            return
        telling = asking(FileCancel(id=row.id), self._limits.request_timeout, lambda done, total: None)
        telling.addErrback(lambda _: None)

    # --- receiving ---------------------------------------------------------------------------------------------------

    async def receive(self, ask: values.Receive) -> values.TransferList:
        """Take what waits, and tell of that and of what still comes. Raises OperatorError."""
        into = Path(ask.into)
        _check_folder(into)
        wallet = None if not ask.wallet else self._keystore.speaker(ask.wallet).key.public
        wanted = {row.number for row in self._rows(ask.numbers)} if ask.numbers else None
        found = []
        for row in self.store.open():
            if row.outgoing or (wallet and row.destination != wallet) or (wanted and row.number not in wanted):
                continue
            if ask.sender and _address(row.source) != ask.sender:
                continue
            if row.state == transfers.OFFERED:
                found.append(await self.receiver.take(row.number, into) or row)
            else:
                found.append(row)
        return values.TransferList(tuple(map(self._told, found)))

    # --- telling -----------------------------------------------------------------------------------------------------

    def listed(self, ask: values.TransfersAsk) -> values.TransferList:
        """How transfers stand. Whoever asks for one by its number looks on, and so uses its wallet."""
        rows = self._rows(ask.numbers) if ask.numbers else self.store.newest(max(1, min(ask.limit, LISTED_MOST)))
        for row in rows if ask.numbers else ():
            hot = self._keystore.hot_by_key(row.source if row.outgoing else row.destination)
            if hot is not None and row.state == transfers.GOING:
                self._keystore.touch(hot)
        return values.TransferList(tuple(map(self._told, rows)))

    def health(self) -> tuple[str, ...]:
        """What an owner should know of his files without asking, each in a line."""
        paused = sum(row.outgoing and row.state == transfers.PAUSED for row in self.store.open())
        failing = sorted(number for number in self.receiver.problems if number)
        lines = [f"files that stand still: {paused}; rho resume goes on with them"] if paused else []
        return (*lines, *(f"file {number} cannot be kept: {self.receiver.problems[number].why}" for number in failing))

    def _rows(self, numbers: Iterable[int]) -> list[Transfer]:
        found = []
        for number in numbers:
            row = self.store.get(number) if 0 < number < 1 << 63 else None
            if row is None:
                raise trouble.TRANSFER_ABSENT(number=number, why="no file was sent or offered under that number")
            found.append(row)
        return found

    def _told(self, row: Transfer) -> values.TransferRow:
        going = self._going.get(row.number)
        done = going.sender.done if going else row.done if row.outgoing else self.receiver.done(row)
        # Why it stopped is known a moment after its row says that it did.
        state = transfers.GOING if going and row.state == transfers.PAUSED else row.state
        done = row.total if row.state == transfers.DONE else min(done, max(0, row.total - 1))
        ours, theirs = (row.source, row.destination) if row.outgoing else (row.destination, row.source)
        return values.TransferRow(
            number=row.number, outgoing=row.outgoing, wallet=self._name(ours), peer=_address(theirs), name=row.name,
            total=row.total, done=done, state=state, why=row.why, place=row.place, at=row.at, root=row.root.hex(),
            begun_at=row.begun + EPOCH_2020, ended_at=None if row.ended is None else row.ended + EPOCH_2020,
            problem=self._problems.get(row.number) or self.receiver.problems.get(row.number),
        )  # fmt: skip

    def _name(self, public: bytes) -> str:
        hot = self._keystore.hot_by_key(public)
        address = _address(public)
        return hot.name if hot else {row.address: row.name for row in self._keystore.rows()}.get(address, address)


def _ended(working: Deferred[None]) -> Deferred[None]:
    """Fires when working is over, however; cancelling this one leaves working alone."""
    over: Deferred[None] = Deferred()

    def pass_on(result: Any) -> Any:
        over.callback(None)
        return result

    working.addBoth(pass_on)
    return over


def _address(public: bytes) -> str:
    return format_address(Address(WALLET, public))


def _check_folder(into: Path) -> None:
    if not into.is_absolute() or not into.is_dir():
        raise trouble.INTO_UNUSABLE(path=into, why="there is no such folder")
    if not os.access(into, os.W_OK | os.X_OK):
        raise trouble.INTO_UNUSABLE(path=into, why="this user may not write there")
