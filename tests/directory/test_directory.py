"""The directory whole, step by step: what it hands out for what it is told."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.answering import PAGE, answer
from rhotwist.directory.checks import judge
from rhotwist.directory.directory import ALONE, ALONE_AGAIN, BUSY, SLICE, WRONG, Directory
from rhotwist.directory.endpoints import Endpoint, at_ip
from rhotwist.directory.endpoints import Kind as Place
from rhotwist.directory.flood import news_id
from rhotwist.directory.jobs import Answer, Ask, Job, Judge, Keep, Leave, Mention, Purge
from rhotwist.directory.messages import (
    Kind,
    News,
    NewsRecords,
    NewsWanted,
    SyncGive,
    SyncHello,
    SyncMore,
    SyncTaken,
    SyncWalk,
    SyncWant,
)
from rhotwist.directory.parts import Part
from rhotwist.directory.peers import Connect, Known
from rhotwist.directory.record import Record, make_record, withdraw
from rhotwist.directory.serving import WALKED
from rhotwist.directory.step import Mark
from rhotwist.errors import Refused
from rhotwist.limits import Limits
from rhotwist.testing.replicas import MemoryReplica
from tests.directory.comparing import KEY, made, replica, serve
from tests.directory.support import NOON, TODAY, at, key, place, record

OWN = b"own".ljust(32)
PEERS = [f"peer {n}".encode().ljust(32) for n in range(5)]
PLACES = [place(300 * n).encode() for n in range(5)]
LIMITS = Limits(directory_work=0)


class Stage:
    """A directory whose jobs for the disk and the worker are done at once; the others are kept."""

    def __init__(self, peers: int = 0, limits: Limits = LIMITS) -> None:
        self.tree = MemoryReplica(b"ours----", TODAY, 300)
        self.directory = Directory(OWN, self.tree, limits, bytes)
        self.limits = limits
        for peer, where in list(zip(PEERS, PLACES, strict=True))[:peers]:
            self.directory.opened(peer, where, KEY, at(NOON))

    def work(self, mono: float = 0.0) -> list[Job]:
        """Do the jobs; those for the net."""
        left = []
        while jobs := self.directory.jobs():
            for job in jobs:
                if isinstance(job, Judge):
                    self.directory.judged(job, judge(job.checks, self.limits.directory_work), at(NOON, mono))
                elif isinstance(job, Keep):
                    self.tree.apply(job.settled)
                    self.directory.kept(job, at(NOON, mono))
                else:
                    left.append(job)
        return left

    def tick(self, mono: float) -> list[Job]:
        """Time passes."""
        self.directory.tick(at(NOON, mono))
        return self.work(mono)


def packed(records: Iterable[Record]) -> bytes:
    """Records one behind the other."""
    return b"".join(one.encode() for one in records)


def bad(one: Record) -> Record:
    """Its signature is none."""
    return attrs.evolve(one, signature=bytes(64))


class CountTests(SynchronousTestCase):
    """What each peer's records were."""

    def counts(self, stage: Stage) -> list[tuple[int, int]]:
        """New ones and false ones of each."""
        return [stage.directory.peers.counts(peer) for peer in PEERS[:2]]

    def give(self, stage: Stage, peer: int, *records: Record) -> None:
        """A peer gives records."""
        stage.directory.asked(PEERS[peer], SyncGive(records=packed(records)), object(), at(NOON))
        stage.work()

    def test_what_was_new_and_what_was_false_is_counted_for_whoever_gave_it(self) -> None:
        stage = Stage(2)
        self.give(stage, 0, record(1), record(2), bad(record(3)))
        self.assertEqual([(2, 1), (0, 0)], self.counts(stage))
        self.give(stage, 1, record(1), record(4))  # one of them is here already
        self.assertEqual([(2, 1), (1, 0)], self.counts(stage))

    def test_news_count_for_whoever_brought_them_and_our_own_for_nobody(self) -> None:
        stage = Stage(2)
        stage.directory.heard(PEERS[1], News(ids=news_id(record(1))), at(NOON))
        stage.work()
        stage.directory.heard(PEERS[1], NewsRecords(records=packed([record(1)])), at(NOON))
        stage.directory.publish([record(2).encode(), bad(record(3)).encode()], at(NOON))
        stage.work()
        self.assertEqual([(0, 0), (1, 0)], self.counts(stage))

    def test_what_the_disk_did_not_take_is_not_counted(self) -> None:
        stage = Stage(2)
        stage.directory.asked(PEERS[0], SyncGive(records=packed([record(1)])), object(), at(NOON))
        [judging] = stage.directory.jobs()
        stage.directory.judged(judging, b"\0", at(NOON))  # type: ignore[arg-type]
        self.assertIsInstance(stage.directory.jobs()[0], Keep)
        self.assertEqual((0, 0), self.counts(stage)[0])


