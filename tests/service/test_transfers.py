"""Files between two wallet processes on the loopback interface, in parts small enough for one packet each."""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater

from rhotwist.control import values
from rhotwist.errors import DiskFull
from rhotwist.keys.address import NODE, Address, format_address
from rhotwist.keys.pair import SeedKey
from rhotwist.link.file_plan import missing
from rhotwist.service.claim import claim
from rhotwist.service.messages import FilePart
from rhotwist.service.options import Options, settings
from rhotwist.service.tap import assemble
from rhotwist.store.parts import PartFile
from tests.service.processes import ProcessCase, at, heat
from tests.service.test_wallet import failure_of

PART = 700
QUICK = {"RHO_LIMITS_FILE_PART": str(PART), "RHO_LIMITS_FILE_HOLD": "5", "RHO_LIMITS_FILE_RETRY": "0.05",
         "RHO_LIMITS_FILE_PATIENCE": "8", "RHO_LIMITS_HALF_OPEN_LIFE": "2",
         "RHO_LIMITS_FILE_OFFERS_WALLET": "3"}  # fmt: skip


class FilesCase(ProcessCase):
    """Ann sends, Bob receives."""

    QUICK = QUICK

    def setUp(self) -> None:
        super().setUp()
        self.into = self.home / "into"
        self.into.mkdir()
        self.ann, self.bob = self.wallet("ann"), self.wallet("bob")
        self.to = self.bob.keystore.hot["bob"].address

    def start(self, name: str, *arguments: str) -> Any:
        """A process with numbers that make a test short."""
        options = Options()
        options.parseOptions(arguments)
        environ = {"RHO_HOME": str(self.home / name), **self.QUICK}
        made = assemble(claim(settings(options, environ, self.home)), reactor)
        made.startService()
        self.addCleanup(made.stopService)
        return made

    def file(self, data: bytes, name: str = "a.bin") -> Path:
        """A file of Ann's."""
        path = self.home / name
        path.write_bytes(data)
        return path

    async def send(self, path: Path, **more: Any) -> int:
        """Set a file on its way; its number at Ann's."""
        ask = values.FileSend(more.pop("to", self.to), more.pop("at", at(self.bob)), str(path), **more)
        row: values.TransferRow = await self.ann.send_file(ask)
        return row.number

    def row(self, number: int, process: Any = None) -> values.TransferRow:
        """How a transfer stands."""
        [found] = (process or self.ann).files.listed(values.TransfersAsk((number,))).items
        return found

    async def until(self, met: Any, seconds: float = 20.0) -> None:
        """Wait until something is so."""
        for _ in range(int(seconds / 0.01)):
            if met():
                return
            await deferLater(reactor, 0.01)
        raise AssertionError(f"not so after {seconds} s: {self.ann.files.listed(values.TransfersAsk())}")

    async def take(self, **more: Any) -> values.TransferRow:
        """Bob takes the one file that waits."""
        found: list[values.TransferRow] = []

        async def look() -> bool:
            asked = await self.bob.files.receive(values.Receive(str(self.into), **more))
            found[:] = asked.items
            return bool(found)

        for _ in range(1000):
            if await look():
                return found[0]
            await deferLater(reactor, 0.01)
        raise AssertionError("nothing was offered")

    async def ended(self, number: int, state: str = "done") -> values.TransferRow:
        """The row of a transfer of Ann's when it is over, or stands."""
        await self.until(lambda: self.row(number).state in ("done", "cancelled", "paused"))
        row = self.row(number)
        self.assertEqual(state, row.state, row)
        return row

    def lies(self) -> dict[str, bytes]:
        """What Bob got."""
        return {path.name: path.read_bytes() for path in self.into.iterdir()}

    def parts(self) -> list[str]:
        """What lies beside Bob's database."""
        return sorted(path.name for path in (self.home / "bob" / "transfers").glob("*.part"))


