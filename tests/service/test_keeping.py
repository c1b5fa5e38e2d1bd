"""The directory's keeper beside others who write, on disks that fail, and what it tells to whom."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from unittest import mock

import attrs
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import LogLevel, globalLogPublisher

from rhotwist.directory.admission import Put
from rhotwist.directory.endpoints import at_ip
from rhotwist.directory.record import Record
from rhotwist.directory.validity import DAY
from rhotwist.errors import DamagedStore, DiskFull
from rhotwist.limits import Limits
from rhotwist.service import directory
from rhotwist.service.directory import SLICE, DirectoryKeeper, Outcome
from rhotwist.store.directory import Directory
from rhotwist.tree.hashes import EMPTY
from tests.directory.support import NOON, PEER, TODAY, key, record
from tests.service.directories import LIMITS, PASTED, Home, HomeCase, soon


def put(made: Record) -> Put:
    """A record for the tree."""
    return Put(made.address, made.leaf, made, False)


def failed(error: Exception) -> Future[Any]:
    """What a disk promised and did not keep."""
    made: Future[Any] = Future()
    made.set_exception(error)
    return made


class KeeperCase(HomeCase):
    """Reads the log, and holds the worker's verdicts back."""

    def logged(self, level: LogLevel) -> list[str]:
        """What is logged at a level from now on."""
        found: list[str] = []

        def note(event: dict[str, Any]) -> None:
            if event["log_level"] is level and event.get("log_namespace", "").startswith("rhotwist"):
                found.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        return found

    def held_back(self, home: Home) -> list[Deferred[bytes]]:
        """The verdicts that a worker owes."""
        asked: list[Deferred[bytes]] = []
        home.keeper.judge = lambda checks: asked.append(Deferred()) or asked[-1]
        return asked


class MeanwhileTests(KeeperCase):
    """Somebody else keeps records while a batch is with the worker."""

    def outcome(self, given: Record, *begun: Record | bytes) -> tuple[Outcome, Home]:
        """What becomes of a record that is given, and settled, when others are kept or removed before it is written."""
        home = self.home()
        asked = self.held_back(home)
        more = map(record, range(1_000, 1_000 + SLICE))
        giving = home.keeper.give([one.encode() for one in (given, *more)], PASTED)
        asked[0].callback(bytes(SLICE))
        home.clock.advance(0)
        for one in begun:
            puts, removed = ([], [one]) if isinstance(one, bytes) else ([put(one)], [])
            home.keeper.begin(puts, removed)
        asked[1].callback(bytes(1))
        home.clock.advance(0)
        return self.successResultOf(giving), home

    def test_an_older_record_does_not_replace_a_newer_one_that_came_meanwhile(self) -> None:
        old, new = record(1), record(1, NOON + 60)
        for given, begun, kept in ((old, new, 0), (new, old, 1), (old, old, 0)):
            outcome, home = self.outcome(given, begun)
            self.assertEqual(max(given, begun, key=lambda one: one.issued), home.keeper.store.lookup(key(1).public))
            self.assertEqual(SLICE + kept, outcome.new + outcome.newer)

    def test_nor_one_that_came_while_the_batch_was_counted(self) -> None:
        """A large batch is counted in a thread, and the others go on."""
        for early in (True, False):
            home = self.home()
            counted: Deferred[None] = Deferred()

            def in_thread(work: Callable[[], Any], early: bool = early, gate: Any = counted) -> Deferred[Any]:
                done = work() if early else None
                return gate.addCallback(lambda _: done if early else work())

            home.keeper.judge = lambda checks: succeed(bytes(len(checks)))
            home.keeper._world = attrs.evolve(home.world, in_thread=in_thread)
            new = record(1, NOON + 60), record(2_000)
            giving = home.keeper.give([record(n).encode() for n in (1, *range(1_000, 1_000 + SLICE))], PASTED)
            home.clock.advance(0)
            home.keeper.begin([put(one) for one in new], ())
            counted.callback(None)
            outcome = self.successResultOf(giving)
            self.assertEqual(new[0], home.keeper.store.lookup(key(1).public))
            self.assertEqual((SLICE, SLICE + 2), (outcome.new, home.keeper.store.count()))
            self.assertIsNone(home.keeper._meanwhile)

    def test_what_came_before_the_batch_was_looked_at_is_no_matter(self) -> None:
        home = self.home()
        home.keeper.begin([put(record(1))], ())
        written: list[int] = []
        apply = Directory.apply
        self.patch(Directory, "apply", lambda s, puts, removed: written.append(len(puts)) or apply(s, puts, removed))
        with mock.patch.object(DirectoryKeeper, "_stands", lambda *_: False):
            outcome = self.give(home, record(1, NOON + 60))
        self.assertEqual(([1], 1), (written, outcome.newer))

    def test_one_that_was_removed_meanwhile_comes_back(self) -> None:
        outcome, home = self.outcome(record(1), record(1), record(1).address)
        self.assertEqual(record(1), home.keeper.store.lookup(key(1).public))
        self.assertEqual(SLICE + 1, outcome.new)

    def test_one_beside_the_tree_stands_beside_whatever_came_into_it(self) -> None:
        outcome, _ = self.outcome(record(1, NOON, at_ip("udp", "127.0.0.1", 1)), record(1, NOON + 60))
        self.assertEqual(1, outcome.local)

    def test_what_was_begun_is_there_when_it_fires(self) -> None:
        home = self.home()
        self.successResultOf(home.keeper.begin([put(record(1))], ()))
        self.assertEqual(1, home.keeper.store.state.count)
        with mock.patch.object(Directory, "apply", lambda *_: failed(DiskFull("no room"))):
            self.failureResultOf(home.keeper.begin([put(record(2))], ()), DiskFull)


