"""Outcomes: one for each request, and coroutines that wait for them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import TimedOut
from rhotwist.testing.outcome import NotSettled, Outcome, SettledTwice, drive, whenever


class OutcomeTests(SynchronousTestCase):
    """Holders of what became of a request."""

    def setUp(self) -> None:
        self.outcome: Outcome[Any] = Outcome("a question", 2.0)

    def test_without_an_outcome_there_is_neither_reply_nor_failure(self) -> None:
        self.assertFalse(self.outcome.settled)
        self.assertIn("a question", str(self.assertRaises(NotSettled, self.outcome.result)))
        self.assertRaises(NotSettled, lambda: self.outcome.took)

    def test_a_reply_is_the_result(self) -> None:
        self.outcome.settle(5.0, "yes")
        self.assertEqual(("yes", "yes", None, 3.0), (
            self.outcome.result(), self.outcome.reply, self.outcome.failure, self.outcome.took,
        ))  # fmt: skip

    def test_an_exception_is_a_failure_and_is_raised(self) -> None:
        self.outcome.settle(5.0, TimedOut("no answer within 3 s"))
        self.assertRaises(TimedOut, self.outcome.result)
        self.assertIsInstance(self.outcome.failure, TimedOut)

    def test_a_second_outcome_raises_and_the_first_stands(self) -> None:
        self.outcome.settle(5.0, "yes")
        error = self.assertRaises(SettledTwice, self.outcome.settle, 6.0, "no")
        self.assertIn("'yes' at 5.0 s, then 'no' at 6.0 s", str(error))
        self.assertEqual("yes", self.outcome.result())

    def test_none_is_a_reply_like_any_other(self) -> None:
        self.outcome.settle(5.0, None)
        self.assertTrue(self.outcome.settled)
        self.assertRaises(SettledTwice, self.outcome.settle, 6.0, None)

    def test_watchers_are_told_once_before_or_after(self) -> None:
        told: list[str] = []
        self.outcome.watch(lambda outcome: told.append("before"))
        self.outcome.settle(5.0, "yes")
        self.outcome.watch(lambda outcome: told.append("after"))
        self.assertEqual(["before", "after"], told)

    def test_it_tells_what_it_is(self) -> None:
        self.assertEqual("<a question: no outcome yet>", repr(self.outcome))
        self.outcome.settle(5.0, "yes")
        self.assertEqual("<a question: reply 'yes'>", repr(self.outcome))


class DriveTests(SynchronousTestCase):
    """Coroutines run on outcomes, and on Deferreds, without a reactor."""

    def test_a_coroutine_waits_for_outcomes_and_for_deferreds(self) -> None:
        outcome: Outcome[int] = Outcome("one", 0.0)
        deferred: Deferred[int] = Deferred()

        async def both() -> int:
            return await outcome + await deferred

        results: list[Any] = []
        drive(both(), results.append)
        outcome.settle(1.0, 40)
        self.assertEqual([], results)
        deferred.callback(2)
        self.assertEqual([42], results)

    def test_a_failure_is_raised_where_it_is_awaited(self) -> None:
        outcome: Outcome[int] = Outcome("one", 0.0)
        deferred: Deferred[int] = Deferred()

        async def forgiving() -> str:
            caught = []
            for waited in (outcome, deferred):
                try:
                    await waited
                except TimedOut as error:
                    caught.append(str(error))
            return " and ".join(caught)

        results: list[Any] = []
        drive(forgiving(), results.append)
        outcome.settle(1.0, TimedOut("this"))
        deferred.errback(TimedOut("that"))
        self.assertEqual(["this and that"], results)

    def test_what_a_coroutine_raises_is_handed_on(self) -> None:
        async def broken() -> None:
            raise KeyError("x")

        results: list[Any] = []
        drive(broken(), results.append)
        self.assertIsInstance(results[0], KeyError)

    def test_whenever_takes_values_outcomes_deferreds_and_coroutines(self) -> None:
        async def coroutine() -> int:
            return 4

        settled: Outcome[int] = Outcome("two", 0.0)
        failed: Outcome[int] = Outcome("failed", 0.0)
        broken: Deferred[int] = Deferred()
        fired: Deferred[int] = Deferred()
        results: list[Any] = []
        for given in (1, settled, fired, coroutine(), failed, broken):
            whenever(given, results.append)
        settled.settle(0.0, 2)
        fired.callback(3)
        failed.settle(0.0, TimedOut("five"))
        broken.errback(KeyError("six"))
        self.assertEqual([1, 4, 2, 3], results[:4])
        self.assertEqual([TimedOut, KeyError], [type(error) for error in results[4:]])
