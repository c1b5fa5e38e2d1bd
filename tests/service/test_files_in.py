"""Files that come: what honest senders get, and what others do not."""

from __future__ import annotations

import os
import random
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, maybeDeferred

from rhotwist.errors import DiskFull, Refused, StoreError
from rhotwist.link import file_plan
from rhotwist.link.messages import RefusalCode
from rhotwist.service import files_in
from rhotwist.service.messages import (
    FileCancel,
    FileForgotten,
    FilePart,
    FilePlanPiece,
    FileRefusal,
    FileStage,
    FileStand,
    PartHere,
)
from rhotwist.store.parts import PartFile
from tests.service.files import ANN, BOB, CAROL, ID, PART, EndCase, offer, plan

DATA = random.Random(3).randbytes(10 * PART + 7)
PLAN = plan(DATA)


class ReceiveCase(EndCase):
    """Steps of an honest sender."""

    def offered(self) -> int:
        """An offer of DATA that was taken; its number."""
        waiting = self.ask(offer(PLAN))
        number = self.take()
        self.assertEqual(FileStage.PLANNING, self.successResultOf(waiting).stage)
        return number

    def planned(self) -> int:
        """The same with the plan there."""
        number = self.offered()
        data = PLAN.encode()
        for index in range(-(-len(data) // PART)):
            piece = FilePlanPiece(id=ID, index=index, data=data[index * PART : (index + 1) * PART])
            self.assertEqual(PartHere(index=index), self.told(piece))
        return number

    def part(self, index: int, data: bytes | None = None) -> FilePart:
        """A part of DATA, or something else in its place."""
        return FilePart(id=ID, index=index, data=DATA[index * PART : (index + 1) * PART] if data is None else data)

    def have(self) -> list[int]:
        """Which parts the receiver says it has."""
        stand = self.told(offer(PLAN))
        self.assertEqual(FileStage.TAKING, stand.stage)
        bits = file_plan.read_bits(stand.here, PLAN.count)
        return [index for index in range(PLAN.count) if bits >> index & 1]


class JourneyTests(ReceiveCase):
    """From the offer to the file."""

    def test_a_file_comes_in_any_order_and_lies_in_its_folder_at_the_end(self) -> None:
        number = self.planned()
        for index in (5, 0, 3, 1, 4, 2, 10, 9, 6, 8, 7):
            self.assertEqual({}, self.lies())
            self.assertEqual(PartHere(index=index), self.told(self.part(index)))
        self.assertEqual(FileStand(stage=FileStage.DONE), self.told(offer(PLAN)))
        self.assertEqual({"a.bin": DATA}, self.lies())
        row = self.store.get(number)
        assert row is not None
        self.assertEqual(("done", str(self.into / "a.bin")), (row.state, row.place))
        self.assertFalse(PartFile(self.home, number).path.exists())
        self.assertEqual(FileStand(stage=FileStage.DONE), self.told(offer(PLAN)), "it says so as often as it is asked")
        self.assertEqual(FileRefusal.UNKNOWN, self.refused(self.part(0)))
        self.assertEqual({"a.bin": DATA}, self.lies())

    def test_an_empty_file_is_there_as_soon_as_its_plan_is(self) -> None:
        empty = plan(b"", "e")
        waiting = self.ask(offer(empty))
        self.take()
        self.successResultOf(waiting)
        self.told(FilePlanPiece(id=ID, index=0, data=empty.encode()))
        self.assertEqual(FileStage.DONE, self.told(offer(empty)).stage)
        self.assertEqual({"e": b""}, self.lies())

    def test_what_came_twice_counts_once(self) -> None:
        self.planned()
        for _ in range(3):
            self.told(self.part(2))
        self.assertEqual([2], self.have())

    def test_a_restart_finds_pieces_of_the_plan_and_parts(self) -> None:
        self.offered()
        data = PLAN.encode()
        self.told(FilePlanPiece(id=ID, index=0, data=data[:PART]))
        self.restart()
        stand = self.told(offer(PLAN))
        self.assertEqual((FileStage.PLANNING, b"\1"), (stand.stage, stand.here))
        self.told(FilePlanPiece(id=ID, index=1, data=data[PART : 2 * PART]))
        self.told(self.part(1))
        self.restart()
        self.assertEqual([1], self.have())

    def test_a_part_that_changed_on_the_disk_is_asked_for_again(self) -> None:
        number = self.planned()
        self.told(self.part(1))
        self.told(self.part(2))
        PartFile(self.home, number).write(PART, b"!")
        self.restart()
        self.assertEqual([2], self.have())
        row = self.store.get(number)
        assert row is not None
        self.assertEqual(0b100, row.have)

    def test_a_part_file_that_is_gone_is_begun_anew(self) -> None:
        number = self.planned()
        self.told(self.part(1))
        PartFile(self.home, number).discard()
        self.restart()
        self.assertEqual([], self.have())
        self.told(self.part(1))
        self.assertEqual([1], self.have())

    def test_parts_of_zeros_need_not_come(self) -> None:
        data = bytes(3 * PART) + b"end"
        sparse = plan(data, "s")
        waiting = self.ask(offer(sparse))
        self.take()
        self.successResultOf(waiting)
        self.told(FilePlanPiece(id=ID, index=0, data=sparse.encode()))
        self.assertEqual(b"\x07", self.told(offer(sparse)).here)
        self.restart()
        self.assertEqual(b"\x07", self.told(offer(sparse)).here)
        self.told(FilePart(id=ID, index=3, data=b"end"))
        self.assertEqual(FileStage.DONE, self.told(offer(sparse)).stage)
        self.assertEqual({"s": data}, self.lies())

    def test_its_sender_may_send_much_while_it_comes_and_not_longer(self) -> None:
        peer = b"p" * 32
        number = self.offered()
        self.assertEqual([(peer, True)], self.admitted)
        self.told(offer(PLAN))
        self.assertEqual([(peer, True)], self.admitted)
        self.successResultOf(Deferred.fromCoroutine(self.receiver.cancel(number, "")))
        self.assertEqual([(peer, True), (peer, False)], self.admitted)

    def test_what_has_come_is_counted_by_what_was_seen_right_since_the_restart(self) -> None:
        number = self.planned()
        self.told(self.part(1))
        row = self.store.get(number)
        assert row is not None
        self.assertEqual(PART, self.receiver.done(row))
        PartFile(self.home, number).write(PART, b"!")
        self.restart()
        self.assertEqual(PART, self.receiver.done(row))
        self.told(offer(PLAN))
        self.assertEqual(0, self.receiver.done(row))

    def test_its_sender_gives_it_up_and_nothing_of_it_stays(self) -> None:
        number = self.planned()
        self.told(self.part(1))
        self.assertEqual(FileForgotten(), self.told(FileCancel(id=ID)))
        row = self.store.get(number)
        assert row is not None
        self.assertEqual(("cancelled", "its sender cancelled it"), (row.state, row.why))
        self.assertEqual([], list(self.home.glob("*.part")))
        self.assertEqual(FileForgotten(), self.told(FileCancel(id=ID)))
        self.assertEqual(row, self.store.get(number))

    def test_a_sender_is_a_stranger_again_when_all_of_it_is_there(self) -> None:
        self.planned()
        for index in range(PLAN.count):
            self.told(self.part(index))
        self.told(offer(PLAN))
        self.assertEqual([(b"p" * 32, True), (b"p" * 32, False)], self.admitted)

    def test_a_sender_of_two_files_is_admitted_until_both_have_ended(self) -> None:
        first = self.offered()
        other = plan(b"other", "b")
        waiting = self.ask(offer(other, id=b"j" * 16))
        self.take()
        self.successResultOf(waiting)
        self.successResultOf(Deferred.fromCoroutine(self.receiver.cancel(first, "")))
        self.assertNotIn((b"p" * 32, False), self.admitted)


class OwnerTests(ReceiveCase):
    """Who decides."""

    def test_an_offer_waits_for_its_owner_and_is_answered_when_he_decides(self) -> None:
        waiting, again = self.ask(offer(PLAN)), self.ask(offer(PLAN))
        self.clock.advance(19)
        self.assertNoResult(waiting)
        self.take()
        for asked in (waiting, again):
            self.assertEqual(FileStage.PLANNING, self.successResultOf(asked).stage)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_an_owner_who_does_not_look_is_waited_for_again(self) -> None:
        waiting = self.ask(offer(PLAN))
        self.clock.advance(20)
        self.assertEqual(FileStand(stage=FileStage.WAITING), self.successResultOf(waiting))
        self.assertEqual({}, self.receiver._waiting)

    def test_an_owner_who_refuses_is_believed_at_once_and_for_good(self) -> None:
        waiting = self.ask(offer(PLAN))
        number = self.store.open()[0].number
        self.successResultOf(Deferred.fromCoroutine(self.receiver.cancel(number, "its owner cancelled it")))
        self.assertEqual(FileRefusal.CANCELLED, self.failureResultOf(waiting).value.code)
        self.assertEqual(FileRefusal.CANCELLED, self.refused(offer(PLAN)))
        self.assertEqual(FileRefusal.CANCELLED, self.refused(self.part(0)))
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(self.receiver.take(number, self.into))))

    def test_nothing_comes_before_the_owner_takes_it(self) -> None:
        self.ask(offer(PLAN))
        self.assertEqual(FileRefusal.UNKNOWN, self.refused(self.part(0)))
        self.assertEqual(FileRefusal.UNKNOWN, self.refused(FilePlanPiece(id=ID, index=0, data=b"x")))
        self.assertEqual([], list(self.home.glob("*.part")))

    def test_cancelling_removes_what_came_and_a_part_that_was_on_its_way_brings_nothing_back(self) -> None:
        number = self.planned()
        held: list[Any] = []
        waiting: Deferred[Any] = Deferred()
        self.worker = lambda work: held.append(work) or waiting
        late = self.ask(self.part(0))
        self.successResultOf(Deferred.fromCoroutine(self.receiver.cancel(number, "")))
        try:
            waiting.callback(held[0]())
        except StoreError:
            waiting.errback()
        self.assertEqual(FileRefusal.NO_ROOM, self.failureResultOf(late).value.code)
        self.assertEqual([], list(self.home.glob("*.part")))

    def slow_end(self) -> tuple[int, list[Any], Deferred[Any]]:
        """All parts are here, and the disk takes its time to name the file: number, that work, and when it is done."""
        number = self.planned()
        for index in range(PLAN.count):
            self.told(self.part(index))
        work: list[Any] = []
        slow: Deferred[Any] = Deferred()
        self.worker = lambda job: work.append(job) or slow
        return number, work, slow

    def test_a_file_asked_for_twice_at_its_end_is_named_once(self) -> None:
        _, work, slow = self.slow_end()
        asked = [self.ask(offer(PLAN)) for _ in range(3)]
        self.worker = maybeDeferred
        slow.callback(work[0]())
        for one in asked:
            self.assertEqual(FileStage.DONE, self.successResultOf(one).stage)
        self.assertEqual((1, {"a.bin": DATA}), (len(work), self.lies()))

    def test_an_owner_who_cancels_at_the_last_moment_is_not_told_to_have_it(self) -> None:
        number, work, slow = self.slow_end()
        asked = self.ask(offer(PLAN))
        path = work[0]()
        self.successResultOf(Deferred.fromCoroutine(self.receiver.cancel(number, "")))
        slow.callback(path)
        self.assertEqual(FileRefusal.CANCELLED, self.failureResultOf(asked).value.code)
        self.assertEqual([], list(self.home.glob("*.part")))

    def test_parts_that_a_killed_process_left_of_what_has_ended_are_swept(self) -> None:
        number = self.planned()
        self.successResultOf(Deferred.fromCoroutine(self.receiver.cancel(number, "")))
        PartFile(self.home, number).make(9)
        (self.home / "notes.part").touch()
        self.receiver.sweep()
        self.assertEqual(["notes.part"], [path.name for path in self.home.glob("*.part")])

    def test_sweeping_leaves_what_still_comes(self) -> None:
        number = self.planned()
        self.receiver.sweep()
        self.assertTrue(PartFile(self.home, number).path.exists())