class ToldTests(KeeperCase):
    """What is told to whom."""

    def test_nothing_given_is_nothing_counted_and_nothing_written(self) -> None:
        home = self.home()
        self.give(home, record(1))
        with mock.patch.object(Directory, "apply", lambda *_: failed(DiskFull("no room"))):
            self.assertEqual(Outcome(total=0, new=0, newer=0, known=0, held=0, local=0), self.give(home))
            self.assertEqual(Outcome(total=1, new=0, newer=0, known=1, held=0, local=0), self.give(home, record(1)))

    def test_what_others_may_have_is_told_in_slices_and_what_stands_beside_the_tree_is_not(self) -> None:
        home = self.home()
        told: list[tuple[bytes, ...]] = []
        home.keeper.kept = lambda puts: told.append(tuple(put.address for put in puts))
        shared = [record(number) for number in range(SLICE + 2)]
        beside = record(9_000, NOON, at_ip("udp", "127.0.0.1", 1))
        giving = home.keeper.give([one.encode() for one in (*shared, beside)], PASTED)
        self.assertNoResult(giving)
        home.clock.advance(0)  # the second slice is looked at, and the first of what was written told
        home.clock.advance(0)
        self.assertEqual(1, self.successResultOf(giving).local)
        self.assertEqual([SLICE, 2], list(map(len, told)))
        self.assertEqual({one.address for one in shared}, {address for one in told for address in one})

    def test_between_two_slices_that_are_told_the_reactor_has_its_turn(self) -> None:
        home = self.home()
        turns: list[str] = []
        later = home.world.later
        home.keeper._world = attrs.evolve(home.world, later=lambda wait: turns.append("turn") or later(wait))
        home.keeper.kept = lambda puts: turns.append(f"told {len(puts)}")
        self.give(home, *map(record, range(SLICE + 2)))
        self.assertEqual(["turn", f"told {SLICE}", "turn", "told 2"], turns)

    def test_a_record_whose_time_came_is_told_unless_it_stands_beside_the_tree(self) -> None:
        home = self.home()
        told: list[bytes] = []
        home.keeper.kept = lambda puts: told.extend(put.address for put in puts)
        due, beside = record(1, NOON + 660), record(2, NOON + 660, at_ip("udp", "127.0.0.1", 1))
        self.assertEqual(2, self.give(home, due, beside).held)
        home.pass_on(70)
        self.assertIsNotNone(home.keeper.store.lookup(key(2).public))
        self.assertEqual([due.address], told)

    def test_of_a_large_batch_those_known_before_are_newer_and_not_new(self) -> None:
        home = self.home()
        self.give(home, *map(record, range(SLICE + 3)))
        outcome = self.give(home, *(record(number, NOON + 60) for number in range(1, SLICE + 5)))
        self.assertEqual((2, SLICE + 2), (outcome.new, outcome.newer))

    def test_a_large_batch_is_written_by_a_worker_and_a_small_one_at_once(self) -> None:
        home = self.home(judge=lambda checks: soon(done(bytes(len(checks)))))
        workers: list[int] = []
        in_thread = home.world.in_thread
        home.keeper._world = attrs.evolve(home.world, in_thread=lambda work: workers.append(1) or in_thread(work))
        self.give(home, *map(record, range(SLICE)))
        self.assertEqual([], workers)
        self.give(home, *map(record, range(1_000, 1_001 + SLICE)))
        self.assertTrue(workers)

    def test_a_question_to_the_tree_is_answered(self) -> None:
        home = self.home()
        self.assertEqual(EMPTY, self.result(home.keeper.ask(lambda view: view.region(0, bytes(32)))))
        self.assertEqual(TODAY, self.result(home.keeper.compare(lambda here: here.epoch)))

    def test_a_private_net_is_said_to_be_one(self) -> None:
        self.assertEqual([True, False], [self.home(private=private).keeper.private for private in (True, False)])


