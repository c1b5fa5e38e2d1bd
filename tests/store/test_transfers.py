"""Files under way: what is noted of them, and that a restart finds all of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.file_plan import FilePlan
from rhotwist.store import transfers
from rhotwist.store.database import Database
from rhotwist.store.transfers import Transfer, Transfers
from rhotwist.tree import merkle
from tests import FULL

ID = b"i" * 16
ANN, BOB, CAROL = (bytes([n]) * 32 for n in (1, 2, 3))
PLAN = FilePlan("a.txt", 7, 3, b"".join(map(merkle.leaf_hash, (b"abc", b"def", b"g"))))
ROOM = {"most": 4, "most_source": 3, "since": 0}


def offered(id: int = 1, source: bytes = ANN, *, plan: FilePlan = PLAN, begun: int = 9) -> Transfer:
    """What a peer offers."""
    return Transfer(
        0, False, bytes([id]) * 16, source, BOB, plan.root(), plan.name, plan.total, plan.part, transfers.OFFERED, "",
        "", "", False, begun, None, 0,
    )  # fmt: skip


class TransferTests(SynchronousTestCase):
    """One database."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "transfers.db")
        self.open()

    def open(self) -> None:
        """Open the database, again if it was."""
        self.database = Database(self.path, transfers.KIND, durable=False)
        self.addCleanup(self.database.close)
        self.store = Transfers(self.database)

    def reopen(self) -> None:
        """A restart."""
        self.database.close()
        self.open()

    def send(self, id: int = 1) -> Transfer:
        """A file of ours on its way."""
        return self.store.send(PLAN, bytes([id]) * 16, BOB, ANN, place="/a", at="x@y:1", begun=5).result(10)

    def offer(self, *arguments: object, **more: object) -> Transfer | None:
        """What came of an offer."""
        return self.store.offer(offered(*arguments, **more), **ROOM).result(10)  # type: ignore[arg-type]

    def test_a_file_of_ours_is_found_again_after_a_restart(self) -> None:
        sent = self.send()
        self.assertEqual(("offered", 0, "/a", "x@y:1", 5), (sent.state, sent.have, sent.place, sent.at, sent.begun))
        self.assertEqual((True, False), (sent.outgoing, sent.gentle))
        soft = self.store.send(PLAN, ID, BOB, ANN, place="/a", at="", begun=5, gentle=True).result(10)
        self.assertTrue(soft.gentle)
        self.store.put_part(sent.number, 1).result(10)
        self.reopen()
        self.assertEqual(attrs.evolve(sent, have=0b10), self.store.get(sent.number))
        self.assertEqual(PLAN.encode(), self.store.plan(sent.number))

    def test_an_offer_is_noted_once_however_often_it_comes(self) -> None:
        first = self.offer()
        assert first is not None
        self.assertEqual([first] * 3, [self.offer() for _ in range(3)])
        self.assertEqual([first], self.store.newest(9))
        self.assertEqual(first, self.store.incoming(ANN, BOB, first.id))
        self.assertIsNone(self.store.incoming(CAROL, BOB, first.id))

    def test_two_senders_may_use_one_id_and_so_may_we_ourselves(self) -> None:
        numbers = {self.offer(1, source).number for source in (ANN, CAROL)} | {self.send(1).number}  # type: ignore[union-attr]
        self.assertEqual(3, len(numbers))

    def test_offers_nobody_takes_are_bounded_for_each_wallet_and_for_all(self) -> None:
        self.assertEqual([True] * 3 + [False], [self.offer(id) is not None for id in range(4)])
        self.assertIsNotNone(self.offer(0), "one that is noted is found, room or not")
        self.assertIsNotNone(self.offer(8, CAROL))
        self.assertIsNone(self.offer(9, CAROL))
        late = self.store.offer(offered(9, CAROL, begun=20), most=4, most_source=3, since=10).result(10)
        self.assertIsNotNone(late, "old ones are forgotten to make room")
        self.assertEqual(1, len(self.store.newest(99)))

    def test_taken_ones_are_not_counted_as_offers_and_never_forgotten(self) -> None:
        taken = self.offer(1)
        assert taken is not None
        self.store.move(taken.number, transfers.GOING, place="/in").result(10)
        self.assertTrue(all(self.offer(id) for id in (2, 3, 4)))
        self.store.offer(offered(9), most=4, most_source=3, since=10).result(10)
        self.assertEqual("going", self.store.get(taken.number).state)  # type: ignore[union-attr]

    def test_what_has_ended_stays_as_it_ended(self) -> None:
        number = self.send().number
        ended = self.store.move(number, transfers.CANCELLED, "its owner cancelled it", ended=11).result(10)
        self.assertEqual(("cancelled", "its owner cancelled it", 11), (ended.state, ended.why, ended.ended))  # type: ignore[union-attr]
        self.assertIsNone(self.store.move(number, transfers.GOING, place="/b").result(10))
        self.assertEqual(ended, self.store.get(number))
        self.assertEqual([], self.store.open())

    def test_moving_changes_what_is_said_and_nothing_else(self) -> None:
        sent = self.send()
        moved = self.store.move(sent.number, transfers.PAUSED, "no net", at="x@z:2").result(10)
        self.assertEqual(attrs.evolve(sent, state="paused", why="no net", at="x@z:2"), moved)
        moved = self.store.move(sent.number, transfers.GOING, place="/b").result(10)
        self.assertEqual(attrs.evolve(sent, state="going", at="x@z:2", place="/b"), moved)
        self.assertEqual([moved], self.store.open())

    def test_pieces_of_a_plan_wait_until_it_is_whole(self) -> None:
        number = self.offer().number  # type: ignore[union-attr]
        for page, data in ((1, b"two"), (0, b"one"), (0, b"other")):
            self.store.put_page(number, page, data).result(10)
        self.reopen()
        self.assertEqual({0: b"one", 1: b"two"}, self.store.pages(number))
        self.assertIsNone(self.store.plan(number))
        self.store.put_plan(number, PLAN.encode()).result(10)
        self.assertEqual((PLAN.encode(), {}), (self.store.plan(number), self.store.pages(number)))
        self.store.put_page(number, 0, b"x").result(10)
        self.store.drop_pages(number).result(10)
        self.assertEqual({}, self.store.pages(number))

    def test_the_end_drops_the_plan_and_its_pieces(self) -> None:
        number = self.offer().number  # type: ignore[union-attr]
        self.store.put_page(number, 0, b"one").result(10)
        self.store.move(number, transfers.CANCELLED).result(10)
        self.assertEqual({}, self.store.pages(number))
        sent = self.send()
        self.store.move(sent.number, transfers.PAUSED).result(10)
        self.assertIsNotNone(self.store.plan(sent.number))
        self.store.move(sent.number, transfers.DONE).result(10)
        self.assertIsNone(self.store.plan(sent.number))

    def test_bytes_are_counted_by_whole_parts_and_the_last_is_short(self) -> None:
        row = offered()
        for have, done in ((0, 0), (1, 3), (0b100, 1), (0b110, 4), (0b111, 7)):
            self.assertEqual(done, attrs.evolve(row, have=have).done)
        empty = offered(plan=FilePlan("e", 0, 3, b""))
        self.assertEqual((0, 0), (empty.count, empty.done))

    def test_the_newest_come_last_and_are_cut_at_the_limit(self) -> None:
        numbers = [self.send(id).number for id in range(3)]
        self.assertEqual(numbers[1:], [row.number for row in self.store.newest(2)])

    def test_what_is_not_there_is_none(self) -> None:
        self.assertIsNone(self.store.get(1))
        self.assertIsNone(self.store.plan(1))


