"""rho inbox."""

from __future__ import annotations

from rhotwist.control import values, verbs
from tests.cli.stage import BOB, CliCase

ITEM = values.InboxItem("alice", BOB, "ab" * 32, "hello\nthere", 1_700_000_000, 1_700_000_060)


class InboxTests(CliCase):
    """Messages for people."""

    def test_a_message_is_shown_with_its_sender_and_its_lines(self) -> None:
        asked = self.process("wallet", {verbs.INBOX: values.Inbox((ITEM,))})
        lines = self.rho("inbox", "--wallet", "alice", "--limit", "5").out.splitlines()
        self.assertRegex(lines[0], rf"^2023-11-\d\d \d\d:\d\d  alice from {BOB}  abababab$")
        self.assertEqual(["  hello", "  there"], lines[1:])
        self.assertEqual([{"wallet": "alice", "limit": 5}], asked)

    def test_a_stranger_s_text_cannot_touch_the_terminal(self) -> None:
        wild = values.InboxItem("alice", BOB, "ab" * 32, "\x1b]0;evil\x07\r\u202e\x9bm", 0, 0)
        self.process("wallet", {verbs.INBOX: values.Inbox((wild,))})
        for option in ("--quiet", "--json"):
            out = self.rho("inbox", option).out
            self.assertFalse([char for char in out if ord(char) < 32 and char != "\n"], out)
            self.assertFalse(set(out) & set("\u202e\x9b\x7f"))

    def test_what_is_left_out_is_said(self) -> None:
        self.process("wallet", {verbs.INBOX: values.Inbox((ITEM,), 7)})
        self.assertIn("7 older", self.rho("inbox").err)

    def test_an_empty_inbox_says_so_and_prints_nothing(self) -> None:
        self.process("wallet", {verbs.INBOX: values.Inbox(())})
        printed = self.rho("inbox")
        self.assertEqual(("", "nothing yet\n", 0), (printed.out, printed.err, printed.status))
