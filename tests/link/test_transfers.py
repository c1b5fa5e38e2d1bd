"""Whole objects over bad lines, sender and receiver together, in virtual time: they arrive, and at what price."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.link.congestion import Controller
from rhotwist.testing.clock import Clock
from rhotwist.testing.link import Faults, Link
from rhotwist.testing.transfer import Transfer
from tests import FULL

SEEDS = range(100) if FULL else range(2)
SIZE = 2_000_000
#: 50 ms there and back, Ethernet.
LINE = Faults(delay=0.025, mtu=1_452)
#: The same with a bottleneck of 2.4 Mbit/s.
NARROW = attrs.evolve(LINE, rate=300_000, queue=40_000)

Script = Callable[[Clock, Link, Link], object]


def transfer(seed: int, faults: Faults, script: Script | None = None, **options: object) -> Transfer:
    """One object over such a line, until it has ended or 15 minutes are over."""
    clock = Clock()
    there, back = (Link(faults, Random(f"{seed}/{way}")) for way in ("there", "back"))
    run = Transfer(clock, there, back, [SIZE], random=Random(seed), size_class=5, **options)  # type: ignore[arg-type]
    if script is not None:
        script(clock, there, back)
    clock.run(900, until=lambda: not run.senders)
    return run


def stall(run: Transfer) -> float:
    """The longest time without progress, seconds."""
    times = [0.0, *run.progress]
    return max(after - before for before, after in zip(times, times[1:], strict=False))


class BadLineTests(SynchronousTestCase):
    """Each line, each seed: the object is there, its bytes are right, and no packet was halved without need."""

    def runs(self, faults: Faults, script: Script | None = None, halvings: int = 0) -> list[Transfer]:
        found = []
        for seed in SEEDS:
            run = transfer(seed, faults, script)
            self.assertEqual((run.failures, run.wrong, run.senders), ([], 0, {}), f"seed {seed}")
            self.assertEqual(run.halvings, halvings, f"seed {seed}")
            found.append(run)
        return found

    def test_what_a_loss_costs_is_little_more_than_what_was_lost(self) -> None:
        for loss, most in ((0.0, 1.05), (0.02, 1.1), (0.1, 1.4), (0.3, 2.2)):
            for run in self.runs(attrs.evolve(LINE, loss=loss)):
                self.assertLessEqual(run.sent, most * SIZE)

    def test_reordering_and_duplicates_neither_stop_it_nor_halve_its_packets(self) -> None:
        for run in self.runs(attrs.evolve(LINE, reorder=0.25, duplicate=0.2)):
            self.assertLess(run.sent, 1.5 * SIZE)
            self.assertLess(run.ended, 10)

    def test_a_round_trip_of_a_second_and_a_half_is_only_slow(self) -> None:
        for run in self.runs(attrs.evolve(LINE, delay=0.75, loss=0.02)):
            self.assertLess(run.sent, 1.1 * SIZE)
            self.assertLess(run.ended, 30)

    def test_a_line_that_is_dead_for_five_seconds_of_every_seven_is_used_in_the_other_two(self) -> None:
        def holes(clock: Clock, there: Link, back: Link) -> None:
            def turn(closed: bool) -> None:
                there.closed = back.closed = closed
                clock.later(5.0 if closed else 2.0, turn, not closed)

            clock.later(0.3, turn, True)

        for run in self.runs(NARROW, holes):
            self.assertLess(stall(run), 6.5)
            self.assertLess(run.sent, 1.5 * SIZE)

    def test_a_path_that_silently_takes_less_costs_less_than_four_seconds_a_step(self) -> None:
        def narrow(clock: Clock, there: Link, back: Link) -> None:
            for when, mtu in ((0.6, 1_232), (4.0, 528)):
                clock.at(when, lambda mtu: setattr(there, "faults", attrs.evolve(there.faults, mtu=mtu)), mtu)

        for faults in (NARROW, attrs.evolve(NARROW, loss=0.05)):
            for run in self.runs(faults, narrow, halvings=2):
                self.assertLess(stall(run), 4.0)

    def test_a_path_that_takes_nothing_but_small_packets_fails_the_object_in_half_a_minute(self) -> None:
        run = transfer(1, attrs.evolve(LINE, mtu=300))
        self.assertEqual(run.failures, ["no way"])
        self.assertLess(run.clock.now, 30)

    def test_a_line_that_loses_a_fifth_of_everything_never_halves_a_packet(self) -> None:
        packets, seed = 0, 0
        while packets < (100_000 if FULL else 6_000):
            run = transfer(seed, attrs.evolve(LINE, loss=0.2))
            self.assertEqual((run.halvings, run.failures), (0, []), f"seed {seed}")
            packets += run.packets
            seed += 1

    def test_jitter_is_taken_for_no_queue_that_stops_it(self) -> None:
        for run in self.runs(attrs.evolve(NARROW, jitter=0.02, loss=0.02)):
            self.assertLess(run.ended, 40)


class SharedLineTests(SynchronousTestCase):
    """Several on one bottleneck."""

    def line(self, queue: float) -> tuple[Clock, Link, Link]:
        faults = Faults(delay=0.025, rate=1_250_000, queue=int(queue * 62_500), mtu=1_452)
        return Clock(), Link(faults, Random(1)), Link(faults, Random(2))

    def test_one_alone_fills_the_line_and_leaves_no_long_queue(self) -> None:
        clock, there, back = self.line(3.0)
        run = Transfer(clock, there, back, [SIZE] * 9, random=Random(1), size_class=5)
        queue: list[float] = []
        for tick in range(200, 1_200):
            clock.at(tick / 100, lambda _: queue.append(max(0.0, there.busy_until - clock.now)))
        clock.run(12.0)
        self.assertGreater(run.arrived, 0.8 * 12 * 1_250_000)
        self.assertLess(sorted(queue)[500], 0.05)

    def test_background_leaves_a_queue_below_its_target_and_gives_way(self) -> None:
        clock, there, back = self.line(3.0)
        limits = Limits()
        behind = Transfer(
            clock, there, back, [SIZE] * 9, random=Random(1), size_class=5,
            control=Controller(limits, 0.0, background=True),
        )  # fmt: skip
        queue: list[float] = []
        for tick in range(200, 800):
            clock.at(tick / 100, lambda _: queue.append(max(0.0, there.busy_until - clock.now)))
        clock.run(8.0)
        alone = behind.arrived
        self.assertGreater(alone, 0.7 * 8 * 1_250_000)
        self.assertLess(sorted(queue)[590], limits.object_queue + 0.015)
        front = Transfer(clock, there, back, [SIZE] * 9, random=Random(2), size_class=5)
        clock.run(16.0)
        self.assertGreater(front.arrived, 3 * (behind.arrived - alone))
