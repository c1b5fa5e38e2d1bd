"""Puzzles: one hash to check, as many as asked to solve, and a difficulty that follows the load."""

from hashlib import sha256
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError, PuzzleRefused
from rhotwist.secret import puzzle
from rhotwist.secret.bloom import OneUse
from rhotwist.secret.puzzle import NO_PUZZLE, Difficulty, check, refuse, solve

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "cookies.md"
COOKIE, E = b"c" * 16, b"e" * 32


def solved(difficulty: int, cookie: bytes = COOKIE, e: bytes = E) -> bytes:
    field = solve(cookie, e, difficulty, tries=1 << 20)
    assert field is not None
    return field


class PuzzleTests(SynchronousTestCase):
    def test_the_solution_of_the_spec_page_is_the_first(self) -> None:
        cookie = bytes.fromhex("bad639c93df4c371651c9ebe13580db1")
        field = solved(12, cookie, b"\x0e" * 32)
        self.assertIn(f"`{field.hex()}`", PAGE.read_text())
        self.assertEqual(sha256(b"rho/puzzle/1" + cookie + b"\x0e" * 32 + field).digest()[0], 0)

    @given(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32), st.integers(0, 9))
    @settings(max_examples=40)
    def test_what_is_solved_is_accepted_up_to_its_difficulty(self, cookie: bytes, e: bytes, difficulty: int) -> None:
        field = solved(difficulty, cookie, e)
        self.assertEqual((len(field), field[0]), (8, difficulty))
        for least in range(12):
            self.assertEqual(check(cookie, e, field, least), least <= difficulty)

    def test_a_solution_is_good_for_one_cookie_and_one_ephemeral_key(self) -> None:
        field = solved(16)
        self.assertTrue(check(COOKIE, E, field, 16))
        self.assertFalse(check(b"d" * 16, E, field, 16))
        self.assertFalse(check(COOKIE, b"f" * 32, field, 16))

    def test_solutions_made_before_the_cookie_was_known_are_worth_nothing(self) -> None:
        fields = [bytes((14,)) + number.to_bytes(7, "big") for number in range(10_000)]
        good = [field for field in fields if check(bytes(16), E, field, 14)]
        self.assertFalse(any(check(COOKIE, E, field, 14) for field in good))
        self.assertLess(sum(check(COOKIE, E, field, 14) for field in fields), 6)

    def test_one_solution_is_used_once(self) -> None:
        uses, field, taken = OneUse(bytes(32), 1024), solved(8), 0
        for _ in range(100):
            taken += check(COOKIE, E, field, 8) and uses.first(COOKIE + E, 1, (1,))
        self.assertEqual(taken, 1)

    def test_a_claim_of_more_work_than_was_done_is_refused(self) -> None:
        field = solved(8)
        self.assertFalse(any(check(COOKIE, E, bytes((bits,)) + field[1:], 8) for bits in range(40, 256)))

    def test_no_puzzle_is_the_field_of_zeros_alone(self) -> None:
        self.assertTrue(check(COOKIE, E, NO_PUZZLE, 0))
        self.assertFalse(check(COOKIE, E, bytes(7) + b"\1", 0))
        self.assertFalse(check(COOKIE, E, NO_PUZZLE, 1))
        self.assertEqual(solve(COOKIE, E, 0), NO_PUZZLE)

    def test_a_bomb_is_refused_before_anything_is_hashed(self) -> None:
        def exploding(*_: object) -> None:
            raise AssertionError("hashed")

        self.patch(puzzle, "sha256", exploding)
        for difficulty in (21, 60, 255):
            self.assertRaises(PuzzleRefused, refuse, difficulty)
            self.assertRaises(PuzzleRefused, solve, COOKIE, E, difficulty)
        refuse(20)

    def test_solving_goes_on_where_it_stopped(self) -> None:
        whole, start, steps = solved(10), 0, 0
        while (field := solve(COOKIE, E, 10, start, 50)) is None:
            start, steps = start + 50, steps + 1
        self.assertEqual(field, whole)
        self.assertGreater(steps, 2)
        self.assertTrue(start <= int.from_bytes(whole[1:], "big") < start + 50)

    def test_solutions_end_where_the_field_does(self) -> None:
        self.assertRaises(LocalError, solve, COOKIE, E, 8, 2**56 - 10, 11)
        self.assertRaises(LocalError, solve, COOKIE, E, 8, -1, 11)
        solve(COOKIE, E, 8, 2**56 - 10, 10)


class DifficultyTests(SynchronousTestCase):
    def test_it_is_nothing_while_nothing_is_wrong(self) -> None:
        difficulty = Difficulty()
        self.assertEqual([difficulty.update(second / 10, False) for second in range(100)], [0] * 100)
        self.assertEqual(difficulty.least, 0)

    def test_it_starts_at_8_at_once_and_rises_by_one_a_second_up_to_20(self) -> None:
        difficulty = Difficulty()
        bits = [difficulty.update(1_000.5 + tenth / 10, True) for tenth in range(200)]
        self.assertEqual(bits[0], 8)
        self.assertEqual(bits[::10], [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 20, 20, 20, 20, 20, 20, 20])

    def test_it_falls_by_one_a_second_and_from_8_to_nothing(self) -> None:
        difficulty = Difficulty()
        for second in range(20):
            difficulty.update(float(second), True)
        self.assertEqual([difficulty.update(20.0 + s, False) for s in range(14)], [*range(19, 7, -1), 0, 0])

    def test_it_is_gone_within_30_seconds_even_if_nobody_calls_meanwhile(self) -> None:
        difficulty = Difficulty()
        for second in range(60):
            difficulty.update(float(second), True)
        self.assertEqual(difficulty.update(89.0, False), 0)
        for second in range(100, 160):
            difficulty.update(float(second), True)
        self.assertEqual(difficulty.update(1_000.0, True), 8)

    def test_a_solution_of_two_bits_less_is_still_taken(self) -> None:
        difficulty = Difficulty()
        difficulty.update(0.0, True)
        self.assertEqual((difficulty.bits, difficulty.least), (8, 6))

    def test_bounds_that_make_no_sense_are_refused(self) -> None:
        self.assertRaises(LocalError, Difficulty, 0, 20)
        self.assertRaises(LocalError, Difficulty, 21, 20)
