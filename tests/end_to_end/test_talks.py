"""Two people, a third and a stranger, by the real programs: one conversation, one root."""

from __future__ import annotations

import json
import shutil
from typing import Any

from tests.end_to_end.programs import ProgramCase


class TalkTests(ProgramCase):
    """The journey of docs/wallets.md from an invitation to a proof."""

    def row(self, folder: str) -> Any:
        """The one conversation of a folder."""
        [found] = json.loads(self.good(folder, "talk", "--json"))["talks"]
        return found

    def test_two_that_talk_a_third_who_imports_and_a_stranger_who_checks_have_one_root(self) -> None:
        for name in ("ann", "bob"):
            self.person(name)
        for name, other in (("ann", "bob"), ("bob", "ann")):
            invitation = self.good(other, "contact", "invite", "--at", self.at(other)).strip()
            self.assertIn(invitation.partition("@")[0], self.good(name, "contact", "add", other, invitation))
        for number in range(2):
            self.assertIn("kept by bob", self.good("ann", "send", "bob", "-m", f"question {number}"))
            self.assertIn("kept by ann", self.good("bob", "send", "ann", "-m", f"answer {number}"))
        self.assertRegex(self.good("ann", "talk", "sync", "bob"), r"^bob  0 went, 0 came  root [0-9a-f]{64}\n$")
        root = self.row("ann")["root"]
        self.assertEqual(root, self.row("bob")["root"])
        shown = json.loads(self.good("bob", "talk", "show", "ann", "--json"))["items"]
        texts = ["question 0", "answer 0", "question 1", "answer 1"]
        self.assertEqual(texts, [item["text"] for item in shown])
        self.assertIn("ann: question 0", self.good("bob", "talk", "show", "ann"))

        # Carol gets a file and a text; both hold, and she has what the two have.
        file, text = str(self.home / "talk.rhotalk"), self.home / "talk.txt"
        self.good("ann", "talk", "export", "bob", file)
        text.write_text(self.good("bob", "talk", "publish", "ann"))
        self.addCleanup(self.stop_wallet_process, "carol")
        self.assertIn("4 new records", self.good("carol", "talk", "import", str(text)))
        self.assertIn("0 new records", self.good("carol", "talk", "import", file))
        self.assertEqual(root, self.row("carol")["root"])

        # A stranger needs no process: none runs in his folder, and none is started.
        before = self.row("ann")["lower"]["records"], self.row("ann")["higher"]["records"]
        self.good("ann", "send", "bob", "-m", "one more")
        proof = self.home / "proof.txt"
        proof.write_text(self.good("bob", "talk", "prove", "ann", "--since", "{}+{}".format(*before)))
        out = self.good("nobody", "talk", "check", str(proof), "--root", root)
        self.assertIn("one more", out)
        self.assertIn(self.row("ann")["root"], out)
        self.assertEqual(6, self.rho("nobody", "talk", "check", str(proof), "--root", "ab" * 32).returncode)
        self.assertFalse((self.home / "nobody").exists())

        # Ann loses all but her wallet file, as if it came back from its words, and goes on where she was.
        self.stop_wallet_process("ann")
        for path in (self.home / "ann").glob("user.db*"):
            path.unlink()
        shutil.rmtree(self.home / "ann" / "transfers", ignore_errors=True)
        self.good("ann", "wallet", "unlock", "ann", secret="open sesame")
        bob, at = self.good("bob", "address").strip(), self.at("bob")
        self.assertIn("5 came", self.good("ann", "talk", "sync", bob, "--at", at))
        self.good("ann", "send", bob, "-m", "back again", "--at", at)
        self.assertEqual((self.row("ann")["root"], 0), (self.row("bob")["root"], self.row("bob")["forks"]))
