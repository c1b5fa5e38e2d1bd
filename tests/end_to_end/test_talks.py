"""Two people, a third and a stranger, by the real programs: one conversation, one root."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any

from tests.end_to_end.programs import ENVIRON, ROOT, ProgramCase


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


class PageTests(ProgramCase):
    """Every command that docs/wallets.md names for contacts and conversations, typed as it stands there."""

    def typed(self, line: str, **words: str) -> str:
        """What a line of the page prints in Ann's folder, its placeholders filled."""
        for word, meant in words.items():
            line = re.sub(rf"\b{word}\b", meant, line)
        done = subprocess.run(
            ["sh", "-c", line], cwd=self.home, env={**ENVIRON, "PATH": f"{self.home}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.assertEqual(0, done.returncode, f"{line}: {done.stderr}")
        return done.stdout

    def test_every_command_of_the_page_does_what_it_says(self) -> None:
        rho = self.home / "rho"
        rho.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rhotwist.cli --datadir "{self.home}/ann" "$@"\n')
        rho.chmod(0o700)
        page = (ROOT / "docs" / "wallets.md").read_text(encoding="utf-8")
        lines = [line[2:] for line in page.splitlines() if re.match(r"\$ rho (contact|talk)", line)]
        self.assertEqual(14, len(lines), lines)
        for name in ("ann", "bob"):
            self.person(name)
        at = self.at("bob")
        words = {"INVITATION": self.good("bob", "contact", "invite", "--at", at).strip(), "NODE@HOST:PORT": at}
        ann = self.good("ann", "address").strip()
        self.good("ann", "send", words["INVITATION"].partition("@")[0], "-m", "hi", "--at", at)
        self.good("bob", "send", ann, "-m", "hi ann", "--at", self.at("ann"))
        printed = {}
        for line in lines:
            if "ROOT" in line or "N+M" in line:
                [row] = json.loads(self.good("ann", "talk", "--json"))["talks"]
                words |= {"ROOT": row["root"]}
                line = line.replace("N+M", "{}+{}".format(*(row[side]["records"] for side in ("lower", "higher"))))
            printed[line] = self.typed(line, **words)
        self.assertIn("records, each signed by its author", printed["rho talk check talk.txt"])
        self.assertIn("grew    only, since 1+1", printed["rho talk check later.txt --root ROOT"])
