"""A process among others, step by step: turns of the core, sessions that come and go, what is lost on the way."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from typing import Any
from unittest import mock

import attrs
from twisted.internet.defer import CancelledError, Deferred, fail

from rhotwist.control import verbs
from rhotwist.control.values import Nothing
from rhotwist.directory.admission import Admission
from rhotwist.directory.directory import BUSY, GOOD, WRONG, Directory
from rhotwist.directory.endpoints import Endpoint, Kind, at_ip
from rhotwist.directory.flood import Flood
from rhotwist.directory.messages import (
    MENTIONS,
    REQUESTS,
    News,
    NewsRecords,
    NewsWanted,
    SyncGive,
    SyncHello,
    SyncMore,
    SyncTaken,
    SyncWant,
)
from rhotwist.directory.messages import Kind as Told
from rhotwist.directory.peers import BAD, Connect
from rhotwist.directory.record import make_record, withdraw
from rhotwist.directory.sync import Sync
from rhotwist.directory.validity import DAY
from rhotwist.errors import DamagedStore, DiskFull, LocalError, NotSpoken, Refused, SessionLost, StoreError
from rhotwist.keys.address import NODE, Address, NodeAt, format_address
from rhotwist.moment import EPOCH_2020
from rhotwist.service import replication
from rhotwist.service.replication import ASK, CONNECT, PASTED_AGAIN, QUEUE_MOST, REFUSED_MOST, SAVE, TICK_MOST, TURN
from rhotwist.store import directory as store
from rhotwist.store.peers import Peer, Peers
from tests.directory.comparing import serve
from tests.directory.support import NOON, PASTED, TODAY, key
from tests.directory.test_directory import bad, packed
from tests.service.replicating import ALONE, AmongCase, FakeNode, Said, node_record

SOMEBODY = NodeAt(key(9).public, "10.0.9.1", 7460)


class LifeTests(AmongCase):
    """From its start to its end."""

    def test_a_node_answers_who_compares_and_a_wallet_process_hears_news_alone(self) -> None:
        for serves, answered in ((True, set(REQUESTS)), (False, set())):
            self.node = FakeNode()
            self.begin(serves=serves)
            self.assertEqual(answered, set(self.node.handlers))
            self.assertEqual((set(MENTIONS), [*MENTIONS]), (set(self.node.heard), self.node.heeded))

    def test_before_it_starts_it_knows_nobody_and_its_end_is_quiet(self) -> None:
        others = self.begin()
        self.assertEqual(((), ()), (others.neighbours, others.listed(Nothing()).peers))
        others.stop()
        self.assertEqual({verbs.PEERS: others.listed}, others.handlers())

    def test_what_is_said_before_it_starts_is_heard_when_it_has(self) -> None:
        others = self.begin()
        peer = self.session(1)
        self.node.heard[News](Said(peer, News(ids=b"")))
        answer = self.node.handlers[SyncMore](Said(peer, SyncMore(first=0, count=0)))
        self.assertNoResult(answer)
        others.start(Peers(self.here.database))
        self.addCleanup(others.stop)
        self.assertEqual((peer,), others.neighbours)
        self.failureResultOf(answer, Refused)

    def test_what_waits_for_its_time_waits_in_one_place(self) -> None:
        self.start()
        giving = self.here.keeper.give([node_record(2, NOON + 900).encode()], PASTED)
        self.pass_on()
        self.assertEqual((1, 1), (self.successResultOf(giving).held, self.core.admission.waiting))

    def test_the_one_node_of_a_tree_is_known_from_the_start(self) -> None:
        home = self.home(0, ALONE, private=True)
        self.give(home, node_record(1))
        self.start(home=home)
        self.assertEqual([NodeAt(key(1).public, "10.0.1.1", 7460)], [at for at, *_ in self.node.pinged])

    def test_what_is_given_to_the_directory_is_news_for_the_others(self) -> None:
        self.start()
        peer = self.meet(1)
        giving = self.here.keeper.give([node_record(2).encode()], PASTED)
        self.pass_on(0.6)
        self.assertEqual(1, self.successResultOf(giving).new)
        self.assertEqual([(peer, News)], [(to, type(body)) for to, body in self.node.mentioned])
        self.assertIn(key(2).public, self.core.peers._untried)
        given = self.here.keeper.give([node_record(2).encode()], PASTED)
        self.pass_on(0.6)
        self.assertEqual(1, self.successResultOf(given).known)
        self.assertEqual(1, len(self.node.mentioned))

    def test_stopped_it_leaves_no_timer_and_does_nothing_any_more(self) -> None:
        others = self.start()
        self.meet(1)
        with mock.patch.object(store.Directory, "steady", lambda here: contextlib.nullcontext()):
            others.turn(lambda made, moment: None)
            self.assertEqual(1, len(others._queue))
            others.stop()
        self.assertEqual(0, len(others._queue))
        self.here.keeper.let_go()
        self.assertEqual([], self.here.clock.getDelayedCalls())
        done: list[int] = []
        others.turn(lambda made, moment: done.append(1))
        others.meet(self.session(2))
        self.assertEqual(([], ()), (done, others.neighbours))
        self.assertEqual(0, len(others._queue))

    def test_peers_of_the_last_run_are_dialled_first_where_their_records_say_they_are_now(self) -> None:
        home = self.home(0, attrs.evolve(ALONE, peers_out=2), private=True)
        self.give(home, *(node_record(number) for number in range(1, 9)), node_record(5, NOON + 60))
        self.give(home, withdraw(key(7), NOON + 60))
        peers = Peers(home.database)
        for number, score in ((5, 3.0), (6, 2.0), (7, 8.0), (20, 8.0), (8, 1.0)):
            mark = (None, 0) if number == 6 else (b"store--b", 40 + number)
            peers.put(Peer(key(number).public, *mark, score, 1, 0, 100 + number, 7)).result(10)
        self.begin(home)
        self.others.start(peers)
        self.addCleanup(self.others.stop)
        self.assertEqual({key(number).public for number in (5, 6, 8)}, set(self.core.peers._tried))
        # Seven has taken its record back and twenty has none: neither is one of the two that are kept.
        self.assertEqual([], self.core.peers._first)
        self.assertEqual((3.0, 7), attrs.astuple(self.core.peers._tried[key(5).public])[1:3])
        self.assertEqual({key(5).public: (b"store--b", 45), key(8).public: (b"store--b", 48)},
                         {peer: attrs.astuple(mark) for peer, mark in self.core._marks.items()})  # fmt: skip
        self.others.stop()
        self.written()
        self.assertEqual([105, 106], [peers.get(key(number).public).first for number in (5, 6)])  # type: ignore[union-attr]

    def test_two_of_them_are_kept_and_whoever_else_is_in_a_record_may_become_one(self) -> None:
        home = self.home(0, attrs.evolve(ALONE, peers_out=2), private=True)
        relay = make_record(key(4), NOON, [Endpoint(Kind.RELAY, key(1).public)])
        self.give(home, *(node_record(number) for number in range(1, 4)), relay)
        peers = Peers(home.database)
        for number in (1, 2, 3):
            peers.put(Peer(key(number).public, None, 0, float(number), 1, 0, 1, 1)).result(10)
        self.give(home, node_record(5), node_record(6))
        self.begin(home)
        self.patch(replication, "LEARNED_MOST", 3)
        self.others.start(peers)
        self.addCleanup(self.others.stop)
        self.assertEqual([key(3).public, key(2).public], self.core.peers._first)
        self.assertEqual([NodeAt(key(number).public, f"10.0.{number}.1", 7460) for number in (3, 2)],
                         [at for at, *_ in self.node.pinged[:2]])  # fmt: skip
        # Of the newest three records one is a wallet's.
        untried = self.core.peers._untried
        self.assertEqual([True, True, False], [key(number).public in untried for number in (5, 6, 4)])
        self.assertEqual(2, len(untried))

    def test_blame_fades_once_however_often_it_is_written_down(self) -> None:
        home = self.home(0, ALONE, private=True)
        self.give(home, node_record(1))
        self.begin(home)
        peers = Peers(home.database)
        self.others.start(peers)
        self.session(1)
        self.node.pinged[0][2].callback(None)
        for _ in range(2):
            self.others.turn(lambda made, moment: made._blame(key(1).public, BAD, moment))
        home.ahead = DAY
        self.others.stop()
        self.written()
        self.begin(home)
        self.others.start(peers)
        self.addCleanup(self.others.stop)
        self.assertAlmostEqual(BAD, self.core.peers.score(key(1).public, NOON + DAY), 1)

    def test_a_damaged_record_of_one_peer_keeps_nobody_from_the_others(self) -> None:
        home = self.home(0, ALONE, private=True)
        self.give(home, node_record(1), node_record(2))
        peers = Peers(home.database)
        for number in (1, 2):
            peers.put(Peer(key(number).public, None, 0, float(number), 1, 0, 1, 1)).result(10)
        lookup = store.Directory.lookup

        def damaged(here: store.Directory, *keys: bytes) -> Any:
            if keys == (key(2).public,):
                raise DamagedStore("a bit fell over")
            return lookup(here, *keys)

        self.patch(store.Directory, "lookup", damaged)
        self.begin(home)
        self.others.start(peers)
        self.addCleanup(self.others.stop)
        self.assertEqual([key(1).public], [*self.core.peers._tried])

    def test_a_disk_that_fails_at_the_start_is_told_and_the_rest_goes_on(self) -> None:
        self.begin()

        def broken(*_: object) -> Any:
            raise StoreError("it is gone")

        self.patch(Peers, "best", broken)
        self.others.start(Peers(self.here.database))
        self.addCleanup(self.others.stop)
        self.assertEqual(("the directory cannot be used: it is gone",), self.here.keeper.health())
        peer = self.meet(1)
        self.pass_on(1.2)
        self.assertIsInstance(self.hello_of(peer).body, SyncHello)

    def test_what_is_known_of_peers_is_written_down_every_ten_minutes_and_at_the_end(self) -> None:
        home = self.home(0, ALONE, private=True)
        self.give(home, node_record(1), node_record(2))
        self.begin(home)
        peers = Peers(home.database)
        self.others.start(peers)
        for at, _, reply in self.node.pinged:
            self.session(1 if at.key == key(1).public else 2)
            reply.callback(None)
        self.pass_on(1.2)
        asked = self.hello_of(key(1).public)
        asked.reply.callback(serve(self.others._tree, asked.body))  # type: ignore[arg-type]
        self.hello_of(key(2).public).reply.errback(SessionLost("over"))
        self.node.sessions.clear()
        self.pass_on(SAVE - 2.0, 1.0)
        self.written()
        self.assertEqual([], peers.best(9))
        self.pass_on(2.0, 1.0)
        self.written()
        found = {one.key: one for one in peers.best(9)}
        self.assertEqual({key(1).public, key(2).public}, set(found))
        one, two = found[key(1).public], found[key(2).public]
        self.assertEqual((0, 0, NOON + 600, home.keeper.store.state.seq), (one.good, one.bad, one.first, one.cursor))
        self.assertEqual(home.keeper.store.state.store_id, one.store_id)
        self.assertAlmostEqual(GOOD, one.score, 1)
        self.assertEqual((0, 0, NOON, 0), (two.good, two.bad, two.last, two.first - one.first))
        self.pass_on(SAVE, 10.0)
        self.written()
        later = peers.get(key(1).public)
        self.assertEqual(one.first, later.first)  # type: ignore[union-attr]
        self.assertIn(later.last - NOON, (1_200, 1_201))  # type: ignore[union-attr]
        self.pass_on(30.0, 1.0)
        self.others.stop()
        self.written()
        self.assertIn(peers.get(key(1).public).last - NOON, (1_230, 1_231))  # type: ignore[union-attr]


class ListedTests(AmongCase):
    """What a person is told of peers."""

    def test_peers_of_now_come_first_and_then_those_worth_most(self) -> None:
        home = self.home(0, attrs.evolve(ALONE, peers_out=0), private=True)
        self.give(home, *(node_record(number) for number in range(1, 5)))
        peers = Peers(home.database)
        for number, score, last in ((1, 1.0, 5), (2, 2.5, 0)):
            peers.put(Peer(key(number).public, None, 0, score, 1, 0, 1, last)).result(10)
        self.begin(home)
        self.others.start(peers)
        self.addCleanup(self.others.stop)
        self.meet(3)
        self.meet(4)
        self.core.peers.judge(key(4).public, 4.0, NOON)
        self.others._sessions[key(4).public].answered = 7
        self.others._sessions[key(4).public].failed = 2
        self.core.peers.count(key(4).public, 5, 3)
        rows = self.others.listed(Nothing()).peers
        self.assertEqual([format_address(Address(NODE, key(number).public)) for number in (4, 3, 2, 1)],
                         [row.node for row in rows])  # fmt: skip
        now = NOON + EPOCH_2020
        self.assertEqual([(True, 4.0, 7, 2, now, 5, 3), (True, 0.0, 0, 0, now, 0, 0), (False, 8.0, 0, 0, 0)],
                         [attrs.astuple(row)[1:] for row in rows[:2]] + [(False, 8.0, 0, 0, rows[2].last_at)])
        self.assertEqual((False, 5 + EPOCH_2020), (rows[3].here, rows[3].last_at))
        self.assertEqual({format_address(Address(NODE, peer)) for peer in self.others.neighbours},
                         {row.node for row in rows if row.here})  # fmt: skip


class TurnTests(AmongCase):
    """The core's verbs wait for a tree that stands still."""

    def busy(self) -> list[bool]:
        """A tree that something changes for as long as the list is not empty."""
        steady, held = store.Directory.steady, [True]

        @contextlib.contextmanager
        def busy(here: store.Directory) -> Any:
            if held:
                yield None
            else:
                with steady(here) as found:
                    yield found

        self.patch(store.Directory, "steady", busy)
        return held

    def test_while_the_tree_changes_nothing_is_done_and_nothing_piles_up(self) -> None:
        self.start()
        held = self.busy()
        done: list[int] = []
        self.others.turn(lambda made, moment: done.append(1))
        settled = self.node.settled
        self.pass_on(30.0)
        self.assertEqual(([], settled), (done, self.node.settled))
        with mock.patch.object(store.Directory, "steady", lambda here: self.fail("it is tried again in its time")):
            self.others.turn(lambda made, moment: done.append(2))
        self.assertLess(len(self.others._queue), 5)
        held.clear()
        self.pass_on(0.1)
        self.assertEqual([1, 2], done)
        self.assertGreater(self.node.settled, settled)

    def test_of_what_strangers_say_only_so_much_waits(self) -> None:
        self.start()
        self.busy()
        peer = self.session(1)
        for _ in range(QUEUE_MOST):
            self.node.heard[News](Said(peer, News(ids=b"")))
        self.assertLessEqual(len(self.others._queue), QUEUE_MOST + 1)
        stranger = self.session(2)
        self.node.heard[News](Said(stranger, News(ids=b"")))
        error = self.assertRaises(Refused, self.node.handlers[SyncMore], Said(stranger, SyncMore(first=1, count=1)))
        self.assertEqual(BUSY, error.code)
        # Nothing is kept of who came then.
        self.assertEqual(({peer}, {peer}), (set(self.others._sessions), self.node.admitted))
        # What we do ourselves is never left out.
        self.others.turn(lambda made, moment: None)
        self.assertGreater(len(self.others._queue), QUEUE_MOST)

    def test_a_long_queue_is_worked_off_in_pieces_in_its_order(self) -> None:
        self.start()
        held = self.busy()
        order: list[object] = []
        self.node.settle = lambda: order.append("sent")  # type: ignore[method-assign]

        def work(number: int) -> None:
            order.append(number)
            self.here.clock.rightNow += TURN / 2
            if number == 1:
                self.others.turn(lambda made, moment: order.append("last"))

        for number in range(5):
            self.others.turn(lambda made, moment, number=number: work(number))
        held.clear()
        self.here.clock.advance(0.01)
        self.assertEqual([0, 1, "sent", 2, 3, "sent", 4, "last", "sent"], order[:9])

    def test_a_disk_that_fails_is_told_tried_again_in_a_second_and_nothing_piles_up(self) -> None:
        self.start()
        steady = store.Directory.steady
        tried: list[float] = []

        def broken(here: store.Directory) -> Any:
            tried.append(self.here.clock.seconds())
            raise StoreError("it is gone")

        self.patch(store.Directory, "steady", broken)
        self.others.turn(lambda made, moment: None)
        self.assertEqual(("the directory cannot be used: it is gone",), self.here.keeper.health())
        self.pass_on(30.0)
        self.assertLessEqual(len(tried), 32)
        self.assertLess(len(self.others._queue), 5)
        self.patch(store.Directory, "steady", steady)
        self.pass_on(TICK_MOST + 0.1)
        self.assertEqual(0, len(self.others._queue))

    def test_what_goes_wrong_in_a_verb_reaches_its_caller_and_time_goes_on(self) -> None:
        self.start()

        def wrong(made: Directory, moment: Any) -> None:
            raise ZeroDivisionError

        ticks: list[float] = []
        tick = Directory.tick
        self.patch(Directory, "tick", lambda made, moment: ticks.append(moment.mono) or tick(made, moment))
        self.others._timers.stop()
        self.assertRaises(ZeroDivisionError, self.others.turn, wrong)
        self.pass_on(5.0)
        self.assertGreater(len(ticks), 3)
        self.assertIsNone(self.others._tree.here)

    def test_the_core_is_woken_when_it_wants_and_once_a_second_at_least(self) -> None:
        self.start()
        ticks: list[float] = []
        deadlines = iter((0.3, -5.0, 50.0))
        self.patch(Directory, "tick", lambda made, moment: ticks.append(round(moment.mono, 2)))
        self.patch(Directory, "deadline", lambda made: next(deadlines, 1e9))
        self.others.turn(lambda made, moment: None)
        self.pass_on(3.0, 0.01)
        self.assertEqual([0.3, 0.31, 1.3, 2.3], [round(tick - 0.005 * (tick > 1), 1 + (tick < 1)) for tick in ticks])

    def test_what_a_job_comes_to_at_once_takes_nothing_from_the_verbs_behind_it(self) -> None:
        self.start()
        peer = self.meet(1)
        self.node.gone[peer] = SessionLost("over")
        held = self.busy()
        roots: list[bytes] = []
        self.others._tick()
        self.core._friends[peer].next = 0.0
        self.core._next = 0.0
        self.others.turn(lambda made, moment: roots.append(self.others._tree.region(0, bytes(32))))
        held.clear()
        self.pass_on(0.1)
        self.assertEqual(([bytes(32)], 1), (roots, len(self.node.asked)))
        self.assertEqual((), self.others.neighbours)

    def test_a_question_that_fails_is_told_to_whoever_asked(self) -> None:
        self.start()

        def broken(tree: Any) -> None:
            raise StoreError("no")

        self.failureResultOf(self.others.look(broken), StoreError)
        self.assertEqual(0, self.successResultOf(self.others.look(lambda tree: tree.total)))


