"""A group has one outcome, whatever its members do and in whatever order."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.event.group import Group, indices
from tests import FULL

SEEDS = 1_000 if FULL else 100


class GroupTests(SynchronousTestCase):
    """Fires once, or fails once."""

    def test_it_fires_when_the_last_member_has_and_only_that_call_says_so(self) -> None:
        group = Group(3)
        self.assertEqual([bool(group.fire(1 << index) and group.fired) for index in (2, 0, 2, 1, 1)], [0, 0, 0, 1, 0])
        self.assertEqual((group.done, group.missing, group.over), (3, 0, True))

    def test_only_what_is_new_counts(self) -> None:
        group = Group(8, 0b1)
        self.assertEqual(group.fire(0b111), 0b110)
        self.assertEqual(group.fire(0b111), 0)
        self.assertEqual((group.done, group.missing), (3, 0b11111000))

    def test_it_fails_once_and_names_those_to_withdraw(self) -> None:
        group = Group(4)
        group.fire(0b10)
        error = ValueError("lost")
        self.assertEqual(group.lose(error), 0b1101)
        self.assertIs(group.error, error)
        self.assertIsNone(group.lose(KeyError("another")))
        self.assertIs(group.error, error)
        self.assertEqual(group.fire(0b1101), 0)
        self.assertFalse(group.fired)
        self.assertTrue(group.over)

    def test_a_group_that_has_fired_cannot_fail(self) -> None:
        group = Group(1)
        group.fire(1)
        self.assertIsNone(group.lose(ValueError()))
        self.assertIsNone(group.error)
        self.assertTrue(group.fired)

    def test_a_group_without_members_has_fired(self) -> None:
        self.assertTrue(Group(0).fired)
        self.assertEqual(Group(0).fire(0), 0)

    def test_a_member_outside_is_the_callers_mistake(self) -> None:
        group = Group(4)
        for bits in (1 << 4, -1, 0b10001):
            self.assertRaises(LocalError, group.fire, bits)
            self.assertRaises(LocalError, Group, 4, bits)
        self.assertRaises(LocalError, Group, -1)
        self.assertEqual(group.here, 0)

    def test_it_says_how_far_it_is(self) -> None:
        group = Group(2, 1)
        self.assertEqual(repr(group), "<Group waits, 1 of 2>")
        group.fire(2)
        self.assertEqual(repr(group), "<Group fired, 2 of 2>")
        lost = Group(2)
        lost.lose(ValueError())
        self.assertEqual(repr(lost), "<Group failed, 0 of 2>")

    def test_in_any_order_and_with_any_loss_there_is_one_outcome(self) -> None:
        for seed in range(SEEDS):
            random = Random(seed)
            count = random.randint(1, 40)
            group = Group(count)
            outcomes = 0
            for _ in range(4 * count):
                if random.random() < 0.01:
                    outcomes += group.lose(ValueError()) is not None
                else:
                    outcomes += bool(group.fire(random.getrandbits(count)) and group.fired)
            self.assertEqual(outcomes, group.over, f"seed {seed}")

    def test_indices_are_those_of_the_bits(self) -> None:
        self.assertEqual(indices(0), [])
        self.assertEqual(indices(0b1011), [0, 1, 3])
        self.assertEqual(indices(1 << 100_000), [100_000])