class AttackTests(ReceiveCase):
    """Senders that lie."""

    def test_a_part_that_does_not_fit_the_plan_is_refused_and_leaves_nothing(self) -> None:
        number = self.planned()
        for wrong in (b"", bytes(PART), DATA[1 : PART + 1], DATA[: PART - 1], DATA[: PART + 1]):
            self.assertEqual(FileRefusal.WRONG, self.refused(self.part(0, wrong)))
        self.assertEqual(FileRefusal.WRONG, self.refused(self.part(1, DATA[:PART])))
        for index in (PLAN.count, 2**32 - 1):
            self.assertEqual(FileRefusal.UNKNOWN, self.refused(self.part(index, b"x")))
        self.assertEqual(bytes(len(DATA)), PartFile(self.home, number).path.read_bytes())
        self.assertEqual([], self.have())

    def test_a_plan_that_does_not_fit_the_root_is_refused_and_the_right_one_still_taken(self) -> None:
        self.offered()
        wrong = bytearray(PLAN.encode())
        wrong[-10] ^= 1
        self.told(FilePlanPiece(id=ID, index=0, data=bytes(wrong[:PART])))
        self.assertEqual(FileRefusal.WRONG, self.refused(FilePlanPiece(id=ID, index=1, data=bytes(wrong[PART:]))))
        stand = self.told(offer(PLAN))
        self.assertEqual((FileStage.PLANNING, b"\0"), (stand.stage, stand.here))
        for index in range(2):
            self.told(FilePlanPiece(id=ID, index=index, data=PLAN.encode()[index * PART : (index + 1) * PART]))
        self.assertEqual([], self.have())

    def test_a_plan_of_another_file_than_was_offered_is_refused(self) -> None:
        other = plan(DATA, "b.bin").encode()
        self.offered()
        self.told(FilePlanPiece(id=ID, index=0, data=other[:PART]))
        self.assertEqual(FileRefusal.WRONG, self.refused(FilePlanPiece(id=ID, index=1, data=other[PART:])))

    def test_pieces_that_are_no_plan_at_all_are_refused(self) -> None:
        self.offered()
        self.told(FilePlanPiece(id=ID, index=0, data=bytes(PART)))
        last = FilePlanPiece(id=ID, index=1, data=PLAN.encode()[PART:])
        self.assertEqual(FileRefusal.WRONG, self.refused(last))

    def test_pieces_of_a_wrong_length_or_place_are_refused(self) -> None:
        self.offered()
        for index, size in ((0, PART - 1), (0, PART + 1), (0, 0), (1, PART), (2, 1), (2, 0), (2**32 - 1, PART)):
            self.assertEqual(FileRefusal.WRONG, self.refused(FilePlanPiece(id=ID, index=index, data=bytes(size))))

    def test_offers_that_no_honest_sender_makes_are_refused_without_a_row(self) -> None:
        for change, code in (
            ({"name": "../x"}, RefusalCode.BAD_BODY), ({"name": ""}, RefusalCode.BAD_BODY),
            ({"name": ".x"}, RefusalCode.BAD_BODY), ({"name": "a\0b"}, RefusalCode.BAD_BODY),
            ({"part": 0}, RefusalCode.BAD_BODY), ({"part": 255}, RefusalCode.BAD_BODY),
            ({"part": 2_000_001}, RefusalCode.BAD_BODY), ({"total": 50 * PART + 1}, FileRefusal.TOO_LARGE),
            ({"total": 2**64 - 1}, FileRefusal.TOO_LARGE),
        ):  # fmt: skip
            self.assertEqual(code, self.refused(offer(PLAN, **change)), change)
        self.assertEqual([], self.store.newest(9))

    def test_an_id_stands_for_one_file(self) -> None:
        self.offered()
        for change in ({"root": bytes(32)}, {"total": 1}, {"part": 257}, {"name": "b"}):
            self.assertEqual(RefusalCode.BAD_BODY, self.refused(offer(PLAN, **change)))
        self.assertEqual(1, len(self.store.newest(9)))

    def test_offers_that_wait_are_bounded_for_one_wallet_and_for_all(self) -> None:
        def other(number: int, source: bytes) -> Any:
            return self.ask(offer(PLAN, id=bytes([number]) * 16), source=source)

        waiting = [other(1, ANN), other(2, ANN)]
        self.assertEqual(FileRefusal.TOO_MANY, self.failureResultOf(other(3, ANN)).value.code)
        waiting += [other(1, CAROL), other(2, CAROL)]
        self.assertEqual(FileRefusal.TOO_MANY, self.failureResultOf(other(1, BOB)).value.code)
        for asked in waiting:
            self.assertNoResult(asked)

    def test_a_third_party_that_knows_the_id_touches_nothing(self) -> None:
        self.planned()
        self.assertEqual(FileRefusal.UNKNOWN, self.refused(self.part(0), source=CAROL))
        self.assertEqual(FileRefusal.UNKNOWN, self.refused(self.part(0), destination=CAROL))
        self.told(FileCancel(id=ID), source=CAROL)
        self.told(FileCancel(id=b"x" * 16))
        self.told(self.part(0))
        self.assertEqual([0], self.have())


