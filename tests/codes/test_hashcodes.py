"""Hashcodes: never 0, never live twice, never back within the quarantine, and no late look-up finds a stranger."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.codes.hashcodes import HashcodeTable, Permutation
from rhotwist.errors import LocalError
from rhotwist.limits import Limits
from tests import FULL

KEY = bytes(range(32))
QUARANTINE = Limits().quarantine
TOP = 2**32


class PermutationTests(SynchronousTestCase):
    def test_every_code_comes_exactly_once_in_a_turn(self) -> None:
        for bits in (8, 12):
            order = Permutation(KEY, bits)
            codes = [order.code(position) for position in range(1 << bits)]
            self.assertEqual(sorted(codes), list(range(1 << bits)))
            self.assertEqual([order.position(code) for code in codes], list(range(1 << bits)))

    @given(st.integers(0, TOP - 1), st.binary(min_size=16, max_size=32))
    @settings(max_examples=20)
    def test_a_code_leads_back_to_its_position(self, position: int, key: bytes) -> None:
        order = Permutation(key)
        self.assertEqual(order.position(order.code(position)), position)

    def test_a_known_key_gives_the_known_order(self) -> None:
        order = Permutation(KEY)
        codes = [order.code(position) for position in (0, 1, 2, TOP - 1)]
        self.assertEqual(codes, [0x78BB5544, 0x8AE4D33C, 0xE4535F22, 0x99ED3695])  # by a second, plain implementation

    def test_neighbours_lie_far_apart_and_every_round_depends_on_the_key(self) -> None:
        order, other = Permutation(KEY), Permutation(KEY[::-1])
        codes = [order.code(p) for p in range(2_000)]
        self.assertGreater(len({code >> 21 for code in codes}), 1_100)  # of 2,048; a random order fills 1,277
        self.assertGreater(len({code & 2047 for code in codes}), 1_100)
        self.assertLess(len(set(codes) & {other.code(p) for p in range(2_000)}), 5)

    def test_a_digest_serves_sixteen_neighbours_and_is_computed_once(self) -> None:
        order = Permutation(KEY)
        before = [order.code(position) for position in range(500)]
        computed = sum(map(sum, order._done))
        self.assertEqual([order.code(position) for position in range(500)], before)
        self.assertEqual(sum(map(sum, order._done)), computed)
        self.assertTrue(32 < computed < 4 * 500)

    def test_a_wrong_key_or_width_is_told(self) -> None:
        for key in (b"", bytes(15), bytes(33)):
            self.assertRaises(LocalError, Permutation, key)
        for bits in (6, 9, 34):
            self.assertRaises(LocalError, Permutation, KEY, bits)


class HashcodeTests(SynchronousTestCase):
    def test_zero_is_never_given_out(self) -> None:
        start = Permutation(KEY).position(0)
        table: HashcodeTable[int] = HashcodeTable(KEY, QUARANTINE, start=start - 3)
        codes = [table.allocate(i, 0.0) for i in range(6)]
        self.assertNotIn(0, codes)
        self.assertEqual(len(set(codes)), 6)
        self.assertEqual([table.get(code) for code in codes], list(range(6)))

    def test_rollover_skips_live_codes(self) -> None:
        order = Permutation(KEY)
        table: HashcodeTable[str] = HashcodeTable(KEY, QUARANTINE, start=TOP - 10)
        planted = [order.code(p % TOP) for p in (TOP - 9, TOP - 1, TOP, TOP + 1, TOP + 7)]
        for code in planted:
            table.live[code] = "planted"
        codes = [table.allocate("new", 0.0) for _ in range(20)]
        self.assertEqual(len(set(codes)), 20)
        self.assertFalse(set(codes) & set(planted))
        self.assertEqual(codes[-1], order.code(14))
        self.assertTrue(all(table.get(code) == "planted" for code in planted))

    def test_a_start_beyond_the_top_is_taken_round(self) -> None:
        one: HashcodeTable[int] = HashcodeTable(KEY, QUARANTINE, start=5)
        two: HashcodeTable[int] = HashcodeTable(KEY, QUARANTINE, start=TOP + 5)
        self.assertEqual(one.allocate(1, 0.0), two.allocate(1, 0.0))

    def test_a_code_freed_just_ahead_of_the_counter_waits_out_the_quarantine(self) -> None:
        table: HashcodeTable[int] = HashcodeTable(KEY, 600.0, start=0, bits=8)
        first = [table.allocate(i, 0.0) for i in range(200)]
        for code in first[100:]:
            table.free(code, 0.0)
        self.assertEqual(table.quarantined, 0)  # behind the counter: a whole turn away
        second = [table.allocate(i, 1_000.0) for i in range(50)]  # to just before the first round's place
        for code in first[:10]:
            table.free(code, 1_000.0)
        self.assertEqual(table.quarantined, 10)
        third = [table.allocate(i, 1_599.0) for i in range(20)]
        self.assertFalse(set(third) & set(first[:10]))
        self.assertFalse(set(third) & set(second))
        self.assertEqual(table.quarantined, 10)
        table.allocate(0, 1_600.0)
        self.assertEqual(table.quarantined, 0)

    def test_nothing_is_kept_for_a_code_that_cannot_come_again_soon(self) -> None:
        table: HashcodeTable[int] = HashcodeTable(KEY, QUARANTINE, start=7)
        for number in range(5_000):
            table.free(table.allocate(number, 0.0), 0.0)
        self.assertEqual((table.quarantined, len(table)), (0, 0))

    def test_a_full_table_says_so(self) -> None:
        table: HashcodeTable[int] = HashcodeTable(KEY, QUARANTINE, start=99, bits=8)
        codes = [table.allocate(number, 0.0) for number in range(255)]
        self.assertRaises(LocalError, table.allocate, 0, 0.0)
        table.free(codes[0], 0.0)  # next in line, so quarantined
        self.assertRaises(LocalError, table.allocate, 0, 599.0)
        self.assertEqual(table.allocate(0, 600.0), codes[0])

    def test_a_code_is_freed_once(self) -> None:
        table: HashcodeTable[str] = HashcodeTable(KEY, QUARANTINE, start=0)
        code = table.allocate("a", 0.0)
        self.assertEqual(table.free(code, 0.0), "a")
        self.assertRaises(LocalError, table.free, code, 0.0)
        self.assertIsNone(table.get(code))

    def test_guesses_find_only_their_share(self) -> None:
        """A million guesses against 100,000 live codes find 23 on average, and are only an index."""
        table: HashcodeTable[int] = HashcodeTable(KEY, QUARANTINE, start=123_456)
        for number in range(100_000 if FULL else 20_000):
            table.allocate(number, 0.0)
        draw = random.Random(5)
        hits = sum(table.get(draw.getrandbits(32)) is not None for _ in range(1_000_000 if FULL else 50_000))
        self.assertLess(hits, 60)


class HashcodeMachine(RuleBasedStateMachine):
    """Allocate, free and look up late, in a space of 256 codes so that the counter goes round many times."""

    def __init__(self) -> None:
        super().__init__()
        self.mono = 0.0
        self.table: HashcodeTable[object] = HashcodeTable(KEY, 600.0, start=250, bits=8)
        self.live: dict[int, object] = {}
        self.freed: dict[int, tuple[float, object]] = {}
        self.recent: list[float] = []

    @rule(count=st.integers(1, 12))
    def allocate(self, count: int) -> None:
        for _ in range(count):
            # The promise holds for a quarter turn within the quarantine, skipped places counted; and leaves room.
            self.recent = [at for at in self.recent if at > self.mono - 600.0]
            if len(self.recent) >= 32 - 2 or len(self.live) > 24:
                return
            obj = object()
            code = self.table.allocate(obj, self.mono)
            assert 0 < code < 256 and code not in self.live
            assert self.mono - self.freed.get(code, (-600.0, None))[0] >= 600.0
            self.live[code] = obj
            self.freed.pop(code, None)
            self.recent.append(self.mono)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        code = data.draw(st.sampled_from(sorted(self.live)))
        obj = self.live.pop(code)
        assert self.table.free(code, self.mono) is obj
        self.freed[code] = (self.mono, obj)

    @rule(code=st.integers(0, 255))
    def look_up(self, code: int) -> None:
        found = self.table.get(code)
        assert found is self.live.get(code)
        if code in self.freed:
            assert found is None

    @rule(seconds=st.sampled_from([0.0, 1.0, 100.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.mono += seconds

    @invariant()
    def agree(self) -> None:
        assert self.table.live == self.live and len(self.table) == len(self.live)
        assert self.table.quarantined <= len(self.freed)


class HashcodeMachineTests(SynchronousTestCase):
    def test_no_late_lookup_finds_another_and_no_code_comes_back_early(self) -> None:
        run_state_machine_as_test(
            HashcodeMachine, settings=settings(stateful_step_count=100, max_examples=1_000 if FULL else 25)
        )
