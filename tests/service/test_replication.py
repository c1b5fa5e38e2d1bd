"""Directories of real processes among each other, on the loopback interface."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets
from twisted.internet.task import deferLater

from rhotwist.control import directory
from rhotwist.control.values import Nothing
from rhotwist.directory.endpoints import at_ip
from rhotwist.directory.messages import SyncMore
from rhotwist.directory.peers import Connect
from rhotwist.directory.record import make_record
from rhotwist.directory.waiting import Origin, Source
from rhotwist.errors import DiskFull, LocalError, NotSpoken, OperatorError, Refused
from rhotwist.keys.address import NODE, Address, NodeAt, format_address
from rhotwist.keys.pair import SeedKey
from rhotwist.net.clock import now
from rhotwist.service import comparing, replication
from rhotwist.service.claim import claim
from rhotwist.service.options import Options, settings
from rhotwist.service.tap import assemble
from rhotwist.store.directory import Directory
from tests.service.processes import ProcessCase, at, heat

QUICK = {"RHO_LIMITS_DIRECTORY_WORK": "0", "RHO_NODE_PRIVATE_NET": "true", "RHO_LIMITS_HALF_OPEN_LIFE": "2",
         "RHO_LIMITS_NEWCOMER_WAIT": "0.0001", "RHO_LIMITS_PEERS_AGAIN": "0.5"}  # fmt: skip
PASTED = Source(Origin.PASTED)


class OthersCase(ProcessCase):
    """Nodes whose records need no work."""

    environ: dict[str, str] = {}

    def start(self, name: str, *arguments: str) -> Any:
        """A process that is a part of a private net."""
        options = Options()
        options.parseOptions(arguments)
        environ = {"RHO_HOME": str(self.home / name), **QUICK, **self.environ}
        made = assemble(claim(settings(options, environ, self.home)), reactor)
        made.startService()
        self.addCleanup(made.stopService)
        return made

    def node(self, name: str, *peers: Any) -> Any:
        """A node that is told of some others."""
        words = [word for peer in peers for word in ("--peer", at(peer))]
        return self.start(name, "--listen", "127.0.0.1:0", *words)

    async def publish(self, process: Any) -> bytes:
        """Have a node say where it is; its key."""
        await process.publisher.publish(directory.Publish(node=True))
        key: bytes = process.node.public
        return key

    async def until(self, claim: Callable[[], object]) -> None:
        """Wait until it is so."""
        while not claim():
            await deferLater(reactor, 0.02)

    def knows(self, process: Any, *keys: bytes) -> bool:
        """Whether a process has the records of keys."""
        return process.directory._store is not None and all(process.directory.store.lookup(key) for key in keys)


class NodeTests(OthersCase):
    """Nodes."""

    async def test_what_was_said_before_comes_by_comparing_and_what_is_said_then_as_news(self) -> None:
        one = self.node("one")
        first = await self.publish(one)
        two = self.node("two", one)
        await self.until(lambda: self.knows(two, first))
        # The next comparison is a minute away.
        second = await self.publish(two)
        await self.until(lambda: self.knows(one, second))
        self.assertEqual(one.directory.store.root, two.directory.store.root)

    async def test_who_is_told_of_one_finds_the_others_by_their_records(self) -> None:
        one = self.node("one")
        two = self.node("two", one)
        await self.publish(one)
        await self.publish(two)
        await self.until(lambda: self.knows(one, two.node.public))
        three = self.node("three", two)
        await self.until(lambda: {one.node.public, two.node.public} <= set(three.replication.neighbours))
        rows = three.replication.listed(Nothing()).peers
        self.assertEqual({format_address(Address(NODE, key)) for key in three.replication.neighbours},
                         {row.node for row in rows if row.here})  # fmt: skip
        self.assertTrue(all(row.last_at for row in rows))

    async def test_peers_outlive_the_process_and_are_found_where_their_records_say(self) -> None:
        one = self.node("one")
        await self.publish(one)
        two = self.node("two", one)
        await self.until(lambda: one.node.public in two.replication.neighbours and self.knows(two, one.node.public))
        await two.stopService()
        two = self.node("two")
        await self.until(lambda: one.node.public in two.replication.neighbours)

    async def test_what_a_peer_gave_is_counted_over_restarts(self) -> None:
        one = self.node("one")
        await self.publish(one)
        two = self.node("two", one)
        await self.until(lambda: [row.good for row in two.replication.listed(Nothing()).peers] == [1])
        await two.stopService()
        two = self.node("two")  # dials it by its record, and so remembers it
        await self.until(lambda: two.replication._core and two.replication._core.peers.kept())
        two.replication._core.peers.count(one.node.public, good=3, bad=2)
        await two.stopService()
        two = self.node("two")
        await self.until(lambda: two.replication.listed(Nothing()).peers)
        self.assertEqual([(3, 2)], [(row.good, row.bad) for row in two.replication.listed(Nothing()).peers])

    async def test_who_was_away_catches_up_by_himself(self) -> None:
        one, two = self.node("one"), self.node("two")
        await self.publish(one)
        await two.stopService()
        made = [make_record(SeedKey(bytes([n]) * 32), now().date, [at_ip("udp", f"10.0.{n}.1", 1)]) for n in range(60)]
        await one.directory.give([record.encode() for record in made], PASTED)
        two = self.node("two", one)
        await self.until(lambda: self.knows(two) and two.directory.store.root == one.directory.store.root)

    async def test_a_peer_that_went_is_no_peer_any_more_and_is_taken_again_when_it_comes(self) -> None:
        self.environ = {"RHO_LIMITS_SYNC_EVERY": "0.3"}
        self.patch(replication, "PASTED_AGAIN", 0.3)
        one = self.node("one")
        two = self.node("two", one)
        await self.until(lambda: one.node.public in two.replication.neighbours)
        port = one.node.sockets[0][1]
        await one.stopService()
        await self.until(lambda: one.node.public not in two.replication.neighbours)
        one = self.start("one", "--listen", f"127.0.0.1:{port}")
        await self.until(lambda: one.node.public in two.replication.neighbours)

    async def test_what_the_disk_does_not_take_is_told_and_comes_again(self) -> None:
        self.environ = {"RHO_LIMITS_SYNC_EVERY": "0.3", "RHO_LIMITS_SYNC_PATIENCE": "0.3"}
        one = self.node("one")
        first = await self.publish(one)
        failed: list[str] = []
        apply = Directory.apply

        def full(store: Directory, puts: Any, removed: Any = ()) -> Any:
            if len(failed) > 1:
                return apply(store, puts, removed)
            failed.append("")
            future: Future[Any] = Future()
            future.set_exception(DiskFull("no room"))
            return future

        self.patch(Directory, "apply", full)
        two = self.node("two", one)
        await self.until(lambda: failed and two.directory.health())
        self.assertIn("no room", two.directory.health()[0])
        await self.until(lambda: self.knows(two, first) and not two.directory.health())

    async def test_stopped_in_the_middle_it_leaves_nothing_behind(self) -> None:
        one = self.node("one")
        await self.publish(one)
        two = self.node("two", one)
        await two.stopService()
        three = self.node("three", one)
        await self.until(lambda: three.replication.neighbours)
        await three.stopService()
        self.assertEqual(0, len(three.replication._timers))


class WalletTests(OthersCase):
    """The wallet process has a directory of its own."""

    async def test_it_pulls_and_gives_its_own_and_serves_nobody(self) -> None:
        node = self.node("node")
        key = await self.publish(node)
        ann = self.start("ann", "wallet", "--listen", "127.0.0.1:0", "--peer", at(node))
        hot = heat(ann, "ann")
        await self.until(lambda: self.knows(ann, key))
        await ann.publisher.publish(directory.Publish())
        await self.until(lambda: self.knows(node, hot.key.public, ann.node.public))
        with self.assertRaises(NotSpoken):
            await node.node.peer(at(ann)).request(SyncMore(first=1, count=1), 5.0)

    async def test_it_knows_the_node_of_its_own_folder_by_itself(self) -> None:
        node = self.node("home")
        key = await self.publish(node)
        place = node.settings.places.place("node")
        self.assertEqual((at(node), 0o600), (place.read_text(), stat.S_IMODE(place.stat().st_mode)))
        ann = self.start("home", "wallet", "--listen", "127.0.0.1:0")
        await self.until(lambda: self.knows(ann, key))
        await node.stopService()
        self.assertFalse(place.exists())

    async def test_what_it_looks_up_it_asks_nobody(self) -> None:
        ann = self.start("ann", "wallet", "--listen", "127.0.0.1:0")
        sent = ann.node.counters["sent_datagrams"]
        with self.assertRaises(OperatorError):
            ann.finder.lookup(directory.Lookup(format_address(Address(NODE, SeedKey(b"x" * 32).public))))
        self.assertEqual(sent, ann.node.counters["sent_datagrams"])


class AskedTests(OthersCase):
    """What a person asks for."""

    async def test_a_comparison_that_is_asked_for_is_told_to_its_end(self) -> None:
        one, two = self.node("one"), self.node("two")
        await self.publish(one)
        await self.publish(two)
        found = await two.comparer.sync(directory.SyncAsk(at(one)))
        [row] = found.rows
        self.assertEqual("equal", row.ending)
        self.assertEqual(one.directory.store.root.hex(), found.root)
        [row] = (await two.comparer.sync(directory.SyncAsk())).rows
        self.assertEqual(("equal", 0), (row.ending, row.new))

    async def test_more_than_a_sketch_tells_comes_by_walking(self) -> None:
        one, two = self.node("one"), self.node("two")
        places = [at_ip("udp", f"10.{n >> 8}.{n & 255}.1", 1) for n in range(500)]
        made = [make_record(SeedKey(n.to_bytes(2, "big") * 16), now().date, [place]) for n, place in enumerate(places)]
        await one.directory.give([record.encode() for record in made], PASTED)
        [row] = (await two.comparer.sync(directory.SyncAsk(at(one)))).rows
        self.assertIn(row.ending, ("equal", "moved"))
        # The two have met by that, and may compare by themselves first.
        await self.until(lambda: two.directory.store.root == one.directory.store.root)
        self.assertEqual(500, two.directory.store.state.count)

    async def test_what_cannot_be_compared_with_is_told(self) -> None:
        one = self.node("one")
        nobody = f"{format_address(Address(NODE, SeedKey(b'x' * 32).public))}@127.0.0.1:9"
        self.patch(replication, "CONNECT", 0.3)
        self.patch(comparing, "CONNECT", 0.3)
        for place, code in (("", "RHO-2616"), ("x", "RHO-2615"), (nobody, "RHO-2203")):
            try:
                await one.comparer.sync(directory.SyncAsk(place))
            except OperatorError as error:
                self.assertIn(error.code, (code, "RHO-2204"))
            else:
                self.fail(place)


class BoundTests(OthersCase):
    """What strangers' records can make a node do."""

    async def test_a_public_address_that_proved_nothing_is_tried_once(self) -> None:
        self.environ = {"RHO_NODE_PRIVATE_NET": "false"}
        one = self.node("one")
        await self.until(lambda: self.knows(one))
        tried: list[tuple[NodeAt, bool]] = []
        one.replication._reach = lambda at, doubted: tried.append((at, doubted))
        key = SeedKey(b"x" * 32).public
        for port in (1, 2, 3):
            one.replication._connect(Connect(key, at_ip("udp", "8.8.8.8", port).encode()))
        self.assertEqual([(NodeAt(key, "8.8.8.8", 1), True)], tried)  # and with one packet
        one.replication._connect(Connect(key, bytes((5,)) + bytes(32) + b"\0\1"))  # an onion service
        self.assertEqual(1, len(tried))

    async def test_who_came_and_went_leaves_nothing_behind_and_may_send_nothing_large(self) -> None:
        self.environ = {"RHO_LIMITS_PEERS_IN": "1", "RHO_LIMITS_SYNC_EVERY": "0.2"}
        one = self.node("one")
        two = self.node("two", one)
        await self.until(lambda: two.node.public in one.replication.neighbours)
        three = self.node("three", one)
        await self.until(lambda: one.node.public in three.replication.neighbours)
        await self.until(lambda: set(one.replication._sessions) == {two.node.public})
        self.assertNotIn(three.node.public, one.node.core._state.peers)
        await two.stopService()
        await self.until(lambda: two.node.public not in one.replication._sessions)
        self.assertNotIn(two.node.public, one.node.core._state.peers)

    async def test_who_is_no_peer_is_refused(self) -> None:
        self.environ = {"RHO_LIMITS_PEERS_IN": "0"}
        one, two = self.node("one"), self.node("two")
        await self.until(lambda: self.knows(one) and self.knows(two))
        with self.assertRaises(Refused):
            await two.node.peer(at(one)).request(SyncMore(first=1, count=1), 5.0)

    async def test_the_tree_is_walked_only_while_it_is_held(self) -> None:
        one = self.node("one")
        await self.until(lambda: one.replication._core is not None)
        self.assertRaises(LocalError, one.replication._tree.region, 0, bytes(32))
        self.assertEqual(bytes(32), await one.replication.look(lambda tree: tree.region(0, bytes(32))))

    async def test_while_something_changes_the_tree_verbs_wait_and_then_go_in_order(self) -> None:
        one = self.node("one")
        await self.until(lambda: one.replication._core is not None)
        steady = Directory.steady
        held = True

        @contextlib.contextmanager
        def busy(store: Directory) -> Any:
            if held:
                yield None
            else:
                with steady(store) as here:
                    yield here

        self.patch(Directory, "steady", busy)
        order: list[int] = []
        for number in range(3):
            one.replication.turn(lambda made, moment, number=number: order.append(number))
        self.assertEqual([], order)
        held = False
        await self.until(lambda: order)
        self.assertEqual([0, 1, 2], order)
