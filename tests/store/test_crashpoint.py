"""Crash points: named, known, and harmless unless asked for."""

import re

from rhotwist.store.crashpoint import POINTS, STATUS, crashpoint
from tests.store.support import ROOT, FolderCase


class CrashpointTests(FolderCase):
    def test_the_named_place_ends_the_process_and_no_other_does(self) -> None:
        code = "from rhotwist.store.crashpoint import *\n"
        code += "crashpoint('file-kept')\ncrashpoint('file-written')\nprint('on')"
        self.assertEqual(self.run_python(code, crash="file-written").returncode, STATUS)
        self.assertEqual(self.run_python(code, crash="file-renamed").stdout, "on\n")
        crashpoint("file-kept")

    def test_every_place_in_the_code_is_in_the_table_and_the_other_way_round(self) -> None:
        used = set()
        for path in (ROOT / "rhotwist" / "store").glob("*.py"):
            used.update(re.findall(r'crashpoint\("([a-z-]+)"\)', path.read_text("utf-8")))
        self.assertEqual(used, set(POINTS))
