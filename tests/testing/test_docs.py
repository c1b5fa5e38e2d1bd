"""The page for programmers: its example is the file that is run here, and what it names exists."""

from __future__ import annotations

import importlib.util
import re
import unittest
from pathlib import Path
from types import ModuleType

import attrs
from twisted.trial.unittest import SynchronousTestCase

import rhotwist.testing
from rhotwist.testing import Faults, Host, Network

DOCS = Path(__file__).resolve().parents[2] / "docs"


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("counter_test", DOCS / "examples" / "counter_test.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PageTests(SynchronousTestCase):
    """docs/testing.md."""

    def setUp(self) -> None:
        self.page = (DOCS / "testing.md").read_text(encoding="utf-8")

    def test_the_example_passes(self) -> None:
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(example().CounterTests).run(result)
        self.assertEqual([], result.errors + result.failures)
        self.assertEqual(2, result.testsRun)

    def test_the_page_shows_the_example_as_it_is(self) -> None:
        [shown] = re.findall(r"```python\n(.*?)```", self.page, re.DOTALL)
        self.assertIn(shown, (DOCS / "examples" / "counter_test.py").read_text(encoding="utf-8"))

    def test_every_fault_is_on_the_page(self) -> None:
        for field in attrs.fields(Faults):
            self.assertRegex(self.page, rf"`[^`]*\b{field.name}\b")

    def test_what_the_page_calls_on_networks_and_hosts_is_there(self) -> None:
        network = Network(1)
        host = network.node("host")
        for name in re.findall(r"\bnetwork\.([a-z_]+)", self.page):
            self.assertTrue(hasattr(network, name), name)
        for name in re.findall(r"\bhost\.([a-z_]+)", self.page):
            self.assertTrue(hasattr(host, name), name)
        self.assertIsInstance(host, Host)

    def test_every_public_name_loads_and_no_other_does(self) -> None:
        for name in rhotwist.testing.__all__:
            self.assertIsNotNone(getattr(rhotwist.testing, name), name)
        self.assertRaises(AttributeError, getattr, rhotwist.testing, "Nothing")