class AskingTests(AmongCase):
    """What becomes of our requests."""

    def asking(self, number: int = 1) -> bytes:
        """A peer that was just asked."""
        peer = self.meet(number)
        self.pass_on(1.2)
        self.assertEqual(ASK, self.hello_of(peer).patience)
        return peer

    def test_a_reply_is_counted_and_goes_to_the_core(self) -> None:
        self.start()
        peer = self.asking()
        asked = self.hello_of(peer)
        asked.reply.callback(serve(self.others._tree, asked.body))  # type: ignore[arg-type]
        self.assertEqual(GOOD, self.core.peers.score(peer, NOON))
        self.assertEqual((1, 0, 0), attrs.astuple(self.others._sessions[peer])[1:])

    def test_a_reply_over_another_session_breaks_the_comparison_off_and_blames_nobody(self) -> None:
        self.start()
        peer = self.asking()
        asked = self.hello_of(peer)
        self.session(1, b"n" * 32)
        asked.reply.callback(SyncTaken(count=1, root=bytes(32), seq=1, new=0))  # a lie, of one under the same key
        self.assertEqual(((peer,), 0.0), (self.others.neighbours, self.core.peers.score(peer, NOON)))
        self.assertEqual(b"n" * 32, self.core._friends[peer].key)
        self.pass_on(6.0)
        self.assertEqual(2, len(self.node.asked))

    def test_a_disk_that_fails_under_a_reply_ends_that_comparison_alone(self) -> None:
        """Or it would keep one of three places for two minutes, and longer where much had come."""
        self.start()
        peer = self.asking()
        asked = self.hello_of(peer)
        with mock.patch.object(Sync, "heard", side_effect=StoreError("it is gone")):
            asked.reply.callback(serve(self.others._tree, asked.body))  # type: ignore[arg-type]
        self.assertIsNone(self.core._friends[peer].sync)
        self.assertEqual(((peer,), 0.0), (self.others.neighbours, self.core.peers.score(peer, NOON)))
        self.pass_on(7.0)
        self.assertEqual(2, len(self.node.asked))

    def test_a_reply_of_one_that_was_left_does_not_bring_it_back(self) -> None:
        self.start()
        peer = self.asking()
        self.others.turn(lambda made, moment: self.others._closed(peer, made, moment))
        self.hello_of(peer).reply.callback(SyncTaken(count=1, root=bytes(32), seq=1, new=0))
        self.assertEqual(((), {}), (self.others.neighbours, self.others._sessions))

    def test_one_that_refuses_stays_and_one_that_does_not_answer_is_left(self) -> None:
        for number, error, stays in ((1, Refused(BUSY, "not now"), True), (2, SessionLost("over"), False)):
            self.start()
            peer = self.asking(number)
            session = self.others._sessions[peer]
            self.hello_of(peer).reply.errback(error)
            self.assertEqual((0, 1), (session.answered, session.failed))
            self.assertIsNone(self.core._friends[peer].sync if stays else None)
            self.assertEqual([stays] * 3, [peer in self.others.neighbours, peer in self.others._sessions,
                                           peer in self.node.admitted])  # fmt: skip

    def test_one_that_refuses_twelve_times_in_a_row_makes_room_for_another(self) -> None:
        self.start(peers_out=1, sync_again=2.0, sync_every=2.0)
        self.here.keeper.give([node_record(1).encode()], PASTED)
        self.pass_on(2.0)
        peer = self.session(1)
        self.node.pinged[0][2].callback(None)
        full = Refused(BUSY, "full")
        ends = [*[full] * (REFUSED_MOST - 1), None, *[full] * REFUSED_MOST]
        for number, error in enumerate(ends):
            self.assertEqual((peer,), self.core.peers.out)
            self.pass_on(4.0)
            asked = self.hello_of(peer)
            self.assertEqual(number + 1, len(self.node.asked))
            if error is None:
                asked.reply.callback(serve(self.others._tree, asked.body))  # type: ignore[arg-type]
            else:
                asked.reply.errback(error)
        self.assertEqual(((), {}), (self.core.peers.out, self.others._sessions))
        # Somebody else is tried now, and it again after a minute.
        self.here.keeper.give([node_record(2).encode()], PASTED)
        self.pass_on(10.0)
        self.assertEqual([key(1).public, key(2).public], [at.key for at, *_ in self.node.pinged])

    def test_a_visitor_that_serves_nobody_stays_and_is_told_of_news(self) -> None:
        self.start(sync_again=1.0)
        peer = self.meet(1)
        self.pass_on(3.0)
        hello = self.hello_of(peer)
        hello.reply.errback(NotSpoken(1))
        self.pass_on(600.0, 10.0)
        self.assertEqual((peer,), self.others.neighbours)
        self.assertIs(hello, self.hello_of(peer))  # it is asked no more

    def test_what_cannot_be_sent_leaves_the_peer_and_stops_nothing(self) -> None:
        self.start()

        def wrong(at: Any) -> Any:
            raise LocalError("no such thing")

        self.patch(self.node, "peer", lambda at: type("Peer", (), {"request": lambda *_: wrong(at)})())
        peer = self.meet(1)
        self.pass_on(1.2)
        self.assertNotIn(peer, self.others.neighbours)

    def test_who_cannot_be_mentioned_to_is_no_peer_any_more(self) -> None:
        self.start()
        peer, other = self.meet(1), self.meet(2)
        self.node.mute.add(peer)
        self.here.keeper.give([node_record(3).encode()], PASTED)
        self.pass_on(0.6)
        self.assertEqual((other,), self.others.neighbours)
        self.assertEqual(({other}, {other}), (set(self.others._sessions), self.node.admitted))
        self.assertEqual([other], [to for to, _ in self.node.mentioned])


