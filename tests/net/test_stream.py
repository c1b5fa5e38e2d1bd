"""Connections on a reactor: bounded both ways, made when there is something to say, ended when nobody wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import defer, reactor  # noqa: TID251 - real sockets
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from rhotwist.errors import RequestFailed, Unreachable
from rhotwist.keys.pair import SeedKey
from rhotwist.limits import Limits
from rhotwist.net.endpoint import RhoNode, listen
from rhotwist.net.stream import PULL, READ, Connection
from rhotwist.net.stream_carrier import INCOMING, StreamCarrier
from rhotwist.node.core import Node
from rhotwist.node.jobs import Hang
from rhotwist.secret.stream_seal import StreamSeal
from rhotwist.wire.datagram import pack_address, prefix
from rhotwist.wire.frame import pack_message
from rhotwist.wire.schema import Request, Schema, bulk, text
from rhotwist.wire.stream import frame, pack_head
from tests import FULL
from tests.net.fakes import Time
from tests.secret.sides import pair

HERE = IPv4Address("TCP", "192.0.2.7", 5000)


class Echoed(Schema, name="test.stream.echoed"):
    """What was said."""

    text: str = text(1000)


class Echo(Request[Echoed], name="test.stream.echo"):
    """Say it again."""

    text: str = text(1000)


class Size(Schema, name="test.stream.size"):
    """Bytes that came."""

    data: bytes = bulk(1_000_000)


class Big(Request[Size], name="test.stream.big"):
    """Bytes for bytes."""

    data: bytes = bulk(1_000_000)


class CarrierCase(SynchronousTestCase):
    """A carrier on a reactor in memory, with a real core behind it."""

    def setUp(self) -> None:
        self.reactor, self.time = MemoryReactorClock(), Time()
        self.core = Node(SeedKey(b"s" * 32), rng=bytes)
        self.node = RhoNode(self.core, self.reactor, limits=self.limits(), now=self.time.now)
        self.carrier: StreamCarrier = self.node.streams

    def limits(self) -> Limits:
        return Limits(stream_prefix_max=3)

    def take(self, addr: IPv4Address = HERE) -> tuple[Connection, StringTransport]:
        connection = self.carrier.incoming(addr)
        assert connection is not None
        transport = _Transport()
        connection.makeConnection(transport)
        return connection, transport


class _Transport(StringTransport):
    """One that tells who ended it how."""

    ended = ""
    nodelay = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.nodelay = enabled

    def abortConnection(self) -> None:
        self.ended = self.ended or "aborted"

    def loseConnection(self) -> None:
        self.ended = self.ended or "left"


class IncomingTests(CarrierCase):
    """Who comes to us."""

    def test_it_is_a_push_producer_both_ways(self) -> None:
        connection, transport = self.take()
        self.assertTrue(verifyObject(IPushProducer, connection))
        self.assertEqual((transport.producer, transport.streaming), (connection, True))
        self.assertEqual((transport.nodelay, transport.bufferSize), (True, READ))  # type: ignore[attr-defined]

    def test_each_connection_has_an_address_that_nobody_could_call(self) -> None:
        paths = {self.take()[0].path for _ in range(3)}
        self.assertEqual(len(paths), 3)
        self.assertEqual({(path.address[0], len(path.address), path.stream) for path in paths}, {(INCOMING, 18, True)})

    def test_connections_of_one_household_are_rationed_together(self) -> None:
        ours = {prefix(self.take()[0].path.address) for _ in range(3)}
        other = prefix(self.take(IPv4Address("TCP", "192.0.2.8", 5000))[0].path.address)
        self.assertEqual((len(ours), other in ours), (1, False))
        six = [self.take(IPv6Address("TCP", f"2001:db8::{n}", 5000))[0].path.address for n in (1, 2)]
        self.assertEqual(prefix(six[0]), prefix(six[1]))

    def test_one_household_holds_so_many_and_others_still_come_in(self) -> None:
        taken = [self.take()[0] for _ in range(3)]
        self.assertIsNone(self.carrier.incoming(HERE))
        self.assertEqual(self.carrier.counters["streams_refused"], 1)
        self.take(IPv4Address("TCP", "192.0.2.8", 5000))
        taken[0].connectionLost(Failure(ConnectionDone()))
        self.take()

    def test_what_strangers_say_ends_their_connection_and_costs_no_log_line(self) -> None:
        connection, transport = self.take()
        connection.dataReceived(pack_head(9, 9))
        self.assertEqual((transport.ended, self.carrier.count), ("aborted", 0))
        self.assertEqual(self.core.counters["drop stream frame kind"], 1)

    def test_a_core_that_fails_loses_one_connection_and_not_the_reactor(self) -> None:
        connection, transport = self.take()
        self.patch(self.core, "feed", lambda *_: 1 / 0)
        connection.dataReceived(b"x")
        self.assertEqual(transport.ended, "aborted")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_an_idle_connection_is_left_after_32_seconds_and_an_unproven_one_too(self) -> None:
        _, transport = self.take()
        for _ in range(6):
            self.time.pass_(8)
            self.core.tick(self.time.now())
            self.node.driver.settle()
        self.assertEqual((transport.ended, self.carrier.count), ("left", 0))

    def test_a_full_node_hangs_up(self) -> None:
        self.core._state.limits = Limits(stream_max=0)
        connection = self.carrier.incoming(HERE)
        assert connection is not None
        transport = _Transport()
        connection.makeConnection(transport)
        self.assertEqual(transport.ended, "aborted")


class BackPressureTests(CarrierCase):
    """A peer that does not read."""

    def full(self) -> tuple[Connection, _Transport]:
        connection, transport = self.take()
        transport.producer.pauseProducing()
        return connection, transport  # type: ignore[return-value]

    def test_nothing_is_written_while_the_transport_is_full(self) -> None:
        connection, transport = self.full()
        connection.say([b"x" * 1_000] * 10, self.time.mono)
        self.assertEqual(transport.value(), b"")
        connection.resumeProducing()
        self.assertEqual(transport.value(), frame(b"x" * 1_000) * 10)

    def test_datagrams_wait_in_a_bounded_queue_and_the_oldest_go(self) -> None:
        connection, _ = self.full()
        for _ in range(1_000):
            connection.say([b"x" * 1_000], self.time.mono)
        assert connection.stream is not None
        self.assertLessEqual(connection.stream.outbound.queued, Limits().stream_queue)
        self.assertGreater(self.carrier.counters["streams_dropped"], 700)

    def test_a_server_stops_reading_from_who_does_not_read_and_begins_again(self) -> None:
        connection, transport = self.full()
        self.assertEqual(transport.producerState, "producing")
        connection.say([b"x" * 1_000] * 200, self.time.mono)
        self.assertEqual(transport.producerState, "paused")
        connection.resumeProducing()
        self.assertEqual(transport.producerState, "producing")

    def test_a_client_reads_whatever_happens_or_both_could_wait_for_each_other(self) -> None:
        connection, transport = self.full()
        assert connection.stream is not None
        connection.stream.ours = True
        connection.say([b"x" * 1_000] * 250, self.time.mono)
        self.assertEqual(transport.producerState, "producing")

    def test_what_the_transport_is_given_at_once_is_bounded(self) -> None:
        connection, transport = self.full()
        sizes: list[int] = []

        def write(data: list[bytes]) -> None:
            sizes.append(sum(map(len, data)))
            connection.pauseProducing()

        transport.writeSequence = write  # type: ignore[method-assign,assignment]
        session = _Sealing()
        assert connection.stream is not None
        for _ in range(3):
            connection.stream.outbound.send(session.streams, bytes(1_000_000))
        connection.resumeProducing()
        self.assertEqual(len(sizes), 1)
        self.assertLessEqual(sizes[0], PULL + 65_600)

    def test_a_record_whose_keys_are_gone_ends_the_connection(self) -> None:
        connection, transport = self.take()
        session = _Sealing()
        assert connection.stream is not None
        connection.stream.outbound.send(session.streams, bytes(1_000_000))
        connection._full = True
        connection.stream.pull(1, self.time.mono)
        connection.stream.pull(1, self.time.mono)
        session.seal.erase()
        connection.resumeProducing()
        self.assertEqual(transport.ended, "aborted")


class _Sealing:
    """A session's streams."""

    def __init__(self) -> None:
        self.seal, _ = pair()
        self.streams = StreamSeal(self.seal)


