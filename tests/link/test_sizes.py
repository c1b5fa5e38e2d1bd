"""Packet sizes of a path: learnt by probes, unlearnt by silence."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.link.sizes import PathSizes

MUCH = 6_000_000


class PathSizeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sizes = PathSizes(Limits())

    def test_each_size_that_passes_is_the_best_and_the_next_is_asked_for(self) -> None:
        for size_class in range(5, 11):
            self.assertEqual(self.sizes.wanted(0.0, MUCH), size_class)
            self.sizes.probing(size_class, 0.0, 1.0)
            self.assertIsNone(self.sizes.wanted(0.5, MUCH))
            self.sizes.passed(size_class)
            self.assertEqual(self.sizes.best, size_class)
        self.assertIsNone(self.sizes.wanted(0.0, MUCH))

    def test_a_size_is_asked_for_twice_and_then_let_be_for_ten_minutes(self) -> None:
        for mono in (0.0, 1.0):
            self.assertEqual(self.sizes.wanted(mono, MUCH), 5)
            self.sizes.probing(5, mono, 1.0)
        self.assertIsNone(self.sizes.wanted(2.0, MUCH))
        self.assertIsNone(self.sizes.wanted(601.0, MUCH))
        self.assertEqual((self.sizes.wanted(602.0, MUCH), self.sizes.best), (5, 4))

    def test_probes_are_one_byte_in_64_of_what_the_path_carries_all_together(self) -> None:
        self.assertIsNone(self.sizes.wanted(0.0, 64 * 1_408 - 1))
        self.assertEqual(self.sizes.wanted(0.0, 64 * 1_408), 5)
        self.sizes.probing(5, 0.0, 1.0)
        self.sizes.passed(5)
        self.assertIsNone(self.sizes.wanted(2.0, 64 * (1_408 + 2_816) - 1))
        self.assertEqual(self.sizes.wanted(2.0, 64 * (1_408 + 2_816)), 6)

    def test_a_size_that_does_not_pass_any_more_leaves_the_one_below(self) -> None:
        self.sizes.passed(5)
        self.sizes.failed(5, 10.0)
        self.assertEqual((self.sizes.best, self.sizes.wanted(11.0, MUCH)), (4, None))
        self.sizes.failed(4, 12.0)
        self.assertEqual((self.sizes.best, self.sizes.wanted(13.0, MUCH)), (3, None))
        self.assertEqual(self.sizes.wanted(612.0, MUCH), 4)

    def test_an_answer_that_comes_late_is_still_an_answer(self) -> None:
        for mono in (0.0, 1.0):
            self.sizes.wanted(mono, MUCH)
            self.sizes.probing(5, mono, 1.0)
        self.assertIsNone(self.sizes.wanted(2.0, MUCH))
        self.sizes.passed(5)
        self.assertEqual(self.sizes.best, 5)

    def test_an_answer_to_an_older_probe_changes_nothing(self) -> None:
        for size_class in (5, 6):
            self.sizes.probing(size_class, 0.0, 1.0)
        self.sizes.passed(5)
        self.assertEqual((self.sizes.best, self.sizes.asked), (5, 6))
        self.sizes.passed(6)
        self.sizes.passed(5)
        self.assertEqual((self.sizes.best, self.sizes.asked), (6, -1))

    def test_a_refusal_when_nothing_was_asked_changes_nothing(self) -> None:
        self.sizes.failed(-1, 1.0)
        self.sizes.failed(0, 1.0)
        self.assertEqual((self.sizes.best, self.sizes.wanted(2.0, MUCH)), (4, 5))
