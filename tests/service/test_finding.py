"""From a key to a place, and what else one may ask about the directory."""

from __future__ import annotations

import datetime
from typing import Any

from rhotwist.control import directory as values
from rhotwist.control import verbs
from rhotwist.control.values import Nothing
from rhotwist.directory.endpoints import Endpoint, Kind, at_ip
from rhotwist.directory.record import Record, address_of, delegation, make_record, withdraw
from rhotwist.errors import LocalError, OperatorError
from rhotwist.keys.address import NodeAt
from rhotwist.limits import Limits
from rhotwist.net.peer import at_any
from rhotwist.service import finding
from rhotwist.service.finding import Finder, keys_of, places_of, readable, row_of
from rhotwist.store.directory import Directory, Page
from rhotwist.tree.hashes import EMPTY
from rhotwist.wire.datagram import Path, pack_address
from tests.directory.support import NOON, TODAY, key, record
from tests.directory.test_record import AUTHORITY, WALLET
from tests.service.directories import HomeCase, node, wallet

ALICE, NODE = 1, 2
HERE = (at_ip("udp", "8.8.8.8", 7460), at_ip("tcp", "2a00::1", 443))


class FakeNode:
    """A node with IPv4 alone, whose sessions all lead to one place."""

    def __init__(self) -> None:
        self.core = self
        self.path: Path | None = None

    def path_to(self, peer: bytes, identity: bytes) -> Path | None:
        """Where a session leads."""
        return self.path

    def peer(self, at: NodeAt) -> Any:
        """Somebody at one place."""
        if ":" in at.host:
            raise LocalError("no IPv6")
        return type("Peer", (), {"paths": (Path(0, pack_address(at.host, at.port)),)})


def relay(number: int, to: int, issued: int = NOON) -> Record:
    """A wallet's record."""
    return make_record(key(number), issued, [Endpoint(Kind.RELAY, key(to).public)])


