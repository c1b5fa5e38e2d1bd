"""The replay window against a set of what was seen."""

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.secret.window import WINDOW, fresh, mark
from tests import FULL


class Model:
    """The window as a set."""

    def __init__(self) -> None:
        self.newest = -1
        self.seen: set[int] = set()

    def take(self, counter: int) -> bool:
        if counter in self.seen or counter < self.newest - WINDOW:
            return False
        self.seen.add(counter)
        self.newest = max(self.newest, counter)
        return True


class WindowTests(SynchronousTestCase):
    def against_the_model(self, counters: list[int]) -> None:
        model, newest, seen = Model(), -1, 0
        for counter in counters:
            good = fresh(newest, seen, counter)
            self.assertEqual(good, model.take(counter), (counter, newest))
            if good:
                newest, seen = mark(newest, seen, counter)
            self.assertEqual(newest, model.newest)
            self.assertLess(seen.bit_length(), WINDOW + 520)

    @given(st.lists(st.integers(0, 3 * WINDOW) | st.integers(WINDOW - 3, WINDOW + 3) | st.integers(0, 8), max_size=60))
    def test_it_agrees_with_a_set_for_any_order(self, counters: list[int]) -> None:
        self.against_the_model(counters)

    def test_it_agrees_with_a_set_for_a_stream_that_wanders_jumps_and_repeats(self) -> None:
        chance = random.Random(7)
        base, counters = 0, []
        for _ in range(100_000 if FULL else 20_000):
            base += chance.choice((0, 1, 1, 1, 2, 5)) if chance.random() < 0.999 else chance.randrange(2 * WINDOW)
            counters.append(max(0, base - chance.choice((0, 0, 1, 3, 70, WINDOW - 1, WINDOW, WINDOW + 1))))
        self.against_the_model(counters)

    def test_the_edge_is_2048_below_the_newest(self) -> None:
        newest, seen = mark(-1, 0, 10_000)
        self.assertTrue(fresh(newest, seen, 10_000 - 2_048))
        self.assertFalse(fresh(newest, seen, 10_000 - 2_049))
        self.assertFalse(fresh(newest, seen, 10_000))

    def test_a_jump_beyond_the_window_forgets_what_lay_in_it_and_opens_none_of_it(self) -> None:
        newest, seen = mark(*mark(-1, 0, 5), 5 + WINDOW + 1)
        self.assertEqual(seen, 1)
        self.assertFalse(fresh(newest, seen, 5))
        newest, seen = mark(*mark(-1, 0, 5), 5 + WINDOW)
        self.assertFalse(fresh(newest, seen, 5))
        self.assertTrue(fresh(newest, seen, 6))

    def test_a_little_used_window_is_a_small_integer(self) -> None:
        newest, seen = -1, 0
        for counter in range(4_000_000_000, 4_000_000_020):
            newest, seen = mark(newest, seen, counter)
        self.assertEqual(seen, (1 << 20) - 1)