class Journey(RuleBasedStateMachine):
    """Whatever happens in whatever order, the store says what a dict would say, before and after a restart."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.rows: dict[int, Transfer] = {}
        self.plans: dict[int, bytes | None] = {}
        self.pages: dict[int, dict[int, bytes]] = {}
        self.dropped = 0
        self.open()

    def open(self) -> None:
        self.database = Database(Path(self.folder.name, "transfers.db"), transfers.KIND, durable=False)
        self.store = Transfers(self.database)

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    def some(self, pick: int) -> int:
        return sorted(self.rows)[pick % len(self.rows)]

    @rule()
    def restart(self) -> None:
        self.database.close()
        self.open()

    @rule(id=st.integers(0, 255))
    def send(self, id: int) -> None:
        if any(row.outgoing and row.id[0] == id for row in self.rows.values()):
            return
        row = self.store.send(PLAN, bytes([id]) * 16, BOB, ANN, place="/a", at="", begun=5).result(10)
        assert row.number > max(self.rows, default=0)
        self.rows[row.number], self.plans[row.number], self.pages[row.number] = row, PLAN.encode(), {}

    @rule(id=st.integers(0, 6), source=st.sampled_from((ANN, CAROL)))
    def offer(self, id: int, source: bytes) -> None:
        known = [r for r in self.rows.values() if not r.outgoing and (r.id[0], r.source) == (id, source)]
        waiting = [r for r in self.rows.values() if not r.outgoing and r.state == "offered"]
        row = self.store.offer(offered(id, source), **ROOM).result(10)
        if known:
            assert row == known[0]
        elif len(waiting) >= 4 or sum(r.source == source for r in waiting) >= 3:
            assert row is None
        else:
            assert row == attrs.evolve(offered(id, source), number=row.number)  # type: ignore[union-attr]
            self.rows[row.number], self.plans[row.number], self.pages[row.number] = row, None, {}

    @precondition(lambda self: self.rows)
    @rule(pick=st.integers(0, 99), state=st.sampled_from(("going", "paused", "done", "cancelled")))
    def move(self, pick: int, state: str) -> None:
        number = self.some(pick)
        moved = self.store.move(number, state, "because", place=f"/{state}").result(10)
        if self.rows[number].state in transfers.ENDED:
            assert moved is None
            return
        self.rows[number] = attrs.evolve(self.rows[number], state=state, why="because", place=f"/{state}")
        if state in transfers.ENDED:
            self.plans[number], self.pages[number] = None, {}

    @precondition(lambda self: self.rows)
    @rule(pick=st.integers(0, 99), index=st.integers(0, 2))
    def part(self, pick: int, index: int) -> None:
        number = self.some(pick)
        self.store.put_part(number, index).result(10)
        self.rows[number] = attrs.evolve(self.rows[number], have=self.rows[number].have | 1 << index)

    @precondition(lambda self: self.rows)
    @rule(pick=st.integers(0, 99), page=st.integers(0, 2), data=st.binary(max_size=3))
    def page(self, pick: int, page: int, data: bytes) -> None:
        number = self.some(pick)
        self.store.put_page(number, page, data).result(10)
        self.pages[number].setdefault(page, data)

    @precondition(lambda self: self.rows)
    @rule(pick=st.integers(0, 99))
    def plan(self, pick: int) -> None:
        number = self.some(pick)
        self.store.put_plan(number, PLAN.encode()).result(10)
        self.plans[number], self.pages[number] = PLAN.encode(), {}

    @invariant()
    def the_same(self) -> None:
        assert self.store.newest(999) == [self.rows[number] for number in sorted(self.rows)]
        for number in self.rows:
            assert self.store.plan(number) == self.plans[number]
            assert self.store.pages(number) == self.pages[number]


class StatefulTests(SynchronousTestCase):
    """The store against a dict."""

    def test_any_history_is_kept_over_restarts(self) -> None:
        run_state_machine_as_test(
            Journey, settings=settings(max_examples=200 if FULL else 15, stateful_step_count=30, deadline=None)
        )
