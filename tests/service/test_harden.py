"""What a process does to itself."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.stage import ENVIRON

PROGRAM = """
import ctypes, resource
from rhotwist.service.harden import harden
harden()
harden()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3))
"""


class HardenTests(SynchronousTestCase):
    """Seen from inside another process, because it cannot be undone."""

    def test_there_is_no_core_file_and_nobody_may_trace(self) -> None:
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=ENVIRON, timeout=60)
        self.assertEqual("(0, 0) 0\n", done.stdout, done.stderr)