class SendTests(FilesCase):
    """From the offer to the file."""

    async def test_a_file_arrives_whole_with_its_name_and_its_root_on_both_sides(self) -> None:
        data = os.urandom(5_000)
        number = await self.send(self.file(data))
        taken = await self.take()
        row = await self.ended(number)
        self.assertEqual({"a.bin": data}, self.lies())
        theirs = self.row(taken.number, self.bob)
        self.assertEqual((row.root, row.total, 5_000), (theirs.root, theirs.total, theirs.done))
        self.assertEqual(("done", str(self.into / "a.bin"), "bob"), (theirs.state, theirs.place, theirs.wallet))
        self.assertEqual((self.to, "ann", 5_000), (row.peer, row.wallet, row.done))
        self.assertEqual([], self.parts())

    async def test_a_gentle_file_goes_behind_all_else_also_when_it_is_resumed(self) -> None:
        said: list[bool] = []
        ask = self.ann.node.ask
        self.ann.node.ask = lambda *a, background, **more: said.append(background) or ask(
            *a, background=background, **more
        )
        number = await self.send(self.file(b"abc"), gentle=True)
        await self.ann.files.pause(values.TransferNumbers((number,)))
        await self.ann.files.resume(values.TransferNumbers((number,)))
        await self.take()
        await self.ended(number)
        self.assertEqual({True}, set(said))

    async def test_empty_tiny_and_exactly_filled_files_arrive(self) -> None:
        for number, size in enumerate((0, 1, PART, 2 * PART, 2 * PART + 1)):
            data = os.urandom(size)
            sent = await self.send(self.file(data, f"{number}.bin"))
            await self.take()
            await self.ended(sent)
            self.assertEqual(data, (self.into / f"{number}.bin").read_bytes())

    async def test_nothing_but_a_row_is_kept_before_its_owner_takes_it(self) -> None:
        number = await self.send(self.file(os.urandom(3_000)))
        await self.until(lambda: self.bob.files.store.newest(9))
        [row] = self.bob.files.store.newest(9)
        self.assertEqual("offered", row.state)
        self.assertEqual(([], {}), (self.parts(), self.bob.files.store.pages(row.number)))
        self.assertEqual(("offered", 0), (self.row(number).state, self.row(number).done))

    async def test_two_files_at_once_are_not_in_each_other_s_way(self) -> None:
        files = {f"{name}.bin": os.urandom(4_000) for name in "abc"}
        numbers = [await self.send(self.file(data, name)) for name, data in files.items()]
        while not all(self.row(number).state == "done" for number in numbers):
            await self.bob.files.receive(values.Receive(str(self.into)))
            await deferLater(reactor, 0.02)
        self.assertEqual(files, self.lies())

    async def test_what_is_there_already_is_not_overwritten(self) -> None:
        (self.into / "a.bin").write_bytes(b"mine")
        number = await self.send(self.file(b"theirs"))
        await self.take()
        await self.ended(number)
        self.assertEqual({"a.bin": b"mine", "a (2).bin": b"theirs"}, self.lies())

    async def test_holes_are_not_sent_and_are_holes_again(self) -> None:
        path = self.home / "sparse"
        with path.open("wb") as file:
            file.truncate(400 * PART)
            file.seek(200 * PART)
            file.write(b"x" * 10)
        asked: list[int] = []
        handlers = self.bob.node._handlers._handlers
        part = handlers[FilePart]
        handlers[FilePart] = lambda call: asked.append(call.body.index) or part(call)
        number = await self.send(path)
        await self.take()
        await self.ended(number)
        self.assertEqual([200], asked)
        self.assertEqual(path.read_bytes(), (self.into / "sparse").read_bytes())
        self.assertLess((self.into / "sparse").stat().st_blocks * 512, 100 * PART)

    async def test_all_is_acknowledged_only_when_the_receiver_has_named_the_file(self) -> None:
        gate: Deferred[None] = Deferred()
        deliver = self.bob.files.receiver._deliver

        async def held(coming: Any) -> None:
            await gate
            await deliver(coming)

        self.bob.files.receiver._deliver = held
        number = await self.send(self.file(os.urandom(2_000)))
        await self.take()
        await self.until(lambda: self.ann.files.store.get(number).have == 0b111)
        self.assertEqual((1_999, "going", {}), (self.row(number).done, self.row(number).state, self.lies()))
        gate.callback(None)
        await self.ended(number)
        self.assertEqual(2_000, self.row(number).done)

    async def test_what_cannot_be_sent_is_told_with_what_to_do(self) -> None:
        path = self.file(b"x")
        for change, code in (
            ({"path": self.home / "absent"}, "RHO-2301"), ({"path": self.home}, "RHO-2301"), ({"at": "x"}, "RHO-2201"),
            ({"to": self.ann.keystore.hot["ann"].address}, "RHO-2215"), ({"to": "x"}, "RHO-2401"),
            ({"wallet": "carol"}, "RHO-1201"),
        ):  # fmt: skip
            error = await failure_of(Deferred.fromCoroutine(self.send(change.pop("path", path), **change)))
            self.assertEqual(code, error.code)
        self.ann.files._limits = type(self.ann.files._limits)(file_parts_max=0)
        error = await failure_of(Deferred.fromCoroutine(self.send(path)))
        self.assertEqual("RHO-2303", error.code)
        self.assertEqual([], self.ann.files.store.newest(9))

    async def test_nobody_there_is_told_at_once_and_can_be_resumed(self) -> None:
        stranger = SeedKey(b"s" * 32)
        node = format_address(Address(NODE, stranger.public))
        number = await self.send(self.file(b"abc"), at=f"{node}@{at(self.bob).partition('@')[2]}")
        await self.until(lambda: self.row(number).state == "paused")
        problem = self.row(number).problem
        assert problem is not None
        self.assertEqual("RHO-2307", problem.code)
        self.assertIn(f"rho resume {number}", problem.hint)
        await self.ann.files.resume(values.TransferNumbers((number,), at(self.bob)))
        await self.take()
        await self.ended(number)