class NewsTests(SynchronousTestCase):
    def test_a_published_record_is_told_after_it_was_kept_and_not_before(self) -> None:
        stage = Stage(2)
        stage.directory.publish([record(1).encode()], at(NOON))
        [judging] = stage.directory.jobs()
        self.assertIsInstance(judging, Judge)
        stage.directory.judged(judging, b"\0", at(NOON))  # type: ignore[arg-type]
        [keeping] = stage.directory.jobs()
        self.assertIsInstance(keeping, Keep)
        stage.tree.apply(keeping.settled)  # type: ignore[union-attr]
        self.assertNotIn(News, [type(job.body) for job in stage.tick(0.6) if isinstance(job, Mention)])
        stage.directory.kept(keeping, at(NOON, 0.6))  # type: ignore[arg-type]
        told = [job for job in stage.tick(1.2) if isinstance(job, Mention)]
        self.assertEqual([Mention(peer, News(ids=news_id(record(1)))) for peer in PEERS[:2]], told)

    def test_news_is_pulled_checked_kept_and_sent_on_to_the_others(self) -> None:
        stage = Stage(3)
        stage.directory.heard(PEERS[0], News(ids=news_id(record(1))), at(NOON))
        self.assertEqual([Mention(PEERS[0], NewsWanted(wants=record(1).address[:5]))], stage.work())
        stage.directory.heard(PEERS[0], NewsRecords(records=packed([record(1)])), at(NOON))
        stage.work()
        self.assertEqual(1, stage.tree.total)
        told = [job.peer for job in stage.tick(1.0) if isinstance(job, Mention)]
        self.assertEqual(PEERS[1:3], told)

    def test_a_forged_record_is_not_kept_or_told_and_costs_its_bringer_the_friendship(self) -> None:
        stage = Stage(2)
        for number in range(4):
            forged = bad(record(number))
            stage.directory.heard(PEERS[0], News(ids=news_id(forged)), at(NOON))
            stage.directory.heard(PEERS[0], NewsRecords(records=packed([forged])), at(NOON))
        self.assertIn(Leave(PEERS[0]), stage.work())
        self.assertEqual(0, stage.tree.total)
        self.assertEqual((PEERS[1],), stage.directory.flood.neighbours)
        stage.directory.opened(PEERS[0], PLACES[0], KEY, at(NOON))
        self.assertEqual([Leave(PEERS[0])], stage.work())

    def test_a_record_that_stands_beside_the_tree_is_told_to_nobody_and_makes_no_peer(self) -> None:
        stage = Stage(1)
        stage.directory.publish([record(1, NOON, at_ip("udp", "10.0.0.1", 1)).encode()], at(NOON))
        [keep] = [job for job in self.judged(stage) if isinstance(job, Keep)]
        self.assertTrue(keep.settled.puts[0].local)
        stage.directory.kept(keep, at(NOON))
        self.assertEqual((None, 0), (stage.directory.flood.deadline(), len(stage.directory.peers._untried)))

    def test_a_forgery_that_our_own_people_paste_is_nobody_s(self) -> None:
        stage = Stage()
        blamed: list[bytes] = []
        self.patch(stage.directory, "_blame", lambda peer, *_: blamed.append(peer))
        stage.directory.publish([bad(record(1)).encode()], at(NOON))
        self.assertEqual([], self.judged(stage))
        self.assertEqual([], blamed)

    def judged(self, stage: Stage) -> list[Job]:
        """What comes of it once a worker has looked."""
        [job] = stage.directory.jobs()
        assert isinstance(job, Judge)
        stage.directory.judged(job, judge(job.checks, 0), at(NOON))
        return stage.directory.jobs()

    def test_when_one_goes_the_next_is_asked_for_what_it_owed_at_once(self) -> None:
        stage = Stage(2)
        stage.work()
        for peer in PEERS[:2]:
            stage.directory.heard(peer, News(ids=news_id(record(1))), at(NOON))
        stage.work()
        stage.directory.closed(PEERS[0], at(NOON))
        self.assertEqual([Mention(PEERS[1], NewsWanted(wants=record(1).address[:5]))], stage.directory.jobs())

    def test_nonsense_is_blamed(self) -> None:
        stage = Stage(1)
        for body in News(ids=b"1234"), NewsRecords(records=b"no record"):
            stage.directory.heard(PEERS[0], body, at(NOON))
        self.assertIn(Leave(PEERS[0]), stage.work())

    def test_a_node_in_a_record_may_become_a_peer_and_a_wallet_or_one_withdrawn_not(self) -> None:
        stage = Stage()
        wallet = make_record(key(2), NOON, [Endpoint(Place.RELAY, key(1).public)])
        stage.directory.publish([record(1).encode(), wallet.encode()], at(NOON))
        stage.work()
        self.assertEqual(2, stage.tree.total)
        self.assertEqual([key(1).public], list(stage.directory.peers._untried._keys))
        [connect] = [job for job in stage.tick(0.0) if isinstance(job, Connect) and not job.feel]
        self.assertEqual((key(1).public, record(1).endpoints[0]), (connect.key, connect.place))
        stage.directory.failed(connect.key, at(NOON))
        stage.directory.publish([withdraw(key(1), NOON + 60).encode()], at(NOON + 60))
        stage.work()
        self.assertEqual([], [job for job in stage.tick(4_000.0) if isinstance(job, Connect)])