class OutgoingTests(CarrierCase):
    """Those we make."""

    def say(self, *datagrams: bytes) -> None:
        self.carrier.send(pack_address("192.0.2.1", 7460), list(datagrams))

    def connects(self) -> list[tuple[str, int]]:
        return [(host, port) for host, port, *_ in self.reactor.tcpClients]

    def stand(self, number: int = -1) -> _Transport:
        protocol = self.reactor.tcpClients[number][2].buildProtocol(HERE)
        transport = _Transport()
        protocol.makeConnection(transport)
        return transport

    def test_one_is_made_when_there_is_something_to_say_and_carries_what_waited(self) -> None:
        self.assertEqual(self.connects(), [])
        self.say(b"first")
        self.say(b"second")
        self.assertEqual(self.connects(), [("192.0.2.1", 7460)])
        transport = self.stand()
        self.assertEqual(transport.value(), frame(b"first") + frame(b"second"))
        self.say(b"third")
        self.assertTrue(transport.value().endswith(frame(b"third")))

    def test_after_24_seconds_another_is_made_and_the_old_one_left(self) -> None:
        self.say(b"first")
        transport = self.stand()
        self.time.pass_(23)
        self.say(b"again")
        self.time.pass_(25)
        self.say(b"later")
        self.assertEqual((len(self.connects()), transport.ended), (2, "left"))
        self.assertEqual(self.stand().value(), frame(b"later"))

    def test_one_that_cannot_be_made_loses_what_waited_and_is_tried_again_for_the_next(self) -> None:
        self.say(b"lost")
        self.reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertEqual((self.carrier.count, self.carrier.counters["streams_unreachable"]), (0, 1))
        self.say(b"new")
        self.assertEqual(self.stand().value(), frame(b"new"))

    def test_one_that_was_lost_is_made_anew_for_the_next_word(self) -> None:
        self.say(b"first")
        self.stand()
        connection = self.carrier._connections[pack_address("192.0.2.1", 7460)]
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.core._state.streams.by_path, {})
        self.say(b"next")
        self.assertEqual(len(self.connects()), 2)

    def test_one_that_comes_about_when_nobody_wants_it_any_more_is_ended(self) -> None:
        self.say(b"first")
        path = self.carrier.path("192.0.2.1", 7460)
        self.carrier._connections[path.address].connecting = None  # too late to give it up
        self.carrier._hang(Hang(path, "idle"))
        transport = self.stand()
        self.assertEqual((transport.ended, transport.producer), ("aborted", None))

    def test_the_name_of_one_that_came_in_is_never_dialled(self) -> None:
        connection, _ = self.take()
        connection.connectionLost(Failure(ConnectionDone()))
        self.carrier.send(connection.path.address, [b"x"])
        self.assertEqual((self.connects(), self.carrier.counters["send_unreachable"]), ([], 1))

    def test_whoever_does_not_read_does_not_hold_a_connection_that_was_left(self) -> None:
        self.say(b"first")
        transport = self.stand()
        connection = self.carrier._connections[pack_address("192.0.2.1", 7460)]
        self.carrier._hang(Hang(connection.path, "idle"))
        self.assertEqual(transport.ended, "left")
        transport.ended = ""
        self.reactor.advance(0.9)
        self.assertEqual(transport.ended, "")
        self.reactor.advance(0.2)
        self.assertEqual(transport.ended, "aborted")
        connection.connectionLost(Failure(ConnectionDone()))
        self.say(b"second")
        transport = self.stand()
        connection = self.carrier._connections[pack_address("192.0.2.1", 7460)]
        connection.leave()
        connection.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(2)
        self.assertEqual(transport.ended, "left")

    def test_another_endpoint_may_lead_there(self) -> None:
        asked: list[tuple[str, int]] = []

        class Endpoint:
            def connect(self, factory: Any) -> defer.Deferred[Any]:
                protocol = factory.buildProtocol(None)
                protocol.makeConnection(transport)
                return defer.succeed(protocol)

        transport = _Transport()
        self.carrier.endpoint = lambda reactor, host, port: asked.append((host, port)) or Endpoint()  # type: ignore
        self.say(b"by a proxy")
        self.assertEqual((asked, transport.value()), ([("192.0.2.1", 7460)], frame(b"by a proxy")))

    def test_an_attempt_that_nobody_waits_for_is_given_up(self) -> None:
        for close in (True, False):
            self.setUp()
            self.say(b"first")
            [connector] = self.reactor.connectors
            if close:
                self.carrier.close()
            else:
                self.carrier._hang(Hang(self.carrier.path("192.0.2.1", 7460), "idle"))
            self.assertTrue(connector.stoppedConnecting)
            self.assertEqual(self.carrier.count, 0)

    def test_ipv6_goes_by_ipv6(self) -> None:
        self.carrier.send(pack_address("2001:db8::1", 9), [b"x"])
        self.assertEqual(self.connects(), [("2001:db8::1", 9)])

    def test_close_leaves_all_and_ends_those_that_do_not_go(self) -> None:
        self.say(b"first")
        transport = self.stand()
        ended: list[None] = []
        self.carrier.close()
        self.carrier.left().addCallback(ended.append)
        self.assertEqual((transport.ended, ended), ("left", []))
        transport.ended = ""
        self.reactor.advance(1.0)
        self.assertEqual(transport.ended, "aborted")
        self.assertIsNone(self.carrier.incoming(HERE))
        self.say(b"late")
        self.assertEqual(len(self.connects()), 1)


