"""A file on its way out, to a receiver that is there, is away for a while, refuses, or lies."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, fail

from rhotwist.errors import (
    HandlerFailed,
    NotSpoken,
    OperatorError,
    Overloaded,
    Refused,
    SessionLost,
    TimedOut,
    Unreachable,
)
from rhotwist.link.messages import RefusalCode
from rhotwist.service.files_out import Sender
from rhotwist.service.messages import FileOffer, FilePart, FilePlanPiece, FileRefusal, FileStage, FileStand
from rhotwist.store.source import Source
from rhotwist.store.transfers import Transfer
from tests.service.files import ANN, BOB, ID, LIMITS, PART, EndCase

DATA = random.Random(4).randbytes(20 * PART + 9)


class SendCase(EndCase):
    """Ann's sender and Bob's receiver, in one process."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.home / "a.bin"
        self.path.write_bytes(DATA)
        self.asked: list[Any] = []
        self.patience: list[float] = []
        self.at_once = self.most_at_once = 0
        self.faults: list[Exception | None] = []
        self.answer: Callable[[Any], Deferred[Any]] = self.ask
        self.lanes = DeferredSemaphore(2)
        self.limits = LIMITS

    def carry(self, body: Any, timeout: float, progress: Callable[[int, int], None]) -> Deferred[Any]:
        """What the net does: hand over, or fail as told."""
        self.asked.append(body)
        self.patience.append(timeout)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            return fail(fault)
        self.progress = progress
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)

        def over(result: Any) -> Any:
            self.at_once -= 1
            return result

        return self.answer(body).addBoth(over)

    def sender(self) -> Sender:
        """One that has not begun."""
        source = Source(self.path)
        rows = [row for row in self.store.open() if row.outgoing]
        self.row: Transfer = rows[0] if rows else self.successResultOf(self.world.soon(self.store.send(
            source.plan(PART), ID, ANN, BOB, place=str(self.path), at="there", begun=1
        )))  # fmt: skip
        return Sender(self.store, self.row, source, self.carry, limits=self.limits, world=self.world, lanes=self.lanes)

    def run_it(self, sender: Sender | None = None) -> Deferred[None]:
        """Its life."""
        self.made = sender or self.sender()
        return Deferred.fromCoroutine(self.made.run())

    def whole(self) -> None:
        """Send all of it."""
        running = self.run_it()
        self.take()
        self.successResultOf(running)

    def stopped(self, running: Deferred[Any], code: str, state: str = "paused") -> OperatorError:
        """The error that ended it, which the row tells too."""
        error = self.failureResultOf(running, OperatorError).value
        row = self.store.get(self.row.number)
        assert row is not None
        self.assertEqual((code, state, error.why), (error.code, row.state, row.why))
        return error  # type: ignore[no-any-return]

    def parts(self) -> list[int]:
        """The parts that were sent, in order."""
        return [body.index for body in self.asked if isinstance(body, FilePart)]


