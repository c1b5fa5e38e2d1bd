"""One use: what was used is never taken for new, and what is new hardly ever for used."""

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.secret.bloom import SIZE, Bloom, OneUse
from tests import FULL

KEY = bytes(range(32))


class BloomTests(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=50), max_size=50))
    def test_a_member_is_always_known(self, entries: list[bytes]) -> None:
        bloom = Bloom(KEY, 4096)
        for entry in entries:
            bloom.add(entry)
            self.assertFalse(bloom.add(entry))
        self.assertTrue(all(entry in bloom for entry in entries))

    def test_an_empty_one_knows_nobody(self) -> None:
        bloom = Bloom(KEY)
        self.assertFalse(any(number.to_bytes(4, "big") in bloom for number in range(1_000)))

    def test_a_hundred_thousand_entries_make_one_mistake_in_a_hundred_thousand(self) -> None:
        count = 100_000 if FULL else 20_000
        chance, bloom = random.Random(1), Bloom(KEY, SIZE if FULL else SIZE // 4)
        for _ in range(count):
            bloom.add(chance.randbytes(48))
        self.assertLessEqual(sum(chance.randbytes(48) in bloom for _ in range(count)), 5)

    def test_a_full_one_takes_everyone_for_known(self) -> None:
        bloom = Bloom(KEY, 1)
        for number in range(64):
            bloom.add(bytes([number]))
        self.assertFalse(bloom.add(b"new"))

    def test_where_an_entry_lies_depends_on_the_key(self) -> None:
        bloom, other = Bloom(KEY, 4096), Bloom(KEY[::-1], 4096)
        for one in (bloom, other):
            one.add(b"entry")
        self.assertNotEqual(bloom._bits, other._bits)

    def test_sizes_that_are_no_power_of_two_and_short_keys_are_refused(self) -> None:
        for size in (0, 3, -1):
            self.assertRaises(LocalError, Bloom, KEY, size)
        self.assertRaises(LocalError, Bloom, bytes(15))


class OneUseTests(SynchronousTestCase):
    def test_each_entry_has_one_first_use(self) -> None:
        uses = OneUse(KEY, 1024)
        self.assertTrue(uses.first(b"a", 5, (5, 4)))
        self.assertEqual([uses.first(b"a", 5, (5, 4)) for _ in range(99)], [False] * 99)
        self.assertTrue(uses.used(b"a", 5))
        self.assertFalse(uses.used(b"b", 5))
        self.assertFalse(uses.used(b"a", 4))
        self.assertTrue(uses.first(b"a", 4, (5, 4)))

    def test_an_entry_is_remembered_for_as_long_as_its_period_is_honoured(self) -> None:
        uses = OneUse(KEY, 1024)
        uses.first(b"a", 4, (4, 3))
        uses.first(b"b", 5, (5, 4))
        uses.first(b"c", 4, (5, 4))
        self.assertFalse(uses.first(b"a", 4, (5, 4)))
        uses.first(b"d", 6, (6, 5))
        self.assertFalse(uses.used(b"a", 4))
        self.assertTrue(uses.used(b"b", 5))

    def test_no_more_filters_stand_than_periods_are_honoured(self) -> None:
        uses = OneUse(KEY, 1024)
        self.assertEqual(len(uses._filters), 0)
        for period in range(1, 50):
            for made in (period, period - 1, period + 1):
                uses.first(b"a", made, (period, period - 1, period + 1))
            self.assertLessEqual(len(uses._filters), 3)
