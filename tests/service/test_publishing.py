"""Our own records: what they say, which stands, and when they are said again."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from rhotwist.control.directory import Publish, Published
from rhotwist.directory import bundle, validity, work
from rhotwist.directory.endpoints import Endpoint, Kind, at_ip, unpack
from rhotwist.directory.record import ENDPOINT, LIFE_MOST, WITHDRAWN, Record
from rhotwist.errors import OperatorError
from rhotwist.keys.address import NodeAt
from rhotwist.limits import Limits
from rhotwist.service import publishing
from rhotwist.service.keystore import Hot
from tests.directory.support import NOON, TODAY, key, record
from tests.service.directories import Home, HomeCase, node, wallet

OWN, ALICE = 0, 7
HALF_LIFE = LIFE_MOST // 2 * validity.HOUR


class PublishCase(HomeCase):
    """A process with a hot wallet."""

    def setUp(self) -> None:
        self.here = self.home(OWN)
        self.here.publisher.speaker = lambda name: Hot(name, key(ALICE), bytearray(32), 0)

    def publish(self, home: Home | None = None, **ask: Any) -> Published:
        """What a request comes to."""
        publisher = (home or self.here).publisher
        return self.successResultOf(Deferred.fromCoroutine(publisher.publish(Publish(**ask))))

    def refused(self, home: Home | None = None, **ask: Any) -> OperatorError:
        """The error of one that fails."""
        working = Deferred.fromCoroutine((home or self.here).publisher.publish(Publish(**ask)))
        return self.failureResultOf(working, OperatorError).value

    def stands(self, number: int, home: Home | None = None) -> Record:
        """The record of a key."""
        found = (home or self.here).keeper.store.lookup(key(number).public)
        assert found is not None
        return found


class PublishTests(PublishCase):
    """What is said."""

    def test_a_wallet_is_found_at_its_process_and_that_at_its_addresses(self) -> None:
        published = self.publish(wallet="alice")
        self.assertEqual(((Endpoint(Kind.RELAY, key(OWN).public)).encode(),), self.stands(ALICE).endpoints)
        self.assertEqual((at_ip("udp", "8.8.8.8", 7460).encode(),), self.stands(OWN).endpoints)
        self.assertEqual([(wallet(ALICE), "wallet"), (node(OWN), "node")],
                         [(row.key, row.kind) for row in published.records])  # fmt: skip
        self.assertEqual(self.here.keeper.store.root.hex(), published.root)
        self.assertEqual((), published.notes)

    def test_the_bundle_holds_the_records_whole(self) -> None:
        published = self.publish(wallet="alice")
        there = self.home(1)
        outcome = self.give(there, self.stands(ALICE), self.stands(OWN))
        self.assertEqual(2, outcome.new)
        self.assertEqual((self.stands(ALICE).encode(), self.stands(OWN).encode()),
                         bundle.read(published.bundle).records)  # fmt: skip

    def test_another_node_may_be_named_and_then_nothing_is_said_of_this_one(self) -> None:
        for via in (node(3), f"{node(3)}@192.0.2.1:7460"):
            published = self.publish(wallet="alice", via=via)
            self.assertEqual((node(3),), published.records[0].places)
        self.assertIsNone(self.here.keeper.store.lookup(key(OWN).public))

    def test_a_node_says_where_it_is_and_holds_no_wallet(self) -> None:
        self.here.publisher.speaker = None
        [row] = self.publish(node=True).records
        self.assertEqual((node(OWN), (f"{node(OWN)}@8.8.8.8:7460",)), (row.key, row.places))
        self.assertIn("a node holds no wallet", self.refused(wallet="alice").why)

    def test_addresses_that_are_named_are_taken_as_they_are(self) -> None:
        named = ("udp:203.0.114.5:7460", "tcp:[2a00::1]:443")
        [row] = self.publish(node=True, addresses=named).records
        self.assertEqual({f"{node(OWN)}@203.0.114.5:7460", f"{node(OWN)}@tcp:[2a00::1]:443"}, set(row.places))
        for text in ("203.0.114.5:7460", "udp:", "udp:example.net:1", "sctp:1.1.1.1:1", "udp:1.1.1.1:0", "udp:[::1"):
            self.assertEqual("RHO-2607", self.refused(node=True, addresses=(text,)).code, text)

    def test_public_addresses_go_before_private_ones_and_those_before_loopback(self) -> None:
        me = key(OWN).public
        loop, loop6, home = (NodeAt(me, host, 1) for host in ("127.0.0.1", "::1", "192.168.1.5"))
        public = NodeAt(me, "8.8.4.4", 1)
        for reached, said, notes in (
            ([loop, public, home], ["8.8.4.4"], 1), ([loop6, home, loop], ["192.168.1.5"], 1),
            ([loop], ["127.0.0.1"], 1), ([public], ["8.8.4.4"], 0),
        ):  # fmt: skip
            self.here.reached = reached
            published = self.publish(node=True)
            self.assertEqual(said, [unpack(one).host for one in self.stands(OWN).endpoints])
            self.assertEqual(notes, len(published.notes), published.notes)
            self.here.clock.advance(60)
            if public in reached:
                self.assertFalse(published.records[0].private)

    def test_in_a_private_net_private_addresses_are_as_good_as_any(self) -> None:
        home = self.home(OWN, private=True)
        home.reached = [NodeAt(key(OWN).public, "10.0.0.1", 1)]
        self.assertEqual((), self.publish(home, node=True).notes)
        self.assertEqual(1, home.keeper.store.state.count)

    def test_nowhere_is_no_address(self) -> None:
        self.here.reached = []
        self.assertEqual("RHO-2608", self.refused(node=True).code)

    def test_too_many_addresses_are_refused_with_what_is_wrong(self) -> None:
        many = tuple(f"udp:[2a00::{number:x}]:1" for number in range(1, 20))
        self.assertEqual("RHO-2605", self.refused(node=True, addresses=many).code)

    def test_what_is_no_node_cannot_be_the_way(self) -> None:
        for via in (wallet(3), "x", f"{node(3)}@"):
            self.assertEqual("RHO-2201", self.refused(wallet="alice", via=via).code, via)

    def test_what_is_said_again_at_once_is_issued_a_minute_later_and_stands(self) -> None:
        for number in range(4):
            self.here.publisher.speaker = lambda name: Hot(name, key(ALICE), bytearray(32), 0)
            self.publish(wallet="alice", via=node(number))
            self.assertEqual(key(number).public, unpack(self.stands(ALICE).endpoints[0]).value)
        self.assertEqual(NOON + 180, self.stands(ALICE).issued)

    def test_where_the_process_is_is_said_once_as_long_as_it_is_so(self) -> None:
        self.publish(wallet="alice")
        first = self.stands(OWN)
        self.here.pass_on(120)
        self.publish(wallet="alice")
        self.assertEqual(first, self.stands(OWN))
        self.here.reached = [NodeAt(key(OWN).public, "8.8.4.4", 7460)]
        self.publish(wallet="alice")
        self.assertNotEqual(first, self.stands(OWN))
        second = self.stands(OWN)
        self.publish(node=True)
        self.assertEqual(second.issued + 60, self.stands(OWN).issued)

    def test_withdrawn_is_said_to_all_and_what_was_never_said_cannot_be(self) -> None:
        self.assertEqual("RHO-2606", self.refused(wallet="alice", withdraw=True).code)
        self.assertEqual("RHO-2606", self.refused(node=True, withdraw=True).code)
        self.publish(wallet="alice")
        [row] = self.publish(wallet="alice", withdraw=True).records
        self.assertEqual((wallet(ALICE), "withdrawn"), (row.key, row.kind))
        self.assertEqual((WITHDRAWN, ENDPOINT), (self.stands(ALICE).kind, self.stands(OWN).kind))
        self.publish(node=True, withdraw=True)
        self.assertEqual(WITHDRAWN, self.stands(OWN).kind)
        self.assertEqual("RHO-2606", self.refused(node=True, withdraw=True).code)

    def test_a_clock_that_went_back_an_age_is_told(self) -> None:
        self.give(self.here, record(OWN))
        self.here.ahead = -20 * 3600
        error = self.refused(node=True)
        self.assertEqual("RHO-2605", error.code)
        self.assertIn("future", error.why)


class WorkTests(PublishCase):
    """The work behind a record."""

    def setUp(self) -> None:
        super().setUp()
        self.here = self.home(OWN, Limits(directory_work=6))

    def bits(self) -> int:
        """The work of the record that stands."""
        made = self.stands(OWN)
        return work.bits_of(validity.quarter_of(validity.epoch_of(made.issued)), made.address, made.nonce)

    def test_a_record_has_the_work_of_its_quarter_and_the_next_one_the_same(self) -> None:
        self.publish(node=True)
        self.assertGreaterEqual(self.bits(), 6)
        nonce = self.stands(OWN).nonce
        self.patch(work, "search", lambda *_: self.fail("searched again"))
        self.publish(node=True)
        self.assertEqual(nonce, self.stands(OWN).nonce)

    def test_in_another_quarter_it_is_done_anew(self) -> None:
        self.publish(node=True)
        nonce = self.stands(OWN).nonce
        self.here.ahead = validity.QUARTER * validity.DAY
        self.publish(node=True)
        self.assertNotEqual(nonce, self.stands(OWN).nonce)
        self.assertGreaterEqual(self.bits(), 6)

    def test_cancelled_it_is_searched_for_no_longer(self) -> None:
        searching: list[Any] = []
        self.here.publisher._world = self.here.world.__class__(**{
            **{name: getattr(self.here.world, name) for name in ("soon", "later", "date", "mono")},
            "in_thread": lambda search: searching.append(search) or Deferred(),
        })  # fmt: skip
        steps = iter([None] * 100)
        self.patch(work, "search", lambda *_: steps)
        working = Deferred.fromCoroutine(self.here.publisher.publish(Publish(node=True)))
        working.cancel()
        self.failureResultOf(working)
        self.assertEqual(b"", searching[0]())
        self.assertEqual(99, len(list(steps)))


class RenewTests(PublishCase):
    """Said again in time."""

    def renewed(self) -> int:
        """How many records are said again now."""
        saying = self.here.publisher.renew([key(ALICE)])
        for one in saying:
            self.successResultOf(one)
        return len(saying)

    def test_at_half_its_life_and_not_before(self) -> None:
        self.publish(wallet="alice")
        self.assertEqual(0, self.renewed())
        self.here.ahead = HALF_LIFE - 1
        self.assertEqual(0, self.renewed())
        self.here.ahead = HALF_LIFE
        self.assertEqual(2, self.renewed())
        for number in (OWN, ALICE):
            self.assertEqual(NOON + HALF_LIFE, self.stands(number).issued)
        self.assertEqual(0, self.renewed())

    def test_wallets_that_are_locked_and_what_was_withdrawn_are_left_alone(self) -> None:
        self.publish(wallet="alice")
        self.publish(node=True, withdraw=True)
        self.here.ahead = HALF_LIFE + 60
        self.assertEqual([], self.here.publisher.renew([]))

    def test_what_fails_is_tried_again_after_a_while(self) -> None:
        self.publish(node=True)
        self.here.ahead = HALF_LIFE
        self.patch(self.here.keeper, "give", lambda *_: Deferred())
        self.assertEqual(1, len(self.here.publisher.renew([])))
        self.here.clock.advance(publishing.RENEW_AGAIN - 1)
        self.assertEqual([], self.here.publisher.renew([]))
        self.here.clock.advance(1)
        self.assertEqual(1, len(self.here.publisher.renew([])))

    def test_a_port_chosen_anew_is_said_at_once(self) -> None:
        self.publish(node=True)
        self.here.reached = [NodeAt(key(OWN).public, "8.8.8.8", 4711)]
        self.assertEqual(1, self.renewed())
        self.assertEqual((at_ip("udp", "8.8.8.8", 4711).encode(),), self.stands(OWN).endpoints)
        self.assertEqual(TODAY, validity.epoch_of(self.stands(OWN).issued))

    def test_an_address_that_is_not_of_this_machine_is_left_as_its_owner_said_it(self) -> None:
        self.publish(node=True, addresses=("udp:203.0.114.5:1",))
        self.here.reached = [NodeAt(key(OWN).public, "192.168.1.5", 4711)]
        self.assertEqual(0, self.renewed())
