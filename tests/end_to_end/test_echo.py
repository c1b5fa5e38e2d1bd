"""The program of docs/writing-a-protocol.md, as two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
ECHO = ROOT / "docs" / "examples" / "echo.py"


class EchoTests(SynchronousTestCase):
    """Serve and ask."""

    def test_one_process_asks_another_by_its_key_and_both_end_cleanly(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        serving = subprocess.Popen(
            [sys.executable, str(ECHO), "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.addCleanup(serving.communicate)
        self.addCleanup(serving.kill)
        assert serving.stdout is not None
        address = serving.stdout.readline().strip()
        asking = subprocess.run(
            [sys.executable, str(ECHO), "ask", address], env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        self.assertEqual((asking.stdout, asking.stderr, asking.returncode), ("hello\n", "", 0))
        serving.terminate()
        _, complaints = serving.communicate(timeout=60)
        self.assertEqual(complaints, "")
