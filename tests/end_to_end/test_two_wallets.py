"""Two people, two data folders, two wallet processes: from nothing to a message that is kept."""

from __future__ import annotations

import json
import signal
import stat

from tests.end_to_end.programs import ProgramCase


class TwoWalletsTests(ProgramCase):
    """The journey of docs/wallets.md, by the real programs."""

    def test_from_two_empty_folders_to_a_message_that_outlives_its_receiver_s_process(self) -> None:
        self.person("ann")
        self.person("bob")
        bob, at = self.good("bob", "address").strip(), self.at("bob")

        out = self.good("ann", "send", bob, "-m", "hello bob", "--at", at)
        self.assertRegex(out, rf"^kept by {bob} \(hash [0-9a-f]{{64}}\) after ")
        # Killed right after the receipt: what it confirmed is there.
        self.stop_wallet_process("bob", signal.SIGKILL)
        [item] = json.loads(self.good("bob", "inbox", "--json"))["items"]
        self.assertEqual("hello bob", item["text"])
        self.assertIn(item["hash"], out)
        self.assertEqual(self.good("ann", "address").strip(), item["sender"])

        # inbox started a new process; the wallet in it is locked until its owner says so.
        wrong = self.rho("bob", "wallet", "unlock", "bob", secret="open barley")
        self.assertEqual(1, wrong.returncode)
        self.assertIn("RHO-1204", wrong.stderr)
        self.assertEqual("", wrong.stdout)
        for path in [*self.home.rglob("*")]:
            self.assertEqual(0, stat.S_IMODE(path.stat().st_mode) & 0o077, path)
            if path.is_file():
                self.assertNotIn(b"open sesame", path.read_bytes(), path)

        self.assertRegex(self.good("bob", "stop"), r"^stopped the wallet process \(pid \d+\)$")
        self.assertEqual({}, self.status("bob"))