class RoomTests(KeeperCase):
    """What admission remembers of the tree is never what the tree was."""

    FIVE = Limits(directory_work=0, directory_max=5)

    def test_what_the_disk_did_not_take_or_gave_up_is_not_counted(self) -> None:
        home = self.home(limits=self.FIVE)
        self.give(home, *map(record, range(9)))
        with mock.patch.object(Directory, "apply", lambda *_: failed(DiskFull("no room"))):
            for number in range(10, 40):
                given = home.keeper.give([record(number).encode()], PEER)
                if isinstance(given.result, Outcome):
                    continue
                self.failureResultOf(given, DiskFull)
        self.give(home, *map(record, range(10, 40)))
        best = self.home(limits=self.FIVE)
        self.give(best, *map(record, (*range(9), *range(10, 40))))
        self.assertEqual((5, best.keeper.store.root), (home.keeper.store.state.count, home.keeper.store.root))

    def test_room_that_a_day_made_is_filled_again(self) -> None:
        home = self.home(limits=self.FIVE)
        self.give(home, *(record(number, life=13 + 200 * (number % 2)) for number in range(9)))
        home.ahead = DAY
        home.pass_on()
        left = home.keeper.store.state.count
        self.give(home, *map(record, range(20, 40)))
        self.assertEqual(5, home.keeper.store.state.count)
        self.assertLess(left, 5)


