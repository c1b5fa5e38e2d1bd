import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadWords, LocalError
from rhotwist.keys.words import from_words, to_words
from tests import FULL

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "bip39-english-24.json").read_text(encoding="ascii"))
SECRET = bytes(range(32))


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
