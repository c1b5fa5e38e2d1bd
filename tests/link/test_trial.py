"""A step back, and what it is taken to have shown."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.cubic import PACKET
from rhotwist.link.trial import ROUNDS, Trial


class TrialTests(SynchronousTestCase):
    def test_the_first_round_tells_of_before_and_does_not_count(self) -> None:
        self.assertIsNone(Trial(1.0, 1.0, queue=0.2).verdict(0, 0, 0.1))
        trial = Trial(1.0, 1.0, share=0.1)
        self.assertIsNone(trial.verdict(900 * PACKET, 100 * PACKET, 0.1))
        self.assertIs(trial.verdict(1_000 * PACKET, 0, 0.1), True)

    def test_a_queue_that_shrinks_as_we_do_is_ours(self) -> None:
        for least, helped in ((0.15, True), (0.17, True), (0.18, False), (0.25, False), (inf, False)):
            trial = Trial(1.0, 1.0, queue=0.2)
            trial.verdict(0, 0, 0.1)
            self.assertIs(trial.verdict(0, 0, least), helped)

    def test_losses_are_judged_when_enough_were_to_be_expected(self) -> None:
        for lost, helped in ((0, True), (3, True), (4, False), (12, False)):
            trial = Trial(1.0, 1.0, share=0.05)
            trial.verdict(0, 0, 0.1)
            self.assertIsNone(trial.verdict(120 * PACKET, 0, 0.1))
            self.assertIs(trial.verdict((120 - lost) * PACKET, lost * PACKET, 0.1), helped)

    def test_where_hardly_anything_is_sent_nothing_is_shown(self) -> None:
        trial = Trial(1.0, 1.0, share=0.05)
        verdicts = [trial.verdict(5 * PACKET, 0, 0.1) for _ in range(ROUNDS)]
        self.assertEqual(verdicts, [None] * (ROUNDS - 1) + [False])
