"""The curve of RFC 9438, against its formula."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.cubic import BETA, PACKET, STEEPNESS, Cubic


def grown(cubic: Cubic, window: float, seconds: float, round_trip: float = 0.1) -> float:
    """The window after so many seconds of acks, a round trip's worth in ten parts."""
    ticks = int(seconds / round_trip * 10)
    for tick in range(ticks):
        window += cubic.gain(window, int(window / 10), round_trip, tick * round_trip / 10)
    return window


class CubicTests(SynchronousTestCase):
    def test_it_is_back_at_the_top_when_the_formula_says_and_flat_there(self) -> None:
        top = 200.0 * PACKET
        cubic = Cubic()
        cubic.cut(top)
        back = (top * (1 - BETA) / PACKET / STEEPNESS) ** (1 / 3)
        self.assertLess(grown(cubic, top * BETA, back * 0.5), top * 0.97)
        cubic = Cubic()
        cubic.cut(top)
        self.assertApproximates(grown(cubic, top * BETA, back) / top, 1.0, 0.01)

    def test_beyond_the_top_it_grows_faster_and_faster_but_by_no_more_than_half_a_round_trip(self) -> None:
        cubic = Cubic()
        first = grown(cubic, 100.0 * PACKET, 4.0)
        self.assertApproximates(first / PACKET, 100 + STEEPNESS * 4**3, 8)
        self.assertEqual(cubic.gain(10.0 * PACKET, 1_000, 0.1, 1_000.0), 500)

    def test_a_window_cut_below_the_last_top_leaves_room_for_others(self) -> None:
        cubic = Cubic()
        cubic.cut(100_000.0)
        cubic.cut(80_000.0)
        self.assertEqual(cubic.top, 80_000 * (1 + BETA) / 2)

    def test_a_small_window_grows_at_least_as_reno_would(self) -> None:
        cubic = Cubic()
        cubic.cut(10.0 * PACKET)
        self.assertGreater(grown(cubic, 7.0 * PACKET, 2.0), 7.0 * PACKET + 20 * 0.5 * PACKET)
