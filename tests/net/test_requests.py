"""The Deferreds of requests: each fires once, whatever comes first."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import Cancelled, RequestFailed, SessionLost, TimedOut
from rhotwist.event.pending import Event
from rhotwist.net.driver import Driver
from rhotwist.net.requests import Requests
from rhotwist.node import jobs
from tests.net.fakes import FakeCore, FakeReactor, Time


def event(hashcode: int = 1) -> Event:
    return Event(b"p" * 32, hashcode, b"h" * 32, 130.0)


class RequestsTests(SynchronousTestCase):
    """Requests on a fake core."""

    def setUp(self) -> None:
        self.core, self.reactor = FakeCore(), FakeReactor()
        self.driver = Driver(self.core, self.reactor, counters={}, now=Time().now)
        self.requests = Requests(self.core, self.driver)

    def outcome(self, fired: Event, outcome: object) -> None:
        self.core.todo.append(jobs.Fired(fired, outcome))
        self.driver.settle()

    def test_a_reply_fires_it(self) -> None:
        one, two = event(1), event(2)
        first, second = self.requests.wait(one), self.requests.wait(two)
        self.outcome(two, "reply")
        self.assertEqual(self.successResultOf(second), "reply")
        self.assertNoResult(first)
        self.assertEqual(len(self.requests), 1)

    def test_a_failure_fails_it(self) -> None:
        one = event()
        waiting = self.requests.wait(one)
        self.outcome(one, TimedOut("no reply"))
        self.failureResultOf(waiting, TimedOut)

    def test_cancelling_withdraws_it_and_a_late_outcome_finds_nobody(self) -> None:
        one = event()
        waiting = self.requests.wait(one)
        waiting.cancel()
        failure = self.failureResultOf(waiting, Cancelled)
        self.assertTrue(failure.check(CancelledError) and failure.check(RequestFailed))
        self.assertEqual((self.core.cancelled, self.core.emptied), ([one], 1))
        self.outcome(one, "late")
        waiting.cancel()
        self.assertEqual((self.core.cancelled, len(self.requests)), ([one], 0))

    def test_twisteds_own_timeout_works_on_it(self) -> None:
        waiting = self.requests.wait(event()).addTimeout(3, self.reactor)
        self.reactor.advance(3)
        self.failureResultOf(waiting, TimeoutError)

    def test_ten_thousand_requests_each_made_by_the_reply_to_the_one_before_need_no_deep_stack(self) -> None:
        fired: list[int] = []

        def again(reply: Any) -> None:
            fired.append(reply)
            if reply < 10_000:
                one = event(reply + 1)
                self.requests.wait(one).addCallback(again)
                self.core.todo.append(jobs.Fired(one, reply + 1))
                self.driver.settle()

        again(0)
        while self.reactor.getDelayedCalls() and len(fired) < 10_001:
            self.reactor.advance(0)
        self.assertEqual(fired, list(range(10_001)))

    def test_closing_fails_what_waits(self) -> None:
        waiting: list[Deferred[Any]] = [self.requests.wait(event(at)) for at in range(1, 1001)]
        self.requests.close()
        for one in waiting:
            self.failureResultOf(one, SessionLost)
        self.assertEqual(len(self.requests), 0)