class AskedTests(AmongCase):
    """What others want of us."""

    def ask(self, peer: bytes, body: Any) -> Deferred[Any]:
        """A request of a peer."""
        made: Deferred[Any] = self.node.handlers[type(body)](Said(peer, body))
        return made

    def test_who_asks_is_a_peer_and_is_answered(self) -> None:
        self.start()
        peer = self.session(1)
        hello = SyncHello(epoch=TODAY, count=0, root=bytes(32), cells=b"", store=bytes(8), cursor=0)
        self.assertEqual(Told.SAME, self.successResultOf(self.ask(peer, hello)).kind)
        self.assertEqual((peer,), self.others.neighbours)
        failure = self.failureResultOf(self.ask(peer, SyncMore(first=0, count=0)), Refused)
        self.assertEqual(WRONG, failure.value.code)

    def test_who_comes_back_with_its_cursor_is_told_what_came_since(self) -> None:
        home = self.home(0, ALONE, private=True)
        self.give(home, node_record(1), node_record(2))
        self.start(home=home)
        hello = SyncHello(epoch=TODAY, count=0, root=bytes(32), cells=b"", store=home.keeper.store.state.store_id,
                          cursor=home.keeper.store.state.seq - 1)  # fmt: skip
        reply = self.successResultOf(self.ask(self.session(3), hello))
        self.assertEqual((Told.DELTA, node_record(2).encode()), (reply.kind, reply.records))
        self.assertRaises(LocalError, self.others._tree.since, 0, 1)

    def test_what_is_mentioned_is_heard_by_the_core(self) -> None:
        self.start()
        peer = self.session(1)
        made = node_record(2)
        self.node.heard[News](Said(peer, News(ids=made.address[:5] + made.hash[:3])))
        self.assertEqual([(peer, NewsWanted(wants=made.address[:5]))], self.node.mentioned)
        self.node.heard[NewsRecords](Said(peer, NewsRecords(records=made.encode())))
        self.pass_on()
        self.assertEqual(made, self.here.keeper.store.lookup(key(2).public))

    def test_what_is_given_is_answered_for_when_it_is_on_the_disk(self) -> None:
        self.start()
        giving = self.ask(self.session(1), SyncGive(records=packed([node_record(2), node_record(3)])))
        self.assertNoResult(giving)
        self.pass_on()
        self.assertEqual(2, self.successResultOf(giving).new)

    def test_what_the_disk_does_not_take_is_refused_and_not_left_hanging(self) -> None:
        self.start()
        full: Future[Any] = Future()
        full.set_exception(DiskFull("no room"))

        def closed(*_: object) -> Any:
            raise StoreError("closed")

        for number, apply in enumerate((lambda *_: full, closed), 1):
            with mock.patch.object(store.Directory, "apply", apply):
                given = SyncGive(records=packed([node_record(2)]))
                more = self.ask(self.session(number), SyncHello(
                    epoch=TODAY, count=0, root=bytes(32), cells=b"", store=bytes(8), cursor=0,
                ))  # fmt: skip
                giving = self.ask(self.session(number), given)
                self.pass_on()
            self.assertEqual(BUSY, self.failureOrRefusal(giving).code)
            self.assertEqual(1, len(self.here.keeper.health()))
            self.successResultOf(more)
        giving = self.ask(self.session(1), SyncGive(records=packed([node_record(2)])))
        self.pass_on()
        self.assertEqual(1, self.successResultOf(giving).new)

    def failureOrRefusal(self, giving: Deferred[Any]) -> Refused:
        """What a request was refused with: handlers may fail with it or return it."""
        told = giving.result
        return told if isinstance(told, Refused) else self.failureResultOf(giving, Refused).value

    def test_a_worker_that_dies_is_logged_and_what_it_had_is_refused(self) -> None:
        self.start()
        for error, logged in ((ZeroDivisionError(), 1), (CancelledError(), 0)):
            self.here.keeper.judge = lambda checks, error=error: fail(error)
            giving = self.ask(self.session(1), SyncGive(records=packed([node_record(2)])))
            self.assertEqual(BUSY, self.failureOrRefusal(giving).code)
            self.assertEqual(logged, len(self.flushLoggedErrors(ZeroDivisionError)))
            self.core.admission.forget()

    def test_a_disk_that_fails_while_somebody_asks_is_a_refusal(self) -> None:
        self.start()
        peer = self.meet(1)

        def broken(*_: object) -> Any:
            raise StoreError("it is gone")

        with mock.patch.object(Directory, "asked", broken):
            failure = self.failureResultOf(self.ask(peer, SyncWant(wants=b"")), Refused)
        self.assertEqual(BUSY, failure.value.code)
        self.assertEqual(("the directory cannot be used: it is gone",), self.here.keeper.health())

    def test_a_disk_that_fails_while_verdicts_are_looked_at_leaves_nobody_waiting(self) -> None:
        self.start()
        with mock.patch.object(Admission, "settle", side_effect=StoreError("it is gone")):
            giving = self.ask(self.session(1), SyncGive(records=packed([node_record(2)])))
            self.pass_on(0.2)
        self.pass_on(3.0)
        self.assertEqual(BUSY, self.failureOrRefusal(giving).code)

    def test_a_disk_that_fails_after_a_gift_was_written_leaves_nobody_waiting(self) -> None:
        self.start()
        with mock.patch.object(Flood, "stored", side_effect=StoreError("it is gone")):
            giving = self.ask(self.session(1), SyncGive(records=packed([node_record(2)])))
            self.pass_on(0.2)
        self.pass_on(3.0)
        self.assertEqual(BUSY, self.failureOrRefusal(giving).code)

    def test_a_forger_is_left(self) -> None:
        self.start()
        peer = self.session(1)
        forged = [bad(node_record(number)) for number in range(2, 8)]
        giving = self.ask(peer, SyncGive(records=packed(forged)))
        self.pass_on()
        self.assertIsInstance(self.successResultOf(giving), SyncTaken)
        self.assertEqual(((), {}, set()), (self.others.neighbours, self.others._sessions, self.node.admitted))