class WayTests(SendCase):
    """When nothing breaks."""

    def test_it_is_offered_planned_sent_in_order_and_asked_after(self) -> None:
        self.whole()
        self.assertEqual({"a.bin": DATA}, self.lies())
        self.assertEqual(list(range(21)), self.parts())
        kinds = [type(body) for body in self.asked]
        self.assertEqual([FileOffer, *[FilePlanPiece] * 4, FileOffer, *[FilePart] * 21, FileOffer], kinds)
        row = self.store.get(self.row.number)
        assert row is not None
        self.assertEqual(("done", len(DATA)), (row.state, row.done))

    def test_no_more_than_two_are_under_way_whatever_else_goes_there(self) -> None:
        waiting: list[Deferred[None]] = []

        def slow(body: Any) -> Deferred[Any]:
            gate: Deferred[None] = Deferred()
            waiting.append(gate)
            return gate.addCallback(lambda _: self.ask(body))

        running = self.run_it()
        self.take()
        self.answer = slow
        other = self.run_it(Sender(
            self.store, self.row, Source(self.path), self.carry, limits=LIMITS, world=self.world, lanes=self.lanes
        ))  # fmt: skip
        while waiting:
            waiting.pop(0).callback(None)
        self.successResultOf(running)
        self.assertLessEqual(self.most_at_once, 3, "two parts, and the question of the other one how far it is")
        other.addErrback(lambda _: None)

    def test_what_is_acknowledged_of_a_part_counts_before_the_part_does(self) -> None:
        running = self.run_it()
        self.answer = lambda body: Deferred() if isinstance(body, FilePart) else self.ask(body)
        self.take()
        self.assertNoResult(running)
        self.assertEqual(0, self.made.done)
        self.progress(100, 200)
        self.assertEqual(PART // 2, self.made.done)
        self.progress(200, 200)
        self.assertEqual(PART - 1, self.made.done)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(0, self.made.done)

    def test_when_one_lane_fails_the_other_is_withdrawn(self) -> None:
        gone: list[Any] = []

        def answer(body: Any) -> Deferred[Any]:
            if isinstance(body, FilePart):
                return Deferred(gone.append) if body.index == 0 else fail(SessionLost(""))
            return self.ask(body)

        running = self.run_it()
        self.answer = answer
        self.take()
        self.assertEqual((1, 0), (len(gone), self.at_once))
        self.answer = self.ask
        self.clock.advance(1.0)
        self.successResultOf(running)

    def test_what_the_receiver_has_is_noted_whatever_we_knew(self) -> None:
        self.answer = lambda body: Deferred() if isinstance(body, FilePart) and body.index >= 8 else self.ask(body)
        running = self.run_it()
        self.take()
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.store.set_have(self.row.number, 0).result(10)
        again = self.run_it()
        row = self.store.get(self.row.number)
        assert row is not None
        self.assertEqual((8 * PART, 8 * PART), (row.done, self.made.done))
        again.cancel()
        self.failureResultOf(again, CancelledError)

    def test_what_is_there_is_noted_and_counted_part_by_part(self) -> None:
        self.answer = lambda body: Deferred() if isinstance(body, FilePart) and body.index >= 8 else self.ask(body)
        running = self.run_it()
        self.take()
        row = self.store.get(self.row.number)
        assert row is not None
        self.assertEqual(("going", 8 * PART, 8 * PART), (row.state, row.done, self.made.done))
        running.cancel()
        self.failureResultOf(running, CancelledError)

    def test_the_file_is_let_go_at_the_end_however_that_comes(self) -> None:
        self.whole()
        self.assertEqual(-1, self.made._source._fd)

    def test_an_offer_has_the_patience_that_its_receiver_uses_up(self) -> None:
        self.run_it()
        self.assertEqual([LIMITS.file_hold + LIMITS.request_timeout], self.patience)

    def test_cancelling_withdraws_what_is_under_way(self) -> None:
        gone: list[Any] = []
        self.answer = lambda body: Deferred(gone.append)
        running = self.run_it()
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(1, len(gone))


class BreakTests(SendCase):
    """When something does."""

    def test_what_passes_is_met_with_pauses_that_double_and_the_rest_is_sent(self) -> None:
        self.answer = lambda body: fail(SessionLost("gone")) if isinstance(body, FilePart) and body.index == 7 else (
            self.ask(body))  # fmt: skip
        running = self.run_it()
        self.take()
        pauses = []
        for _ in range(6):
            [call] = self.clock.getDelayedCalls()
            pauses.append(call.getTime() - self.clock.seconds())
            if len(pauses) == 6:
                self.answer = self.ask
            self.clock.advance(pauses[-1])
        self.successResultOf(running)
        self.assertEqual(1.0, pauses[0])
        self.assertTrue(all(pause in (1.0, 2.0, 4.0, 8.0) for pause in pauses))
        self.assertEqual({"a.bin": DATA}, self.lies())

    def test_whatever_may_pass_is_tried_again(self) -> None:
        for error in (
            SessionLost(""), TimedOut(""), Unreachable(""), Overloaded(RefusalCode.OVERLOADED),
            HandlerFailed(RefusalCode.HANDLER_FAILED), Refused(RefusalCode.NOT_HERE), Refused(RefusalCode.NO_ROOM),
            Refused(FileRefusal.UNKNOWN),
        ):  # fmt: skip
            self.faults = [None, error]
            running = self.run_it()
            self.take()
            self.assertNoResult(running)
            self.clock.advance(1.0)
            self.successResultOf(running)
            self.tearDown()
            self.doCleanups()
            self.setUp()

    def test_when_nothing_comes_of_it_for_long_it_is_paused_with_the_reason(self) -> None:
        self.faults = [None] + [TimedOut("no answer")] * 99
        running = self.run_it()
        self.take()
        while not running.called:
            self.clock.advance(1.0)
        error = self.stopped(running, "RHO-2307")
        self.assertIn("no answer", error.why)
        self.assertIn(f"rho resume {self.row.number}", error.hint)
        self.assertGreaterEqual(self.clock.seconds(), LIMITS.file_patience)
        self.assertLess(self.clock.seconds(), LIMITS.file_patience + 10)

    def test_as_long_as_something_moves_it_goes_on(self) -> None:
        def flaky(body: Any) -> Deferred[Any]:
            failing = isinstance(body, FilePart) and len(self.parts()) % 3 == 0
            return fail(TimedOut("")) if failing else self.ask(body)

        self.limits = attrs.evolve(LIMITS, file_patience=3.0)
        running = self.run_it()
        self.answer = flaky
        self.take()
        pauses = []
        while not running.called:
            [call] = self.clock.getDelayedCalls()
            pauses.append(call.getTime() - self.clock.seconds())
            self.clock.advance(pauses[-1])
        self.successResultOf(running)
        self.assertEqual([1.0] * 4, pauses[:4], "they begin anew when something arrived")
        self.assertGreater(self.clock.seconds(), 2 * 3.0)

    def test_a_part_that_comes_slowly_is_no_standstill(self) -> None:
        part: list[Deferred[Any]] = []

        def slow(body: Any) -> Deferred[Any]:
            if not isinstance(body, FilePart):
                return self.ask(body)
            part.append(Deferred())
            return part[-1]

        running = self.run_it()
        self.answer = slow
        self.take()
        for acknowledged in (50, 100, 150):
            self.clock.advance(100.0)
            self.progress(acknowledged, 200)
        self.answer = self.ask
        part[0].errback(TimedOut(""))
        self.assertNoResult(running)
        self.clock.advance(1.0)
        self.successResultOf(running)

    def test_a_receiver_who_was_never_there_is_told_at_once(self) -> None:
        self.faults = [Unreachable("nobody")]
        self.stopped(self.run_it(), "RHO-2307")
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_refusals_that_no_patience_mends_stop_it(self) -> None:
        for error, code, state, why in (
            (Refused(FileRefusal.CANCELLED, "no"), "RHO-2309", "cancelled", "does not want it"),
            (Refused(FileRefusal.NO_ROOM, "disk full"), "RHO-2307", "paused", 'the receiver said "disk full"'),
            (Refused(FileRefusal.WRONG, "\x1b[31m"), "RHO-2307", "paused", "x1b"),
            (Refused(RefusalCode.TOO_BIG, "too big"), "RHO-2307", "paused", "too big"),
            (NotSpoken(RefusalCode.NOT_SPOKEN), "RHO-2307", "paused", "does not speak"),
        ):  # fmt: skip
            self.faults = [error]
            self.assertIn(why, self.stopped(self.run_it(), code, state).why)
            self.doCleanups()
            self.setUp()

    def test_it_goes_on_where_it_was_after_a_restart_of_both(self) -> None:
        self.answer = lambda body: Deferred() if isinstance(body, FilePart) and body.index >= 8 else self.ask(body)
        running = self.run_it()
        number = self.take()
        self.assertNoResult(running)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.restart()
        self.asked, self.answer = [], self.ask
        again = self.run_it()
        self.successResultOf(again)
        self.assertEqual(list(range(8, 21)), self.parts())
        self.assertEqual({"a.bin": DATA}, self.lies())
        self.assertEqual("done", self.store.get(number).state)  # type: ignore[union-attr]

    def test_a_plan_that_is_lost_is_told(self) -> None:
        sender = self.sender()
        self.store.plan = lambda number: None  # type: ignore[method-assign]
        self.stopped(self.run_it(sender), "RHO-2304")

    def test_a_file_that_changed_is_paused_with_the_reason(self) -> None:
        sender = self.sender()
        self.path.write_bytes(DATA[:-1] + b"!")
        running = self.run_it(sender)
        self.take()
        self.assertIn("part 21 of 21", self.stopped(running, "RHO-2302").why)
        self.path.write_bytes(DATA[:-1])
        self.assertIn("has 5128", self.stopped(self.run_it(), "RHO-2302").why)


class LieTests(SendCase):
    """Receivers that say anything."""

    def test_bits_of_another_count_stop_it(self) -> None:
        for stage in (FileStage.TAKING, FileStage.PLANNING):
            for here in (b"", b"\xff" * 9):
                stand = FileStand(stage=stage, here=here)
                self.answer = lambda body, stand=stand: _now(stand)
                self.assertIn("another version", self.stopped(self.run_it(), "RHO-2307").why)

    def test_a_stage_that_nobody_knows_is_no_loop_without_end(self) -> None:
        self.answer = lambda body: _now(FileStand(stage=99))
        self.assertIn("another version", self.stopped(self.run_it(), "RHO-2307").why)

    def test_a_receiver_that_has_all_and_is_never_done_is_asked_with_pauses_and_given_up(self) -> None:
        self.answer = lambda body: _now(FileStand(stage=FileStage.TAKING, here=b"\xff\xff\x1f"))
        running = self.run_it()
        while not running.called:
            self.clock.advance(1.0)
        self.stopped(running, "RHO-2307")
        self.assertLess(len(self.asked), 60)

    def test_waiting_answered_at_once_is_asked_again_with_pauses(self) -> None:
        self.answer = lambda body: _now(FileStand(stage=FileStage.WAITING))
        running = self.run_it()
        for _ in range(300):
            self.clock.advance(1.0)
        self.assertNoResult(running)
        self.assertLess(len(self.asked), 50)


def _now(stand: FileStand) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    done.callback(stand)
    return done