class LoopbackTests(TestCase):
    """Two nodes over real connections."""

    async def pair(self, **limits: Any) -> tuple[RhoNode, RhoNode, str]:
        server = await listen(reactor, interface="127.0.0.1", tcp=0, limits=Limits(**limits))
        client = await listen(reactor, interface="127.0.0.1")
        for node in (server, client):
            self.addCleanup(node.close)
        server.answer(Echo, lambda call: Echoed(text=call.body.text))
        server.answer(Big, lambda call: Size(data=call.body.data[::-1]))
        server.core.admit(client.public)
        host, port = server.streams.places[0]
        return server, client, f"{server.address.partition('@')[0]}@tcp:{host}:{port}"

    @defer.inlineCallbacks
    def until(self, true: Callable[[], object]) -> Any:
        for _ in range(500):
            if true():
                return
            yield deferLater(reactor, 0.01, lambda: None)
        self.fail("it did not come about")

    async def test_a_ping_a_request_and_an_object_go_over_one_connection(self) -> None:
        server, client, at = await self.pair()
        peer = client.peer(at)
        self.assertEqual((await peer.ping()).peer, server.public)
        self.assertEqual((await peer.request(Echo(text="a"))).text, "a")
        data = bytes(range(250)) * 4_000
        self.assertEqual((await peer.request(Big(data=data))).data, data[::-1])
        self.assertEqual((server.counters["streams_taken"], client.counters["streams_made"]), (1, 1))
        self.assertEqual(client.counters["sent_datagrams"], 0)

    async def test_a_name_is_looked_up_and_connected_to(self) -> None:
        server, client, at = await self.pair()
        reached = await client.peer(at.replace("127.0.0.1", "localhost")).ping()
        self.assertEqual(reached.peer, server.public)

    async def test_both_sides_may_ask_over_it(self) -> None:
        server, client, at = await self.pair()
        client.answer(Echo, lambda call: Echoed(text="mine"))
        await client.peer(at).ping()
        self.assertEqual((await server.peer(client.public).request(Echo(text="?"))).text, "mine")

    async def test_a_request_goes_on_over_another_connection_when_the_first_is_cut(self) -> None:
        server, client, at = await self.pair()
        peer = client.peer(at)
        await peer.ping()
        outcome = peer.request(Big(data=bytes(900_000)))
        for connection in list(client.streams._connections.values()):
            connection.transport.abortConnection()
        self.assertEqual(len((await outcome).data), 900_000)
        self.assertGreaterEqual(client.counters["streams_made"], 2)
        self.assertEqual(client.counters["opened"], 1)

    async def test_a_peer_that_stops_reading_costs_less_than_a_megabyte(self) -> None:
        server, client, at = await self.pair()
        peer = client.peer(at)
        await peer.ping()
        [theirs], [ours] = server.streams._connections.values(), client.streams._connections.values()
        ours.transport.pauseProducing()
        most = 0
        session = next(iter(client.core._state.sessions.sessions.values()))
        for number in range(20_000 if FULL else 6_000):
            rest = number.to_bytes(16, "big"), b"", b"", Echo(text="x" * 1_000).encode()
            request = pack_message(number + 1, 0, number + 1, Echo.identifier, rest)
            ours.transport.write(frame(session.seal.seal(request)))
            if number % 100 == 0:
                await deferLater(reactor, 0.001, lambda: None)
                assert theirs.stream is not None
                held = theirs.transport._tempDataLen + len(theirs.transport.dataBuffer)
                most = max(most, held + theirs.stream.outbound.queued + theirs.stream.inbound.held)
        self.assertGreater(most, 100_000)
        self.assertLess(most, 1_000_000)
        for connection in (ours, theirs):
            connection.abort()

    async def test_nobody_there_is_unreachable(self) -> None:
        server, client, at = await self.pair()
        who = at.partition("@")[0]
        await server.close()
        with self.assertRaises(RequestFailed) as failed:
            await client.peer(f"{who}@{at.partition('@')[2]}").ping(timeout=0.5)
        self.assertIsInstance(failed.exception, Unreachable)

    async def test_a_node_that_closes_says_so_and_leaves_nothing(self) -> None:
        server, client, at = await self.pair()
        await client.peer(at).ping()
        await client.close()
        await self.until(lambda: server.streams.count == 0)
        self.assertEqual(server.status()["sessions"], 0)
        await server.close()

    async def test_a_node_without_datagrams_is_named_by_its_port_for_connections(self) -> None:
        core = Node(SeedKey(b"t" * 32), rng=bytes)
        node = RhoNode(core, reactor, limits=Limits())
        self.addCleanup(node.close)
        node.streams.listen(("127.0.0.1",), 0)
        node.driver.start()
        client = await listen(reactor, interface="127.0.0.1")
        self.addCleanup(client.close)
        self.assertIn("@tcp:127.0.0.1:", node.address)
        self.assertEqual((await client.peer(node.address).ping()).peer, node.public)
