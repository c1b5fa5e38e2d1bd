"""The driver: jobs run, bursts sent, one delayed call by the monotonic clock, no recursion, nothing left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.sieve import Turn
from rhotwist.net import clock
from rhotwist.net.driver import ROUNDS, Driver
from rhotwist.net.lag import EVERY
from rhotwist.wire.datagram import Burst, Path
from tests import FULL
from tests.net.fakes import FakeCore, FakeReactor, Time

PATH = Path(0, bytes(18))


@attrs.frozen
class Job:
    """Work of no kind in particular."""

    number: int = 0


class FakeCarrier:
    """A way out that remembers."""

    host, port = "192.0.2.1", 7460

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = 0

    def send(self, address: bytes, datagrams: Sequence[bytes]) -> None:
        self.sent.extend(datagrams)

    def admit(self, turn: Turn | None) -> tuple[int, float]:
        return 0, 0.0

    def close(self) -> None:
        self.closed += 1


class DriverCase(SynchronousTestCase):
    """A driver of a fake core on a fake reactor whose clock is not the driver's."""

    def setUp(self) -> None:
        self.core, self.reactor, self.time = FakeCore(), FakeReactor(), Time()
        self.counters: dict[str, int] = {}
        self.driver = Driver(self.core, self.reactor, counters=self.counters, now=self.time.now)
        self.carrier = FakeCarrier()
        self.driver.carriers.append(self.carrier)
        self.ran: list[Any] = []
        self.driver.runners[Job] = self.ran.append

    def delays(self) -> list[float]:
        """Seconds until the reactor's calls come, by the reactor's clock."""
        return [round(call.getTime() - self.reactor.seconds(), 6) for call in self.reactor.getDelayedCalls()]

    def pass_(self, seconds: float) -> None:
        self.time.pass_(seconds)
        self.reactor.advance(seconds)


