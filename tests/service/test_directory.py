"""The directory of a process: what comes, what becomes due, what breaks."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any
from unittest import mock

import attrs
from twisted.internet.defer import Deferred

from rhotwist.directory.endpoints import Endpoint, Kind, at_ip
from rhotwist.directory.record import address_of, make_record, withdraw
from rhotwist.directory.validity import DAY
from rhotwist.errors import DamagedStore, DiskFull, OperatorError
from rhotwist.limits import Limits
from rhotwist.service.directory import AHEAD, LOOK, PIN_AGAIN, SLICE, DirectoryKeeper
from rhotwist.store.directory import Directory
from tests.directory.support import NOON, PEER, TODAY, key, record
from tests.service.directories import LIMITS, PASTED, HomeCase


class GiveTests(HomeCase):
    """What comes."""

    def test_what_is_given_is_found_and_counted_by_what_it_was(self) -> None:
        home = self.home()
        outcome = self.give(home, record(1), record(2))
        self.assertEqual((2, 2, 0, 0), (outcome.total, outcome.new, outcome.newer, outcome.known))
        later = record(1, NOON + 60)
        outcome = self.give(home, later, record(2), record(1))
        self.assertEqual((3, 0, 1, 2), (outcome.total, outcome.new, outcome.newer, outcome.known))
        self.assertEqual(later, home.keeper.store.lookup(key(1).public))
        self.assertEqual(2, home.keeper.store.state.count)

    def test_what_nobody_signed_is_refused_by_its_reason(self) -> None:
        home = self.home()
        outcome = self.give(home, attrs.evolve(record(1), signature=bytes(64)), record(2))
        self.assertEqual(({"signature": 1}, 1), (dict(outcome.refused), outcome.new))

    def test_many_come_in_slices_and_are_written_in_one_transaction(self) -> None:
        home = self.home()
        written: list[int] = []
        apply = Directory.apply
        self.patch(Directory, "apply", lambda s, puts, *more: written.append(len(puts)) or apply(s, puts, *more))
        count = 2 * SLICE + 1
        giving = home.keeper.give([record(number).encode() for number in range(count)], PEER)
        self.assertNoResult(giving)
        self.assertEqual(0, home.keeper.store.state.count)
        for _ in range(4):
            home.clock.advance(0)
        self.assertEqual(count, self.successResultOf(giving).new)
        self.assertEqual([count], written)

    def test_of_two_of_one_key_in_different_slices_the_later_stands_in_either_order(self) -> None:
        old, new = record(5), record(5, NOON + 120)
        others = [record(number) for number in range(10, 10 + SLICE)]
        for first, last in ((old, new), (new, old)):
            home = self.home()
            self.give(home, first, *others, last)
            self.assertEqual(new, home.keeper.store.lookup(key(5).public))

    def test_what_is_given_meanwhile_waits_for_its_turn(self) -> None:
        home = self.home()
        asked: list[Deferred[bytes]] = []
        home.keeper.judge = lambda checks: asked.append(Deferred()) or asked[-1]
        first = home.keeper.give([record(1).encode()], PEER)
        second = home.keeper.give([record(2).encode()], PEER)
        self.assertEqual(1, len(asked))
        asked[0].callback(b"\0")
        self.assertEqual(1, self.successResultOf(first).new)
        self.assertEqual(2, len(asked))
        asked[1].callback(b"\0")
        self.assertEqual(1, self.successResultOf(second).new)

    def test_checks_are_worked_out_in_a_worker_and_ask_for_the_work_of_its_limits(self) -> None:
        seen: list[int] = []
        home = self.home(limits=Limits(directory_work=4))
        in_thread = home.world.in_thread
        home.keeper._world = attrs.evolve(home.world, in_thread=lambda work: seen.append(1) or in_thread(work))
        outcome = self.give(home, record(1), source=PEER)
        self.assertEqual(([1], {"work": 1}), (seen, dict(outcome.refused)))

    def test_a_full_tree_stays_as_large_as_it_may_be_also_within_one_import(self) -> None:
        home = self.home(limits=Limits(directory_work=0, directory_max=5))
        self.give(home, *map(record, range(4)))
        self.give(home, *map(record, range(10, 14)))
        self.assertEqual(5, home.keeper.store.state.count)
        self.give(home, *map(record, range(20, 20 + 2 * SLICE)))
        self.assertEqual(5, home.keeper.store.state.count)
        self.assertEqual((), home.keeper.health())

    def test_slices_are_looked_at_ahead_so_that_whoever_checks_has_work_and_no_further(self) -> None:
        home = self.home()
        asked: list[Deferred[bytes]] = []
        home.keeper.judge = lambda checks: asked.append(Deferred()) or asked[-1]
        giving = home.keeper.give([record(number).encode() for number in range((AHEAD + 3) * SLICE)], PASTED)
        for _ in range(2 * AHEAD):
            home.clock.advance(0)
        self.assertEqual(AHEAD + 1, len(asked))
        asked[1].callback(bytes(SLICE))
        home.clock.advance(0)
        self.assertEqual(AHEAD + 1, len(asked))  # they are settled in their order
        for verdicts in asked:
            if not verdicts.called:
                verdicts.callback(bytes(SLICE))
            home.clock.advance(0)
        self.assertEqual((AHEAD + 3) * SLICE, self.successResultOf(giving).new)

    def test_if_whoever_checks_fails_nothing_is_kept_and_nothing_of_what_was_ahead_is_left(self) -> None:
        home = self.home()
        asked: list[Deferred[bytes]] = []
        home.keeper.judge = lambda checks: asked.append(Deferred()) or asked[-1]
        giving = home.keeper.give([record(number).encode() for number in range(3 * SLICE)], PASTED)
        for _ in range(3):
            home.clock.advance(0)
        forgotten: list[int] = []
        self.patch(home.keeper.admission, "forget", lambda: forgotten.append(1))
        asked[0].errback(OSError("no more"))
        self.assertEqual([1], forgotten)
        self.assertIsNone(home.keeper._meanwhile)  # or it would grow with all that others put
        self.failureResultOf(giving, OSError)
        self.assertEqual([True] * 3, [verdicts.called for verdicts in asked])
        self.assertEqual(0, home.keeper.store.state.count)
        home.keeper.judge = home.keeper._judged_here
        self.assertEqual(1, self.give(home, record(1)).new)

    def test_private_addresses_stand_beside_the_tree_or_with_private_in_it(self) -> None:
        home, private = self.home(), self.home(private=True)
        made = record(1, NOON, at_ip("udp", "127.0.0.1", 1))
        outcome = self.give(home, made)
        self.assertEqual((1, 1, 0), (outcome.new, outcome.local, home.keeper.store.state.count))
        self.assertEqual(made, home.keeper.store.lookup(key(1).public))
        self.assertEqual(0, self.give(private, made).local)
        self.assertEqual(1, private.keeper.store.state.count)


class DueTests(HomeCase):
    """What time brings."""

    def test_it_begins_with_the_tree_of_today(self) -> None:
        home = self.home()
        self.assertEqual(TODAY, home.keeper.store.epoch)

    def test_a_record_of_the_future_is_held_and_comes_when_it_is_due(self) -> None:
        home = self.home()
        outcome = self.give(home, record(1, NOON + 660))
        self.assertEqual((0, 1), (outcome.new, outcome.held))
        home.pass_on(58)
        self.assertIsNone(home.keeper.store.lookup(key(1).public))
        home.pass_on(5)
        self.assertIsNotNone(home.keeper.store.lookup(key(1).public))

    def test_at_midnight_what_expired_goes(self) -> None:
        home = self.home()
        self.give(home, record(1, life=24), record(2))
        home.ahead = DAY // 2
        home.pass_on()
        self.assertEqual((TODAY + 1, 1), (home.keeper.store.epoch, home.keeper.store.state.count))
        self.assertIsNone(home.keeper.store.lookup(key(1).public))

    def test_a_withdrawal_outlives_what_it_withdrew(self) -> None:
        home = self.home()
        self.give(home, record(1), withdraw(key(1), NOON + 60))
        outcome = self.give(home, record(1))
        self.assertEqual((0, 1), (outcome.new, outcome.known))

    def test_let_go_it_leaves_no_delayed_call(self) -> None:
        home = self.home()
        self.assertTrue(home.clock.getDelayedCalls())
        home.keeper.let_go()
        self.assertEqual([], home.clock.getDelayedCalls())

    def test_renewals_that_fail_are_told_and_stop_nothing(self) -> None:
        home = self.home()
        asked: list[Deferred[None]] = []
        home.keeper.renew = lambda: [asked.append(Deferred()) or asked[-1]]
        home.pass_on()
        asked[0].errback(DiskFull("no room"))
        home.pass_on()
        self.assertEqual(2, len(asked))


class PinTests(HomeCase):
    """Contacts are what no cap removes."""

    def setUp(self) -> None:
        self.here = self.home(limits=attrs.evolve(LIMITS, directory_max=4))
        self.contacts: list[bytes] = []
        self.here.keeper.contacts = lambda: self.contacts

    def pins(self) -> set[bytes]:
        """What is pinned."""
        return set(self.here.keeper.store.state.pins)

    def test_a_contact_is_pinned_and_so_is_the_node_that_its_record_names(self) -> None:
        self.give(self.here, make_record(key(1), NOON, [Endpoint(Kind.RELAY, key(2).public)]))
        self.contacts = [key(1).public, key(3).public]
        self.successResultOf(self.here.keeper.pin())
        self.assertEqual({address_of(key(number).public) for number in (1, 2, 3)}, self.pins())
        self.contacts = [key(3).public]
        self.successResultOf(self.here.keeper.pin())
        self.assertEqual({address_of(key(3).public)}, self.pins())

    def test_a_full_tree_takes_a_contact_that_it_refused_and_not_again_once_it_is_none(self) -> None:
        self.give(self.here, *map(record, range(12)))
        store = self.here.keeper.store
        out = next(number for number in range(12) if store.lookup(key(number).public) is None)
        self.assertEqual(0, self.give(self.here, record(out)).new)
        self.contacts = [key(out).public]
        self.successResultOf(self.here.keeper.pin())
        self.assertEqual(1, self.give(self.here, record(out)).new)
        self.give(self.here, *map(record, range(20, 40)))
        self.assertEqual((5, record(out)), (store.state.count, store.lookup(key(out).public)))
        self.contacts = []
        self.successResultOf(self.here.keeper.pin())
        self.give(self.here, *map(record, range(40, 60)))
        self.assertEqual((4, None), (store.state.count, store.lookup(key(out).public)))

    def test_at_the_start_pins_are_made_those_of_the_contacts(self) -> None:
        self.contacts = [key(1).public]
        self.successResultOf(self.here.keeper.pin())
        self.here.close()
        self.contacts = [key(2).public]
        self.here.open()
        self.assertEqual({address_of(key(2).public)}, self.pins())

    def test_a_node_that_a_contact_names_later_is_pinned_within_a_minute(self) -> None:
        self.contacts = [key(1).public]
        self.here.pass_on(PIN_AGAIN)
        self.give(self.here, make_record(key(1), NOON, [Endpoint(Kind.RELAY, key(2).public)]))
        self.here.pass_on(PIN_AGAIN)
        self.assertIn(address_of(key(2).public), self.pins())

    def test_what_could_not_be_pinned_fails_nobody_and_is_pinned_at_the_next_look(self) -> None:
        full: Future[Any] = Future()
        full.set_exception(DiskFull("no room"))
        self.here.pass_on()
        self.contacts = [key(1).public]
        with mock.patch.object(Directory, "pin", lambda *_: full):
            self.successResultOf(self.here.keeper.pin())
        self.assertEqual(("the directory cannot be used: no room",), self.here.keeper.health())
        self.here.pass_on()
        self.assertEqual(({address_of(key(1).public)}, ()), (self.pins(), self.here.keeper.health()))

    def test_nothing_is_written_where_they_agree(self) -> None:
        self.contacts = [key(1).public]
        self.successResultOf(self.here.keeper.pin())
        seq = self.here.keeper.store.state.seq
        self.successResultOf(self.here.keeper.pin())
        self.here.pass_on(2 * PIN_AGAIN)
        self.assertEqual(seq, self.here.keeper.store.state.seq)


class BrokenTests(HomeCase):
    """What breaks is named, and mended where it can be."""

    def test_a_store_that_fails_while_renewals_are_looked_for_ends_nothing(self) -> None:
        home = self.home()
        looked: list[int] = []

        def renew() -> tuple[Deferred[Any], ...]:
            looked.append(1)
            if len(looked) == 1:
                raise DiskFull("no room")
            return ()

        home.keeper.renew = renew
        home.pass_on()
        self.assertEqual(("the directory cannot be used: no room",), home.keeper.health())
        home.pass_on()
        self.assertEqual((2, ()), (len(looked), home.keeper.health()))

    def test_before_it_is_open_it_says_so(self) -> None:
        keeper = DirectoryKeeper(LIMITS, self.home().world, bytes)
        error = self.assertRaises(OperatorError, lambda: keeper.store)
        self.assertEqual("RHO-2614", error.code)

    def test_a_full_disk_fails_what_was_given_and_the_next_is_taken(self) -> None:
        home = self.home()
        full: Future[Any] = Future()
        full.set_exception(DiskFull("no room"))
        with self.patched(Directory, "apply", lambda *_: full):
            self.failureResultOf(home.keeper.give([record(1).encode()], PEER), DiskFull)
        self.assertEqual(1, self.give(home, record(1)).new)

    def test_a_store_that_fails_is_told_in_health_until_it_works_again(self) -> None:
        home = self.home()
        full: Future[Any] = Future()
        full.set_exception(DiskFull("no room"))
        home.ahead = DAY
        with self.patched(Directory, "purge", lambda *_: full):
            home.pass_on(3 * LOOK)
            self.assertEqual(("the directory cannot be used: no room",), home.keeper.health())
        home.pass_on(2 * LOOK)
        self.assertEqual((), home.keeper.health())
        self.assertEqual(TODAY + 1, home.keeper.store.epoch)

    def test_damage_is_found_at_the_start_and_all_that_is_whole_is_kept(self) -> None:
        home = self.home()
        self.give(home, record(1), record(2), record(3))
        root = home.keeper.store.root
        home.database.submit(lambda c: c.execute("UPDATE step SET root = zeroblob(32)")).result()
        home.close()
        home.open()
        self.assertEqual((root, 3), (home.keeper.store.root, home.keeper.store.state.count))
        self.assertEqual((), home.keeper.health())

    def test_what_is_lost_is_told(self) -> None:
        home = self.home()
        self.give(home, record(1), record(2))
        first = "(SELECT min(seq) FROM record)"
        home.database.submit(lambda c: c.execute(f"UPDATE record SET body = zeroblob(9) WHERE seq = {first}")).result()
        home.database.submit(lambda c: c.execute("UPDATE step SET root = zeroblob(32)")).result()
        home.close()
        home.open()
        self.assertEqual(1, home.keeper.store.state.count)
        [line] = home.keeper.health()
        self.assertIn("without 1 records", line)

    def test_damage_that_only_the_audit_sees_is_mended_behind(self) -> None:
        home = self.home()
        self.give(home, *map(record, range(40)))
        home.close()
        rebuilt: list[int] = []
        rebuild = Directory.rebuild
        self.patch(Directory, "rebuild", lambda s, epoch: rebuilt.append(epoch) or rebuild(s, epoch))
        found: Future[Any] = Future()
        found.set_result(attrs.make_class("Audit", ["damage"])(("bucket 3 is damaged",)))
        self.patch(Directory, "audit", lambda s: found)
        home.open()
        self.assertEqual([TODAY], rebuilt)
        self.assertEqual(40, home.keeper.store.state.count)

    def test_a_tree_found_damaged_at_work_is_made_anew(self) -> None:
        home = self.home()
        self.give(home, record(1))
        broken: Future[Any] = Future()
        broken.set_exception(DamagedStore("the step is damaged"))
        home.ahead = DAY
        with self.patched(Directory, "purge", lambda *_: broken):
            home.pass_on()
        self.assertEqual((TODAY + 1, 1), (home.keeper.store.epoch, home.keeper.store.state.count))

    def patched(self, owner: Any, name: str, value: Any) -> Any:
        """Another attribute for a while."""
        return mock.patch.object(owner, name, value)