class ComparingTests(SynchronousTestCase):
    def run_sync(self, stage: Stage, theirs: MemoryReplica, mono: float) -> list[object]:
        """Have one comparison done with an honest peer; its requests."""
        asked = []
        waiting = [job for job in stage.tick(mono) if isinstance(job, Ask)]
        while waiting:
            ask = waiting.pop(0)
            asked.append(ask.request)
            stage.directory.replied(ask, serve(theirs, ask.request), at(NOON, mono))
            waiting += [job for job in stage.work(mono) if isinstance(job, Ask)]
        return asked

    def test_each_peer_is_compared_with_at_once_and_every_minute(self) -> None:
        stage, theirs = Stage(1), MemoryReplica(b"theirs--", TODAY, 300)
        theirs.put([record(1), record(2)])
        stage.directory.publish([record(3).encode()], at(NOON))
        stage.work()
        asked = self.run_sync(stage, theirs, 1.0)
        self.assertEqual([SyncHello, SyncGive], [type(request) for request in asked])
        self.assertEqual((3, stage.tree.root), (theirs.total, theirs.root))
        self.assertEqual((3, theirs.root), stage.directory._friends[PEERS[0]].view)
        self.assertEqual([], self.run_sync(stage, theirs, 60.0))
        self.assertEqual([SyncHello], [type(request) for request in self.run_sync(stage, theirs, 62.0)])

    def test_one_that_broke_off_is_begun_again_in_seconds(self) -> None:
        stage = Stage(1)
        [ask] = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        stage.directory.replied(ask, None, at(NOON, 2.0))
        self.assertEqual([], [job for job in stage.tick(6.0) if isinstance(job, Ask)])
        self.assertEqual(1, len([job for job in stage.tick(7.0) if isinstance(job, Ask)]))

    def test_one_whose_records_the_disk_does_not_take_is_begun_again_in_seconds(self) -> None:
        stage, theirs = Stage(1), MemoryReplica(b"theirs--", TODAY, 300)
        theirs.put([record(1)])
        [hello] = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        stage.directory.replied(hello, serve(theirs, hello.request), at(NOON, 1.0))
        [judging] = stage.directory.jobs()
        stage.directory.lost(judging, at(NOON, 2.0))  # type: ignore[arg-type]
        self.assertEqual([], stage.tick(6.0))
        self.assertEqual([SyncHello], [type(job.request) for job in stage.tick(8.0) if isinstance(job, Ask)])

    def test_three_at_once_and_whose_tree_stands_alone_last(self) -> None:
        stage = Stage(5)
        roots = [b"x", b"y", b"x", b"x", b"x"]
        for friend, root in zip(stage.directory._friends.values(), roots, strict=True):
            friend.view = (10, root)
        first = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        self.assertEqual([PEERS[0], PEERS[2], PEERS[3]], [ask.peer for ask in first])
        self.assertEqual([], [job for job in stage.tick(2.0) if isinstance(job, Ask)])
        for ask in first:
            stage.directory.replied(ask, None, at(NOON, 2.0))
        self.assertEqual([PEERS[4], PEERS[1]], [job.peer for job in stage.tick(3.0) if isinstance(job, Ask)])

    def test_one_that_takes_too_long_is_given_up(self) -> None:
        stage = Stage(1)
        [ask] = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        self.assertEqual([], [job for job in stage.tick(100.0) if isinstance(job, Ask)])
        self.assertIsNotNone(stage.directory._friends[PEERS[0]].sync)
        stage.tick(122.0)
        self.assertIsNone(stage.directory._friends[PEERS[0]].sync)
        stage.directory.replied(ask, serve(stage.tree, ask.request), at(NOON, 123.0))
        self.assertEqual(1, len([job for job in stage.tick(183.0) if isinstance(job, Ask)]))

    def test_what_a_comparison_brought_is_news_to_the_others_alone_and_what_who_is_new_fetched_to_nobody(self) -> None:
        for count, told in ((5, PEERS[1:3]), (9_000, [])):
            stage, theirs = Stage(3), MemoryReplica(b"theirs--", TODAY, 300)
            theirs.put(record(number) for number in range(5))
            theirs.put(made(number) for number in range(count - 5))
            [first, *others] = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
            for ask in others:
                stage.directory.replied(ask, None, at(NOON, 1.0))
            stage.directory.replied(first, serve(theirs, first.request), at(NOON, 1.0))
            waiting = [job for job in stage.work(1.0) if isinstance(job, Ask)]
            while stage.tree.total < 5:
                stage.directory.replied(waiting[0], serve(theirs, waiting[0].request), at(NOON, 1.0))
                waiting = waiting[1:] + [job for job in stage.work(1.0) if isinstance(job, Ask)]
            news = [job for job in stage.tick(3.0) if isinstance(job, Mention) and isinstance(job.body, News)]
            self.assertEqual(told, [job.peer for job in news])

    def test_while_one_brings_all_that_it_has_the_others_wait_but_not_for_ever(self) -> None:
        stage, full = Stage(3), replica(range(9_000), b"theirs--")
        [first, *others] = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        self.assertEqual(2, len(others))
        for ask in others:
            stage.directory.replied(ask, None, at(NOON, 1.0))
        stage.directory.replied(first, serve(full, first.request), at(NOON, 1.0))
        [page] = [job for job in stage.work(1.0) if isinstance(job, Ask)]
        self.assertEqual(PEERS[0], page.peer)
        hello = others[0].request
        for mono, waits in ((10.0, True), (ALONE, True), (ALONE + 2.0, False)):
            refused = stage.directory.asked(PEERS[1], hello, 0, at(NOON, mono))
            self.assertEqual(waits, isinstance(refused, Refused), mono)
            self.assertNotIsInstance(stage.directory.asked(PEERS[1], SyncWant(wants=b""), 0, at(NOON, mono)), Refused)
            self.assertEqual(waits, not [job for job in stage.tick(mono) if isinstance(job, Ask)], mono)

    def test_who_promises_all_again_and_again_and_brings_nothing_keeps_the_others_off_once(self) -> None:
        stage, full = Stage(3), replica(range(9_000), b"theirs--")
        kept_off = []
        for mono in (1.0, 60.0, 120.0, ALONE_AGAIN + 2.0):
            stage.directory._friends[PEERS[0]].next = 0.0
            asks = [job for job in stage.tick(mono) if isinstance(job, Ask)]
            for ask in asks:
                many = serve(full, ask.request) if ask.peer == PEERS[0] else None
                stage.directory.replied(ask, many, at(NOON, mono))
            [page] = [job for job in stage.work(mono) if isinstance(job, Ask)]
            self.assertEqual((PEERS[0], b""), (page.peer, page.request.cells))  # type: ignore[attr-defined]
            kept_off.append(not [job for job in stage.tick(mono + 10.0) if isinstance(job, Ask)])
            stage.directory.replied(page, None, at(NOON, mono + 20.0))
            for friend in stage.directory._friends.values():
                friend.sync = None
        self.assertEqual([True, False, False, True], kept_off)

    def test_all_that_a_peer_has_may_take_as_long_as_it_brings_something(self) -> None:
        limits = attrs.evolve(LIMITS, sync_least=10.0, directory_work=0)
        some = [record(number) for number in range(3 * PAGE)]
        stage, full = Stage(1, limits), MemoryReplica(b"theirs--", TODAY, 300)
        full.put(some)
        full.put(made(number) for number in range(9_000))
        waiting = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        for mono in (1.0, 100.0, 150.0):
            [ask] = waiting
            stage.directory.replied(ask, serve(full, ask.request), at(NOON, mono))
            waiting = [job for job in stage.work(mono) if isinstance(job, Ask)]
        self.assertEqual(2 * PAGE, stage.tree.total)
        friend = stage.directory._friends[PEERS[0]]
        self.assertAlmostEqual(121.0 + 2 * PAGE / 10.0, friend.until)
        stage.tick(friend.until - 1.0)
        self.assertIsNotNone(friend.sync)
        stage.tick(friend.until)
        self.assertIsNone(friend.sync)
        # What was reached is where the next comparison begins.
        [ask] = [job for job in stage.tick(friend.until + 6.0) if isinstance(job, Ask)]
        self.assertEqual((b"theirs--", PAGE), (ask.request.store, ask.request.cursor))  # type: ignore[attr-defined]

    def test_many_records_are_settled_and_written_a_slice_at_a_time_and_paid_for_once(self) -> None:
        stage = Stage(1)
        given = SyncGive(records=packed(record(number) for number in range(SLICE + 5)))
        stage.directory.asked(PEERS[0], given, "ticket", at(NOON))
        first, second = stage.directory.jobs()
        self.assertEqual((SLICE, 5), (len(first.checks), len(second.checks)))  # type: ignore[union-attr]
        for judging in (second, first):
            stage.directory.judged(judging, bytes(len(judging.checks)), at(NOON))  # type: ignore[arg-type, union-attr]
        [answer] = stage.work()
        self.assertEqual((SLICE + 5, SLICE + 5), (answer.reply.new, answer.reply.count))  # type: ignore[union-attr]

    def test_another_session_under_a_walk_is_no_lie_of_the_peer(self) -> None:
        other = b"o" * 32
        stage, theirs = Stage(1), MemoryReplica(b"theirs--", TODAY, 300)
        theirs.put(map(record, range(300)))
        stage.tree.put(map(record, range(300, 600)))
        [hello] = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        many = attrs.evolve(serve(theirs, hello.request), kind=Kind.MANY, cells=b"")  # type: ignore[misc]
        stage.directory.replied(hello, many, at(NOON, 1.0))
        [walk] = [job for job in stage.work() if isinstance(job, Ask)]
        self.assertIsInstance(walk.request, SyncWalk)
        stage.directory.opened(PEERS[0], PLACES[0], KEY, at(NOON, 1.0))
        self.assertIsNotNone(stage.directory._friends[PEERS[0]].sync)
        stage.directory.opened(PEERS[0], PLACES[0], other, at(NOON, 1.0))
        stage.directory.replied(walk, answer(theirs, walk.request, other), at(NOON, 1.0))
        self.assertEqual(([], 0.0), (stage.work(), stage.directory.peers.score(PEERS[0], NOON)))
        self.assertEqual([], [job for job in stage.tick(5.0) if isinstance(job, Ask)])
        self.assertEqual([SyncHello], [type(job.request) for job in stage.tick(6.0) if isinstance(job, Ask)])
        self.assertEqual(other, stage.directory._friends[PEERS[0]].sync._key)  # type: ignore[union-attr]

    def test_a_lie_ends_the_friendship(self) -> None:
        stage = Stage(1)
        [ask] = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        stage.directory.replied(ask, SyncTaken(count=1, root=bytes(32), seq=1, new=0), at(NOON, 1.0))
        self.assertEqual([Leave(PEERS[0])], stage.work())

    def test_who_is_felt_is_compared_with_once_and_left(self) -> None:
        stage, theirs = Stage(limits=attrs.evolve(LIMITS, peers_out=0)), MemoryReplica(b"theirs--", TODAY, 300)
        theirs.put([record(2)])
        stage.directory.publish([record(1).encode()], at(NOON))
        stage.work()
        [connect] = [job for job in stage.tick(0.0) if isinstance(job, Connect)]
        self.assertTrue(connect.feel)
        stage.directory.opened(connect.key, connect.place, KEY, at(NOON, 0.5))
        self.assertEqual((), stage.directory.flood.neighbours)
        self.run_sync(stage, theirs, 2.0)
        self.assertEqual(2, stage.tree.total)
        self.assertEqual({}, stage.directory._friends)

    def felt(self) -> tuple[Stage, Connect]:
        """A node that was felt and is being compared with."""
        stage = Stage(limits=attrs.evolve(LIMITS, peers_out=1, feel_every=10.0))
        stage.directory.publish([record(1).encode()], at(NOON))
        stage.work()
        [connect] = [job for job in stage.tick(0.0) if isinstance(job, Connect)]
        stage.directory.peers._dialling[connect.key] = True
        stage.directory.opened(connect.key, connect.place, KEY, at(NOON, 0.5))
        return stage, connect

    def test_who_is_felt_and_takes_too_long_is_left_too(self) -> None:
        stage, connect = self.felt()
        self.assertEqual([SyncHello], [type(job.request) for job in stage.tick(2.0) if isinstance(job, Ask)])
        self.assertEqual([Leave(connect.key)], [job for job in stage.tick(130.0) if isinstance(job, Leave)])
        self.assertEqual({}, stage.directory._friends)