class FindingTests(HomeCase):
    """In a directory of few."""

    def setUp(self) -> None:
        self.here = self.home()
        self.node = FakeNode()
        self.finder = Finder(self.here.keeper, self.node)  # type: ignore[arg-type]

    def refused(self, text: str) -> OperatorError:
        """The error of a look-up."""
        return self.assertRaises(OperatorError, self.finder.resolve, text)

    def test_a_wallet_is_where_its_node_is(self) -> None:
        self.give(self.here, relay(ALICE, NODE), make_record(key(NODE), NOON, HERE))
        address, places = self.finder.resolve(f" {wallet(ALICE)} ")
        self.assertEqual(("w", key(ALICE).public), (address.kind, address.key))
        self.assertEqual((NodeAt(key(NODE).public, "8.8.8.8", 7460), NodeAt(key(NODE).public, "2a00::1", 443, "tcp")),
                         places)  # fmt: skip
        self.assertEqual(places, self.finder.resolve(node(NODE))[1])
        found = self.finder.lookup(values.Lookup(wallet(ALICE)))
        self.assertEqual([wallet(ALICE), node(NODE)], [row.key for row in found.records])
        self.assertEqual((node(NODE), f"{node(NODE)}@8.8.8.8:7460"), (found.node, found.places[0]))

    def test_what_is_missing_on_the_way_is_named(self) -> None:
        self.assertEqual("RHO-2201", self.refused("rho1wx").code)
        self.assertEqual("RHO-2601", self.refused(wallet(ALICE)).code)
        self.give(self.here, relay(ALICE, NODE))
        error = self.refused(wallet(ALICE))
        self.assertEqual("RHO-2603", error.code)
        self.assertIn(node(NODE), error.why)
        self.give(self.here, make_record(key(NODE), NOON, HERE), withdraw(key(NODE), NOON + 60))
        self.assertEqual("RHO-2603", self.refused(wallet(ALICE)).code)
        error = self.refused(node(NODE))
        self.assertEqual("RHO-2602", error.code)
        self.assertIn(values_day(TODAY), error.why)

    def test_an_onion_service_alone_is_no_way_yet(self) -> None:
        onion = Endpoint(Kind.ONION, key(9).public, 80)
        self.give(self.here, make_record(key(NODE), NOON, [onion]))
        self.assertEqual("RHO-2604", self.refused(node(NODE)).code)
        [row] = self.finder.lookup(values.Lookup(node(NODE))).records
        self.assertEqual((f"onion:{key(9).public.hex()}:80",), row.places)

    def test_all_places_with_a_network_are_ways_there(self) -> None:
        self.give(self.here, make_record(key(NODE), NOON, (*HERE, at_ip("udp", "8.8.4.4", 1))))
        peer = self.finder.peer(node(NODE))
        self.assertEqual({pack_address("8.8.8.8", 7460), pack_address("8.8.4.4", 1)},
                         {path.address for path in peer.paths or ()})  # fmt: skip
        self.give(self.here, make_record(key(3), NOON, HERE[1:]))
        self.assertEqual("RHO-2604", self.assertRaises(OperatorError, self.finder.peer, node(3)).code)
        self.assertRaises(LocalError, at_any, FakeNode(), ())

    def test_an_address_that_was_tried_is_left_alone_for_a_while_unless_a_person_asks(self) -> None:
        self.give(self.here, make_record(key(NODE), NOON, HERE[:1]), make_record(key(3), NOON, HERE[:1]))
        self.assertTrue(self.finder.peer(node(NODE), asked=False).doubted)
        for number in (NODE, 3):  # whoever's record names it
            self.assertRaises(OperatorError, self.finder.peer, node(number), asked=False)
        self.assertFalse(self.finder.peer(node(3)).doubted)
        self.here.clock.advance(600)
        self.finder.peer(node(NODE), asked=False)

    def test_where_a_session_led_may_be_tried_at_any_time_whatever_the_port(self) -> None:
        self.give(self.here, make_record(key(NODE), NOON, (at_ip("udp", "8.8.8.8", 1), at_ip("udp", "8.8.4.4", 1))))
        peer = self.finder.peer(node(NODE))
        self.finder.proven(peer, bytes(32))
        self.assertRaises(OperatorError, self.finder.peer, node(NODE), asked=False)
        self.node.path = Path(0, pack_address("8.8.8.8", 9))
        self.finder.proven(peer, bytes(32))
        self.assertTrue(self.finder.may_try(at_ip("udp", "8.8.8.8", 2).encode()))
        self.assertEqual(at_ip("udp", "8.8.8.8", 9).encode(), self.finder.proven_path(self.node.path))
        stream = self.node.path._replace(stream=True)
        self.assertEqual(at_ip("tcp", "8.8.8.8", 9).encode(), self.finder.proven_path(stream))
        for _ in range(2):
            peer = self.finder.peer(node(NODE), asked=False)
            self.assertEqual(((Path(0, pack_address("8.8.8.8", 1)),), False), (peer.paths, peer.doubted))

    def test_of_addresses_that_proved_a_key_the_last_ones_are_remembered(self) -> None:
        finder = Finder(self.home(limits=Limits(attempt_max=2)).keeper, self.node)  # type: ignore[arg-type]
        places = [finder.proven_path(Path(0, pack_address(f"8.8.8.{number}", 9))) for number in (1, 2)]
        self.assertEqual([True] * 4, [finder.may_try(place) for place in places * 2])
        places.append(finder.proven_path(Path(0, pack_address("8.8.8.3", 9))))
        self.assertEqual([True] * 3, [finder.may_try(place) for place in places])
        self.assertEqual([False, True, True], [finder.may_try(place) for place in places])

    def test_all_that_may_be_asked_has_an_answer(self) -> None:
        found = self.finder.handlers()
        self.assertEqual({verbs.LOOKUP: self.finder.lookup, verbs.RECORDS: self.finder.records,
                          verbs.ROOT: self.finder.root, verbs.TREE: self.finder.tree}, found)  # fmt: skip

    def test_an_answer_has_one_record_at_least_and_no_more_than_a_thousand(self) -> None:
        self.give(self.here, *map(record, range(4)))
        for limit, most, listed in ((0, 9, 1), (-5, 9, 1), (9, 2, 2)):
            self.patch(finding, "LISTED_MOST", most)
            found = self.finder.records(values.ListAsk(limit=limit))
            self.assertEqual((listed, True), (len(found.records), found.more))

    def test_a_cursor_that_is_none_lists_all_or_nothing(self) -> None:
        self.give(self.here, record(1))
        self.assertEqual(1, len(self.finder.records(values.ListAsk(cursor=-1)).records))
        for cursor in (2**63 - 1, 2**63, 10**30):
            self.assertEqual(values.RecordList((), cursor), self.finder.records(values.ListAsk(cursor)))

    def test_a_page_with_damaged_records_is_a_page(self) -> None:
        page = Page((record(1).encode(),), 7, (bytes(32),))
        self.patch(Directory, "since", lambda *_: page)
        found = self.finder.records(values.ListAsk(limit=2))
        self.assertEqual((1, 7, True), (len(found.records), found.cursor, found.more))

    def test_records_are_listed_as_they_came_page_by_page(self) -> None:
        for number in range(5):
            self.give(self.here, record(number))
        first = self.finder.records(values.ListAsk(limit=3))
        self.assertEqual([node(number) for number in range(3)], [row.key for row in first.records])
        self.assertTrue(first.more)
        rest = self.finder.records(values.ListAsk(first.cursor, 3))
        self.assertEqual([node(3), node(4)], [row.key for row in rest.records])
        self.assertFalse(rest.more)
        self.assertEqual((), self.finder.records(values.ListAsk(rest.cursor, 3)).records)

    def test_the_root_is_told_with_its_day_and_what_waits(self) -> None:
        self.give(self.here, record(1), record(2, NOON + 900))
        found = self.finder.root(Nothing())
        state = self.here.keeper.store.state
        self.assertEqual((state.root.hex(), 1, 1, TODAY), (found.root, found.count, found.waiting, found.epoch))
        self.assertEqual(values_day(TODAY), found.day)

    def test_the_levels_of_the_tree_are_the_roots_of_its_parts(self) -> None:
        self.give(self.here, *map(record, range(30)))
        found = self.result(self.finder.tree(values.TreeAsk(levels=3)))
        self.assertEqual([1, 2, 4, 8], [len(level) for level in found.levels])
        self.assertEqual((found.root, 30), (found.levels[0][0], found.count))
        view = self.result(self.here.keeper.ask(lambda view: [view.region(3, bytes([n << 5]) + bytes(31))
                                                              for n in range(8)]))  # fmt: skip
        self.assertEqual(["" if region == EMPTY else region.hex() for region in view], list(found.levels[3]))
        self.assertEqual(9, len(self.result(self.finder.tree(values.TreeAsk(levels=99))).levels))
        self.assertEqual(2, len(self.result(self.finder.tree(values.TreeAsk(levels=0))).levels))
        deep = self.result(self.finder.tree(values.TreeAsk(levels=6))).levels[6]
        self.assertEqual({"" if region == EMPTY else region.hex() for region in self.result(self.here.keeper.ask(
            lambda view: [view.region(6, bytes([n << 2]) + bytes(31)) for n in range(64)]
        ))}, set(deep))  # fmt: skip
        self.assertIn("", deep)


