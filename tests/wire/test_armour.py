from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadArmour, LocalError
from rhotwist.wire.armour import WIDTH, unwrap, wrap

DATA = bytes(range(200))
BLOCK = wrap("BUNDLE", DATA)


class Armour(SynchronousTestCase):
    def refused(self, text: str, most: int = 1000, title: str = "BUNDLE") -> str:
        return str(self.assertRaises(BadArmour, unwrap, title, text, most))

    def test_a_block_looks_as_the_docstring_says(self) -> None:
        self.assertEqual(
            wrap("BUNDLE", b"hello"),
            "-----BEGIN RHO BUNDLE-----\naGVsbG8=\n=+O18Zthl\n-----END RHO BUNDLE-----\n",
        )
        self.assertEqual(max(map(len, BLOCK.splitlines()[1:-1])), WIDTH)

    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
    def test_any_data_comes_back_in_order(self, blocks: list[bytes]) -> None:
        self.assertEqual(unwrap("BUNDLE", "".join(wrap("BUNDLE", data) for data in blocks), 300), blocks)

    @given(st.binary(max_size=300), st.integers(1, 100), st.sampled_from(["", "> ", ">> > ", "\t"]), st.booleans())
    def test_what_mail_programs_do_to_a_block_does_no_harm(
        self, data: bytes, width: int, quote: str, carriage: bool
    ) -> None:
        begin, *body, end = wrap("BUNDLE", data).splitlines()
        joined = "".join(body)
        lines = [begin, *(joined[at : at + width] for at in range(0, len(joined), width)), "", end]
        end_of_line = "  \r\n" if carriage else "\n"
        text = "Hello,\n-----\n" + "".join(quote + line + end_of_line for line in lines) + "-- \nAnn"
        self.assertEqual(unwrap("BUNDLE", text, 300), [data])

    def test_a_byte_order_mark_and_hard_spaces_do_no_harm(self) -> None:
        self.assertEqual(unwrap("BUNDLE", "\ufeff" + BLOCK.replace("\n", "\u00a0\n"), 300), [DATA])

    def test_every_changed_character_is_refused(self) -> None:
        first = len(BLOCK.splitlines()[0]) + 1
        for at in range(first, BLOCK.index("-----END")):
            if BLOCK[at] != "\n":
                for wrong in ("A" if BLOCK[at] != "A" else "B", "=", "*", "é"):
                    if wrong != BLOCK[at]:
                        self.assertIn("line ", self.refused(BLOCK[:at] + wrong + BLOCK[at + 1 :]))

    def test_every_character_of_a_one_byte_block_counts(self) -> None:
        # 6 bits of the second character carry 2 of data: the other four must not be free.
        block = wrap("BUNDLE", b"\xff")
        self.assertIn("/w==", block)
        self.assertIn("check", self.refused(block.replace("/w==", "/x==")))

    def test_a_character_from_elsewhere_is_told_with_its_line(self) -> None:
        lines = BLOCK.splitlines()
        lines[2] = lines[2][:5] + "*" + lines[2][6:]
        self.assertIn("line 4: '*'", self.refused("Hello\n" + "\n".join(lines)))

    def test_a_block_cut_anywhere_is_refused(self) -> None:
        for at in range(len(BLOCK) - 1):
            self.refused(BLOCK[:at])
        self.assertEqual(unwrap("BUNDLE", BLOCK[:-1], 300), [DATA])

    def test_a_missing_line_is_refused(self) -> None:
        lines = BLOCK.splitlines()
        for at in range(1, len(lines) - 1):
            self.assertIn("damaged", self.refused("\n".join(lines[:at] + lines[at + 1 :])))

    def test_a_missing_end_is_told(self) -> None:
        self.assertIn("line 2: the block has no end", self.refused("x\n" + BLOCK.replace("-----END", "----END")))
        endless = BLOCK[: BLOCK.index("-----END")]
        self.assertIn("line 8: a block begins inside the one of line 1", self.refused(endless + BLOCK))

    def test_no_block_at_all_is_told(self) -> None:
        self.assertIn("no line -----BEGIN RHO BUNDLE-----", self.refused("nothing here"))

    def test_one_title_is_not_taken_for_another(self) -> None:
        self.assertIn("no line", self.refused(BLOCK, title="WALLET"))
        self.assertIn("check", self.refused(BLOCK.replace("BUNDLE", "WALLET"), title="WALLET"))

    def test_size_is_bounded_before_and_after_decoding(self) -> None:
        self.assertEqual(unwrap("BUNDLE", BLOCK, 200), [DATA])
        self.assertIn("more than 199", self.refused(BLOCK, 199))
        endless = BLOCK.replace("\n=", "\n" + "*" * 100_000 + "\n=")
        self.assertIn("more than 10 bytes", self.refused(endless, 10))

    def test_only_capital_letters_make_a_title(self) -> None:
        self.assertIn("TWO WORDS", wrap("TWO WORDS", b""))
        for title in ("", "bundle", "A-B", "É", " "):
            self.assertRaises(LocalError, wrap, title, b"")

    @given(st.text(max_size=200), st.integers(0, 300))
    def test_any_text_inside_is_read_or_refused_by_one_exception(self, text: str, at: int) -> None:
        try:
            unwrap("BUNDLE", BLOCK[:at] + text + BLOCK[at:], 1000)
        except BadArmour:
            pass