class AskedTests(SynchronousTestCase):
    def test_what_was_given_is_answered_for_when_it_is_kept(self) -> None:
        stage = Stage(1)
        given = SyncGive(records=packed([record(1), record(2), bad(record(3))]))
        self.assertIsNone(stage.directory.asked(PEERS[0], given, "ticket", at(NOON)))
        [answer] = stage.work()
        taken = SyncTaken(count=2, root=stage.tree.root, seq=2, new=2)
        self.assertEqual(Answer("ticket", taken), answer)
        stage.directory.asked(PEERS[0], given, "again", at(NOON))
        self.assertEqual([Answer("again", attrs.evolve(taken, new=0))], stage.work())

    def test_what_a_worker_or_the_disk_lost_is_answered_for_too(self) -> None:
        stage = Stage(1)
        stage.directory.jobs()
        given = SyncGive(records=packed([record(1)]))
        for verdicts in (None, b"\0"):
            stage.directory.asked(PEERS[0], given, "ticket", at(NOON))
            [job] = stage.directory.jobs()
            if verdicts is not None:
                stage.directory.judged(job, verdicts, at(NOON))  # type: ignore[arg-type]
                [job] = stage.directory.jobs()
                self.assertIsInstance(job, Keep)
            stage.directory.lost(job, at(NOON))  # type: ignore[arg-type]
            [answer] = stage.directory.jobs()
            self.assertEqual(("ticket", BUSY), (answer.ticket, answer.reply.code))  # type: ignore[union-attr]
            stage.directory.admission.forget()

    def test_gifts_beyond_their_budget_count_as_unasked(self) -> None:
        stage = Stage(1, attrs.evolve(LIMITS, give_burst=2.0, give_rate=0.001, record_burst=1.0, record_rate=0.001))
        for number in range(8):
            stage.directory.asked(PEERS[0], SyncGive(records=packed([record(number)])), number, at(NOON))
        stage.work()
        self.assertEqual((3, 5), (stage.tree.total, stage.directory.admission.waiting))

    def test_whoever_gives_without_end_is_refused_before_anything_is_looked_at(self) -> None:
        stage = Stage(1, attrs.evolve(LIMITS, sync_burst=1_000.0, sync_rate=0.001))
        given = SyncGive(records=packed(map(record, range(3))))
        told = [stage.directory.asked(PEERS[0], given, 0, at(NOON)) for _ in range(4)]
        most = 1 + 1_000 // len(given.records)
        self.assertEqual([None] * most, told[:most])
        self.assertEqual([BUSY] * (4 - most), [reply.code for reply in told[most:]])  # type: ignore[union-attr]

    def test_strangers_and_whoever_asks_without_end_are_refused(self) -> None:
        stage = Stage(1, attrs.evolve(LIMITS, sync_burst=1_000.0, sync_rate=0.001))
        stage.directory.publish([record(n).encode() for n in range(9)], at(NOON))
        stage.work()
        want = SyncWant(wants=record(1).address[:5])
        for peer, refused in ((PEERS[1], [True]), (PEERS[0], 8 * [False] + [True])):
            told = [isinstance(stage.directory.asked(peer, want, 0, at(NOON)), Refused) for _ in refused]
            self.assertEqual(refused, told)
        reply = stage.directory.asked(PEERS[0], want, 0, at(NOON))
        self.assertEqual(BUSY, reply.code)  # type: ignore[union-attr]

    def test_a_walk_over_midnight_is_refused_and_no_nonsense(self) -> None:
        stage = Stage(1)
        part = Part(0, bytes(32)).encode()
        for epoch in (TODAY - 1, TODAY + 1):
            refused = stage.directory.asked(PEERS[0], SyncWalk(epoch=epoch, whole=False, parts=part), 0, at(NOON))
            self.assertEqual(BUSY, refused.code)  # type: ignore[union-attr]
        self.assertEqual(0.0, stage.directory.peers.score(PEERS[0], NOON))

    def test_a_walk_costs_its_asker_more_than_reading_does(self) -> None:
        stage = Stage(1, attrs.evolve(LIMITS, sync_burst=1_000.0, sync_rate=0.001))
        stage.directory.publish([record(n).encode() for n in range(40)], at(NOON))
        stage.work()
        part = Part(0, bytes(32), prints=tuple(bytes([n]) * 8 for n in range(16))).encode()
        walk = SyncWalk(epoch=stage.tree.epoch, whole=False, parts=part)
        reply = stage.directory.asked(PEERS[0], walk, 0, at(NOON))
        self.assertLess(len(reply.encode()), 1_000)  # type: ignore[union-attr]
        self.assertGreater(WALKED * len(reply.encode()), 1_000)  # type: ignore[union-attr]
        self.assertIsInstance(stage.directory.asked(PEERS[0], walk, 0, at(NOON)), Refused)

    def test_who_serves_nobody_is_asked_no_more_and_holds_no_place_of_ours(self) -> None:
        stage = Stage(2)
        stage.directory.mute(PEERS[0], at(NOON))
        stage.tick(1.0)
        asked = [job.peer for job in stage.tick(500.0) if isinstance(job, Ask)]
        self.assertEqual((set(), PEERS[:2]), (set(asked) & {PEERS[0]}, list(stage.directory.flood.neighbours)))
        stage.directory.publish([record(1).encode()], at(NOON))
        [connect] = [job for job in stage.work(500.0) + stage.tick(502.0) if isinstance(job, Connect) and not job.feel]
        stage.directory.opened(connect.key, connect.place, KEY, at(NOON, 502.0))
        stage.directory.mute(connect.key, at(NOON, 502.0))
        self.assertIn(Leave(connect.key), stage.work(502.0))
        self.assertNotIn(connect.key, stage.directory.peers.out)
        for mono, dialled in ((502.0 + 3_599.0, False), (502.0 + 3_601.0, True)):
            keys = [job.key for job in stage.tick(mono) if isinstance(job, Connect) and not job.feel]
            self.assertEqual(dialled, connect.key in keys, mono)

    def test_nonsense_is_refused_and_blamed(self) -> None:
        stage = Stage(1)
        reply = stage.directory.asked(PEERS[0], SyncMore(first=0, count=0), 0, at(NOON))
        self.assertEqual(WRONG, reply.code)  # type: ignore[union-attr]
        self.assertIsInstance(stage.directory.asked(PEERS[0], SyncGive(records=b"junk"), 0, at(NOON)), Refused)
        self.assertEqual([Leave(PEERS[0])], stage.work())