class RowTests(HomeCase):
    """A record for people."""

    def test_each_kind_has_its_words(self) -> None:
        self.assertEqual(("wallet", (node(2),)), _said(relay(1, 2)))
        self.assertEqual(("node", (f"{node(1)}@8.8.8.8:7460", f"{node(1)}@tcp:[2a00::1]:443")),
                         _said(make_record(key(1), NOON, HERE)))  # fmt: skip
        self.assertEqual(("withdrawn", ()), _said(withdraw(key(1), NOON)))
        kind, [subordinate] = _said(delegation(AUTHORITY.sign(WALLET)))
        self.assertEqual(("delegation", "rho1w"), (kind, subordinate[:5]))
        self.assertEqual((), places_of(relay(1, 2)))

    def test_private_ones_are_marked(self) -> None:
        self.assertTrue(row_of(make_record(key(1), NOON, [at_ip("udp", "10.0.0.1", 1)])).private)
        self.assertFalse(row_of(make_record(key(1), NOON, HERE)).private)
        self.assertTrue(row_of(make_record(key(1), NOON, [at_ip("udp", "10.0.0.1", 1), HERE[0]])).private)

    def test_times_are_those_of_unix_and_names_those_of_the_tree(self) -> None:
        made = make_record(key(1), NOON, HERE, 2)
        row = row_of(made, "newer")
        noon = int(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC).timestamp()) + NOON
        self.assertEqual((noon, noon + 7_200), (row.issued_at, row.until_at))
        self.assertEqual((made.address.hex(), made.hash.hex(), "newer"), (row.address, row.hash, row.here))

    def test_a_key_names_its_place_and_a_delegation_has_two(self) -> None:
        self.assertEqual((key(1).public,), keys_of(record(1)))
        made = delegation(AUTHORITY.sign(WALLET))
        self.assertEqual(address_of(*keys_of(made)), made.address)
        self.assertEqual([record(1)], readable([b"", record(1).encode(), b"junk"]))


def _said(made: Record) -> tuple[str, tuple[str, ...]]:
    row = row_of(made)
    return row.kind, row.places


def values_day(epoch: int) -> str:
    """A day by other means than ours."""
    return str(datetime.date(2020, 1, 1) + datetime.timedelta(days=epoch))
