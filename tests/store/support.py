"""What the store's tests share."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis.stateful import RuleBasedStateMachine, rule
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.store.crashpoint import STATUS
from rhotwist.store.database import Database

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

    def claim_survives_kills(self, code: str, first: str, again: str) -> None:
        """That what code acknowledges is not there after a kill before its commit, and is after one behind it."""
        self.assertEqual(self.run_python(code, crash="write-commit").returncode, STATUS)
        self.assertEqual(self.run_python(code).stdout, first)
        self.assertEqual(self.run_python(code, crash="write-committed").returncode, STATUS)
        self.assertEqual(self.run_python(code).stdout, again)


class StoreMachine(RuleBasedStateMachine):
    """A store in a file of its own, which ``open`` opens as a start does; restart is a rule."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.holder = tempfile.TemporaryDirectory()
        self.path = Path(self.holder.name) / "one.db"
        self.open()

    def open(self) -> None:
        """Open the database at path, and the store over it."""
        raise NotImplementedError

    @rule()
    def restart(self) -> None:
        self.database.close()
        self.open()

    def teardown(self) -> None:
        """Leave nothing."""
        self.database.close()
        self.holder.cleanup()


def mode(path: Path) -> int:
    """The permission bits of a path."""
    return path.stat().st_mode & 0o7777
