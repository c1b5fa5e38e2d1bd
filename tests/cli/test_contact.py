"""rho contact."""

from __future__ import annotations

from rhotwist.control import talks, trouble, values, verbs
from tests.cli.stage import ALICE, BOB, NODE_ADDRESS, ROW, CliCase

AT = f"{NODE_ADDRESS}@192.0.2.1:7460"
CONTACT = talks.ContactRow("bob", BOB, (AT,), 1_700_000_000)
LIST = talks.ContactList((CONTACT, talks.ContactRow("carol", ALICE, (), 1_700_000_000)))


class ContactTests(CliCase):
    """What is asked of the wallet process, and what is printed."""

    def test_a_contact_is_added_from_the_command_line_or_from_stdin(self) -> None:
        asked = self.process("wallet", {verbs.CONTACT_ADD: CONTACT})
        printed = self.rho("contact", "add", "bob", f"{BOB}@{AT}")
        self.assertEqual((f"bob  {BOB}  {AT}\n", 0), (printed.out, printed.status))
        self.assertIn("rho send bob", printed.err)
        self.rho("contact", "add", "bob", "-", stdin=f"{BOB}@\n{AT}\n")
        self.assertEqual({"name": "bob", "invitation": f"{BOB}@{AT}"}, asked[0])
        self.assertEqual(f"{BOB}@\n{AT}\n", asked[1]["invitation"])

    def test_a_contact_without_a_place_says_what_is_missing(self) -> None:
        self.process("wallet", {verbs.CONTACT_ADD: LIST.contacts[1]})
        printed = self.rho("contact", "add", "carol", ALICE)
        self.assertEqual(f"carol  {ALICE}  place not known\n", printed.out)
        self.assertIn("--at", printed.err)

    def test_a_mistyped_invitation_is_told_before_any_process_is_started(self) -> None:
        typo = BOB[:20] + ("q" if BOB[20] != "q" else "p") + BOB[21:]
        printed = self.rho("contact", "add", "bob", f"{typo}@{AT}")
        self.assertEqual(2, printed.status)
        self.assertIn("character 21", printed.err)
        self.assertFalse((self.home / "wallet.log").exists())

    def test_contacts_are_listed_by_default(self) -> None:
        self.process("wallet", {verbs.CONTACTS: LIST})
        lines = [f"bob  {BOB}  {AT}", f"carol  {ALICE}  place not known"]
        for words in (("contact",), ("contact", "list")):
            self.assertEqual(lines, self.rho(*words).out.splitlines())
        self.assertEqual("carol", self.rho("contact", "--json").json["contacts"][1]["name"])

    def test_none_and_several_places_are_said(self) -> None:
        several = talks.ContactRow("bob", BOB, (AT, AT, AT), 0)
        answers = [talks.ContactList(()), talks.ContactList((several,))]
        self.process("wallet", {verbs.CONTACTS: lambda _: answers.pop(0)})
        self.assertIn("no contact yet", self.rho("contact").err)
        self.assertIn(f"{AT} and 2 more\n", self.rho("contact").out)

    def test_a_contact_is_removed(self) -> None:
        asked = self.process("wallet", {verbs.CONTACT_REMOVE: talks.ContactList(LIST.contacts[:1])})
        self.assertIn("bob", self.rho("contact", "remove", "carol").out)
        self.assertEqual([{"name": "carol"}], asked)

    def test_an_invitation_stands_alone_on_the_last_line_below_its_picture(self) -> None:
        made = talks.Invitation("alice", f"{ALICE}@{AT}")
        asked = self.process("wallet", {verbs.WALLETS: values.WalletList((ROW,)), verbs.INVITE: made})
        self.assertEqual(f"{ALICE}@{AT}\n", self.rho("contact", "invite").out)
        lines = self.rho("contact", "invite", "ali", "--qr", "--at", AT).out.splitlines()
        self.assertEqual(f"{ALICE}@{AT}", lines[-1])
        self.assertGreater(len(lines), 20)
        self.assertEqual({"wallet": "alice", "places": [AT]}, asked[-1])


class NameTests(CliCase):
    """A contact's name wherever a wallet is taken."""

    def test_send_takes_a_name_and_no_place(self) -> None:
        asked = self.process("wallet", {verbs.SEND: values.Sent("ab" * 32, "alice", "bob", 0.1)})
        self.assertIn("kept by bob", self.rho("send", "bob", "-m", "hi").out)
        self.assertEqual(("bob", ""), (asked[0]["to"], asked[0]["at"]))

    def test_receive_takes_a_name(self) -> None:
        self.process("wallet", {verbs.CONTACTS: LIST, verbs.TRANSFERS: trouble.NONE_HOT()})
        self.assertIn("RHO-1208", self.rho("receive", "--from", "bob").err)
        self.assertIn("RHO-2401", self.rho("receive", "--from", "dave").err)
