"""The table of sessions: found at once, never a live one thrown out, the idlest first."""

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.codes.hashcodes import HashcodeTable
from rhotwist.errors import LocalError, TableFull
from rhotwist.secret.table import GRAIN, Reserve, SessionTable
from tests import FULL

KEEP = 1_200.0


class TableTests(SynchronousTestCase):
    def make(self, most: int) -> SessionTable[str]:
        self.codes: HashcodeTable[None] = HashcodeTable(bytes(32), 600.0, start=5)
        return SessionTable(self.codes, most, KEEP)

    def add(self, table: SessionTable[str], name: str, mono: float) -> tuple[int, str | None]:
        code = self.codes.allocate(None, mono)
        try:
            return code, table.add(code, name, mono)
        except TableFull:
            self.codes.free(code, mono)
            raise

    def test_a_session_is_found_by_its_code_and_by_no_other(self) -> None:
        table = self.make(10)
        code, gone = self.add(table, "a", 0.0)
        half_open = self.codes.allocate(None, 0.0)
        self.assertIsNone(gone)
        self.assertEqual((table.get(code), table.get(half_open), table.get(0)), ("a", None, None))
        self.assertEqual(table.remove(code, 1.0), "a")
        self.assertIsNone(table.get(code))
        self.assertNotIn(code, self.codes.live)
        self.assertIn(half_open, self.codes.live)
        self.assertEqual(len(table), 0)

    def test_a_full_table_of_live_sessions_refuses_the_newcomer(self) -> None:
        table = self.make(3)
        codes = [self.add(table, name, 0.0)[0] for name in "abc"]
        self.assertFalse(table.room(KEEP - 1))
        self.assertRaises(TableFull, self.add, table, "d", KEEP - 1)
        self.assertEqual([table.get(code) for code in codes], ["a", "b", "c"])
        self.assertEqual(len(self.codes), 3)

    def test_what_idled_longest_goes_for_a_newcomer(self) -> None:
        table = self.make(3)
        codes = [self.add(table, name, float(place)) for place, name in enumerate("abc")]
        table.touch(codes[0][0], 100.0)
        late = KEEP + 50.0
        self.assertTrue(table.room(late))
        self.assertEqual(self.add(table, "d", late)[1], "b")
        self.assertEqual(self.add(table, "e", late)[1], "c")
        self.assertRaises(TableFull, self.add, table, "f", late)
        self.assertEqual(self.add(table, "f", KEEP + 101.0)[1], "a")
        self.assertNotIn(codes[1][0], self.codes.live)

    def test_nobody_goes_while_there_is_room(self) -> None:
        table = self.make(3)
        self.add(table, "a", 0.0)
        self.assertIsNone(self.add(table, "b", 1e9)[1])

    def test_codes_that_are_not_allocated_or_taken_are_refused(self) -> None:
        table = self.make(3)
        code, _ = self.add(table, "a", 0.0)
        self.assertRaises(LocalError, table.add, code, "b", 0.0)
        self.assertRaises(LocalError, table.add, 12345, "b", 0.0)
        self.assertRaises(LocalError, table.remove, 12345, 0.0)
        table.touch(12345, 0.0)

    @given(
        st.lists(st.tuples(st.sampled_from(["add", "add", "touch", "remove"]), st.integers(0, 6), st.floats(0, 700)))
    )
    def test_no_session_idle_for_less_than_20_minutes_ever_goes_and_the_idlest_goes_first(
        self, steps: list[tuple[str, int, float]]
    ) -> None:
        table, mono, number = self.make(4), 0.0, 0
        last: dict[str, float] = {}
        codes: dict[str, int] = {}
        for verb, which, pause in steps:
            mono += pause
            name = sorted(codes)[which % len(codes)] if codes else ""
            if verb == "add":
                number += 1
                full = len(table) == 4
                idle = [mono - at for at in last.values()]
                try:
                    code, gone = self.add(table, f"{number:04}", mono)
                except TableFull:
                    self.assertTrue(full and max(idle) < KEEP + 2 * GRAIN)
                    continue
                if gone is not None:
                    self.assertTrue(full and mono - last[gone] >= KEEP)
                    self.assertGreaterEqual(mono - last[gone], max(idle) - GRAIN)
                    del last[gone], codes[gone]
                codes[f"{number:04}"], last[f"{number:04}"] = code, mono
            elif name and verb == "touch":
                table.touch(codes[name], mono)
                last[name] = mono
            elif name:
                table.remove(codes.pop(name), mono)
                del last[name]
            self.assertEqual({table.get(code) for code in codes.values()}, set(codes))
            self.assertEqual((len(table), len(self.codes)), (len(codes), len(codes)))

    def test_a_table_of_100_000_lets_newcomers_in_as_a_small_one_does(self) -> None:
        count = 100_000 if FULL else 10_000
        table, chance = self.make(count), random.Random(1)
        codes = [self.add(table, "s", number / count)[0] for number in range(count)]
        for code in chance.choices(codes, k=count):
            table.touch(code, 1_000.0)
        gone = 0
        for _ in range(count // 10):  # no scan: it would take minutes here
            gone += self.add(table, "new", KEEP + 2.5)[1] is not None
        self.assertEqual(gone, count // 10)
        self.assertEqual(len(table), count)


class ReserveTests(SynchronousTestCase):
    def test_no_more_is_taken_than_there_is(self) -> None:
        reserve = Reserve(100)
        self.assertTrue(reserve.take(60))
        self.assertFalse(reserve.take(41))
        self.assertTrue(reserve.take(40))
        reserve.give(100)
        self.assertEqual(reserve.used, 0)
        self.assertRaises(LocalError, reserve.give, 1)
        self.assertRaises(LocalError, reserve.give, -1)
        self.assertFalse(reserve.take(-1))
