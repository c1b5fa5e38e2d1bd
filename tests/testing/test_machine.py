"""One machine: its clocks, its pauses and crashes, its deadline."""

from __future__ import annotations

from typing import Any

from rhotwist.errors import LocalError
from rhotwist.moment import Moment
from rhotwist.testing import Faults, Machine, Network, NotSettled, SeededTestCase
from rhotwist.testing.network import WALL
from tests.testing.fakes import Chatter, sealed
from tests.testing.test_network import pair


class ClockTests(SeededTestCase):
    """What a machine's clocks show."""

    def test_the_wall_clock_is_skewed_and_jumps_and_the_monotonic_one_does_not(self) -> None:
        network = Network(1)
        one, other = pair(network)
        start = one.moment()
        self.assertEqual(WALL, start.wall)
        one.wall_skew = -3.0e7
        network.run(5.0)
        moment = one.moment()
        self.assertAlmostEqual(5.0, moment.mono - start.mono, 6)
        self.assertEqual(WALL + 5.0 - 3.0e7, moment.wall)
        self.assertEqual(WALL + 5.0, other.moment().wall)

    def test_monotonic_clocks_start_anywhere_and_anew_after_a_crash(self) -> None:
        network = Network(1)
        one, other = pair(network)
        first = one.moment().mono
        self.assertNotEqual(first, other.moment().mono)
        one.crash()
        one.restart()
        self.assertTrue(abs(one.moment().mono - first) > 1.0)

    def test_a_deadline_is_kept_to_the_last_bit_and_time_never_goes_back(self) -> None:
        """Sums of large and small numbers are rounded; the core must not be woken an instant short of its deadline."""
        for seed in self.seeds(30, 1000):
            network = Network(seed, Faults(loss=1.0))
            one, other = pair(network, every=0.1)
            one.ask(other, 1)
            network.run(10.0)
            monos = [moment.mono for moment in one.chatter.ticked]
            self.assertEqual(sorted(monos), monos)
            self.assertTrue(99 <= len(monos) <= 101, len(monos))
            self.assertTrue(one.moment().mono >= monos[-1])

    def test_ticks_come_when_due_and_only_then(self) -> None:
        network = Network(1)
        one, other = pair(network, every=1.0)
        network.wait(one.ask(other, 1), limit=0.5)
        network.run(0.9)
        self.assertEqual(0, len(one.chatter.ticked))
        network.run(100.0)
        self.assertEqual(1, len(one.chatter.ticked), "one for the repeat that was not needed, then nothing is due")

    def test_a_core_whose_deadline_does_not_move_is_found_out(self) -> None:
        class Stuck(Chatter):
            def deadline(self) -> float | None:
                return 0.0

        network = Network(1)
        network.attach("stuck", lambda machine: Stuck(network.chance("x").randbytes))
        error = self.assertRaises(AssertionError, network.run, 1.0)
        self.assertIn("stuck is stuck", str(error))


class PauseTests(SeededTestCase):
    """A machine that stands still for a while."""

    def test_datagrams_wait_in_the_socket_and_are_read_when_it_goes_on(self) -> None:
        network = Network(1)
        one, other = pair(network, every=100.0)
        other.pause(5.0)
        outcome = one.ask(other, 1)
        network.run(4.9)
        self.assertEqual([], other.chatter.received)
        network.wait(outcome, limit=1.0)
        self.assertAlmostEqual(5.01, network.clock.now)

    def test_the_socket_holds_only_so_much(self) -> None:
        network = Network(1)
        one, other = pair(network)
        other.socket_room = 3
        other.pause()
        for number in range(10):
            network.inject(one.address, other.address, sealed(9, number))
        other.resume()
        self.assertEqual(3, len(other.chatter.received))
        self.assertEqual(7, network.lost["down"])

    def test_timers_wait_too_and_none_is_lost(self) -> None:
        network = Network(1, Faults(loss=1.0))
        one, other = pair(network, every=1.0)
        one.ask(other, 1)
        one.pause(10.5)
        network.run(10.4)
        self.assertEqual([], one.chatter.ticked)
        network.run(5.0)
        self.assertEqual(5, len(one.chatter.ticked), "one when it goes on, then one a second")

    def test_pause_without_an_end_lasts_until_resume(self) -> None:
        network = Network(1)
        one, other = pair(network)
        other.pause()
        outcome = one.ask(other, 1)
        self.assertRaises(NotSettled, network.wait, outcome, limit=60.0)
        other.resume()
        network.wait(outcome, limit=1.0)


