"""Objects over simulated links without nodes: what is counted is what happened."""

from __future__ import annotations

from math import inf
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.testing.clock import Clock
from rhotwist.testing.link import Faults, Link
from rhotwist.testing.transfer import Transfer


def transfer(sizes: list[int], faults: Faults, seed: int = 1) -> Transfer:
    """These objects over such a line, until they are over or a minute has passed."""
    clock = Clock()
    run = Transfer(clock, Link(faults, Random(seed)), Link(faults, Random(seed + 1)), sizes, random=Random(seed))
    clock.run(60, until=lambda: not run.senders)
    return run


class TransferTests(SynchronousTestCase):
    def test_all_objects_arrive_and_every_byte_is_counted(self) -> None:
        run = transfer([50_000, 1, 20_000], Faults(together=0.0))
        self.assertEqual((run.failures, run.wrong, run.sizes), ([], 0, []))
        self.assertEqual(run.arrived, 70_001)
        self.assertLess(run.whole_at, run.ended)
        self.assertLess(run.ended, 2)
        self.assertGreater(run.sent, 70_001)
        self.assertGreater(run.small, run.acks * 33)

    def test_the_same_seed_is_the_same_run(self) -> None:
        runs = [transfer([100_000], Faults(loss=0.1, reorder=0.1), seed) for seed in (3, 3, 4)]
        traces = [(run.sent, run.acks, run.ended, run.progress) for run in runs]
        self.assertEqual(traces[0], traces[1])
        self.assertNotEqual(traces[0], traces[2])

    def test_a_line_that_takes_nothing_ends_nothing(self) -> None:
        run = transfer([1_000], Faults(loss=1.0))
        self.assertEqual((run.ended, run.whole_at, run.arrived), (inf, inf, 0))
