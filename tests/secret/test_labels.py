"""Labels keep apart what is MACed, signed or turned into a key: all are in one table, and none begins another."""

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import rhotwist
from rhotwist.secret.labels import LABELS


class LabelTests(SynchronousTestCase):
    def test_no_label_is_a_prefix_of_another(self) -> None:
        for one in LABELS:
            self.assertEqual([other for other in LABELS if other != one and other.startswith(one)], [])

    def test_all_have_the_same_form(self) -> None:
        for label, use in LABELS.items():
            self.assertTrue(re.fullmatch(rb"rho/[a-z0-9-]+/[1-9]", label), label)
            self.assertTrue(use)

    def test_every_label_in_the_sources_is_in_the_table_and_the_reverse(self) -> None:
        found = set()
        for path in Path(rhotwist.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, bytes) and node.value.startswith(b"rho/"):
                    found.add(node.value)
        self.assertEqual(found, set(LABELS))