class WorkTests(DriverCase):
    """Jobs and datagrams."""

    def test_datagrams_reach_the_core_and_what_it_says_goes_out_by_its_carrier(self) -> None:
        self.driver.receive(PATH, (b"in",))
        self.core.bursts = [Burst(PATH, [b"out", b"more"])]
        self.driver.settle()
        self.assertEqual((self.core.received, self.carrier.sent), ([(PATH, [b"in"])], [b"out", b"more"]))

    def test_what_all_jobs_make_the_core_say_goes_out_in_one_burst(self) -> None:
        def run(job: Job) -> None:
            self.driver.settle()
            if job.number < 5:
                self.core.todo.append(Job(job.number + 1))

        outgoings: list[int] = []
        self.patch(self.core, "outgoing", lambda: outgoings.append(1) or [])
        self.driver.runners[Job] = run
        self.core.todo = [Job(1)]
        self.driver.settle()
        self.assertEqual(len(outgoings), 1)

    def test_jobs_run_in_order_until_there_are_none(self) -> None:
        self.core.todo = [Job(1), Job(2)]

        def run(job: Job) -> None:
            self.ran.append(job)
            if job.number == 1:
                self.core.todo.append(Job(3))
                self.driver.settle()

        self.driver.runners[Job] = run
        self.driver.settle()
        self.assertEqual([job.number for job in self.ran], [1, 2, 3])

    def test_a_long_chain_of_immediate_work_neither_recurses_nor_holds_the_reactor(self) -> None:
        most = 100_000 if FULL else 5_000
        turns: list[int] = []

        def run(job: Job) -> None:
            self.ran.append(job)
            if job.number < most:
                self.core.todo.append(Job(job.number + 1))
                self.driver.settle()

        self.driver.runners[Job] = run
        self.core.on_tick = lambda: turns.append(len(self.ran))
        self.core.todo = [Job(1)]
        self.driver.settle()
        self.assertEqual((len(self.ran), self.delays()), (ROUNDS, [0.0]))
        self.pass_(0.0)
        self.assertEqual(len(self.ran), most)
        self.assertEqual(turns, list(range(ROUNDS, most, ROUNDS)))

    def test_a_core_that_raises_loses_a_datagram_and_not_the_reader(self) -> None:
        self.core.wrong = RuntimeError("bug")
        for _ in range(100):
            self.driver.receive(PATH, (b"in",))
        self.assertEqual((self.counters["logged_errors"], self.counters["unlogged_errors"]), (1, 99))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_core_that_raises_when_it_is_to_send_is_logged_and_asked_again(self) -> None:
        self.patch(self.core, "outgoing", lambda: 1 / 0)
        self.driver.settle()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.delays(), [EVERY])

    def test_a_job_that_raises_stops_neither_the_next_one_nor_the_sending(self) -> None:
        self.core.todo, self.core.bursts = [Job(0), Job(5)], [Burst(PATH, [b"out"])]
        self.driver.runners[Job] = lambda job: self.ran.append(1 / job.number)
        self.driver.settle()
        self.assertEqual((self.ran, self.carrier.sent), ([0.2], [b"out"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class TimerTests(DriverCase):
    """One delayed call, by the monotonic clock."""

    def test_an_idle_core_without_a_deadline_is_looked_at_once_more_and_then_left_alone(self) -> None:
        self.driver.settle()
        self.assertEqual(self.delays(), [EVERY])
        self.pass_(EVERY)
        self.assertEqual((len(self.core.ticks), self.delays()), (1, []))

    def test_the_core_ticks_at_its_deadline(self) -> None:
        self.core.due = 130.0
        self.driver.settle()
        self.pass_(EVERY)
        self.assertEqual(self.delays(), [29.9])
        self.core.on_tick = lambda: setattr(self.core, "due", None)
        self.pass_(30.0)
        self.assertEqual((len(self.core.ticks), self.delays()), (2, []))

    def test_a_nearer_deadline_moves_the_one_delayed_call_and_a_later_one_leaves_it(self) -> None:
        self.driver.settle()
        self.core.due = 100.02
        self.driver.settle()
        self.assertEqual(self.delays(), [0.02])
        self.core.due = 160.0
        self.driver.settle()
        self.assertEqual(self.delays(), [0.02])

    def test_traffic_after_a_quiet_time_brings_the_delayed_call_forward_to_measure_lag(self) -> None:
        self.core.due = 160.0
        self.driver.settle()
        self.pass_(EVERY)
        self.assertEqual(self.delays(), [59.9])
        self.driver.settle()
        self.assertEqual(self.delays(), [EVERY])

    def test_lag_is_what_the_delayed_call_is_late(self) -> None:
        self.driver.settle()
        self.time.pass_(EVERY + 0.03)
        self.reactor.advance(EVERY)
        self.assertAlmostEqual(self.driver.lag.p99(), 0.03)

    def test_a_wall_clock_set_forward_a_year_fires_nothing_early(self) -> None:
        self.core.due = 130.0
        self.driver.settle()
        self.pass_(EVERY)
        self.time.wall += 365 * 86400
        self.reactor.advance(365 * 86400)
        self.assertTrue(all(moment.mono < 130.0 for moment in self.core.ticks))
        self.assertEqual(self.delays(), [29.9])

    def test_a_wall_clock_set_back_a_year_stalls_nothing_once_the_watch_has_seen_it(self) -> None:
        self.core.due = 130.0
        self.driver.settle()
        self.pass_(EVERY)
        self.reactor.rightNow -= 365 * 86400
        self.time.pass_(1.0)
        self.driver.rearm()
        self.assertEqual(self.delays(), [28.9])

    def test_a_reactor_on_the_wall_clock_is_watched_until_the_driver_closes(self) -> None:
        self.patch(clock, "_wall", self.reactor.seconds)
        self.driver.start()
        watch = clock.JumpWatch.of(self.reactor)
        self.assertEqual(watch._subscribers, [self.driver.rearm])
        self.driver.close()
        self.assertEqual(watch._subscribers, [])
        self.assertIsNot(clock.JumpWatch.of(self.reactor), watch)


class CloseTests(DriverCase):
    """The end."""

    def test_closing_sends_the_farewell_and_leaves_no_delayed_call_and_no_socket(self) -> None:
        self.core.due = 130.0
        self.driver.settle()
        self.core.bursts = [Burst(PATH, [b"bye"])]
        self.core.todo = [Job(1)]
        self.driver.close()
        self.driver.close()
        self.assertEqual((self.carrier.sent, len(self.ran), self.carrier.closed), ([b"bye"], 1, 1))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.driver.settle()
        self.driver.rearm()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_closing_from_inside_a_job_is_the_end_of_it(self) -> None:
        self.core.due = 130.0
        self.core.todo = [Job(1)]

        def run(job: Job) -> None:
            self.core.bursts = [Burst(PATH, [b"bye"])]
            self.driver.close()

        self.driver.runners[Job] = run
        self.driver.settle()
        self.assertEqual((self.carrier.sent, self.carrier.closed), ([b"bye"], 1))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
