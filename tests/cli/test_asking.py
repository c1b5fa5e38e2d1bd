"""What only a person can say."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr
from unittest import mock

from rhotwist.cli import asking
from rhotwist.errors import OperatorError
from rhotwist.keys import words
from tests.cli.stage import CliCase

SHOWN = words.to_words(bytes(range(32)))


class TypedBackTests(CliCase):
    """All 24 words, in order, or from the first again."""

    def typed(self, *tries: str) -> str:
        """What is said on stderr while these lines are typed."""
        err = io.StringIO()
        with mock.patch.object(sys, "stdin", io.StringIO("\n".join(tries) + "\n")), redirect_stderr(err):
            asking.typed_back(SHOWN)
        return err.getvalue()

    def test_the_words_as_shown_will_do_whatever_their_case_and_spacing(self) -> None:
        self.typed(SHOWN)
        self.typed("  " + SHOWN.upper().replace(" ", "   "))

    def test_a_wrong_word_is_named_and_all_are_asked_for_again(self) -> None:
        wrong = SHOWN.split()
        wrong[4] = "zebra"
        self.assertIn("word 5 is not 'zebra'", self.typed(" ".join(wrong), SHOWN))
        self.assertIn("23 words where 24", self.typed(" ".join(SHOWN.split()[:-1]), SHOWN))

    def test_after_three_tries_nothing_is_made(self) -> None:
        with self.assertRaises(OperatorError) as caught:
            self.typed("a", "b", "c")
        self.assertEqual(("RHO-1211", 6), (caught.exception.code, caught.exception.exit_status))


class DescriptorTests(CliCase):
    """Secrets from a file descriptor."""

    def test_a_passphrase_ends_at_its_line(self) -> None:
        for text, passphrase in (("a b\n", "a b"), ("a b", "a b"), ("a\r\nb", "a"), (" ä \n", " ä ")):
            self.assertEqual(passphrase, asking.passphrase(int(self.pipe(text)), "x"))

    def test_what_is_no_text_is_refused(self) -> None:
        descriptor = self.pipe("")
        with self.assertRaises(OperatorError):
            asking.passphrase(int(descriptor), "x")
        for number in (-1, 10**9, 10**30):
            with self.assertRaises(OperatorError) as caught:
                asking.words(number)
            self.assertEqual("RHO-1007", caught.exception.code)