class BeginTests(KeeperCase):
    """From the disk to a directory, and what can go wrong there."""

    def test_it_is_open_when_the_tree_is_that_of_the_day_and_not_before(self) -> None:
        home = self.home()
        home.close()
        home.ahead = DAY
        promised: list[tuple[Future[Any], Deferred[Any]]] = []
        home.keeper._world = attrs.evolve(home.world, soon=lambda future: promise(promised, future))
        opened: list[Deferred[None]] = []
        begin = home.keeper.open
        self.patch(home.keeper, "open", lambda database: opened.append(begin(database)))
        home.open()
        while not opened[0].called:
            future, deferred = promised.pop(0)
            deferred.callback(future.result(10))
        self.successResultOf(opened[0])
        self.assertEqual(TODAY + 1, home.keeper.store.epoch)

    def test_a_disk_that_cannot_be_read_at_the_start_is_told_and_not_looked_over(self) -> None:
        home = self.home()
        home.close()
        audits: list[int] = []
        self.patch(Directory, "audit", lambda here: audits.append(1) or failed(DiskFull("not this")))
        self.patch(Directory, "purge", lambda here, epoch: failed(DiskFull("no room")))
        home.ahead = DAY
        real = Directory._change
        self.patch(Directory, "_change", lambda *_, **__: failed(DiskFull("no room")))
        home.open()
        self.patch(Directory, "_change", real)
        self.assertEqual((("the directory cannot be used: no room",), []), (home.keeper.health(), audits))

    def test_damage_at_the_start_is_logged_with_its_name_and_made_good_before_it_is_open(self) -> None:
        home = self.home()
        self.give(home, record(1))
        home.database.submit(lambda c: c.execute("UPDATE step SET root = zeroblob(32)")).result()
        home.close()
        errors = self.logged(LogLevel.error)
        home.open()
        [line] = errors
        self.assertTrue(line.startswith("the directory is damaged and made anew: "))
        self.assertGreater(len(line), 45)

    def test_an_audit_that_fails_is_told_and_one_that_was_cancelled_is_not(self) -> None:
        for error, health in ((DiskFull("unreadable"), ("the directory cannot be used: unreadable",)),
                              (CancelledError(), ())):  # fmt: skip
            home = self.home()
            home.keeper._unaudited(directory.Failure(error))
            self.assertEqual(health, home.keeper.health())

    def test_the_first_three_damages_are_named_and_no_damage_makes_nothing_anew(self) -> None:
        home = self.home()
        errors = self.logged(LogLevel.error)
        found = attrs.make_class("Audit", ["damage"])
        self.assertIsNone(home.keeper._audited(found(())))
        self.assertEqual([], errors)
        self.result(home.keeper._audited(found(("a", "b", "c", "d"))))
        self.assertEqual(["the directory is damaged and made anew: a; b; c"], errors)

    def test_where_it_cannot_be_made_anew_that_is_told_and_nothing_is_said_to_be_lost(self) -> None:
        home = self.home()
        home.ahead = DAY
        with (
            mock.patch.object(Directory, "purge", lambda *_: failed(DamagedStore("broken"))),
            mock.patch.object(Directory, "rebuild", lambda *_: failed(DiskFull("no room"))),
        ):
            home.pass_on()
        self.assertEqual(("the directory cannot be used: no room",), home.keeper.health())
        home.pass_on()
        self.assertEqual(((), TODAY + 1), (home.keeper.health(), home.keeper.store.epoch))

    def test_records_lost_beside_the_tree_are_counted_with_those_in_it(self) -> None:
        home = self.home()
        lost = attrs.make_class("Rebuilt", ["lost", "lost_local", "state"])((1, 2, 3), (4,), None)
        made: Future[Any] = Future()
        made.set_result(lost)
        forgotten: list[int] = []
        self.patch(home.keeper.admission, "forget", lambda: forgotten.append(1))
        with mock.patch.object(Directory, "rebuild", lambda *_: made):
            self.result(home.keeper._rebuild("why"))
        self.assertIn("without 4 records", home.keeper.health()[0])
        self.assertEqual([1], forgotten)

    def test_a_failure_is_logged_once_until_it_is_another_and_admission_begins_anew(self) -> None:
        home = self.home()
        errors = self.logged(LogLevel.error)
        forgotten: list[int] = []
        self.patch(home.keeper.admission, "forget", lambda: forgotten.append(1))
        for why in ("no room", "no room", "unreadable"):
            home.keeper.failed(DiskFull(why))
        self.assertEqual([f"the directory cannot be used: {why}" for why in ("no room", "unreadable")], errors)
        self.assertEqual(3, len(forgotten))

    def test_a_renewal_that_fails_is_logged_and_one_that_is_cancelled_is_not(self) -> None:
        home = self.home()
        warnings = self.logged(LogLevel.warn)
        for error in (DiskFull("no room"), CancelledError()):
            asked: list[Deferred[None]] = []
            home.keeper.renew = lambda asked=asked: [asked.append(Deferred()) or asked[-1]]
            home.pass_on()
            asked[0].errback(error)
        self.assertEqual(["a record was not renewed: no room"], warnings)

    def test_closed_it_begins_nothing_and_looks_nothing_over_any_more(self) -> None:
        home = self.home()
        home.keeper.close()
        self.assertEqual([], home.clock.getDelayedCalls())
        self.assertRaises(RuntimeError, home.keeper.store.audit)
        never = DirectoryKeeper(LIMITS, home.world, bytes)
        never.let_go()
        never.close()


def done(result: Any) -> Future[Any]:
    """What is there already."""
    made: Future[Any] = Future()
    made.set_result(result)
    return made


def promise(promised: list[tuple[Future[Any], Deferred[Any]]], future: Future[Any]) -> Deferred[Any]:
    """What a store promised, until the test says that time passes."""
    made: Deferred[Any] = Deferred()
    promised.append((future, made))
    return made
