"""Tokens: each good for itself, whatever is done to the text around them."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadArmour, LocalError
from rhotwist.wire.armour import BODY_MOST, TEXT_MOST, TOKEN_MOST, Found, Part, read, text, tokens

NINE = tokens([(1, bytes([number]) * 50) for number in range(9)])
PARTS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=BODY_MOST)), min_size=1, max_size=4)


def without(*numbers: int) -> str:
    return "".join(token for number, token in enumerate(NINE, 1) if number not in numbers)


class TokenTests(SynchronousTestCase):
    def test_a_token_is_what_the_docstring_says(self) -> None:
        [token] = tokens([(7, b"hello")])
        self.assertEqual("rho1.ByzyAAEAAWhlbGxvP3URiQ.", token)
        self.assertEqual((Part(7, 0x2CF2, 1, 1, b"hello"),), read(token).parts)

    @given(PARTS)
    def test_any_parts_come_back_with_their_numbers(self, parts: list[tuple[int, bytes]]) -> None:
        found = read(text(tokens(parts)))
        self.assertEqual(parts, [(part.kind, part.body) for part in found.parts])
        self.assertEqual(list(range(1, len(parts) + 1)), [part.number for part in found.parts])
        self.assertEqual({len(parts)}, {part.count for part in found.parts})
        self.assertEqual((0, None), (found.damaged, found.trouble()))

    def test_the_longest_token_is_read_and_two_fit_a_chat_message(self) -> None:
        [token] = tokens([(1, bytes(BODY_MOST))])
        self.assertEqual(TOKEN_MOST, len(token))
        self.assertLess(2 * len(token) + 2, 2_000)
        self.assertEqual(1, len(read(token).parts))

    def test_what_does_not_fit_is_our_caller_s_mistake(self) -> None:
        for parts in ([(1, bytes(BODY_MOST + 1))], [(256, b"")], [(-1, b"")], [(1, b"")] * 65_536):
            self.assertRaises(LocalError, tokens, parts)

    def test_people_find_a_part_by_the_marks(self) -> None:
        lines = text(NINE).splitlines()
        self.assertEqual(("-----BEGIN RHO BUNDLE-----", "-----END RHO BUNDLE-----"), (lines[0], lines[-1]))
        self.assertEqual(("part 1 of 9", NINE[0], "part 9 of 9"), (lines[1], lines[2], lines[10]))
        self.assertEqual(["part 3 of 9", NINE[2], NINE[6]], text(NINE, (3, 7)).splitlines()[1:-1])
        self.assertEqual([NINE[2]], text(NINE, (3,)).splitlines()[1:-1])


class DamageTests(SynchronousTestCase):
    def trouble(self, pasted: str) -> str | None:
        return read(pasted).trouble()

    def test_what_is_missing_is_told_by_its_number(self) -> None:
        for numbers, said in (
            ((), None), ((3, 7), "2 of 9 parts are damaged or missing: paste part 3 and 7 again"),
            ((4,), "1 of 9 parts is damaged or missing: paste part 4 again"),
            ((1, 3, 4, 5, 9), "5 of 9 parts are damaged or missing: paste part 1, 3 to 5 and 9 again"),
        ):  # fmt: skip
            self.assertEqual(said, self.trouble("x" + without(*numbers)))
        self.assertEqual("no part is whole: paste all again", self.trouble(NINE[0][:-4] + "."))

    def test_a_damaged_one_is_mended_by_pasting_it_again_beside_the_others(self) -> None:
        self.assertIsNone(self.trouble(without(3) + "\n" + NINE[2]))

    def test_each_bundle_is_told_apart(self) -> None:
        other = tokens([(1, b"a"), (1, b"b")])
        self.assertEqual(2, str(self.trouble(without(2) + other[0])).count("paste part 2 again"))
        self.assertEqual(10, len(read("".join(NINE) + other[0]).parts))

    def test_any_wrong_character_costs_one_token_at_most(self) -> None:
        three = text(NINE[:3])
        for at, was in enumerate(three):
            for wrong in "A.-x" if was != "A" else "B. ":
                self.assertGreaterEqual(len(read(three[:at] + wrong + three[at + 1 :]).parts), 2, (at, wrong))

    def test_the_last_character_has_no_free_bits(self) -> None:
        [token] = tokens([(1, b"xx")])
        texts = [token[:-2] + last + "." for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
        self.assertEqual(1, sum(bool(read(one).parts) for one in texts))

    def test_a_number_outside_the_count_is_no_part(self) -> None:
        for number, count in ((0, 1), (2, 1), (0, 0)):
            payload = bytes((1, 0, 0, 0, number, 0, count)) + b"hello"
            self.assertEqual(Found((), 1), read(armoured(payload)))

    def test_what_is_too_short_or_too_long_for_a_part_is_none_whatever_its_check_says(self) -> None:
        for payload in (b"", b"abc", bytes((1, 0, 0, 0, 1, 0)), bytes((1, 0, 0, 0, 1, 0, 1)) + bytes(BODY_MOST + 1)):
            self.assertEqual(Found((), 1), read(armoured(payload)))

    def test_dashes_come_back_from_what_programs_make_of_them(self) -> None:
        token = next(one for n in range(10_000) if "--" in (one := tokens([(1, b"%d" % n * 9)])[0]))
        for dash in "\u2010\u2011\u2012\u2013\u2014\u2212":
            self.assertEqual(1, len(read(token.replace("-", dash)).parts), dash)
        for dash in "\u2013\u2014":
            self.assertEqual(1, len(read(token.replace("--", dash)).parts), dash)

    def test_a_capital_at_the_beginning_of_a_line_does_no_harm(self) -> None:
        self.assertEqual(9, len(read("\n".join(NINE).replace("rho1", "Rho1")).parts))

    def test_nothing_and_too_much_are_refused(self) -> None:
        self.assertIn("no rho1", str(self.assertRaises(BadArmour, read, "Hello,\nhow are you?")))
        self.assertIn("16,777,217 characters", str(self.assertRaises(BadArmour, read, "x" * (TEXT_MOST + 1))))

    def test_a_stranger_s_count_costs_neither_time_nor_words(self) -> None:
        pieces = [Part(1, bundle, 30_000, 65_535, b"") for bundle in range(1_000)]
        said = str(Found(tuple(pieces), 0).trouble())
        self.assertEqual(12, said.count("paste part 1 to 29999 and 30001 to 65535 again"))
        pieces = [Part(1, 1, number, 65_535, b"") for number in range(2, 65_535, 2)]
        said = str(Found(tuple(pieces), 0).trouble())
        self.assertTrue(said.endswith("paste part 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and others again"), said)

    @given(st.text(max_size=200), st.integers(0, 300))
    def test_any_text_between_costs_one_token_at_most(self, some: str, at: int) -> None:
        three = "".join(NINE[:3])
        self.assertGreaterEqual(len(read(three[:at] + some.replace("rho1.", "") + three[at:]).parts), 2)


def armoured(payload: bytes) -> str:
    check = hashlib.blake2b(payload, digest_size=4, person=b"rho/bundle/1").digest()
    return f"rho1.{base64.urlsafe_b64encode(payload + check).decode().rstrip('=')}."