class KnownTests(SynchronousTestCase):
    def test_what_is_known_of_peers_outlives_a_restart_in_every_state(self) -> None:
        kept = [
            Known(PEERS[0], PLACES[0], 1.5, NOON, True, b"store--a", 7), Known(PEERS[1], PLACES[1], -1.0, NOON),
        ]  # fmt: skip
        stage = Stage()
        stage.directory.load(kept)
        self.assertEqual((1.5, -1.0), tuple(stage.directory.peers.score(peer, NOON) for peer in PEERS[:2]))
        expected = [attrs.evolve(known, kept=False) for known in kept]
        self.assertEqual(expected, stage.directory.state())
        for peer, where in zip(PEERS[:2], PLACES, strict=False):
            stage.directory.opened(peer, where, KEY, at(NOON))
        self.assertEqual(expected, stage.directory.state())
        self.assertEqual([Mark(b"store--a", 7), None], [one.mark for one in stage.directory._friends.values()])
        hellos = {job.peer: job.request for job in stage.tick(1.0) if isinstance(job, Ask)}
        self.assertEqual([(b"store--a", 7), (bytes(8), 0)],
                         [(hellos[peer].store, hellos[peer].cursor) for peer in PEERS[:2]])  # type: ignore[attr-defined]

    def test_one_that_goes_before_it_was_compared_with_keeps_its_cursor(self) -> None:
        stage = Stage()
        stage.directory.load([Known(PEERS[0], PLACES[0], 0.0, NOON, True, b"store--a", 7)])
        stage.directory.opened(PEERS[0], PLACES[0], KEY, at(NOON))
        stage.directory.closed(PEERS[0], at(NOON))
        self.assertEqual([7], [known.cursor for known in stage.directory.state()])

    def test_of_those_that_went_so_many_cursors_are_kept_as_peers(self) -> None:
        stage = Stage(limits=attrs.evolve(LIMITS, peers_tried=2))
        for peer, where in zip(PEERS, PLACES, strict=True):
            stage.directory.opened(peer, where, KEY, at(NOON))
            stage.directory._friends[peer].mark = Mark(b"store--a", 1)
            stage.directory.closed(peer, at(NOON))
        self.assertEqual(PEERS[3:], list(stage.directory._marks))

    def test_one_that_goes_while_it_brings_its_journal_is_gone_on_with(self) -> None:
        """What cannot be mentioned to it ends its session before the request that is under way fails."""
        stage, full = Stage(1), replica(range(9_000), b"theirs--")
        waiting = [job for job in stage.tick(1.0) if isinstance(job, Ask)]
        for _ in range(2):
            stage.directory.replied(waiting[0], serve(full, waiting[0].request), at(NOON, 1.0))
            waiting = [job for job in stage.directory.jobs() if isinstance(job, Ask)] or waiting
        stage.directory.closed(PEERS[0], at(NOON, 2.0))
        self.assertEqual({PEERS[0]: Mark(b"theirs--", 0)}, stage.directory._marks)

    def test_so_many_are_kept_too_of_visitors_that_came_were_equal_and_went(self) -> None:
        stage = Stage(limits=attrs.evolve(LIMITS, peers_tried=2))
        theirs = MemoryReplica(b"theirs--", TODAY, 300)
        for peer, where in zip(PEERS, PLACES, strict=True):
            stage.directory.opened(peer, where, KEY, at(NOON))
            for ask in stage.tick(stage.directory.deadline() + 1.0):
                stage.directory.replied(ask, serve(theirs, ask.request), at(NOON))  # type: ignore[arg-type, union-attr]
            stage.directory.closed(peer, at(NOON))
        self.assertEqual(PEERS[3:], list(stage.directory._marks))

    def test_of_whom_there_was_nothing_to_remember_nothing_is(self) -> None:
        stage = Stage(1)
        stage.directory.closed(PEERS[0], at(NOON))
        stage.directory.closed(PEERS[1], at(NOON))
        self.assertEqual(({}, {}), (stage.directory._marks, stage.directory._friends))

    def test_for_whom_there_is_no_room_is_left_and_no_peer(self) -> None:
        stage = Stage(2, attrs.evolve(LIMITS, peers_in=1))
        self.assertEqual([Leave(PEERS[1])], stage.work())
        self.assertEqual(([PEERS[0]], (PEERS[0],)), ([*stage.directory._friends], stage.directory.flood.neighbours))

    def test_the_first_comparison_is_at_a_random_time_of_the_next_second(self) -> None:
        stage = Stage()
        stage.directory._rng = lambda count: b"\x80".ljust(count, b"\0")
        stage.tick(10.0)
        stage.directory.opened(PEERS[0], PLACES[0], KEY, at(NOON, 10.2))
        self.assertEqual((10.7, 10.7), (stage.directory._friends[PEERS[0]].next, stage.directory.deadline()))
        stage.directory.opened(PEERS[1], PLACES[1], KEY, at(NOON, 10.4))
        self.assertEqual(10.7, stage.directory.deadline())
        self.assertEqual([], stage.tick(10.6))
        self.assertEqual([PEERS[0]], [job.peer for job in stage.tick(10.7) if isinstance(job, Ask)])

    def test_another_session_has_another_key_also_where_nothing_is_under_way(self) -> None:
        stage = Stage(1)
        stage.directory.opened(PEERS[0], PLACES[0], b"o" * 32, at(NOON))
        self.assertEqual(b"o" * 32, stage.directory._friends[PEERS[0]].key)


