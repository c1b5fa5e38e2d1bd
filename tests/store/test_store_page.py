"""docs/spec/store.md says what the code does: tables, and the sums of worked rows."""

import re
import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.store import records, steps
from rhotwist.store.directory import KIND
from rhotwist.store.steps import Meta, Step
from rhotwist.store.upgrade import steps as upgrades
from rhotwist.tree.hashes import EMPTY
from tests.directory.support import record
from tests.keys.pages import DOCS, vectors


class StorePageTests(SynchronousTestCase):
    def setUp(self) -> None:
        fresh = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(fresh.close)
        for sql in upgrades(KIND):
            fresh.executescript(sql)
        self.fresh = fresh

    def test_every_table_of_the_database_is_named(self) -> None:
        text = (DOCS / "store.md").read_text("utf-8")
        with closing(self.fresh.execute("SELECT name FROM sqlite_master WHERE type = 'table'")) as rows:
            tables = {row[0] for row in rows}
        self.assertLessEqual(tables, set(re.findall(r"`([a-z]+)`", text)))
        listed = re.findall(r"^\| `([a-z]+)` \| [^|]+ \| [^|]+ \|$", text, re.M)
        self.assertEqual({*listed} & tables, tables - {"token", "peer"})

    def test_the_sums_of_the_worked_rows(self) -> None:
        told = vectors("store.md")
        first = steps.fold(self.fresh, Meta(bytes(range(1, 9)), 1_860, 0), Step(0, 0, EMPTY), None)
        self.assertEqual(first.sum.hex(), told["step 0 of a new directory"])
        (made,) = self.fresh.execute("SELECT sum FROM meta").fetchone()
        self.assertEqual(made.hex(), told["the meta row above it"])
        second = steps.add(self.fresh, first.sum, Step(1, 1, b"\x11" * 32), [b"12345678"], [b"abcdefgh"])
        self.assertEqual(second.sum.hex(), told["the step behind it"])
        self.assertEqual(records.sum_of(bytes(32)).hex(), told["the pin of the address of 32 zero bytes"])
        body, proof = records.row_of(record(1))
        self.assertEqual(proof[72:], records.sum_of(body + proof[:72]))