class DiskTests(ReceiveCase):
    """Disks that fail."""

    def full(self, *arguments: object) -> None:
        """What a full disk does."""
        raise DiskFull("no room")

    def test_a_file_that_would_fill_the_disk_is_refused_before_a_byte_of_it_comes(self) -> None:
        self.offered()
        data = PLAN.encode()
        self.told(FilePlanPiece(id=ID, index=0, data=data[:PART]))
        last = FilePlanPiece(id=ID, index=1, data=data[PART:])
        with mock.patch.object(files_in, "need_room", self.full):
            self.assertEqual(FileRefusal.NO_ROOM, self.refused(last))
            self.restart()
            self.assertEqual(FileRefusal.NO_ROOM, self.refused(offer(PLAN)))
        self.assertEqual([], list(self.home.glob("*.part")))
        self.told(last)
        self.assertEqual([], self.have())

    def test_a_part_that_cannot_be_written_does_not_count_and_may_come_again(self) -> None:
        self.planned()
        with mock.patch.object(PartFile, "write", self.full):
            self.assertEqual(FileRefusal.NO_ROOM, self.refused(self.part(0)))
        self.assertEqual([], self.have())
        self.told(self.part(0))
        self.assertEqual([0], self.have())

    def test_a_folder_that_went_away_is_told_and_the_parts_stay(self) -> None:
        self.planned()
        for index in range(PLAN.count):
            self.told(self.part(index))
        self.into.rmdir()
        self.assertEqual(FileRefusal.NO_ROOM, self.refused(offer(PLAN)))
        self.into.mkdir()
        self.assertEqual(FileStage.DONE, self.told(offer(PLAN)).stage)
        self.assertEqual({"a.bin": DATA}, self.lies())

    def test_a_long_look_at_the_disk_outlasts_nobody_s_patience(self) -> None:
        self.planned()
        self.told(self.part(0))
        self.restart()
        work: list[Any] = []
        slow: Deferred[Any] = Deferred()
        self.worker = lambda job: work.append(job) or slow
        waiting = self.ask(offer(PLAN))
        self.clock.advance(20)
        self.assertEqual(FileStand(stage=FileStage.CHECKING), self.successResultOf(waiting))
        second = self.ask(offer(PLAN))
        self.worker = lambda job: work.append(job) or maybeDeferred(job)
        slow.callback(work[0]())
        self.assertEqual(FileStage.TAKING, self.successResultOf(second).stage)
        self.assertEqual(3, len(work), "planned once, made once, looked at once")
        self.assertEqual([0], self.have())

    def test_a_look_that_fails_when_nobody_waits_any_more_is_logged_and_a_refusal_is_not(self) -> None:
        number = self.planned()
        self.restart()
        for failure, logged in ((ZeroDivisionError(), 1), (Refused(1), 0)):
            slow: Deferred[Any] = Deferred()
            self.worker = lambda job, slow=slow: slow
            self.ask(offer(PLAN))
            self.clock.advance(20)
            slow.errback(failure)
            self.assertEqual(logged, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.worker = maybeDeferred
        self.assertEqual([], self.have())
        self.assertEqual("going", self.store.get(number).state)  # type: ignore[union-attr]

    def test_what_is_logged_names_the_disk_and_the_sender_hears_few_words(self) -> None:
        self.planned()
        told: list[str] = []
        self.receiver._log = mock.Mock(error=lambda text, why: told.append(why))
        with mock.patch.object(PartFile, "write", side_effect=StoreError("/secret/path: Input/output error")):
            failures = [self.failureResultOf(self.ask(self.part(0))) for _ in range(3)]
        self.assertNotIn("secret", str(failures[0].value))
        self.assertEqual(["/secret/path: Input/output error"], told)

    def test_its_owner_sees_what_is_wrong_until_it_is_right_again(self) -> None:
        number = self.planned()
        with mock.patch.object(PartFile, "write", self.full):
            self.refused(self.part(0))
        self.assertEqual("RHO-1113", self.receiver.problems[number].code)
        self.told(self.part(0))
        self.assertEqual({}, self.receiver.problems)


class NoiseTests(ReceiveCase):
    """Anything in any order."""

    def test_whatever_is_said_in_whatever_order_the_file_is_right_or_not_there(self) -> None:
        chance = random.Random(int(os.environ.get("RHO_SEED", "5")))
        self.offered()
        data = PLAN.encode()
        for _ in range(500):
            index = chance.randrange(PLAN.count + 1)
            right = DATA[index * PART : (index + 1) * PART]
            piece = chance.randrange(3)
            said = chance.choice((
                offer(PLAN), self.part(index, right), self.part(index, chance.randbytes(PART)), self.part(index, b""),
                FilePlanPiece(id=ID, index=piece, data=data[piece * PART : (piece + 1) * PART]),
                FilePlanPiece(id=ID, index=piece, data=chance.randbytes(min(PART, 200))),
            ))  # fmt: skip
            self.ask(said).addErrback(lambda failure: None)
            if chance.random() < 0.02:
                self.restart()
            self.assertIn(self.lies(), ({}, {"a.bin": DATA}))
        self.assertEqual({"a.bin": DATA}, self.lies())
