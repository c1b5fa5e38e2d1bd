"""What only a person can say."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path
from unittest import mock

from rhotwist.cli import asking
from rhotwist.control import values, verbs
from rhotwist.errors import OperatorError
from rhotwist.keys import words
from tests.cli.stage import ENVIRON, ROW, CliCase

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


class TerminalTests(CliCase):
    """rho wallet create at a real terminal: what a person sees and types."""

    def test_create_asks_twice_shows_the_words_and_has_them_typed_back(self) -> None:
        asked = self.process("wallet", {
            verbs.WALLETS: values.WalletList(()), verbs.WALLET_ADD: values.WalletState(ROW)
        })  # fmt: skip
        person = Person(self.home, "wallet", "create", "alice")
        self.addCleanup(person.leave)
        person.reads("Passphrase for alice: ")
        person.types("open sesame")
        person.reads("The same again: ")
        person.types("open sesame")
        screen = person.reads("Type all 24 words: ")
        table = screen.partition("not shown again.")[2].partition("Type all")[0]
        shown = dict(re.findall(r"\b(\d{1,2}) ([a-z]+)\b", table))
        text = " ".join(shown[str(place)] for place in range(1, 25))
        person.types(text.replace(" ", " zebra ", 1))
        person.reads("once more from the first")
        person.types(text)
        person.reads("next: rho wallet unlock alice")
        self.assertEqual(0, person.child.wait(30))
        self.assertIn(ROW.address, person.out())
        self.assertEqual({"name": "alice", "words": text, "passphrase": "open sesame", "kdf": ""}, asked[-1])
        self.assertNotIn("open sesame", person.screen)

    def test_two_passphrases_that_differ_make_nothing(self) -> None:
        asked = self.process("wallet", {verbs.WALLETS: values.WalletList(())})
        person = Person(self.home, "wallet", "create", "alice")
        self.addCleanup(person.leave)
        person.reads("Passphrase for alice: ")
        person.types("open sesame")
        person.reads("The same again: ")
        person.types("open barley")
        person.reads("[RHO-1212]")
        self.assertEqual(1, person.child.wait(30))
        self.assertEqual([None], asked)


class Person:
    """Sits at a terminal in front of rho."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.screen = ""
        self.child = subprocess.Popen(
            [sys.executable, "-c", TERMINAL, "--datadir", str(home), *arguments], stdin=slave, stderr=slave,
            stdout=subprocess.PIPE, text=True, env=ENVIRON, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def reads(self, text: str) -> str:
        """The screen, once text stands on it after what was read before."""
        begin = len(self.screen)
        while text not in self.screen[begin:]:
            try:
                ready = select.select([self._master], [], [], 30)[0]
                more = os.read(self._master, 4096).decode() if ready else ""
            except OSError:
                more = ""
            if not more:
                raise AssertionError(f"{text!r} is not on the screen: {self.screen}")
            self.screen += more
        return self.screen[begin:]

    def types(self, text: str) -> None:
        """A line."""
        os.write(self._master, text.encode() + b"\n")

    def out(self) -> str:
        """What went to stdout."""
        assert self.child.stdout is not None
        return self.child.stdout.read()

    def leave(self) -> None:
        """Close the terminal."""
        os.close(self._master)
        if self.child.stdout is not None:
            self.child.stdout.close()
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


#: Makes stdin the controlling terminal, which is what hidden prompts ask for, then is rho.
TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from rhotwist.cli.main import main
main()
"""