class CrashTests(SeededTestCase):
    """A machine that loses power."""

    def test_a_crashed_machine_hears_and_does_nothing_until_it_restarts(self) -> None:
        network = Network(1)
        one, other = pair(network)
        network.wait(one.ask(other, 1), limit=1.0)
        other.crash()
        self.assertFalse(other.up)
        self.assertRaises(LocalError, lambda: other.core)
        outcome = one.ask(other, 2)
        self.assertRaises(NotSettled, network.wait, outcome, limit=3.0)
        self.assertTrue(network.lost["down"] >= 6)
        other.restart()
        self.assertRaises(LocalError, other.restart)
        network.wait(outcome, limit=1.0)
        self.assertEqual([2], [job.number for job in other.chatter.asked], "the new core knows nothing of the old one")

    def test_the_store_outlives_the_core(self) -> None:
        network = Network(1)
        one, _ = pair(network)
        one.store["inbox"] = ["a letter"]
        old = one.core
        one.crash()
        one.restart()
        self.assertIsNot(old, one.core)
        self.assertEqual({"inbox": ["a letter"]}, one.store)
        self.assertEqual(1, one.life)

    def test_timers_and_work_of_the_core_that_crashed_do_not_reach_the_next(self) -> None:
        network = Network(1)
        one, other = pair(network, every=1.0)
        other.delay = 5.0
        one.ask(other, 1)
        network.run(0.5)
        one.crash()
        other.crash()
        one.restart()
        other.restart()
        network.run(20.0)
        self.assertEqual([], one.chatter.ticked)
        self.assertEqual({}, dict(one.chatter.answers))

    def test_a_machine_that_crashes_while_paused_restarts_awake_and_with_an_empty_socket(self) -> None:
        network = Network(1)
        one, other = pair(network)
        other.pause()
        network.inject(one.address, other.address, sealed(9, 1))
        other.crash()
        other.restart()
        network.wait(one.ask(other, 2), limit=1.0)
        other.resume()
        self.assertEqual([2], [job.number for job in other.chatter.asked])
        self.assertEqual(1, len(other.chatter.received))

    def test_the_core_draws_other_numbers_after_a_crash(self) -> None:
        """Or it would repeat its ephemeral keys and nonces, and prove nothing about a real one."""
        network = Network(1)
        one, other = pair(network)
        sent: list[bytes] = []
        network.on_path = lambda source, target, datagram: sent.append(datagram) or [datagram]  # type: ignore[func-returns-value]
        one.ask(other, 1)
        one.crash()
        one.restart()
        one.ask(other, 1)
        self.assertNotEqual(sent[0], sent[1])


class WorkTests(SeededTestCase):
    """Jobs and what they call back."""

    def test_a_job_that_makes_jobs_is_served_without_recursion(self) -> None:
        class Endless(Chatter):
            left = 100_000

            def jobs(self) -> list[object]:
                jobs, self._jobs = self._jobs, []
                return jobs

        network = Network(1)
        cores: list[Endless] = []

        def start(_: Machine) -> Endless:
            cores.append(Endless(network.chance("x").randbytes))
            return cores[-1]

        def work(machine: Machine, job: Any) -> None:
            cores[0].left -= 1
            if cores[0].left:
                cores[0]._jobs.append("again")
                machine.act()

        machine = network.attach("endless", start, work)
        cores[0]._jobs.append("first")
        machine.act()
        self.assertEqual(0, cores[0].left)

    def test_later_runs_at_its_time_and_carries_out_what_came_of_it(self) -> None:
        network = Network(1)
        one, other = pair(network)
        other.delay = 2.0
        network.wait(one.ask(other, 1), limit=10.0)
        self.assertAlmostEqual(2.02, network.clock.now)
        self.assertIsInstance(one.moment(), Moment)