class SessionTests(AmongCase):
    """Whom it meets, and where it goes."""

    def test_without_a_session_nobody_is_met(self) -> None:
        self.start()
        self.others.meet(key(1).public)
        self.assertEqual(((), {}, set()), (self.others.neighbours, self.others._sessions, self.node.admitted))

    def test_another_session_brings_another_key_and_keeps_the_account(self) -> None:
        self.start()
        peer = self.meet(1)
        self.others._sessions[peer].answered = 3
        turns: list[int] = []
        turn = self.others.turn
        self.patch(self.others, "turn", lambda verb: turns.append(1) or turn(verb))
        self.others.meet(peer)
        self.assertEqual([], turns)
        self.session(1, b"n" * 32)
        self.others.meet(peer)
        self.assertEqual((b"n" * 32, 3), attrs.astuple(self.others._sessions[peer])[:2])
        self.assertEqual(b"n" * 32, self.core._friends[peer].key)

    def test_where_a_session_led_may_be_tried_at_any_time(self) -> None:
        self.start()
        self.meet(1)
        place = at_ip("udp", "10.0.1.1", 1).encode()
        self.assertEqual([True, True], [self.finder.may_try(place) for _ in range(2)])

    def test_for_more_than_it_takes_there_is_no_room_unless_our_people_named_them(self) -> None:
        self.start(peers_in=1)
        first, second = self.meet(1), self.meet(2)
        self.assertEqual(((first,), {first}), (self.others.neighbours, self.node.admitted))
        self.named = [NodeAt(second, "10.0.2.1", 7460)]
        self.pass_on(PASTED_AGAIN + 0.2)
        [(at, patience, reply)] = self.node.pinged
        self.assertEqual((self.named[0], CONNECT), (at, patience))
        reply.callback(None)
        self.assertEqual((first, second), self.others.neighbours)

    def test_who_was_named_is_tried_every_half_minute_while_it_is_no_neighbour_and_never_oneself(self) -> None:
        self.named = [SOMEBODY, NodeAt(self.node.public, "10.0.0.1", 7460)]
        self.start()
        self.assertEqual([SOMEBODY], [at for at, *_ in self.node.pinged])
        self.pass_on(PASTED_AGAIN + 0.2)
        self.assertEqual([SOMEBODY] * 2, [at for at, *_ in self.node.pinged])
        self.meet(9)
        self.pass_on(PASTED_AGAIN + 0.2)
        self.assertEqual(2, len(self.node.pinged))

    def test_one_in_a_record_is_dialled_and_is_a_peer_once_it_has_proven_its_key(self) -> None:
        self.start()
        self.here.keeper.give([node_record(1).encode()], PASTED)
        self.pass_on(2.0)
        [(at, patience, reply)] = self.node.pinged
        self.assertEqual((NodeAt(key(1).public, "10.0.1.1", 7460), CONNECT), (at, patience))
        self.session(1)
        reply.callback(None)
        self.assertEqual((key(1).public,), self.core.peers.out)

    def test_one_that_answers_and_closes_at_once_keeps_no_place(self) -> None:
        self.start(peers_out=1)
        self.here.keeper.give([node_record(1).encode()], PASTED)
        self.pass_on(2.0)
        self.node.pinged[0][2].callback(None)
        self.assertEqual({}, self.core.peers._dialling)
        self.pass_on(59.0)
        self.assertEqual(1, len(self.node.pinged))
        self.pass_on(3.0)
        self.assertEqual(2, len(self.node.pinged))

    def test_one_that_does_not_answer_is_tried_again_after_a_minute_and_only_a_bug_is_logged(self) -> None:
        self.start(peers_out=1)
        self.here.keeper.give([node_record(1).encode()], PASTED)
        self.pass_on(2.0)
        for number, error in enumerate((SessionLost("no"), CancelledError(), LocalError("no"), ZeroDivisionError()), 1):
            self.assertEqual(number, len(self.node.pinged))
            self.node.pinged[-1][2].errback(error)
            self.pass_on(600.0, 5.0)
        self.assertEqual(1, len(self.flushLoggedErrors()))

    def test_where_there_is_no_network_for_it_it_is_not_tried_before_a_minute(self) -> None:
        self.start()

        def none(at: Any) -> Any:
            raise LocalError("no IPv6")

        self.patch(self.node, "peer", none)
        self.here.keeper.give([node_record(1).encode()], PASTED)
        self.pass_on(2.0)
        self.assertGreater(self.core.peers._untried.get(key(1).public).again, 50.0)  # type: ignore[union-attr]
        self.assertEqual({}, self.core.peers._dialling)

    def test_an_onion_service_and_an_address_that_proved_nothing_count_as_tried(self) -> None:
        self.start()
        onion = Endpoint(Kind.ONION, key(9).public, 80).encode()
        public = at_ip("udp", "8.8.8.8", 1).encode()
        for number, place, pinged in ((1, onion, 0), (2, public, 1), (3, public, 1)):
            self.core.peers.learn(key(number).public, place)
            self.core.peers._dialling[key(number).public] = False
            self.others._connect(Connect(key(number).public, place))
            self.assertEqual(pinged, len(self.node.pinged))
            self.others.turn(lambda made, moment: None)
            self.assertEqual(number == 2, key(number).public in self.core.peers._dialling)

    def test_private_addresses_are_tried_again_at_once_in_a_private_net_alone(self) -> None:
        for private, tried in ((True, 2), (False, 1)):
            self.node = FakeNode()
            self.start(home=self.home(0, ALONE, private=private))
            for _ in range(2):
                self.others._connect(Connect(key(1).public, at_ip("udp", "10.0.1.1", 1).encode()))
            self.assertEqual(tried, len(self.node.pinged))

    def test_who_behaved_badly_is_left_and_nothing_is_kept_of_it(self) -> None:
        self.start()
        peer = self.meet(1)
        self.others.turn(lambda made, moment: made._blame(peer, BAD, moment))
        self.assertEqual(((), {}, set()), (self.others.neighbours, self.others._sessions, self.node.admitted))
        self.others.meet(peer)
        self.assertEqual(((), {}, set()), (self.others.neighbours, self.others._sessions, self.node.admitted))
