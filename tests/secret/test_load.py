"""The share of the last second, from nominal costs."""

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.secret.load import PARTS, Load


class LoadTests(SynchronousTestCase):
    def test_work_counts_for_a_second(self) -> None:
        load = Load()
        self.assertEqual(load.share(123.0), 0.0)
        for _ in range(1_000):
            load.book(123.0, 250e-6)
        self.assertAlmostEqual(load.share(123.0), 0.25)
        self.assertAlmostEqual(load.share(123.9), 0.25)
        self.assertEqual(load.share(124.0), 0.0)

    def test_a_steady_rate_is_its_share(self) -> None:
        load = Load()
        for number in range(3_000):
            load.book(10 + number / 1_000, 300e-6)
        self.assertTrue(0.3 * (1 - 1 / PARTS) - 1e-9 <= load.share(12.999) <= 0.3 + 1e-9)

    def test_it_can_exceed_one(self) -> None:
        load = Load()
        load.book(1.0, 3.0)
        self.assertEqual(load.share(1.0), 3.0)

    @given(st.lists(st.tuples(st.floats(0, 0.7), st.floats(0, 1)), max_size=60))
    def test_it_lies_between_the_sums_of_a_part_less_and_a_whole_second(self, steps: list[tuple[float, float]]) -> None:
        load, mono, done = Load(), 1_000.0, []
        for pause, cost in steps:
            mono += pause
            load.book(mono, cost)
            done.append((mono, cost))
            share = load.share(mono)
            self.assertLessEqual(share, sum(c for at, c in done if at > mono - 1 - 1e-6) + 1e-6)
            self.assertGreaterEqual(share, sum(c for at, c in done if at > mono - 1 + 1.01 / PARTS) - 1e-6)

    def test_rounding_does_not_add_up(self) -> None:
        load, chance, mono = Load(), random.Random(1), 0.0
        for _ in range(20_000):
            mono += chance.random() / 20
            load.book(mono, chance.random())
        self.assertEqual(load.share(mono + 1.1), 0.0)

    def test_negative_work_is_refused(self) -> None:
        self.assertRaises(LocalError, Load().book, 1.0, -1.0)
