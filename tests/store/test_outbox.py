"""The outbox: what was said, and what of it was confirmed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import StoreError
from rhotwist.store import outbox
from rhotwist.store.database import Database
from rhotwist.store.outbox import KIND, Draft, Outbox

ANN, BOB = (bytes([n]) * 32 for n in (1, 2))


class OutboxTests(SynchronousTestCase):
    """One database."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.database = Database(Path(folder.name, "user.db"), KIND, durable=True)
        self.addCleanup(self.database.close)
        self.outbox = Outbox(self.database)

    def put(self, position: int, hash: bytes) -> None:
        """Keep a record of Ann's for Bob."""
        draft = Draft(hash, 7, "hi", b"body")
        self.database.submit(lambda connection: outbox.put(connection, ANN, BOB, position, draft)).result(10)

    def test_one_hash_is_one_record_and_one_position_too(self) -> None:
        self.put(0, bytes(32))
        for position, name in ((1, bytes(32)), (0, b"x" * 32)):
            self.assertRaises(StoreError, self.put, position, name)
        self.put(1, b"x" * 32)

    def test_a_receipt_counts_once(self) -> None:
        self.put(0, bytes(32))
        self.assertEqual((0, 1), (self.outbox.count(kept=True), self.outbox.count(kept=False)))
        self.assertEqual([1, 0], [self.outbox.mark_kept(bytes(32), 9).result(10) for _ in range(2)])
        self.assertEqual((1, 0), (self.outbox.count(kept=True), self.outbox.count(kept=False)))
        self.assertEqual(0, self.outbox.mark_kept(b"x" * 32, 9).result(10))
