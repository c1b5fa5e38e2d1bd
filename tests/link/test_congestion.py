"""The controller: what opens the window, what closes it, and what does neither."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.link.congestion import Controller
from rhotwist.link.cubic import BETA, PACKET

TRIP = 0.1


class Rounds:
    """A controller whose window is sent and acknowledged round by round, in ten acks each."""

    def __init__(self, *, background: bool = False) -> None:
        self.control = Controller(Limits(), 0.0, background=background)
        self.mono = 0.0

    def round(self, trip: float = TRIP, lost: float = 0.0, used: float = 1.0, count: int = 1) -> float:
        """Rounds of a round trip with that share lost and that share of the window used; the window after them."""
        control = self.control
        for _ in range(count):
            sent_at, self.mono = self.mono, self.mono + trip
            size = int(control.window * used)
            control.inflight = size
            if lost:
                control.on_loss(int(size * lost), sent_at, self.mono)
            for _ in range(10):
                control.inflight = int(control.window * used)
                control.on_ack(int(size * (1 - lost)) // 10, sent_at, trip, self.mono)
            control.inflight = 0
        return control.window

    def settled(self, window: float = 200_000.0) -> Rounds:
        """Out of slow start, with that window and no past."""
        self.round(count=2)
        self.control.slow_start = False
        self.control.window = window
        self.round()
        return self


class GrowthTests(SynchronousTestCase):
    def test_the_first_window_is_ten_packets_and_doubles_each_round_trip(self) -> None:
        rounds = Rounds()
        first = rounds.control.window
        self.assertEqual(first, 14_720)
        self.assertGreater(rounds.round(), 1.9 * first)
        self.assertGreater(rounds.round(count=2), 7 * first)

    def test_a_window_that_is_not_used_does_not_grow(self) -> None:
        rounds = Rounds()
        rounds.round()
        before = rounds.control.window
        self.assertEqual(rounds.round(used=0.3, count=5), before)
        rounds = Rounds().settled()
        before = rounds.control.window
        self.assertEqual(rounds.round(used=0.7, count=5), before)

    def test_the_window_has_an_end(self) -> None:
        rounds = Rounds()
        self.assertEqual(rounds.round(trip=0.001, count=30), Limits().object_window)

    def test_slow_start_ends_at_what_the_line_delivers_when_a_queue_begins(self) -> None:
        rounds = Rounds()
        rounds.round(count=5)
        window = rounds.control.window
        self.assertTrue(rounds.control.slow_start)
        rounds.round(trip=TRIP * 1.3)
        self.assertFalse(rounds.control.slow_start)
        self.assertLessEqual(rounds.control.window, 1.2 * window)

    def test_a_second_of_rest_halves_what_is_sent_at_once_and_finds_it_again(self) -> None:
        rounds = Rounds().settled()
        before = rounds.control.window
        rounds.mono += 5.0
        rounds.control.sent(PACKET, rounds.mono)
        self.assertEqual(rounds.control.window, before / 2)
        self.assertTrue(rounds.control.slow_start)


class LossTests(SynchronousTestCase):
    def test_a_loss_without_a_queue_changes_nothing(self) -> None:
        for lost in (0.01, 0.05, 0.2):
            rounds = Rounds().settled()
            before = rounds.control.window
            self.assertGreaterEqual(rounds.round(lost=lost, count=10), before)
            self.assertEqual(rounds.control.reductions, 0)

    def test_a_loss_beside_a_queue_makes_the_window_smaller_once_a_round_trip(self) -> None:
        rounds = Rounds().settled()
        rounds.round(trip=TRIP * 1.5, count=2)
        control = rounds.control
        before = control.window
        control.sent(5 * PACKET, rounds.mono)
        sent_at = rounds.mono
        for number in range(5):
            control.on_loss(PACKET, sent_at, rounds.mono + 0.1 + number / 1_000)
        self.assertEqual(control.reductions, 1)
        self.assertLess(control.window, before)
        self.assertGreaterEqual(control.window, BETA * before)

    def test_half_of_a_round_lost_is_congestion_whatever_the_queue(self) -> None:
        rounds = Rounds().settled()
        before = rounds.control.window
        self.assertLess(rounds.round(lost=0.5, count=2), 0.7 * before)

    def test_a_line_from_which_no_more_comes_however_much_is_sent_is_full(self) -> None:
        rounds = Rounds().settled(150_000.0)
        control = rounds.control
        for _ in range(60):
            lost = max(0.0, 1 - 150_000 / control.window)
            rounds.round(lost=lost)
            control.window *= 1.02
        self.assertGreater(control.reductions, 0)
        self.assertLess(control.window, 1.6 * 150_000)

    def test_a_line_known_for_its_losses_is_tried_now_and_then_and_given_back_its_window(self) -> None:
        rounds = Rounds().settled(300_000.0)
        control = rounds.control
        windows = [rounds.round(lost=0.04) for _ in range(60)]
        self.assertTrue(control.lossy)
        self.assertGreaterEqual(control.reductions, 1)
        self.assertGreater(windows[-1], 300_000)

    def test_a_line_whose_losses_vanish_when_it_gets_less_is_treated_as_plain_cubic_does(self) -> None:
        rounds = Rounds().settled(300_000.0)
        control = rounds.control
        for _ in range(40):
            if not control.reductions:
                control.window = 300_000.0
            rounds.round(lost=0.04 if control.window > 280_000 else 0.0)
        self.assertFalse(control.lossy)
        control.window = 260_000.0
        before = control.reductions
        rounds.round(lost=0.02, count=3)
        self.assertGreater(control.reductions, before)

    def test_silence_takes_the_window_back_to_its_beginning_and_slow_start_to_where_it_was(self) -> None:
        rounds = Rounds().settled()
        control = rounds.control
        control.sent(200_000, rounds.mono)
        control.on_timeout(200_000, rounds.mono + 1)
        self.assertEqual((control.window, control.slow_start, control.inflight), (14_720, True, 0))
        rounds.mono += 1.1
        rounds.round(count=6)
        self.assertFalse(control.slow_start)
        self.assertGreater(control.window, 120_000)


class QueueTests(SynchronousTestCase):
    def test_a_queue_longer_than_the_line_makes_the_window_smaller_without_any_loss(self) -> None:
        rounds = Rounds().settled()
        before = rounds.control.window
        rounds.round(trip=2.2 * TRIP, count=2)
        self.assertLess(rounds.control.window, before)

    def test_a_queue_that_does_not_drain_is_somebody_else_s_and_the_window_comes_back(self) -> None:
        rounds = Rounds().settled()
        before = rounds.control.window
        rounds.round(trip=2.2 * TRIP, count=4)
        self.assertGreaterEqual(rounds.control.window, before)
        self.assertEqual(rounds.control.reductions, 1)
        rounds.round(trip=2.2 * TRIP, count=4)
        self.assertEqual(rounds.control.reductions, 1)

    def test_background_yields_to_a_queue_beyond_its_target_and_to_any_loss(self) -> None:
        rounds = Rounds(background=True).settled()
        before = rounds.control.window
        self.assertGreater(rounds.round(trip=TRIP + 0.010), before)
        self.assertLess(rounds.round(trip=TRIP + 0.040, count=2), before)
        rounds = Rounds(background=True).settled()
        before = rounds.control.window
        self.assertLess(rounds.round(lost=0.01), before)


class PaceTests(SynchronousTestCase):
    def test_a_quantum_is_a_millisecond_of_the_rate(self) -> None:
        control = Rounds().settled(100_000.0).control
        for window, packets in ((10_000.0, 1), (200_000.0, 1), (1_000_000.0, 8), (16_000_000.0, 45)):
            control.window, control._next = window, 0.0
            control.inflight = 0
            self.assertEqual(control.grant(9.0, PACKET), packets)

    def test_the_pace_lets_the_next_go_when_the_last_has_left(self) -> None:
        control = Rounds().settled(100_000.0).control
        control.sent(PACKET, 5.0)
        after = control.next_send
        self.assertEqual(control.grant(5.0, PACKET) if after > 5.0 else 0, 0)
        for _ in range(10):
            control.sent(PACKET, 5.0)
        self.assertAlmostEqual(control.next_send - after, 10 * PACKET / control.rate)

    def test_a_full_window_lets_nothing_go_and_an_empty_one_always_something(self) -> None:
        control = Rounds().settled(100_000.0).control
        control.inflight = 100_000
        self.assertEqual((control.grant(9.0, PACKET), control.has_room(PACKET)), (0, False))
        control.inflight = 0
        self.assertEqual((control.grant(9.0, 1_000_000), control.has_room(1_000_000)), (1, True))

    def test_before_any_round_trip_is_known_nothing_is_spread(self) -> None:
        control = Controller(Limits(), 0.0)
        self.assertEqual((control.rate, control.grant(0.0, PACKET), control.pto), (inf, 10, 1.0))