class HeldCase(FilesCase):
    """Transfers that hang where a test wants them to."""

    def hold(self, after: int) -> list[int]:
        """Bob's process answers no part after so many; the indexes of those it was asked for."""
        asked: list[int] = []
        handlers = self.bob.node._handlers._handlers
        part = handlers[FilePart]

        def answer(call: Any) -> Any:
            asked.append(call.body.index)
            return part(call) if len(asked) <= after else Deferred()

        handlers[FilePart] = answer
        self.let = lambda: handlers.update({FilePart: part})
        return asked

    def left(self) -> list[int]:
        """The parts that Bob's store lacks of the one file that comes."""
        [row] = self.bob.files.store.open()
        return missing(row.have, row.count)

    async def begun(self, data: bytes, after: int) -> int:
        """A transfer that hangs after so many parts."""
        asked = self.hold(after)
        number = await self.send(self.file(data))
        await self.take()
        await self.until(lambda: len(asked) > after and len(self.left()) == -(-len(data) // PART) - after)
        return number


class BreakTests(HeldCase):
    """What breaks, and what goes on afterwards."""

    async def test_what_its_owner_stopped_goes_on_with_what_is_missing(self) -> None:
        data = os.urandom(10 * PART)
        number = await self.begun(data, 4)
        [row] = (await self.ann.files.pause(values.TransferNumbers((number,)))).items
        self.assertEqual(("paused", "its owner stopped it"), (row.state, row.why))
        self.assertGreaterEqual(row.done, 3 * PART)
        left = self.left()
        self.let()
        asked = self.hold(99)
        [row] = (await self.ann.files.resume(values.TransferNumbers())).items
        self.assertEqual(("offered", number), (row.state, row.number))
        await self.ended(number)
        self.assertEqual({"a.bin": data}, self.lies())
        self.assertEqual(6, len(left))
        self.assertEqual(left, sorted(asked))

    async def test_a_receiver_that_was_restarted_hashes_what_it_has_and_asks_for_the_rest(self) -> None:
        data = os.urandom(8 * PART)
        port = self.bob.node.sockets[0][1]
        number = await self.begun(data, 5)
        [coming] = self.bob.files.store.open()
        left = self.left()
        await self.bob.stopService()
        # Of what the rows call here, one has changed.
        file = PartFile(self.home / "bob" / "transfers", coming.number)
        had = missing(~coming.have & 0xFF, 8)
        file.write(had[2] * PART, bytes([data[had[2] * PART] ^ 1]))
        self.bob = self.wallet("bob", f"127.0.0.1:{port}")
        asked = self.hold(99)
        await self.ended(number)
        self.assertEqual({"a.bin": data}, self.lies())
        self.assertEqual(sorted([had[2], *left]), sorted(set(asked)))

    async def test_a_sender_that_was_restarted_says_so_and_resumes(self) -> None:
        data = os.urandom(8 * PART)
        number = await self.begun(data, 5)
        await self.ann.stopService()
        self.ann = self.wallet("ann")
        self.assertEqual(("paused", "the wallet process ended"), (self.row(number).state, self.row(number).why))
        left = self.left()
        self.let()
        asked = self.hold(99)
        await self.ann.files.resume(values.TransferNumbers((number,)))
        await self.ended(number)
        self.assertEqual(left, sorted(asked))
        self.assertEqual({"a.bin": data}, self.lies())

    async def test_a_process_killed_while_sending_left_a_row_that_can_be_resumed(self) -> None:
        number = await self.begun(os.urandom(4 * PART), 2)
        self.ann.files.let_go = lambda: None  # as after SIGKILL: nobody noted anything
        store = self.ann.files.store
        store.move = lambda *arguments, **more: None
        await self.ann.stopService()
        self.ann = self.wallet("ann")
        self.assertEqual(("paused", "the wallet process ended"), (self.row(number).state, self.row(number).why))

    async def test_a_locked_wallet_stops_what_it_sends(self) -> None:
        number = await self.begun(os.urandom(4 * PART), 2)
        self.ann.keystore.lock("ann")
        row = await self.ended(number, "paused")
        self.assertEqual("the wallet was locked", row.why)
        error = await failure_of(_deferred(self.ann.files.resume, values.TransferNumbers((number,))))
        self.assertEqual("RHO-1207", error.code)
        heat(self.ann, "ann")
        self.let()
        await self.ann.files.resume(values.TransferNumbers((number,)))
        await self.ended(number)

    async def test_a_receiver_s_wallet_that_is_locked_for_a_while_is_waited_for(self) -> None:
        number = await self.send(self.file(os.urandom(4 * PART)))
        await self.until(lambda: self.bob.files.store.newest(9))
        self.bob.keystore.lock("bob")
        await self.bob.files.receive(values.Receive(str(self.into)))
        for _ in range(20):
            await deferLater(reactor, 0.01)
        self.assertEqual({}, self.lies())
        heat(self.bob, "bob")
        await self.ended(number)

    async def test_a_file_that_changed_stops_and_the_error_names_the_part(self) -> None:
        number = await self.begun(os.urandom(6 * PART), 2)
        await self.ann.files.pause(values.TransferNumbers((number,)))
        with (self.home / "a.bin").open("r+b") as file:
            file.seek(4 * PART)
            file.write(b"!!!!")
        self.let()
        await self.ann.files.resume(values.TransferNumbers((number,)))
        problem = (await self.ended(number, "paused")).problem
        assert problem is not None
        self.assertEqual("RHO-2302", problem.code)
        self.assertIn("part 5 of 6", problem.why)
        (self.home / "a.bin").write_bytes(b"short")
        await self.ann.files.resume(values.TransferNumbers((number,)))
        await self.until(lambda: "has 5" in self.row(number).why)
        self.assertEqual({}, self.lies())

    async def test_a_full_disk_stops_both_and_when_there_is_room_it_goes_on(self) -> None:
        data = os.urandom(4 * PART)
        full = self.patch(PartFile, "write", _full)
        number = await self.send(self.file(data))
        await self.take()
        row = await self.ended(number, "paused")
        self.assertIn("disk is full", row.why)
        self.assertEqual(("files that stand still: 1; rho resume goes on with them",), self.ann.files.health())
        self.assertIn("cannot be kept: no room", self.bob.status(values.Nothing()).health[-1])
        full.restore()
        await self.ann.files.resume(values.TransferNumbers((number,)))
        await self.ended(number)
        self.assertEqual({"a.bin": data}, self.lies())
        self.assertEqual(((), ()), (self.ann.files.health(), self.bob.files.health()))

    async def test_what_stops_is_told_when_it_has_stopped_and_resumed_after_that(self) -> None:
        data = os.urandom(4 * PART)
        move, gate = self.ann.files.store.move, Future()

        def held(number: int, state: str, *more: Any, **named: Any) -> Future[Any]:
            moved = move(number, state, *more, **named)
            if state != "paused":
                return moved
            gate.result = lambda: moved.result(10)
            moved.result(10)
            return gate

        full = self.patch(PartFile, "write", _full)
        number = await self.send(self.file(data))
        self.ann.files.store.move = held
        await self.take()
        await self.until(lambda: self.ann.files.store.get(number).state == "paused")
        self.assertEqual("going", self.row(number).state)
        resuming = _deferred(self.ann.files.resume, values.TransferNumbers((number,)))
        self.assertNoResult(resuming)
        full.restore()
        self.ann.files.store.move = move
        gate.set_result(None)
        [row] = (await resuming).items
        self.assertEqual("offered", row.state)
        await self.ended(number)
        self.assertEqual({"a.bin": data}, self.lies())


class CancelTests(HeldCase):
    """Given up by one side or the other."""

    async def test_its_sender_gives_it_up_and_the_receiver_s_parts_go(self) -> None:
        number = await self.begun(os.urandom(4 * PART), 2)
        self.assertEqual(1, len(self.parts()))
        [row] = (await self.ann.files.cancel(values.TransferNumbers((number,)))).items
        self.assertEqual(("cancelled", "its owner cancelled it"), (row.state, row.why))
        await self.until(lambda: not self.parts())
        [theirs] = self.bob.files.store.newest(9)
        self.assertEqual(("cancelled", "its sender cancelled it"), (theirs.state, theirs.why))
        for again in (self.ann.files.cancel, self.ann.files.resume):
            error = await failure_of(_deferred(again, values.TransferNumbers((number,))))
            self.assertEqual("RHO-2305", error.code)

    async def test_its_receiver_gives_it_up_and_the_sender_is_told(self) -> None:
        number = await self.begun(os.urandom(4 * PART), 2)
        [theirs] = self.bob.files.store.open()
        await self.bob.files.cancel(values.TransferNumbers((theirs.number,)))
        self.assertEqual([], self.parts())
        await self.ann.files.pause(values.TransferNumbers((number,)))
        self.let()
        await self.ann.files.resume(values.TransferNumbers((number,)))
        row = await self.ended(number, "cancelled")
        assert row.problem is not None
        self.assertEqual("RHO-2309", row.problem.code)

    async def test_an_offer_is_refused_by_giving_it_up(self) -> None:
        number = await self.send(self.file(b"abc"))
        await self.until(lambda: self.bob.files.store.newest(9))
        [theirs] = self.bob.files.store.open()
        await self.bob.files.cancel(values.TransferNumbers((theirs.number,)))
        await self.ended(number, "cancelled")

    async def test_what_comes_is_resumed_by_its_sender_alone(self) -> None:
        await self.begun(os.urandom(4 * PART), 2)
        [theirs] = self.bob.files.store.open()
        error = await failure_of(_deferred(self.bob.files.resume, values.TransferNumbers((theirs.number,))))
        self.assertEqual("RHO-2306", error.code)
        error = await failure_of(_deferred(self.bob.files.resume, values.TransferNumbers((99,))))
        self.assertEqual("RHO-2304", error.code)


def _full(file: PartFile, offset: int, data: bytes) -> None:
    raise DiskFull("no room")


def _deferred(call: Any, *arguments: Any) -> Deferred[Any]:
    return maybeDeferred(call, *arguments)
