"""A file from one person to another by the real programs, with a process killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from tests.end_to_end.programs import ENVIRON, PATIENCE, ProgramCase

SIZE = 12_000_000


class FileTests(ProgramCase):
    """The journey of docs/wallets.md, files."""

    def background(self, folder: str, *arguments: str) -> subprocess.Popen[str]:
        """A running rho."""
        child = subprocess.Popen(
            [sys.executable, "-m", "rhotwist.cli", *arguments, "--datadir", str(self.home / folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.home, env=ENVIRON,
        )  # fmt: skip
        self.addCleanup(self.end, child)
        return child

    def transfer(self, folder: str) -> dict[str, object]:
        """The one transfer of a folder, as its process tells it."""
        [item] = json.loads(self.good(folder, "transfers", "--json"))["items"]
        return item  # type: ignore[no-any-return]

    def test_a_file_whose_sender_is_interrupted_and_then_killed_arrives_by_resume(self) -> None:
        self.person("ann")
        self.person("bob")
        bob, at = self.good("bob", "address").strip(), self.at("bob")
        data = os.urandom(SIZE)
        (self.home / "film.bin").write_bytes(data)
        into = self.home / "into"
        into.mkdir()

        sending = self.background("ann", "send", bob, str(self.home / "film.bin"), "--at", at)
        until = time.monotonic() + PATIENCE
        while not json.loads(self.good("bob", "transfers", "--json"))["items"]:
            self.assertLess(time.monotonic(), until)
        sending.send_signal(signal.SIGINT)
        status, _, err = self.ended(sending)
        self.assertEqual(130, status)
        self.assertIn("try: rho resume 1", err)
        self.assertEqual("paused", self.transfer("ann")["state"])

        self.stop_wallet_process("ann", signal.SIGKILL)
        self.good("ann", "wallet", "unlock", "ann", secret="open sesame")
        receiving = self.background("bob", "receive", "1", "--into", str(into))
        out = self.good("ann", "resume")
        self.assertRegex(out, r"^film.bin  11.4 MiB checked by rho1w\S+ \(root [0-9a-f]{64}\) after ")
        status, out, err = self.ended(receiving)
        self.assertEqual((0, data), (status, (into / "film.bin").read_bytes()), err)
        self.assertIn(str(into / "film.bin"), out)
        for row in map(self.transfer, ("ann", "bob")):
            self.assertEqual(("done", SIZE), (row["state"], row["done"]))
        self.assertEqual([], list((self.home / "bob" / "transfers").glob("*.part")))
