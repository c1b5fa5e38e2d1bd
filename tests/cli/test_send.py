"""rho send."""

from __future__ import annotations

from rhotwist.control import trouble, values, verbs
from tests.cli.stage import ALICE, BOB, NODE_ADDRESS, CliCase

AT = f"{NODE_ADDRESS}@192.0.2.1:7460"
SENT = values.Sent("ab" * 32, "alice", BOB, 0.0421)


class SendTests(CliCase):
    """What is asked of the wallet process, and what is printed."""

    def test_the_receipt_is_printed_with_who_keeps_it_and_its_hash(self) -> None:
        asked = self.process("wallet", {verbs.SEND: SENT})
        printed = self.rho("send", BOB, "-m", "hi", "--at", AT)
        self.assertEqual(f"kept by {BOB} (hash {'ab' * 32}) after 42.1 ms\n", printed.out)
        self.assertEqual([{"to": BOB, "at": AT, "text": "hi", "wallet": "", "timeout": 30.0}], asked)
        self.assertEqual("ab" * 32, self.rho("send", BOB, "-m", "hi", "--at", AT, "--json").json["hash"])

    def test_sender_and_patience_may_be_said(self) -> None:
        asked = self.process("wallet", {verbs.SEND: SENT})
        self.rho("send", BOB, "-m", "hi", "--at", AT, "--wallet", "alice", "--timeout", "3")
        self.assertEqual(("alice", 3.0), (asked[0]["wallet"], asked[0]["timeout"]))

    def test_a_dash_reads_stdin_less_its_last_line_end(self) -> None:
        asked = self.process("wallet", {verbs.SEND: SENT})
        self.rho("send", BOB, "-m", "-", "--at", AT, stdin="two\nlines\n")
        self.assertEqual("two\nlines", asked[0]["text"])
        printed = self.rho("send", BOB, "-m", "-", "--at", AT, stdin="\udcff")
        self.assertEqual(2, printed.status)
        self.assertIn("UTF-8", printed.err)

    def test_a_wrong_address_is_told_before_any_process_is_started(self) -> None:
        typo = ALICE[:20] + ("q" if ALICE[20] != "q" else "p") + ALICE[21:]
        wrong = ((typo, AT), (NODE_ADDRESS, AT), (BOB, NODE_ADDRESS), (BOB, f"{BOB}@h:1"), (BOB, f"{NODE_ADDRESS}@h:x"))
        for to, at in wrong:
            printed = self.rho("send", to, "-m", "hi", "--at", at)
            self.assertEqual(2, printed.status)
            self.assertIn("RHO-2201", printed.err)
        self.assertFalse((self.home / "wallet.log").exists())

    def test_the_process_s_error_ends_it(self) -> None:
        self.process("wallet", {verbs.SEND: trouble.NONE_HOT()})
        self.assertEqual(4, self.rho("send", BOB, "-m", "hi", "--at", AT).status)
