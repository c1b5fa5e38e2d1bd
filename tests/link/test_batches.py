"""The log of a sender: what is lost, and when that can be known."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.batches import Batches


def log() -> Batches:
    """Three batches of two packets each, a second apart; pieces 0 to 5."""
    batches = Batches()
    for number in range(3):
        batches.add(2 * number + 2, 3 << 2 * number, float(number))
    return batches


class BatchTests(SynchronousTestCase):
    def test_a_counter_leads_to_the_time_its_batch_was_sent(self) -> None:
        self.assertEqual([log().acknowledged(counter) for counter in range(6)], [0.0, 0.0, 1.0, 1.0, 2.0, 2.0])

    def test_nothing_is_lost_before_something_later_was_acknowledged(self) -> None:
        batches = log()
        self.assertEqual(batches.lost(0, 99.0), (0, -inf))
        batches.acknowledged(0)
        self.assertEqual(batches.lost(0, 99.0), (0, -inf))
        self.assertEqual(batches.waiting_since, inf)

    def test_what_older_batches_miss_is_lost_when_it_has_waited_long_enough(self) -> None:
        batches = log()
        batches.acknowledged(5)
        self.assertEqual(batches.waiting_since, 0.0)
        self.assertEqual(batches.lost(0b110001, -0.5), (0, -inf))
        self.assertEqual(batches.lost(0b110001, 0.0), (0b10, 0.0))
        self.assertEqual(batches.waiting_since, 1.0)
        self.assertEqual(batches.lost(0b110001, 1.5), (0b1100, 1.0))
        self.assertEqual(batches.lost(0b110001, 99.0), (0, -inf))

    def test_a_late_ack_of_an_old_batch_does_not_move_the_newest_back(self) -> None:
        batches = log()
        batches.acknowledged(5)
        batches.acknowledged(0)
        self.assertEqual(batches.lost(0, 0.0), (0b11, 0.0))

    def test_what_is_forgotten_is_never_lost(self) -> None:
        batches = log()
        batches.forget(0b1)
        batches.acknowledged(5)
        self.assertEqual(batches.lost(0, 0.0), (0b10, 0.0))
        batches.forget_all()
        self.assertEqual((batches.lost(0, 99.0), batches.waiting_since), ((0, -inf), inf))

    def test_a_piece_that_was_sent_twice_is_forgotten_in_its_newest_batch(self) -> None:
        batches = log()
        batches.add(7, 0b1, 3.0)
        batches.add(8, 0, 4.0)
        batches.forget(0b1)
        batches.acknowledged(7)
        self.assertEqual(batches.lost(0, 99.0)[0], 0b111111)

    def test_packets_are_counted_by_when_they_were_sent(self) -> None:
        batches = log()
        counted = [batches.packets_between(*times) for times in ((0, 2), (0.5, 2), (1, 1), (1.1, 1.9), (3, 4), (2, 0))]
        self.assertEqual(counted, [6, 4, 2, 0, 0, 0])
