"""Handlers: now, later or never; what they raise is logged here and told there in one word."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import HandlerFailed, LocalError, NotSpoken, Refused, TooBig
from rhotwist.link.messages import RefusalCode
from rhotwist.net.driver import Driver
from rhotwist.net.handlers import TOLD_AT_ONCE, Handlers
from rhotwist.node import jobs
from rhotwist.wire.datagram import Path
from rhotwist.wire.schema import Request, Schema, text
from tests.net.fakes import FakeCore, FakeReactor, Time


class Said(Schema, name="net-test.said"):
    words: str = text(100)


class Say(Request[Said], name="net-test.say"):
    words: str = text(100)


class Heard(Schema, name="net-test.heard"):
    words: str = text(100)


def call(body: Schema, wants_answer: bool = True) -> jobs.Call:
    taken: Any = object() if wants_answer else None
    return jobs.Call(b"p" * 32, b"p" * 32, b"d" * 32, body, b"h" * 32, Path(0, bytes(18)), taken=taken)


class HandlerCase(SynchronousTestCase):
    """Handlers on a fake core."""

    def setUp(self) -> None:
        self.core, self.reactor = FakeCore(), FakeReactor()
        self.driver = Driver(self.core, self.reactor, counters={}, now=Time().now)
        self.handlers = Handlers(self.core, self.driver)

    def answer_to(self, handler: Any) -> Any:
        """What one call of Say is answered with, if it is answered at once."""
        self.handlers.add(Say, handler)
        self.core.todo = [call(Say(words="hi"))]
        self.driver.settle()
        return self.core.answers[0][1] if self.core.answers else None


class AnswerTests(HandlerCase):
    """What comes of a call."""

    def test_a_plain_reply_is_sent_at_once(self) -> None:
        self.assertEqual(self.answer_to(lambda call: Said(words=call.body.words)), Said(words="hi"))

    def test_a_coroutine_and_a_fired_deferred_are_answered_at_once_too(self) -> None:
        async def handler(call: jobs.Call) -> Said:
            return Said(words=await succeed("later"))

        self.assertEqual(self.answer_to(handler), Said(words="later"))
        self.setUp()
        self.assertEqual(self.answer_to(lambda call: succeed(Said(words="d"))), Said(words="d"))

    def test_any_other_awaitable_is_awaited(self) -> None:
        class Awaitable:
            def __await__(self) -> Any:
                return succeed(Said(words="a")).__await__()

        self.assertEqual(self.answer_to(lambda call: Awaitable()), Said(words="a"))

    def test_a_peer_that_only_tells_starts_no_more_handlers_than_the_bound(self) -> None:
        running: list[Deferred[None]] = []
        self.handlers.add(Heard, lambda call: running.append(Deferred()) or running[-1])
        self.handlers.add(Say, lambda call: Said(words="still"))
        self.core.todo = [call(Heard(words=""), wants_answer=False) for _ in range(TOLD_AT_ONCE + 10)]
        self.driver.settle()
        self.assertEqual((len(running), self.driver.counters["told_dropped"]), (TOLD_AT_ONCE, 10))
        running[0].callback(None)
        self.core.todo = [call(Heard(words=""), wants_answer=False) for _ in range(2)] + [call(Say(words="?"))]
        self.driver.settle()
        self.assertEqual((len(running), self.driver.counters["told_dropped"]), (TOLD_AT_ONCE + 1, 11))
        self.assertEqual([reply for _, reply in self.core.answers], [Said(words="still")])

    def test_large_ones_count_for_their_size(self) -> None:
        running: list[Deferred[None]] = []
        self.handlers.add(Heard, lambda call: running.append(Deferred()) or running[-1])
        self.core.todo = [call(Heard(words=""), wants_answer=False) for _ in range(40)]
        for each in self.core.todo:
            each.size = 2_000_000
        self.driver.settle()
        self.assertEqual((len(running), self.driver.counters["told_dropped"]), (33, 7))  # 66 MB
        for one in running:
            one.callback(None)
        self.assertEqual(self.handlers._told, 0)

    def test_a_late_reply_is_sent_when_it_comes(self) -> None:
        later: Deferred[Said] = Deferred()
        self.assertIsNone(self.answer_to(lambda call: later))
        emptied = self.core.emptied
        later.callback(Said(words="late"))
        self.assertEqual(self.core.answers[0][1], Said(words="late"))
        self.assertEqual(self.core.emptied, emptied + 1)

    def test_what_only_was_told_is_handled_and_not_answered(self) -> None:
        heard: list[Any] = []
        self.handlers.add(Heard, heard.append)
        self.handlers.run(call(Heard(words="x"), wants_answer=False))
        self.assertEqual(([one.body for one in heard], self.core.answers), ([Heard(words="x")], []))

    def test_a_schema_without_a_handler_is_not_spoken(self) -> None:
        self.handlers.run(call(Say(words="x")))
        self.assertIsInstance(self.core.answers[0][1], NotSpoken)

    def test_a_second_handler_is_refused(self) -> None:
        self.handlers.add(Say, lambda call: Said(words=""))
        self.assertRaises(LocalError, self.handlers.add, Say, lambda call: Said(words=""))


class FailureTests(HandlerCase):
    """What a handler does wrong."""

    def assert_failed(self, answer: object, kind: type[Exception]) -> None:
        self.assertIsInstance(answer, HandlerFailed)
        self.assertEqual(answer.code, RefusalCode.HANDLER_FAILED)  # type: ignore[attr-defined]
        self.assertEqual(self.driver.counters["handler_failed"], 1)
        self.assertEqual(len(self.flushLoggedErrors(kind)), 1)

    def test_an_exception_is_logged_and_told_in_one_word(self) -> None:
        self.assert_failed(self.answer_to(lambda call: 1 / 0), ZeroDivisionError)

    def test_a_failed_deferred_and_coroutine_likewise(self) -> None:
        self.assert_failed(self.answer_to(lambda call: fail(KeyError("secret"))), KeyError)
        self.setUp()

        async def handler(call: jobs.Call) -> Said:
            raise ValueError("secret")

        self.assert_failed(self.answer_to(handler), ValueError)

    def test_a_thousand_exceptions_of_one_site_are_one_line(self) -> None:
        self.handlers.add(Say, lambda call: 1 / 0)
        for _ in range(1000):
            self.handlers.run(call(Say(words="x")))
        self.assertEqual(len(self.core.answers), 1000)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.driver.counters["handler_failed"], 1000)

    def test_a_refusal_on_purpose_is_passed_on_and_not_logged(self) -> None:
        refused = Refused(5, "not today")

        def handler(call: jobs.Call) -> Said:
            raise refused

        self.assertIs(self.answer_to(handler), refused)
        self.setUp()
        self.assertIs(self.answer_to(lambda call: fail(refused)), refused)

    def test_a_reply_of_another_schema_or_none_is_the_handlers_fault(self) -> None:
        self.assert_failed(self.answer_to(lambda call: Heard(words="x")), LocalError)
        self.setUp()
        self.assert_failed(self.answer_to(lambda call: None), LocalError)

    def test_a_reply_that_no_packet_holds_is_the_handlers_fault(self) -> None:
        self.core.wrong = TooBig("2000 bytes")
        self.assert_failed(self.answer_to(lambda call: Said(words="x")), TooBig)


class CloseTests(HandlerCase):
    """The end."""

    def test_closing_cancels_a_thousand_handlers_under_way_without_a_word(self) -> None:
        cancelled: list[Any] = []
        self.handlers.add(Say, lambda call: Deferred(cancelled.append))
        self.core.todo = [call(Say(words="x")) for _ in range(1000)]
        self.driver.settle()
        self.driver.close()
        self.handlers.close()
        self.assertEqual((len(cancelled), self.core.answers, self.handlers._running), (1000, [], {}))

    def test_a_handler_cancelled_by_others_is_a_failure_but_no_traceback(self) -> None:
        self.assertIsInstance(self.answer_to(lambda call: fail(CancelledError())), HandlerFailed)
