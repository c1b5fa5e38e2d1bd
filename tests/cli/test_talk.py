"""rho talk: what is shown, and what a stranger checks with nothing but a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs

from rhotwist.control import talks, trouble, verbs
from rhotwist.talk import pasted, published
from rhotwist.talk.proof import prove
from tests.cli.stage import ALICE, BOB, NODE_ADDRESS, CliCase
from tests.talk.support import BOB as BOB_KEY
from tests.talk.support import CAROL, PAIR, Reader, fork, spoken

AT = f"{NODE_ADDRESS}@192.0.2.1:7460"
ROW = talks.TalkRow(
    "ab" * 32, talks.TalkParty("alice", ALICE, True, 1), talks.TalkParty(BOB, BOB, False, 1), "cd" * 32, 0, 0,
    1_700_000_000,
)  # fmt: skip
ITEMS = (
    talks.TalkItem(1, "alice", True, 0, "hello\nbob", 1_700_000_000, "11" * 32, "yes"),
    talks.TalkItem(2, BOB, False, 0, "hi", 1_700_000_060, "22" * 32, "yes"),
)
SHORT = f"{BOB[:12]}…{BOB[-4:]}"


class ShowTests(CliCase):
    """Lists and pictures."""

    def test_conversations_are_listed_by_default_with_their_roots(self) -> None:
        odd = attrs.evolve(ROW, forks=2, waiting=3, said_at=None)
        self.process("wallet", {verbs.TALKS: talks.TalkList((ROW, odd))})
        first, second = self.rho("talk").out.splitlines()
        who = rf"abababab  alice and {SHORT}  1\+1 records"
        self.assertRegex(first, rf"^{who}  2023-11-\d\d \d\d:\d\d  root {'cd' * 8}$")
        self.assertTrue(second.endswith(f"records  root {'cd' * 8}  ! 2 forks, 3 wait for what is missing"), second)

    def test_what_was_said_stands_left_and_right_by_author(self) -> None:
        asked = self.process("wallet", {verbs.TALK_SHOW: talks.TalkShown(ROW, ITEMS, 7)})
        printed = self.rho("talk", "show", "bob", "--limit", "2", "--wallet", "alice")
        lines = printed.out.splitlines()
        self.assertEqual([f"alice and {SHORT}  1+1 records", f"id {'ab' * 32}", f"root {'cd' * 32}"], lines[:3])
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(1_700_000_000))
        self.assertEqual(f"    1  {when}  alice: hello", lines[3])
        self.assertEqual(f"{' ' * 25}  bob", lines[4])
        self.assertEqual(f"{' ' * 8}{SHORT}: hi", lines[5][25:])
        self.assertIn("7 older", printed.err)
        self.assertEqual([{"talk": {"name": "bob", "wallet": "alice"}, "limit": 2}], asked)

    def test_a_fork_and_another_view_are_marked(self) -> None:
        odd = attrs.evolve(ITEMS[1], seen="no", rival="33" * 32, rival_text="ho\nho")
        self.process("wallet", {verbs.TALK_SHOW: talks.TalkShown(ROW, (odd,))})
        lines = [line.strip() for line in self.rho("talk", "show", "bob").out.splitlines()[4:]]
        self.assertEqual([
            "! its author had seen something else of the other's",
            f"! a fork: {SHORT} signed this too, {'33' * 8}:", "!   ho", "!   ho",
        ], lines)  # fmt: skip

    def test_of_two_strangers_the_lower_key_stands_left(self) -> None:
        lower, higher = talks.TalkParty("ann", ALICE, False, 1), talks.TalkParty("bob", BOB, False, 1)
        row = attrs.evolve(ROW, lower=lower, higher=higher)
        items = [attrs.evolve(item, ours=False, author=name) for item, name in zip(ITEMS, ("ann", "bob"), strict=True)]
        self.process("wallet", {verbs.TALK_SHOW: talks.TalkShown(row, tuple(items))})
        lines = self.rho("talk", "show", "abab").out.splitlines()
        self.assertEqual(("ann: hello", " " * 8 + "bob: hi"), (lines[3][25:], lines[5][25:]))

    def test_a_stranger_s_text_cannot_touch_the_terminal(self) -> None:
        wild = attrs.evolve(ITEMS[1], text="\x1b]0;evil\x07\r\u202e", rival="33" * 32, rival_text="\x1b[2J")
        self.process("wallet", {verbs.TALK_SHOW: talks.TalkShown(ROW, (wild,))})
        for option in ("--quiet", "--json"):
            out = self.rho("talk", "show", "bob", option).out
            self.assertFalse([char for char in out if ord(char) < 32 and char != "\n"], out)
            self.assertNotIn("\u202e", out)

    def test_nothing_yet_is_said(self) -> None:
        self.process("wallet", {verbs.TALKS: talks.TalkList(())})
        self.assertIn("nothing was said yet", self.rho("talk").err)


class SyncTests(CliCase):
    def test_one_is_brought_to_one_state(self) -> None:
        asked = self.process("wallet", {verbs.TALK_SYNC: talks.TalkSynced("bob", 1, 2, True, ROW)})
        printed = self.rho("talk", "sync", "bob", "--at", AT, "--timeout", "3")
        self.assertEqual(f"bob  1 went, 2 came  root {'cd' * 32}\n", printed.out)
        self.assertEqual([{"to": "bob", "at": AT, "wallet": "", "timeout": 3.0}], asked)
        for words in (("rho1x",), ("bob", "--at", "x")):
            self.assertIn("RHO-2201", self.rho("talk", "sync", *words).err)

    def test_two_sides_that_stay_apart_are_an_error(self) -> None:
        self.process("wallet", {verbs.TALK_SYNC: talks.TalkSynced("bob", 1, 2, False, ROW)})
        printed = self.rho("talk", "sync", "bob")
        self.assertEqual(6, printed.status)
        self.assertIn("RHO-2411", printed.err)

    def test_without_a_name_every_contact_is_asked_and_failures_are_told_beside(self) -> None:
        contacts = tuple(talks.ContactRow(name, BOB, places, 0) for name, places in
                         (("ann", (AT,)), ("bob", ()), ("carol", (AT,)), ("dave", ())))  # fmt: skip

        def answer(ask: Any) -> Any:
            refused = {"ann": trouble.NONE_HOT(), "bob": trouble.KEY_ABSENT(key=BOB, count=0)}
            return refused.get(ask["to"]) or talks.TalkSynced(ask["to"], 0, 0, True)

        self.process("wallet", {verbs.CONTACTS: talks.ContactList(contacts), verbs.TALK_SYNC: answer})
        printed = self.rho("talk", "sync")
        said = "".join(f"{name}  0 went, 0 came  nothing was said yet\n" for name in ("carol", "dave"))
        self.assertEqual((said, 1), (printed.out, printed.status))
        self.assertIn("RHO-1208", printed.err)
        self.assertIn("bob is left out", printed.err)
        self.assertNotIn("RHO-2601", printed.err)
        self.assertEqual(["carol", "dave"], [row["to"] for row in self.rho("talk", "sync", "--json").json["synced"]])


class OthersTests(CliCase):
    """Files and texts for others, checked with no process at all."""

    def setUp(self) -> None:
        super().setUp()
        self.reader = spoken(12)
        self.file = self.home / "talk.rhotalk"

    def export(self, ask: Any) -> Any:
        """Write what the wallet process would."""
        Path(ask["path"]).write_bytes(self.exported(self.reader))
        return talks.TalkExported(ROW, ask["path"])

    @staticmethod
    def exported(reader: Reader) -> bytes:
        return published.to_file(published.publish(PAIR, reader.talk, reader.all()))

    def test_a_file_is_written_where_it_is_said_or_beside(self) -> None:
        asked = self.process("wallet", {verbs.TALK_EXPORT: lambda ask: talks.TalkExported(ROW, ask["path"])})
        self.assertIn("/there.rhotalk", self.rho("talk", "export", "bob", str(self.home / "there.rhotalk")).out)
        self.rho("talk", "export", "../Bob")
        self.assertEqual(str(Path.cwd() / "bob.rhotalk"), asked[1]["path"])

    def test_what_is_published_is_checked_by_whoever_gets_it(self) -> None:
        self.process("wallet", {verbs.TALK_EXPORT: self.export})
        text = self.rho("talk", "publish", "bob").out
        self.assertEqual(text, self.rho("talk", "publish", "bob", "--json").json["text"])
        self.file.write_text(text)
        for path, stdin in ((str(self.file), ""), ("-", text)):
            printed = self.rho("talk", "check", path, stdin=stdin)
            self.assertEqual(0, printed.status, printed.err)
            self.assertIn("{}+{} records".format(*self.reader.talk.sizes), printed.out)
            self.assertIn(self.reader.talk.root.hex(), printed.out)

    def test_forks_and_other_views_are_told_by_the_check(self) -> None:
        fork(self.reader, BOB_KEY, 0)
        self.file.write_bytes(self.exported(self.reader))
        found = self.rho("talk", "check", str(self.file), "--json").json["checked"][0]
        self.assertEqual(1, found["forks"])
        self.assertIn("says two things", self.rho("talk", "check", str(self.file)).out)

    def test_a_proof_is_checked_and_shows_what_it_is_about(self) -> None:
        before, root = self.reader.talk.sizes, self.reader.talk.root
        last = self.reader.say(BOB_KEY, "the last\x1b[2J word")
        made = prove(self.reader.talk, PAIR, CAROL, 77, record=last, before=before)
        self.process("wallet", {verbs.TALK_PROVE: talks.TalkProof(ROW, made.encode().hex())})
        text = self.rho("talk", "prove", "bob", "--since", "{}+{}".format(*before)).out
        printed = self.rho("talk", "check", "-", "--root", root.hex(), stdin=f"> {text}")
        self.assertEqual(0, printed.status, printed.err)
        for part in (root.hex(), self.reader.talk.root.hex(), "the last\\x1b[2J word", "grew    only, since"):
            self.assertIn(part, printed.out)
        found = self.rho("talk", "check", "-", "--json", stdin=text).json["checked"][0]
        self.assertEqual((list(before), root.hex()), (found["before"]["records"], found["before"]["root"]))
        printed = self.rho("talk", "check", "-", "--root", "ab" * 32, stdin=text)
        self.assertEqual(6, printed.status)
        self.assertIn("RHO-2410", printed.err)

    def test_what_prove_is_asked(self) -> None:
        made = prove(self.reader.talk, PAIR, CAROL, 77).encode().hex()
        asked = self.process("wallet", {verbs.TALK_PROVE: talks.TalkProof(ROW, made)})
        self.rho("talk", "prove", "bob", "--record", "3", "--since", "4+5", "--wallet", "alice", "--witness", "eve")
        self.assertEqual([{
            "talk": {"name": "bob", "wallet": "alice"}, "record": 3, "before": [4, 5], "witness": "eve",
        }], asked)  # fmt: skip
        self.assertEqual(2, self.rho("talk", "prove", "bob", "--since", "x").status)

    def test_what_does_not_hold_is_told(self) -> None:
        data = self.exported(self.reader)
        other = pasted.write(pasted.PROOF, b"no proof") + pasted.write(9, b"x")
        for wrong in (data[:-1], data[:-1] + bytes([data[-1] ^ 1]), b"", b"text", other.encode(), data[1:]):
            self.file.write_bytes(wrong)
            printed = self.rho("talk", "check", str(self.file))
            self.assertEqual(6, printed.status)
            self.assertIn("RHO-2408", printed.err)
        self.assertIn("RHO-2409", self.rho("talk", "check", str(self.file) + "x").err)

    def test_import_hands_the_file_over_or_what_stands_on_stdin(self) -> None:
        held: list[bytes] = []

        def take(ask: Any) -> Any:
            held.append(Path(ask["path"]).read_bytes())
            return talks.TalkImported(ROW, 5)

        self.process("wallet", {verbs.TALK_IMPORT: take})
        self.file.write_bytes(b"a file")
        self.assertIn("5 new records", self.rho("talk", "import", str(self.file)).out)
        self.rho("talk", "import", "-", stdin="a text")
        self.assertEqual([b"a file", b"a text"], held)
