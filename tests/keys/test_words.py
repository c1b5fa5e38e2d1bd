import difflib
import json
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadWords, LocalError
from rhotwist.keys.words import _nearest, from_words, to_words
from tests import FULL

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "bip39-english-24.json").read_text(encoding="ascii"))
SECRET = bytes(range(32))
LIST = Mnemonic("english").wordlist
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def near(word: str) -> list[str]:
    """The words suggested for another."""
    said = _nearest(word)
    return said.removeprefix("nearest: ").split(", ") if said.startswith("nearest") else []


def common(one: str, other: str) -> int:
    """The length of the longest common subsequence, by the book."""
    row = [0] * (len(other) + 1)
    for letter in one:
        above = row[:]
        for at, of_other in enumerate(other):
            row[at + 1] = above[at] + 1 if letter == of_other else max(above[at + 1], row[at])
    return row[-1]


def slip(random: Random, word: str) -> str:
    """One letter too many, missing, or another, or two in the wrong order."""
    at, letter = random.randrange(len(word)), random.choice(LETTERS)
    before, after = word[:at], word[at:]
    return before + random.choice((letter + after, after[1:], letter + after[1:], after[1::-1] + after[2:]))


class Vectors(SynchronousTestCase):
    def test_every_official_pair_of_24_words_holds_both_ways(self) -> None:
        self.assertEqual(len(VECTORS), 8)
        for entropy, words in VECTORS:
            self.assertEqual(to_words(bytes.fromhex(entropy)), words)
            self.assertEqual(from_words(words).hex(), entropy)

    @given(st.binary(min_size=32, max_size=32))
    def test_any_secret_comes_back(self, secret: bytes) -> None:
        self.assertEqual(bytes(from_words(to_words(secret))), secret)
        self.assertEqual(to_words(bytearray(secret)), to_words(secret))


class Reading(SynchronousTestCase):
    def refused(self, text: str) -> str:
        return str(self.assertRaises(BadWords, from_words, text))

    def test_case_line_ends_and_spaces_do_not_matter(self) -> None:
        words = to_words(SECRET).split()
        text = "\r\n ".join(words[:12]).upper() + "\t" + "  ".join(words[12:]) + "\n"
        self.assertEqual(from_words(text), SECRET)

    def test_the_secret_can_be_wiped(self) -> None:
        self.assertIsInstance(from_words(to_words(SECRET)), bytearray)

    def test_a_misspelt_word_is_named_with_its_place_and_the_nearest(self) -> None:
        words = to_words(b"\0" * 32).split()
        words[6] = "abandn"
        said = self.refused(" ".join(words))
        self.assertIn("word 7, 'abandn'", said)
        self.assertIn("abandon", said)

    def test_four_right_letters_put_the_meant_word_first(self) -> None:
        said = self.refused("zebrasandhorses " + to_words(SECRET))
        self.assertIn("nearest: zebra", said)

    def test_the_first_of_several_wrong_words_is_named(self) -> None:
        words = to_words(SECRET).split()
        words[3], words[20] = "qqqqq", "rhotwist"
        said = self.refused(" ".join(words))
        self.assertIn("word 4, 'qqqqq'", said)
        self.assertIn("no word is near", said)
        self.assertNotIn("rhotwist", said)

    def test_a_wrong_word_is_named_before_a_wrong_number_of_words(self) -> None:
        self.assertIn("word 1, 'abandonability'", self.refused("abandonability art"))

    def test_another_number_of_words_is_named(self) -> None:
        words = to_words(SECRET).split()
        for count in (0, 12, 23):
            self.assertIn(f"{count} words where a backup has 24", self.refused(" ".join(words[:count])))
        self.assertIn("25 words", self.refused(" ".join([*words, "zoo"])))

    def test_the_twelve_words_of_another_wallet_are_refused_by_their_number(self) -> None:
        self.assertIn("12 words", self.refused("abandon " * 11 + "about"))

    def test_words_that_do_not_belong_together_are_told_as_that(self) -> None:
        words = to_words(SECRET).split()
        swapped = [words[1], words[0], *words[2:]]
        for wrong in (swapped, [*words[:23], "zoo"], ["abandon"] * 24):
            self.assertIn("checksum", self.refused(" ".join(wrong)))

    def test_one_word_taken_for_another_is_noticed_255_times_in_256(self) -> None:
        words = to_words(SECRET).split()
        taken = 0
        others = Mnemonic("english").wordlist
        for other in others if FULL else others[::8]:
            if other != words[5]:
                try:
                    from_words(" ".join([*words[:5], other, *words[6:]]))
                    taken += 1
                except BadWords:
                    pass
        self.assertTrue(taken <= (20 if FULL else 6), taken)

    def test_a_pasted_novel_is_not_repeated_in_the_error(self) -> None:
        self.assertLess(len(self.refused("x" * 100_000)), 200)

    def test_only_32_bytes_have_24_words(self) -> None:
        for size in (0, 16, 31, 33):
            self.assertIn(str(size), str(self.assertRaises(LocalError, to_words, bytes(size))))


class Nearest(SynchronousTestCase):
    """What is suggested for a word that is not in the list."""

    @settings(max_examples=400 if FULL else 20)
    @given(st.one_of(st.sampled_from(LIST).flatmap(st.permutations).map("".join), st.text(LETTERS + "é-", max_size=22)))
    def test_the_words_with_most_letters_in_common_are_suggested(self, word: str) -> None:
        meant = [other for other in LIST if other[:4] == word[:4]]
        rates = {other: 2 * common(word, other) / (len(word) + len(other)) for other in LIST if other not in meant}
        best = sorted((rate for rate in rates.values() if rate >= 0.6), reverse=True)
        found = near(word)
        self.assertEqual(meant, found[: len(meant)])
        self.assertEqual(best[: 3 - len(meant)], [rates[other] for other in found[len(meant) :]])

    def test_they_hold_the_meant_word_at_least_as_often_as_difflib_had_it(self) -> None:
        random = Random(1)
        for slips in 1, 2, 3:
            ours = theirs = 0
            for _ in range(2_000 if FULL else 50):
                word = wrong = random.choice(LIST)
                for _ in range(slips):
                    wrong = slip(random, wrong or "x")
                ours += word in near(wrong)
                theirs += word in difflib.get_close_matches(wrong, LIST)
            self.assertTrue(ours >= theirs, f"{slips} slips: {ours}, difflib {theirs}")

    def test_every_word_is_found_by_its_first_four_letters_and_any_ending(self) -> None:
        for word in LIST if FULL else LIST[::16]:
            if len(word) >= 4:
                for end in "", "zz", "\udc80", "x" * 1000:
                    if word[:4] + end not in LIST:
                        self.assertEqual(word, near(word[:4] + end)[0])

    def test_of_equally_near_words_that_with_the_same_beginning_comes_first(self) -> None:
        self.assertEqual(["hurt", "hour", "hurry"], near("hur"))

    def test_what_is_near_nothing_suggests_nothing(self) -> None:
        for word in ("", "q", "qqqqq", "世界", "x" * 19, "x" * 100_000):
            self.assertEqual([], near(word), word[:30])

    def test_the_longest_word_that_is_near_one_of_eight_letters_has_18(self) -> None:
        self.assertEqual(["abstract"], near("qabstract".ljust(18, "q")))
        self.assertEqual([], near("qabstract".ljust(19, "q")))
