"""The outbox: an address is given out once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import StoreError
from rhotwist.store.database import Database
from rhotwist.store.outbox import KIND, Draft, Outbox

ANN, BOB, CAROL = (bytes([n]) * 32 for n in (1, 2, 3))


class OutboxTests(SynchronousTestCase):
    """One database."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "user.db")
        self.open()

    def open(self) -> None:
        """Open the database."""
        self.database = Database(self.path, KIND, durable=True)
        self.addCleanup(self.database.close)
        self.outbox = Outbox(self.database)

    def put(self, source: bytes = ANN, destination: bytes = BOB) -> int:
        """The position that a new record gets."""
        given: list[int] = []

        def make(position: int) -> Draft:
            given.append(position)
            return Draft(source[:15] + destination[:16] + bytes([position]), 7, "hi", b"body")

        self.outbox.put(source, destination, make).result(10)
        return given[0]

    def test_positions_count_up_from_zero_for_each_pair_and_direction(self) -> None:
        self.assertEqual([0, 1, 2], [self.put() for _ in range(3)])
        self.assertEqual([0, 0, 3], [self.put(ANN, CAROL), self.put(BOB, ANN), self.put()])

    def test_a_position_is_not_given_out_again_after_a_restart(self) -> None:
        self.put()
        self.database.close()
        self.open()
        self.assertEqual(1, self.put())

    def test_what_could_not_be_made_leaves_its_position_free(self) -> None:
        def fail(position: int) -> Draft:
            raise ValueError("no key")

        with self.assertRaises(ValueError):
            self.outbox.put(ANN, BOB, fail).result(10)
        self.assertEqual(0, self.put())

    def test_one_hash_is_one_record(self) -> None:
        draft = Draft(bytes(32), 7, "hi", b"body")
        self.outbox.put(ANN, BOB, lambda position: draft).result(10)
        with self.assertRaises(StoreError):
            self.outbox.put(ANN, BOB, lambda position: draft).result(10)

    def test_a_receipt_counts_once(self) -> None:
        draft = self.outbox.put(ANN, BOB, lambda position: Draft(bytes(32), 7, "hi", b"body")).result(10)
        self.assertEqual((0, 1), (self.outbox.count(kept=True), self.outbox.count(kept=False)))
        self.assertEqual([1, 0], [self.outbox.mark_kept(draft.hash, 9).result(10) for _ in range(2)])
        self.assertEqual((1, 0), (self.outbox.count(kept=True), self.outbox.count(kept=False)))
        self.assertEqual(0, self.outbox.mark_kept(b"x" * 32, 9).result(10))
