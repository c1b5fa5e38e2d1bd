"""Twisted's timers in virtual time."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.testing import Network


class TimersTests(SynchronousTestCase):
    """What a handler that wants a reactor gets."""

    def setUp(self) -> None:
        self.network = Network(1)
        self.reactor = cast(Any, self.network.reactor)
        self.fired: list[float] = []

    def fire(self) -> None:
        self.fired.append(self.reactor.seconds())

    def test_a_call_comes_at_its_virtual_time_with_its_arguments(self) -> None:
        told: list[object] = []
        timer = self.reactor.callLater(2.5, lambda *args, **kw: told.append((args, kw)), 1, two=2)
        self.assertEqual((True, 2.5), (timer.active(), timer.getTime()))
        self.network.run(2.4)
        self.assertEqual([], told)
        self.network.run(0.2)
        self.assertEqual(([((1,), {"two": 2})], False), (told, timer.active()))

    def test_a_cancelled_call_never_comes(self) -> None:
        timer = self.reactor.callLater(1, self.fire)
        timer.cancel()
        self.network.run(5)
        self.assertEqual([], self.fired)
        self.assertRaises(LocalError, timer.cancel)

    def test_reset_and_delay_move_a_call_either_way_and_it_comes_once(self) -> None:
        later, sooner, delayed = (self.reactor.callLater(2, self.fire) for _ in range(3))
        self.network.run(1)
        later.reset(9)
        sooner.reset(0.5)
        delayed.delay(3)
        self.network.run(60)
        self.assertEqual([1.5, 5.0, 10.0], self.fired)
        self.assertRaises(LocalError, later.reset, 1)

    def test_a_call_that_raises_stops_nothing_and_is_told(self) -> None:
        self.reactor.callLater(1, lambda: 1 // 0)
        self.reactor.callLater(2, self.fire)
        self.network.run(3)
        self.assertEqual([2.0], self.fired)
        self.assertRaises(ZeroDivisionError, self.network.check)
        self.network.check()

    def test_twisted_s_own_helpers_work_on_it(self) -> None:
        waited = deferLater(self.reactor, 3, lambda: "done")
        never: Deferred[None] = Deferred()
        never.addTimeout(2, self.reactor)
        self.network.run(5)
        self.assertEqual("done", self.successResultOf(waited))
        self.failureResultOf(never, TimeoutError)

    def test_a_delay_below_zero_is_refused(self) -> None:
        self.assertRaises(LocalError, self.reactor.callLater, -1, self.fire)


class CoroutineTests(SynchronousTestCase):
    """Coroutines in virtual time."""

    def test_a_coroutine_sleeps_in_virtual_time_and_its_result_is_held(self) -> None:
        network = Network(1)

        async def twice() -> float:
            await network.sleep(1.5)
            await network.sleep(1.5)
            return network.clock.now

        outcome = network.do(twice())
        self.assertFalse(outcome.settled)
        self.assertEqual(3.0, network.result(outcome))

    def test_what_a_coroutine_raises_is_its_failure(self) -> None:
        network = Network(1)

        async def broken() -> None:
            await network.sleep(1)
            raise KeyError("x")

        self.assertRaises(KeyError, network.result, network.do(broken()))
