"""What the store's tests share."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20.0
"""After this long a future of the writer's is taken for lost."""


class FolderCase(SynchronousTestCase):
    """A test with an empty folder of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()

    def names(self) -> list[str]:
        """What lies in the folder."""
        return sorted(path.name for path in self.folder.iterdir())

    def run_python(self, code: str, *arguments: object, crash: str = "") -> subprocess.CompletedProcess[str]:
        """Run code in another process that ends at the crash point named."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"RHO_CRASH": crash} if crash else {})
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, cwd=self.folder)


def mode(path: Path) -> int:
    """The permission bits of a path."""
    return path.stat().st_mode & 0o7777
