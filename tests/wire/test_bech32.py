from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadAddress, LocalError
from rhotwist.wire.bech32 import ALPHABET, decode, encode, find_error, from_fives, to_fives

#: BIP350, "Test vectors for Bech32m", whole.
VALID = [
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
]
#: The same, with what our message must name.
INVALID = [
    ("\x201xj0phk", "character 1 is U+0020"),
    ("\x7f1g6xzxy", "character 1 is U+007F"),
    ("\x801vctc34", "character 1 is U+0080"),
    ("an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4", "91 characters"),
    ("qyrz8wqd2c9m", "no separator"),
    ("1qyrz8wqd2c9m", "no separator"),
    ("y1b0jsk6g", "character 3, 'b'"),
    ("lt1igcx5c0", "character 4, 'i'"),
    ("in1muywd", "the checksum alone has 6"),
    ("mm1crxm3i", "character 9, 'i'"),
    ("au1s5cgom", "character 8, 'o'"),
    ("M1VUXWEZ", "the checksum does not hold"),
    ("16plkw9", "no separator"),
    ("1p2gdwpf", "no separator"),
]
#: BIP350's addresses of Bitcoin, witness versions 1 to 16, with the program: another user of the same code.
PROGRAMS = [
    ("bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", 1,
     "751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"),
    ("BC1SW50QGDZ25J", 16, "751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", 2, "751e76e8199196d454941c45d1b3a323"),
    ("tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", 1,
     "000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"),
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", 1,
     "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
]
#: Its addresses that fail below the level of witness programs.
BROKEN = [
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "checksum"),
    ("tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf", "checksum"),
    ("BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", "checksum"),
    ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "checksum"),
    ("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "character 60, 'o'"),
    ("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq", "mixed: character 59, 'Z'"),
]
#: These have a good checksum and a bad content.
PADDED = [
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", "no number of bytes"),
    ("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", "not zero"),
]
fives = st.lists(st.integers(0, 31), max_size=70)


class Vectors(SynchronousTestCase):
    def test_every_valid_string_is_read_and_written_back(self) -> None:
        for text in VALID:
            prefix, values = decode(text)
            self.assertEqual(encode(prefix, values), text.lower())

    def test_every_invalid_string_is_refused_for_its_reason(self) -> None:
        for text, reason in INVALID + BROKEN:
            self.assertIn(reason, str(self.assertRaises(BadAddress, decode, text)))

    def test_programs_of_bitcoin_addresses_come_out(self) -> None:
        for text, version, program in PROGRAMS:
            _, values = decode(text)
            self.assertEqual((values[0], from_fives(values[1:]).hex()), (version, program))
            self.assertEqual(to_fives(bytes.fromhex(program)), values[1:])

    def test_wrong_padding_is_refused(self) -> None:
        for text, reason in PADDED:
            values = decode(text)[1]
            self.assertIn(reason, str(self.assertRaises(BadAddress, from_fives, values[1:])))


class Code(SynchronousTestCase):
    @given(fives)
    def test_any_values_come_back(self, values: list[int]) -> None:
        self.assertEqual(decode(encode("rho", values)), ("rho", values))
        self.assertEqual(decode(encode("rho", values).upper(), "rho"), ("rho", values))

    @given(st.binary(max_size=50))
    def test_any_bytes_come_back(self, data: bytes) -> None:
        self.assertEqual(from_fives(to_fives(data)), data)

    @given(fives, st.data())
    def test_one_changed_value_is_found_and_its_right_value_known(self, values: list[int], data: st.DataObject) -> None:
        whole = [ALPHABET.index(c) for c in encode("rho", values)[4:]]
        self.assertIsNone(find_error("rho", whole))
        at = data.draw(st.integers(0, len(whole) - 1))
        right = whole[at]
        whole[at] ^= data.draw(st.integers(1, 31))
        self.assertEqual(find_error("rho", whole), (at, right))

    def test_any_single_change_of_the_longest_text_is_found_at_its_place(self) -> None:
        whole = [ALPHABET.index(c) for c in encode("r", [n * 7 % 32 for n in range(82)])[2:]]
        for at, right in enumerate(whole):
            for wrong in range(32):
                found = find_error("r", [*whole[:at], wrong, *whole[at + 1 :]])
                self.assertEqual(found, None if wrong == right else (at, right))

    @given(fives, st.data())
    def test_two_changed_values_are_never_taken_for_one(self, values: list[int], data: st.DataObject) -> None:
        whole = [ALPHABET.index(c) for c in encode("rho", values)[4:]]
        for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=2, max_size=2, unique=True)):
            whole[at] ^= data.draw(st.integers(1, 31))
        self.assertEqual(find_error("rho", whole), (-1, 0))

    @given(st.text(max_size=100))
    def test_any_text_is_read_or_refused_by_one_exception(self, text: str) -> None:
        for prefix in (None, "rho"):
            try:
                decode(text, prefix)
            except BadAddress:
                pass


class Messages(SynchronousTestCase):
    GOOD = encode("rho", list(range(32)))

    def refused(self, text: str, prefix: str | None = "rho") -> str:
        return str(self.assertRaises(BadAddress, decode, text, prefix))

    def test_a_stray_separator_is_one_wrong_character_when_the_prefix_is_known(self) -> None:
        said = self.refused(self.GOOD[:10] + "1" + self.GOOD[11:])
        self.assertIn(f"character 11, '1', is in no such text; likely meant: {self.GOOD[10]!r}", said)

    def test_a_foreign_character_where_the_lowest_value_belongs_is_explained_too(self) -> None:
        self.assertEqual(self.GOOD[4], "q")
        self.assertIn("character 5, 'b', is in no such text; likely meant: 'q'", self.refused("rho1b" + self.GOOD[5:]))

    def test_nothing_is_guessed_where_a_foreign_character_is_not_the_only_slip(self) -> None:
        for text in ("rho1b" + self.GOOD[5:-1] + "b", "rho1b" + self.GOOD[5:20] + "qq" + self.GOOD[22:]):
            said = self.refused(text)
            self.assertIn("character 5, 'b'", said)
            self.assertNotIn("likely", said)

    def test_one_wrong_character_is_placed_and_two_are_not(self) -> None:
        text = self.GOOD[:20] + "q" + self.GOOD[21:]
        said = self.refused(text)
        self.assertIn(f"character 21, 'q', is wrong; likely meant: {self.GOOD[20]!r}", said)
        self.assertIn("more than one character is wrong", self.refused(text[:30] + "qq" + text[32:]))

    def test_another_prefix_is_refused(self) -> None:
        self.assertIn("does not begin with rho1", self.refused(encode("bc", [1, 2, 3])))
        self.assertIn("character 1 is 'm'; likely meant: 'r'", self.refused("m" + self.GOOD[1:]))
        self.assertIn("does not begin with rho1", self.refused("rho"[:2]))
        self.assertIn("the checksum alone", self.refused("rho1qqq"))

    def test_values_and_prefixes_that_cannot_be_written_are_refused(self) -> None:
        for prefix in ("", "RHO", "r o", "ré"):
            self.assertRaises(LocalError, encode, prefix, [1])
        self.assertIn("91", str(self.assertRaises(LocalError, encode, "rho", [0] * 81)))
        self.assertEqual(len(encode("rho", [0] * 80)), 90)
