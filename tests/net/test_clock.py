"""Clocks: two readings, a reactor on the right one, and a watch over a reactor on the wrong one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.net import clock
from tests.net.fakes import FakeReactor

YEAR = 365 * 86400.0


class NowTests(SynchronousTestCase):
    """Reading the machine."""

    def test_both_clocks_are_read(self) -> None:
        self.patch(clock, "_monotonic", lambda: 5.0)
        self.patch(clock, "_wall", lambda: 1.7e9)
        self.assertEqual(clock.now(), (5.0, 1.7e9))


class MakeMonotonicTests(SynchronousTestCase):
    """For programs that own their process."""

    def test_the_reactor_then_counts_on_the_monotonic_clock(self) -> None:
        reactor = FakeReactor()
        clock.make_monotonic(reactor)
        clock.make_monotonic(reactor)
        self.assertIs(reactor.seconds, time.monotonic)
        self.assertFalse(clock.follows_wall(reactor))

    def test_it_is_refused_when_something_is_scheduled(self) -> None:
        reactor = FakeReactor()
        reactor.callLater(1, lambda: None)
        self.assertRaises(LocalError, clock.make_monotonic, reactor)


class JumpWatchTests(SynchronousTestCase):
    """For programs that are somebody else's. The thread's loop runs here without the thread."""

    def watch(self, steps: list[tuple[float, float]]) -> int:
        """How often a watch reports when the reactor's and the monotonic clock read so, one pair for each look."""
        reactor, readings = FakeReactor(), iter(steps)
        pair = [0.0, 0.0]

        def seconds() -> float:
            pair[:] = next(readings)
            return pair[0]

        class Stop:
            looks = 0

            def wait(self, seconds: float) -> bool:
                self.looks += 1
                return self.looks >= len(steps)

        self.patch(clock, "_monotonic", lambda: pair[1])
        reactor.seconds = seconds  # type: ignore[method-assign]
        watch = clock.JumpWatch(reactor)
        watch._run(Stop())  # type: ignore[arg-type]
        return len(reactor.from_threads)

    def test_a_jump_either_way_is_reported_once(self) -> None:
        self.assertEqual(self.watch([(1e9, 5.0), (1e9 + 1, 6.0), (1e9 - YEAR, 7.0), (1e9 - YEAR + 1, 8.0)]), 1)
        self.assertEqual(self.watch([(1e9, 5.0), (1e9 + YEAR, 6.0), (1e9 + YEAR + 1, 7.0)]), 1)

    def test_slewing_is_no_jump(self) -> None:
        self.assertEqual(self.watch([(1e9 + at * 1.0005, float(at)) for at in range(1000)]), 0)

    def test_the_reactors_thread_is_told_and_subscribers_hear_it_there(self) -> None:
        reactor, heard, told = FakeReactor(), [], threading.Event()
        apart = [0.0]
        self.patch(clock, "_monotonic", lambda: 5.0)
        reactor.seconds = lambda: apart[0]  # type: ignore[method-assign]
        later = reactor.callFromThread

        def from_thread(function: Callable[[], object]) -> None:
            later(function)
            told.set()

        reactor.callFromThread = from_thread  # type: ignore[method-assign]
        watch = clock.JumpWatch(reactor, watch=0.001)
        moved = lambda: heard.append(threading.current_thread())  # noqa: E731
        watch.subscribe(moved)
        self.addCleanup(watch.unsubscribe, moved)
        # The thread may not have read its first pair yet, so move the clock until it has noticed one.
        while not told.wait(0.01):
            apart[0] -= YEAR
        self.assertEqual(heard, [])
        reactor.from_threads[0]()
        self.assertEqual(heard, [threading.main_thread()])

    def test_the_last_subscriber_ends_the_thread(self) -> None:
        watch = clock.JumpWatch(FakeReactor())
        one, two = lambda: None, lambda: None
        watch.subscribe(one)
        watch.subscribe(two)
        stop = watch._stop
        watch.unsubscribe(one)
        self.assertIs(watch._stop, stop)
        watch.unsubscribe(two)
        self.assertTrue(stop is not None and stop.is_set())
        self.assertIsNone(watch._stop)
