"""A bounded dict in which nobody can choose who is dropped."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.secret.crowd import Crowd


class CrowdTests(SynchronousTestCase):
    @given(st.lists(st.tuples(st.sampled_from(["put", "pop"]), st.integers(0, 9), st.integers()), max_size=80))
    def test_it_is_a_dict_while_there_is_room(self, steps: list[tuple[str, int, int]]) -> None:
        crowd: Crowd[int, int] = Crowd(10, bytes)
        model: dict[int, int] = {}
        for verb, key, value in steps:
            if verb == "put":
                crowd.put(key, value)
                model[key] = value
            else:
                self.assertEqual(crowd.pop(key), model.pop(key, None))
            self.assertEqual({key: crowd.get(key) for key in range(10) if key in crowd}, model)
            self.assertEqual(len(crowd), len(model))
        self.assertEqual(crowd.dropped, 0)

    def test_it_never_outgrows_its_bound_and_the_newcomer_stays(self) -> None:
        crowd: Crowd[int, int] = Crowd(16, random.Random(1).randbytes)
        for number in range(1_000):
            before = {one: crowd.get(one) for one in range(number) if one in crowd}
            gone = crowd.put(number, -number)
            self.assertEqual([] if gone is None else [gone],
                             [item for item in before.items() if item[0] not in crowd])  # fmt: skip
            self.assertLessEqual(len(crowd), 16)
            self.assertEqual(crowd.get(number), -number)
        self.assertEqual(crowd.dropped, 1_000 - 16)

    def test_whoever_is_there_is_dropped_with_the_same_chance(self) -> None:
        chance, left = random.Random(2), Counter[int]()
        for _ in range(2_000):
            crowd: Crowd[int, None] = Crowd(8, chance.randbytes)
            for number in range(9):
                crowd.put(number, None)
            left.update(number for number in range(8) if number not in crowd)
        self.assertTrue(all(180 < left[number] < 320 for number in range(8)), left)

    def test_setting_a_known_key_drops_nobody(self) -> None:
        crowd: Crowd[int, int] = Crowd(2, bytes)
        for value in range(5):
            crowd.put(1, value)
            crowd.put(2, value)
        self.assertEqual((crowd.get(1), crowd.get(2), crowd.dropped), (4, 4, 0))

    def test_a_bound_of_nothing_is_refused(self) -> None:
        self.assertRaises(LocalError, Crowd, 0, bytes)