class TimeTests(SynchronousTestCase):
    def test_it_wants_to_be_woken_each_second_and_for_what_comes_first(self) -> None:
        stage = Stage(1)
        chosen: list[float] = []
        choose = stage.directory.peers.choose
        self.patch(stage.directory.peers, "choose", lambda mono, date: chosen.append(mono) or choose(mono, date))
        for mono in (10.0, 10.5, 10.9, 11.0, 11.5):
            stage.tick(mono)
        self.assertEqual(([10.0, 11.0], 12.0), (chosen, stage.directory.deadline()))
        stage.directory.publish([record(1).encode()], at(NOON, 11.2))
        stage.work(11.2)
        self.assertEqual(11.5, stage.directory.deadline())

    def test_a_day_begins_once(self) -> None:
        stage = Stage()
        forgotten: list[int] = []
        self.patch(stage.directory.admission, "forget", lambda: forgotten.append(1))
        tomorrow = at(NOON + 86_400, 1.0)
        stage.directory.tick(tomorrow)
        self.assertIn(Purge(TODAY + 1), stage.directory.jobs())
        self.assertEqual([1], forgotten)
        stage.directory.tick(tomorrow._replace(mono=5.0))
        self.assertEqual([], [job for job in stage.directory.jobs() if isinstance(job, Purge)])

    def test_a_record_that_waited_is_taken_and_told_when_it_is_due(self) -> None:
        stage = Stage(1)
        early = record(1, NOON + 660)
        stage.directory.publish([early.encode()], at(NOON))
        stage.work()
        self.assertEqual((0, 1), (stage.tree.total, stage.directory.admission.waiting))
        self.assertLessEqual(stage.directory.deadline(), 60.0)
        stage.directory.tick(at(NOON + 60, 60.0))
        stage.work(60.0)
        self.assertEqual(1, stage.tree.total)
        self.assertIn(News, [type(job.body) for job in stage.tick(61.0) if isinstance(job, Mention)])
