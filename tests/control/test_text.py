"""What strangers wrote, shown harmlessly; figures as people say them."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.control.text import SHOWN_MOST, quoted, size, span, visible


class VisibleTests(SynchronousTestCase):
    """No character of a stranger acts on the terminal."""

    def test_escape_sequences_and_direction_marks_are_spelt_out(self) -> None:
        self.assertEqual("a\\x1b[2Jb", visible("a\x1b[2Jb"))
        self.assertEqual("\\u202egnp.exe", visible("\u202egnp.exe"))
        self.assertEqual("\\x9b31m", visible("\x9b31m"))
        self.assertEqual("\\U000e0001", visible("\U000e0001"))
        self.assertEqual("two\\x0alines", visible("two\nlines"))
        self.assertEqual("two\nlines\\x0d", visible("two\nlines\r", lines=True))

    def test_words_of_every_script_stay_as_they_are(self) -> None:
        for text in ("Grüße", "здоровий", "日本語", "🐎", "naïve café"):
            self.assertEqual(text, visible(text))

    @given(some.text())
    def test_nothing_invisible_remains(self, text: str) -> None:
        self.assertFalse([c for c in visible(text) if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"])

    def test_a_long_text_is_cut_inside_a_message(self) -> None:
        self.assertEqual(SHOWN_MOST + 2, len(quoted("x" * 5000)))
        self.assertEqual('"short"', quoted("short"))
        self.assertEqual(f'"{"x" * SHOWN_MOST}"', quoted("x" * SHOWN_MOST))


class FigureTests(SynchronousTestCase):
    """Times and sizes for people."""

    def test_a_span_takes_the_unit_that_fits(self) -> None:
        for seconds, said in ((0.0004, "0.4 ms"), (1, "1 s"), (119.9, "119 s"), (120, "2 min"), (7199, "119 min"),
                              (7200, "2 h"), (172_799, "47 h"), (172_800, "2 d")):
            self.assertEqual(said, span(seconds))

    def test_sizes_are_binary(self) -> None:
        said = {0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 2**20: "1.0 MiB", 2**43: "8192.0 GiB"}
        self.assertEqual(list(said.values()), [size(octets) for octets in said])
