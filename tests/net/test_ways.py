"""One place after another, by a clock that stands still."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import NotProven, OperatorError, Refused, RequestFailed, SessionLost, TimedOut, Unreachable
from rhotwist.net.requests import Withdrawn
from rhotwist.net.ways import BRIEF, PATIENCE, Ways


class WaysTests(SynchronousTestCase):
    """Peers are their names; who has a session stands in ``stands``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.places = ["first", "second"]
        self.stands: set[Any] = set()
        self.found: list[bool] = []
        self.asked: list[tuple[Any, float]] = []
        self.under_way: list[Deferred[str]] = []
        self.ways = self.made()

    def made(self) -> Ways:
        """Ways to the places of now."""

        def find(first: bool) -> list[Any]:
            self.found.append(first)
            return list(self.places)

        return Ways(
            find, lambda peer: peer in self.stands, mono=self.clock.seconds,
            later=lambda seconds: deferLater(self.clock, seconds, lambda: None),
        )  # fmt: skip

    def fire(self, peer: Any, left: float) -> Deferred[str]:
        """A question under way."""
        asking: Deferred[str] = Deferred(lambda one: one.errback(Withdrawn("withdrawn")))
        self.asked.append((peer, left))
        self.under_way.append(asking)
        return asking

    def ask(self, timeout: float = 30.0) -> Deferred[str]:
        """Ask."""
        return self.ways.ask(self.fire, timeout)

    def fails(self, error: RequestFailed) -> None:
        """The last question fails."""
        self.under_way[-1].errback(error)

    def whom(self) -> list[Any]:
        """Who was asked."""
        return [peer for peer, _ in self.asked]

    def test_the_best_is_asked_and_where_he_answers_he_is_asked_again(self) -> None:
        asking = self.ask()
        self.under_way[0].callback("here")
        self.assertEqual("here", self.successResultOf(asking))
        self.ask()
        self.fails(Unreachable("no"))
        self.under_way[-1].callback("here")
        self.ask()
        self.assertEqual(["first", "first", "second", "second"], self.whom())
        self.assertEqual([True], self.found)

    def test_where_none_proves_his_key_the_next_is_asked_with_the_time_that_is_left(self) -> None:
        asking = self.ask(30.0)
        self.clock.advance(PATIENCE)
        self.assertEqual([("first", 30.0), ("second", 27.0)], self.asked)
        self.assertTrue(self.under_way[0].called)
        self.under_way[1].callback("here")
        self.assertEqual("here", self.successResultOf(asking))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_a_session_that_stands_is_given_all_the_time(self) -> None:
        self.ask(30.0)
        self.stands.add("first")  # it has come
        self.clock.advance(20.0)
        self.ask(30.0)
        self.clock.advance(20.0)
        self.assertEqual(["first", "first"], self.whom())

    def test_one_place_is_given_all_the_time(self) -> None:
        self.places = ["first"]
        self.ways = self.made()
        asking = self.ask(30.0)
        self.clock.advance(29.0)
        self.assertNoResult(asking)
        self.fails(Unreachable("nobody"))
        self.assertEqual("nobody", str(self.failureResultOf(asking, Unreachable).value))

    def test_they_are_asked_in_turn_until_the_time_is_over(self) -> None:
        asking = self.ask(10.0)
        for _ in range(101):
            self.clock.advance(BRIEF / 2)
        self.assertEqual(["first", "second", "first"], self.whom()[:3])
        self.assertLessEqual(self.asked[-1][1], BRIEF)
        self.fails(TimedOut("no answer"))
        self.failureResultOf(asking, TimedOut)
        self.assertEqual([True, False], self.found[:2])

    def test_who_is_not_there_may_be_at_the_next_and_that_he_is_not_is_told_before_silence(self) -> None:
        asking = self.ask()
        self.fails(NotProven("not unlocked"))
        self.fails(Unreachable("nobody"))
        self.failureResultOf(asking, NotProven)
        self.assertEqual(["first", "second"], self.whom())

    def test_what_he_refuses_he_refuses(self) -> None:
        asking = self.ask()
        self.fails(Refused(77, "no"))
        self.failureResultOf(asking, Refused)
        self.assertEqual(["first"], self.whom())

    def test_a_lost_session_fails_the_question_and_the_next_goes_to_the_next(self) -> None:
        first, other = self.ask(), self.ask()
        for asking in self.under_way[:]:
            asking.errback(SessionLost("gone"))
        self.failureResultOf(first, SessionLost)
        self.failureResultOf(other, SessionLost)
        self.ask()
        self.assertEqual(["first", "first", "second"], self.whom())

    def test_when_all_have_failed_he_is_looked_for_anew_but_not_before_he_is_asked(self) -> None:
        asking = self.ask()
        self.fails(Unreachable("no"))
        self.fails(Unreachable("no"))
        self.failureResultOf(asking, Unreachable)
        self.assertEqual([True], self.found)
        self.places = ["elsewhere"]
        self.ask()
        self.assertEqual(("elsewhere", [True, False]), (self.whom()[-1], self.found))

    def test_who_is_not_found_any_more_is_told(self) -> None:
        asking = self.ask()
        self.places = []
        self.ways._find = lambda first: (_ for _ in ()).throw(OperatorError("X", "gone", "", "", 1))
        self.fails(SessionLost("gone"))
        self.failureResultOf(asking, SessionLost)
        self.ways._round = True
        self.failureResultOf(self.ask(), OperatorError)

    def test_who_withdraws_it_withdraws_it(self) -> None:
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking, Withdrawn)
        self.clock.advance(60.0)
        self.assertEqual((["first"], []), (self.whom(), self.clock.getDelayedCalls()))
