"""The real programs, as a person starts them: each in a process of its own, in a data folder of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("RHO_")} | {
    "PYTHONPATH": str(ROOT), "RHO_WALLET_KDF": "interactive"
}  # fmt: skip
FOREGROUND = ("-n", "--pidfile=")
PATIENCE = 30.0  # seconds in which a process must have said what it is waited for
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


class ProgramCase(SynchronousTestCase):
    """Starts programs and sees that none outlives the test."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)

    # --- twistd -------------------------------------------------------------------------------------------------------

    def twistd(self, *arguments: str, before: tuple[str, ...] = FOREGROUND) -> subprocess.Popen[str]:
        """twistd rhocoin, running."""
        child = subprocess.Popen(
            [*TWISTD, *before, "rhocoin", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=self.home, env=ENVIRON,
        )  # fmt: skip
        self.addCleanup(self.end, child)
        return child

    def node(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        """A node that is up, and its NODE@HOST:PORT."""
        child = self.twistd(*arguments)
        line = self.line(child, "node rho1n")
        self.line(child, "next: ")
        words = line.split()
        return child, f"{words[1]}@{words[3]}"

    def line(self, child: subprocess.Popen[str], start: str) -> str:
        """The first line of stdout that starts so."""
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith(start):
                return line.rstrip("\n")
        assert child.stderr is not None
        raise AssertionError(f"it ended without saying {start!r}: {child.stderr.read()}")

    def ended(self, child: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Status, stdout and stderr of a program that ends by itself."""
        out, err = child.communicate(timeout=PATIENCE)
        return child.returncode, out, err

    def end(self, child: subprocess.Popen[str], sign: int = signal.SIGTERM) -> None:
        """Stop a program that runs."""
        if child.poll() is None:
            child.send_signal(sign)
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()

    # --- rho ----------------------------------------------------------------------------------------------------------

    def rho(self, folder: str, *arguments: str, secret: str | None = None) -> subprocess.CompletedProcess[str]:
        """rho in a data folder; secret comes through file descriptor 3 where the command wants one."""
        passed: tuple[int, ...] = ()
        words = list(arguments)
        if secret is not None:
            reader, writer = os.pipe()
            os.write(writer, secret.encode())
            os.close(writer)
            passed = (reader,)
            words += ["--passphrase-fd", str(reader)]
        try:
            return subprocess.run(
                [sys.executable, "-m", "rhotwist.cli", "--datadir", str(self.home / folder), *words],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * PATIENCE, env=ENVIRON,
                pass_fds=passed,
            )  # fmt: skip
        finally:
            for descriptor in passed:
                os.close(descriptor)

    def good(self, folder: str, *arguments: str, secret: str | None = None) -> str:
        """The stdout of a rho that succeeds."""
        done = self.rho(folder, *arguments, secret=secret)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def person(self, name: str) -> None:
        """A data folder in which the wallet of that name is hot; its wallet process ends with the test."""
        self.addCleanup(self.stop_wallet_process, name)
        self.good(name, "wallet", "create", name, "--yes-i-wrote-the-words-down", secret="open sesame")
        self.good(name, "wallet", "unlock", name, secret="open sesame")

    def status(self, folder: str) -> dict[str, Any]:
        """What rho status --json says of the wallet process, {} if none runs."""
        done = self.rho(folder, "status", "--json")
        return json.loads(done.stdout).get("wallet") or {}

    def at(self, folder: str) -> str:
        """NODE@127.0.0.1:PORT of the wallet process."""
        [found] = [at for at in self.status(folder)["reachable"] if "@127.0.0.1:" in at]
        return str(found)

    def stop_wallet_process(self, folder: str, sign: int = signal.SIGTERM) -> None:
        """End the wallet process of a folder and wait until it is gone."""
        pid = self.status(folder).get("pid")
        if pid is None:
            return
        os.kill(pid, sign)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return  # dead, and waits for whoever adopted it
            time.sleep(0.02)  # noqa: TID251 - a process that is not our child cannot be waited for
        raise AssertionError(f"process {pid} does not end")
