"""Big objects over connections: one record each, offered and acknowledged as by datagrams, whole or not at all."""

from __future__ import annotations

from typing import Any

from rhotwist.errors import BadPacket, Cancelled, Refused
from rhotwist.limits import Limits
from rhotwist.link.messages import Ack, GoneReason
from rhotwist.link.record_out import RECORD_CLASS, RecordOut
from rhotwist.link.records import Outbound
from rhotwist.node import streams
from rhotwist.secret import audit
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.host import Host
from rhotwist.testing.link import Faults
from rhotwist.testing.network import Network
from rhotwist.wire.datagram import Path
from rhotwist.wire.object_packet import piece_count
from rhotwist.wire.schema import Request, Schema, bulk
from tests.node.talk import Said, Say, quick, sessions, turned


class Much(Schema, name="test.record.much"):
    """Bytes."""

    data: bytes = bulk(2_000_000)


class Give(Request[Much], name="test.record.give"):
    """Bytes for bytes."""

    data: bytes = bulk(2_000_000)


def content(size: int) -> bytes:
    return bytes(range(251)) * (size // 251 + 1)


class Case(SeededTestCase):
    streams = True

    def pair(self, seed: int = 1, faults: Faults = Faults(), **limits: float) -> tuple[Network, Host, Host]:  # noqa: B008
        net = self.network(seed, faults)
        node, client = net.node("server", limits=quick(**limits)), net.node("client")
        self.calls: list[int] = []

        def give(call: Any) -> Much:
            self.calls.append(len(call.body.data))
            return Much(data=call.body.data[::-1])

        node.answer(Give, give)
        node.answer(Say, turned)
        node.node.admit(client.public)
        return net, node, client


class RecordTests(Case):
    """The way of an object."""

    def test_an_object_of_any_size_goes_there_and_another_comes_back(self) -> None:
        net, node, client = self.pair()
        for size in (1_200, 4_000, 14_000, 65_536, 300_000, 2_000_000):
            data = content(size)[:size]
            reply = net.result(client.request(node, Give(data=data)))
            self.assertEqual(reply.data, data[::-1])
        self.assertEqual(self.calls, [1_200, 4_000, 14_000, 65_536, 300_000, 2_000_000])
        self.assertEqual(net.wires.made, 1)
        state = node.node._state
        net.run(1)
        self.assertEqual((state.object_bytes, len(sessions(node)[0].objects.out)), (0, 0))  # type: ignore[attr-defined]

    def test_no_packet_of_an_object_rides_on_a_connection(self) -> None:
        net, node, client = self.pair()
        kinds: set[int] = set()
        net.on_path = lambda source, target, datagram: kinds.add(datagram[0] & 15) or [datagram]  # type: ignore
        net.result(client.request(node, Give(data=bytes(500_000))))
        self.assertNotIn(6, kinds)

    def test_several_at_once_all_arrive_once(self) -> None:
        for seed in self.seeds(3, 50):
            net, node, client = self.pair(seed, Faults(loss=0.05, jitter=0.01))
            outcomes = [client.request(node, Give(data=content(400_000)[: 400_000 - n])) for n in range(8)]
            net.wait(*outcomes)
            for number, outcome in enumerate(outcomes):
                self.assertEqual(len(outcome.result().data), 400_000 - number)
            self.assertEqual(sorted(self.calls), [400_000 - n for n in range(7, -1, -1)])

    def test_small_packets_go_between_records(self) -> None:
        net, node, client = self.pair()
        net.result(client.ping(node))
        client.request(node, Give(data=bytes(1_000_000)))
        asked = client.request(node, Say(text="a"))
        self.assertEqual(net.result(asked), Said(text="a"))
        self.assertLess(asked.took, 1)

    def test_a_record_follows_its_offer_at_once_if_the_peer_took_the_last_one(self) -> None:
        net, node, client = self.pair()
        net.result(client.ping(node))
        took = []
        for _ in range(2):
            told = client.request(node, Give(data=bytes(20_000)))
            net.result(told)
            took.append(told.took)
        self.assertAlmostEqual(took[0] - took[1], 2 * 0.020, places=6)  # the request, and the reply
        node.node._state.limits = quick(object_session=10)
        client.request(node, Give(data=bytes(20_000)))
        net.run(0.1)
        self.assertFalse(sessions(client)[0].objects.welcome)

    def test_acks_of_a_slow_record_come_while_it_does_and_keep_its_reply_waited_for(self) -> None:
        net, node, client = self.pair(1, Faults(rate=50_000, queue=20_000))
        net.result(client.ping(node))
        done: list[int] = []
        asked = client.request(
            node, Give(data=bytes(300_000)), timeout=4, progress=lambda now, total: done.append(now)
        )
        self.assertEqual(len(net.result(asked, limit=60).data), 300_000)
        self.assertGreaterEqual(len(set(done)), 10)
        self.assertEqual(done, sorted(done))

    def test_progress_counts_what_the_peer_acknowledged(self) -> None:
        out = RecordOut(bytes(200_000), eager=False)
        out.given = True
        for base, delivered in ((0, 0), (2, 90_112), (1, 90_112), (4, 180_224)):
            out.acked(_ack(base), 0.0)
            self.assertEqual((out.delivered, out.done), (delivered, False))
        out.acked(_ack(5), 0.0)
        self.assertEqual((out.delivered, out.done), (200_000, True))


class TroubleTests(Case):
    """Connections that break, peers that have no room, peers that lie."""

    def test_a_connection_cut_anywhere_costs_nothing_but_the_time_and_nothing_twice(self) -> None:
        for seed in self.seeds(12, 200):
            net, node, client = self.pair(seed, Faults(jitter=0.005))
            net.result(client.ping(node))
            outcome = client.request(node, Give(data=content(600_000)[:600_000]), timeout=60)
            net.run(net.chance("cut").uniform(0.0, 0.09))
            net.wires.cut(client, client.path_to(node))
            self.assertEqual(net.result(outcome, limit=90).data, content(600_000)[:600_000][::-1])
            self.assertEqual(self.calls, [600_000], seed)
            self.assertEqual(client.node.counters["opened"], 1)

    def test_what_came_over_the_last_connection_does_not_come_again(self) -> None:
        net, node, client = self.pair(1, Faults(rate=1_000_000, queue=50_000))
        net.result(client.request(node, Give(data=bytes(20_000))))
        sizes: list[int] = []
        pull = Outbound.pull

        def count(out: Outbound, most: int) -> list[bytes]:
            data = pull(out, most)
            sizes.append(sum(map(len, data)))
            return data

        self.patch(Outbound, "pull", count)
        data = content(1_000_000)[:1_000_000]
        outcome = client.request(node, Give(data=data))
        net.run(0.6)
        net.wires.cut(client, client.path_to(node))
        self.assertEqual(net.result(outcome).data, data[::-1])
        self.assertLess(sum(sizes), 2 * 1_000_000 + 250_000)  # there and back, and what was on its way at the cut
        self.assertEqual(self.calls, [20_000, 1_000_000])

    def test_a_record_that_would_leave_a_gap_is_let_go_by(self) -> None:
        net, node, client = self.pair()
        net.result(client.ping(node))
        client.request(node, Give(data=bytes(100_000)), timeout=5)
        net.run(0.015)
        objects = sessions(node)[0].objects  # type: ignore[attr-defined]
        [offer] = [arrival.offer for arrival in objects.incoming.values()]
        for start in (45_056, offer.size - 1):
            self.feed(node, client, bytes(offer.size - start), offer.id.to_bytes(4, "big") + start.to_bytes(4, "big"))
        self.assertEqual(node.node.counters["drop record unknown"], 2)
        self.assertEqual(node.node._state.object_bytes, 0)

    def test_an_object_goes_on_by_datagrams_when_the_session_does(self) -> None:
        net, node, client = self.pair()
        net.result(client.ping(node))
        outcome = client.request(node, Give(data=bytes(600_000)))
        net.run(0.015)
        net.wires.cut(client, client.path_to(node))
        sessions(client)[0].path = Path(0, node.address)  # type: ignore[attr-defined]
        self.assertEqual(len(net.result(outcome).data), 600_000)
        self.assertEqual(self.calls, [600_000])

    def test_who_may_not_send_so_much_is_refused_and_keeps_the_connection(self) -> None:
        net, node, client = self.pair()
        node.node.admit(client.public, False)
        outcome = client.request(node, Give(data=bytes(50_000)))
        net.wait(outcome)
        self.assertIsInstance(outcome.failure, Refused)
        self.assertEqual(net.result(client.request(node, Say(text="ab"))), Said(text="ba"))
        self.assertEqual((net.wires.made, node.node._state.object_bytes), (1, 0))

    def test_without_room_the_record_goes_by_and_comes_again_when_there_is(self) -> None:
        net, node, client = self.pair(object_session=700_000)
        outcomes = [client.request(node, Give(data=bytes(600_000))) for _ in range(4)]
        net.wait(*outcomes)
        self.assertEqual([len(outcome.result().data) for outcome in outcomes], [600_000] * 4)
        self.assertEqual(net.wires.made, 1)

    def test_a_request_withdrawn_while_its_record_waits_is_not_sent(self) -> None:
        net, node, client = self.pair()
        net.result(client.request(node, Give(data=bytes(20_000))))
        [far] = [end for (index, _), end in net.wires._ends.items() if index == node.index]
        far.deaf = True
        first = client.request(node, Give(data=bytes(1_000_000)))
        second = client.request(node, Give(data=bytes(1_000_001)))
        client.cancel(second)
        self.assertIsInstance(second.failure, Cancelled)
        far.deaf = False
        net.wires.flush(client, client.path_to(node))
        net.result(first)
        net.run(5)
        self.assertEqual(self.calls, [20_000, 1_000_000])
        self.assertEqual((node.node._state.object_bytes, node.node.counters["drop record unknown"]), (0, 0))

    def feed(self, node: Host, client: Host, plain: bytes, head: bytes) -> None:
        """Have the client's session send a record over its connection."""
        session = sessions(client)[0]
        out = Outbound(Limits())
        out.send(streams.streams_of(client.node._state, session), plain, head)  # type: ignore[arg-type]
        stream = next(iter(node.node._state.streams.by_path.values()))
        node.node.feed(stream, b"".join(out.pull(10**9)), node.moment())
        node.act()

    def test_a_record_that_nobody_offered_is_let_go_by(self) -> None:
        net, node, client = self.pair()
        net.result(client.ping(node))
        self.feed(node, client, bytes(500_000), b"\0\0\0\7\0\0\0\0")
        self.assertEqual(node.node.counters["drop record unknown"], 1)
        self.assertEqual((node.node._state.object_bytes, len(net.wires)), (0, 2))
        self.assertEqual(net.result(client.request(node, Say(text="ab"))), Said(text="ba"))

    def test_nothing_is_reserved_before_the_first_piece_has_opened(self) -> None:
        net, node, client = self.pair()
        net.result(client.ping(node))
        state, held = node.node._state, []
        session = sessions(client)[0]
        parcel = client.request(node, Give(data=bytes(500_000)))
        net.run(0.012)
        objects = sessions(node)[0].objects  # type: ignore[attr-defined]
        held.append(state.object_bytes)
        net.result(parcel)
        self.assertEqual((held, session.seal.erased), ([0], False))  # type: ignore[attr-defined]
        self.assertEqual(objects.incoming, {})

    def test_what_is_not_what_was_offered_is_refused_and_no_handler_hears_of_it(self) -> None:
        net, node, client = self.pair()
        net.result(client.ping(node))
        client.request(node, Give(data=bytes(100_000)), timeout=5)
        net.run(0.011)
        objects = sessions(node)[0].objects  # type: ignore[attr-defined]
        if objects is None:
            net.run(0.001)
            objects = sessions(node)[0].objects  # type: ignore[attr-defined]
        [offer] = [arrival.offer for arrival in objects.incoming.values()]
        self.feed(node, client, b"\1" * offer.size, offer.id.to_bytes(4, "big") + bytes(4))
        self.assertEqual(node.node.counters["object " + GoneReason.WRONG_HASH.name.lower().replace("_", " ")], 1)
        self.assertEqual((self.calls, node.node._state.object_bytes), ([], 0))

    def test_acks_that_cannot_be_end_the_object(self) -> None:
        for ack, given in ((_ack(6), True), (_ack(0, 200), True), (_ack(1), False)):
            out = RecordOut(bytes(200_000), eager=False)
            out.given = given
            with self.assertRaises(BadPacket):
                out.acked(ack, 0.0)
            self.assertFalse(out.done)

    def test_what_goes_is_the_object_from_where_the_peer_has_it(self) -> None:
        whole = content(200_000)[:200_000]
        for lead in (0, 116):
            for bitmap, start in ((b"", 0), (b"\1", 45_056), (b"\3", 90_112), (b"\5", 45_056)):
                out = RecordOut(whole[lead:], eager=False, head=whole[:lead])
                out.have(bitmap, 0.0)
                self.assertEqual((out.size, out.start, out.lead + bytes(out.rest)), (200_000, start, whole[start:]))

    def test_an_object_that_is_there_already_needs_no_record(self) -> None:
        out = RecordOut(bytes(200_000), eager=False)
        total = piece_count(200_000, RECORD_CLASS)
        with self.assertRaises(BadPacket):
            out.have((1 << total).to_bytes(4, "little"), 0.0)
        out.have(b"\1", 0.0)
        self.assertEqual((out.ready, out.done), (True, False))
        out.have(((1 << total) - 1).to_bytes(4, "little"), 0.0)
        self.assertTrue(out.done)

    def test_no_nonce_repeats_over_records_cuts_and_ratchets(self) -> None:
        seen: dict[tuple[bytes, bytes], bytes] = {}

        def look(key: bytes, nonce: bytes, digest: bytes) -> None:
            self.assertIn(seen.setdefault((key, nonce), digest), (digest,))

        self.patch(audit, "hook", look)
        net, node, client = self.pair(3, ratchet_seals=40)
        client.limits = quick(ratchet_seals=40)
        client.crash()
        client.restart()
        for number in range(30):
            outcome = client.request(node, Give(data=bytes(100_000 + number)), timeout=60)
            if number % 3 == 0:
                net.run(0.025)
                net.wires.cut(client, client.path_to(node))
            net.result(outcome, limit=90)
        self.assertGreaterEqual(sessions(node)[0].seal.epoch, 1)  # type: ignore[attr-defined]
        self.assertEqual(self.calls, [100_000 + number for number in range(30)])


def _ack(base: int, size_class: int = RECORD_CLASS) -> Ack:
    return Ack(id=1, size_class=size_class, base=base, counter=0, delay=0, bitmap=b"")
