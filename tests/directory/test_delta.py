"""A journal in pages: one is looked at while the next comes, and what brings nothing is not asked for again."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.delta import AHEAD, LEAST, Delta
from rhotwist.directory.messages import Kind, SyncAnswer, SyncHello
from rhotwist.directory.step import Mark
from rhotwist.errors import BadPacket

STORE = b"theirs--"


def hello(mark: Mark | None) -> SyncHello:
    """What asks for the page behind a mark, or with cells."""
    store, cursor = (bytes(8), 0) if mark is None else (mark.store_id, mark.cursor)
    return SyncHello(
        epoch=1, count=1, root=bytes(32), store=store, cursor=cursor, cells=b"" if mark else bytes(10)
    )  # fmt: skip


def page(until: int, seq: int = 1_000, **more: Any) -> SyncAnswer:
    """A page of the journal."""
    told = {"kind": Kind.DELTA, "epoch": 1, "count": 1, "root": bytes(32), "store": STORE, "records": b"some"}
    return SyncAnswer(seq=seq, until=until, **(told | more))


class DeltaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.waiting = 0
        self.delta = Delta(None)
        self.delta.start(STORE)

    def take(self, until: int, **more: Any) -> Mark | None:
        """Ask for a page and have it; the mark that was asked with."""
        mark = self.delta.ask()
        self.delta.came(hello(mark), page(until, **more))
        self.waiting += 1
        return mark

    def settle(self, new: int) -> None:
        """Of the ten records of a page so many were new."""
        self.waiting -= 1
        self.delta.settled(new, 10)

    @property
    def due(self) -> bool:
        """Whether another page should be asked for."""
        return self.delta.due(self.waiting)

    def test_a_journal_begins_at_its_start_and_only_once(self) -> None:
        self.assertEqual((Mark(STORE, 0), True), (self.delta.mark, self.delta.started))
        self.assertFalse(self.delta.start(STORE))
        self.assertFalse(Delta(Mark(STORE, 7)).started)

    def test_who_comes_back_begins_at_his_cursor(self) -> None:
        delta = Delta(Mark(STORE, 7))
        self.assertTrue(delta.due(0))
        self.assertEqual(Mark(STORE, 7), delta.ask())
        self.assertFalse(delta.due(0))

    def test_the_first_page_is_settled_before_another_is_asked_for(self) -> None:
        self.assertEqual(Mark(STORE, 0), self.take(100))
        self.assertFalse(self.due)
        self.settle(10)
        self.assertTrue(self.due)

    def test_then_some_are_ahead_and_no_more(self) -> None:
        self.take(100)
        self.settle(10)
        for number in range(1, AHEAD + 1):
            self.assertTrue(self.due, number)
            self.assertEqual(Mark(STORE, 100 * number), self.take(100 * (number + 1)))
        self.assertFalse(self.due)
        self.settle(10)
        self.assertTrue(self.due)
        self.delta.ask()
        self.settle(10)
        self.assertFalse(self.due)  # one is asked for

    def test_a_page_that_brings_hardly_anything_is_the_last(self) -> None:
        for new, more in ((0, False), (1, False), (-(-10 // LEAST), True)):
            self.setUp()
            self.take(100)
            self.settle(new)
            self.assertEqual(more, self.due, new)

    def test_but_where_it_is_gone_on_with_the_first_page_may_have_been_kept(self) -> None:
        self.delta = Delta(Mark(STORE, 7))
        self.take(100)
        self.settle(0)
        self.assertTrue(self.due)
        self.take(200)
        self.assertFalse(self.due)  # it brought nothing, so none goes ahead
        self.settle(0)
        self.assertFalse(self.due)
        self.assertTrue(self.delta.start(STORE))
        self.take(100)
        self.settle(0)
        self.assertFalse(self.due)

    def test_it_stays_the_last_though_one_was_asked_for_meanwhile(self) -> None:
        self.take(100)
        self.settle(10)
        self.take(200)
        asked = self.delta.ask()
        self.settle(0)
        self.delta.came(hello(asked), page(300))
        self.waiting += 1
        self.settle(10)
        self.assertIsNone(self.delta.mark)

    def test_after_the_last_page_there_is_none(self) -> None:
        self.take(1_000)
        self.settle(10)
        self.assertFalse(self.due)
        self.assertIsNone(self.delta.ask())

    def test_a_page_of_nothing_is_the_last_whatever_is_behind_it(self) -> None:
        """Nothing of it is settled, so nothing else would end thousands of them."""
        self.take(100)
        self.settle(10)
        self.take(101, records=b"")
        self.assertIsNone(self.delta.mark)

    def test_where_there_is_no_such_journal_nothing_waits(self) -> None:
        delta = Delta(Mark(STORE, 7))
        delta.ask()
        delta.none()
        self.assertTrue(delta.start(STORE))
        self.assertTrue(delta.due(0))

    def test_how_far_the_pages_before_the_last_reach_is_known(self) -> None:
        self.assertIsNone(self.delta.reached)
        for until in (100, 200, 300):
            self.take(until)
            self.assertEqual(Mark(STORE, until - 100), self.delta.reached)
            self.settle(10)

    def test_a_page_that_answers_nothing_is_refused(self) -> None:
        mark = Mark(STORE, 100)
        for request, wrong in (
            (None, page(200)), (mark, page(200, store=b"another-")), (mark, page(99)), (mark, page(1_001)),
            (mark, page(100)),
        ):  # fmt: skip
            delta = Delta(mark)
            delta.ask()
            self.assertEqual("delta", self.assertRaises(BadPacket, delta.came, hello(request), wrong).reason)
            self.assertIsNone(delta.reached)
        delta.came(hello(mark), page(100, records=b""))
        self.assertFalse(delta.due(0))
