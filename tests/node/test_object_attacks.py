"""Peers that announce much, send little, acknowledge what they please, and never let go."""

from __future__ import annotations

import tracemalloc
from typing import Any

from rhotwist.errors import Overloaded, Refused, RequestFailed, TimedOut
from rhotwist.limits import Limits
from rhotwist.link.messages import Ack, Beat, Gone, Have, Offer, RefusalCode
from rhotwist.link.object_in import ObjectIn
from rhotwist.node import asking
from rhotwist.node.state import Ask
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.secret.suite import CHACHA
from rhotwist.testing.cases import full
from rhotwist.testing.host import Host
from rhotwist.testing.link import Faults
from rhotwist.testing.outcome import Outcome
from rhotwist.wire.datagram import Burst
from rhotwist.wire.frame import pack_control
from rhotwist.wire.message import NO_HASH, compose
from rhotwist.wire.object_packet import piece_count
from rhotwist.wire.schema import Schema
from tests.node.talk import Say, sessions
from tests.node.test_objects import Count, Counted, Give, Notice, ObjectsTestCase, content

MIB = 2**20


def offer_of(id: int, size: int = 2_000_000, **how: Any) -> Offer:
    """An offer of something that will never come."""
    fields = {"key": bytes(32), "named": id.to_bytes(32, "big"), "size_class": 4, "hashcode": 0, "kind": 0} | how
    return Offer(id=id, size=size, **fields)


class AttackTestCase(ObjectsTestCase):
    """The client is the attacker: it says what no honest node would, in a session that is in order."""

    def join(self, client: Host | None = None) -> Any:
        """A session of the client with the server; the client's side."""
        client = client or self.client
        self.net.result(client.request(self.server, Say(text="hello")))
        return sessions(client)[0]

    def say(self, body: Schema, client: Host | None = None) -> None:
        """Send a control message."""
        client = client or self.client
        session: Any = sessions(client)[0]
        client.node._state.send(session, pack_control(body.identifier, body.encode()))
        client.act()

    def offer(self, offer: Offer, client: Host | None = None) -> None:
        """Make an offer by hand."""
        client = client or self.client
        session: Any = sessions(client)[0]
        state, mono = client.node._state, client.moment().mono
        ask = Ask(
            client.key, session.peer, Offer.identifier, offer.encode(), reply=Have, source=None, destination=None,
            random=state.salt(), paths=(),
        )  # fmt: skip
        ask.session = session
        asking.begin(state, ask, mono + 30, mono)
        asking.submit(state, session, ask, mono)
        client.act()

    def coming(self) -> int:
        """Arrivals that the server holds."""
        live: list[Any] = sessions(self.server)
        return sum(len(session.objects.incoming) for session in live if session.objects)


class Announcements(AttackTestCase):
    """Announce 2 MB, send nothing."""

    def test_announcements_cost_little_and_keep_nobody_out(self) -> None:
        peers, each = (100, 1_000) if full() else (10, 150)
        self.build(limits=Limits(object_max_stranger=2**21))
        clients = [self.net.node(f"liar {number}") for number in range(peers)]
        for client in clients:
            self.join(client)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for id in range(1, each + 1):
                for client in clients:
                    self.offer(offer_of(id), client)
                if id % 50 == 0:
                    self.net.run(0.5)
            self.net.run(1)
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        self.assertLess(grown, 64 * MIB)
        self.assertEqual(self.server.node._state.object_bytes, 0)
        self.assertLessEqual(self.coming(), peers * self.server.limits.object_offers)
        honest = self.client.request(self.server, Count(data=content(2_000_000)))
        self.assertEqual(self.net.result(honest).size, 2_000_000)
        self.net.run(70)
        self.assertEqual(self.coming(), 0)

    def test_an_offer_of_nonsense_is_refused_and_kept_nowhere(self) -> None:
        self.build()
        self.join()
        for bad in (
            offer_of(0), offer_of(1 << 24), offer_of(1, 115), offer_of(1, 2**21 + 1), offer_of(1, 2**32 - 1),
            offer_of(1, size_class=11), offer_of(1, size_class=255), offer_of(1, kind=2), offer_of(1, kind=1),
            offer_of(1, kind=1, hashcode=77), offer_of(1, kind=0x7F), offer_of(1, 0),
        ):  # fmt: skip
            self.offer(bad)
            self.net.run(0.1)
            self.assertEqual(self.coming(), 0, repr(bad))
        self.offer(offer_of(1))
        self.net.run(0.1)
        self.assertEqual(self.coming(), 1)

    def test_how_much_is_taken_depends_on_who_sends(self) -> None:
        self.build(limits=Limits())
        stranger = self.client.request(self.server, Count(data=content(20_001)))
        with self.assertRaises(Refused) as caught:
            self.net.result(stranger)
        self.assertEqual(caught.exception.code, RefusalCode.TOO_BIG)
        self.assertEqual(self.net.result(self.client.request(self.server, Count(data=content(19_000)))).size, 19_000)
        wallet = self.client.network.node("wallet").key
        proven = self.client.request(self.server, Count(data=content(99_000)), source=wallet)
        self.assertEqual(self.net.result(proven).size, 99_000)
        too_much = self.client.request(self.server, Count(data=content(100_001)), source=wallet)
        with self.assertRaises(Refused):
            self.net.result(too_much)
        self.server.node.admit(self.client.public)
        much = self.client.request(self.server, Count(data=content(2_000_000)))
        self.assertEqual(self.net.result(much).size, 2_000_000)
        self.server.node.admit(self.client.public, False)
        with self.assertRaises(Refused):
            self.net.result(self.client.request(self.server, Count(data=content(200_000))))
        # Whom the client called itself may answer with as much as an object holds.
        self.assertEqual(len(self.net.result(self.client.request(self.server, Give(size=2_000_000))).data), 2_000_000)

    def test_memory_is_bounded_for_a_session_and_for_all_and_honest_senders_wait(self) -> None:
        limits = Limits(object_max_stranger=2**21, object_session=500_000, object_process=800_000)
        self.build(faults=Faults(rate=1_250_000), limits=limits)
        others = [self.net.node(f"other {number}") for number in range(3)]
        body = Count(data=content(300_000))
        asked = [host.request(self.server, body, timeout=60) for host in (self.client, *others) * 2]
        most = 0
        while not all(outcome.settled for outcome in asked):
            self.net.run(0.05)
            most = max(most, self.server.node._state.object_bytes)
            self.assertLess(self.net.clock.now, 100)
        self.assertLessEqual(most, 800_000)
        self.assertGreater(most, 500_000)
        self.assertEqual({outcome.result().size for outcome in asked}, {300_000})

    def test_a_handler_that_holds_a_body_holds_its_share_of_the_memory(self) -> None:
        limits = Limits(object_max_stranger=2**21, object_session=500_000)
        self.build(limits=limits)
        waiting: list[Outcome[Counted]] = []
        self.server.answer(Count, lambda call: waiting.append(Outcome("held", 0.0)) or waiting[-1])
        first = self.client.request(self.server, Count(data=content(300_000)), timeout=200)
        second = self.client.request(self.server, Count(data=content(300_000, 2)), timeout=200)
        self.net.run(10)
        self.assertEqual(len(waiting), 1)
        waiting[0].settle(self.net.clock.now, Counted(size=1))
        self.net.run(20)
        self.assertEqual((first.settled, len(waiting)), (True, 2))
        waiting[1].settle(self.net.clock.now, Counted(size=2))
        self.assertEqual(self.net.result(second).size, 2)
        self.nothing_is_left()

    def test_beyond_memory_it_lies_elsewhere_if_there_is_such_a_place(self) -> None:
        self.build(limits=Limits(object_max_stranger=2**21, object_session=100_000))
        spilled: list[int] = []
        self.server.node._state.spill = lambda size: (spilled.append(size), memoryview(bytearray(size)))[1]
        self.assertEqual(self.net.result(self.client.request(self.server, Count(data=content(300_000)))).size, 300_000)
        self.assertEqual(spilled, [300_120])
        self.nothing_is_left()

    def test_without_room_for_long_the_request_fails_by_name_or_time(self) -> None:
        self.build(limits=Limits(object_max_stranger=2**21, object_session=100_000))
        with self.assertRaises((Overloaded, TimedOut)):
            self.net.result(self.client.request(self.server, Count(data=content(300_000)), timeout=20))
        self.client.tell(self.server, Notice(data=content(300_000)))
        self.net.run(120)
        self.nothing_is_left()


class Slowness(AttackTestCase):
    """One packet just before each timeout."""

    def test_many_that_drip_are_all_ended_by_the_least_rate(self) -> None:
        count = 50
        self.build(limits=Limits(object_max_stranger=2**21, object_session=2**28))
        session = self.join()
        data = memoryview(content(2_000_000))
        seals = [ObjectSeal(bytes(32), session.suite, session.seal.peer_code, id) for id in range(1, count + 1)]
        for seal in seals:
            self.offer(offer_of(seal.id))
        self.net.run(1)
        path = self.client.path_to(self.server)
        for round_ in range(3):
            for seal in seals:
                self.net.carry(self.client, Burst(path, seal.seal_run(4, [round_], data)))
            if round_ == 0:
                self.net.run(0.5)
                self.assertEqual(self.server.node._state.object_bytes, count * 2_000_000)
            self.net.run(29.9 if round_ else 29.4)
            self.net.result(self.client.request(self.server, Say(text="still here")))
        self.assertEqual((self.server.node._state.object_bytes, self.coming()), (0, 0))
        self.assertEqual(self.server.node.counters["object too slow"], count)


class Acknowledgements(AttackTestCase):
    """Acks of all kinds for what the server sends."""

    def started(self, size: int = 200_000) -> Outcome[Any]:
        """The server sends something of that size; the client's own acks are silenced."""
        self.patch(ObjectIn, "ack", lambda inner, mono: inner.state(mono) and None)
        self.join()
        asked: Outcome[Any] = self.client.request(self.server, Give(size=size), timeout=60)
        self.net.run(0.05)
        return asked

    def leaving(self) -> Any:
        """The server's sender."""
        session: Any = sessions(self.server)[0]
        return next(iter(session.objects.out.values())).out

    def test_nacks_of_everything_draw_no_more_than_three_times_the_object(self) -> None:
        for storm in (10_000 if full() else 1_000,):
            self.build(faults=Faults(rate=1_250_000))
            self.started()
            before = self.net.sent_bytes
            for _ in range(storm):
                out = self.leaving() if sessions(self.server)[0].objects.out else None  # type: ignore[attr-defined]
                if out is None:
                    break
                counter = max(0, out.seal.sealed - 1)
                self.say(Ack(id=1, size_class=out.size_class, base=0, counter=counter, delay=0, bitmap=b""))
                self.net.run(0.002)
            self.net.run(60)
            acks = storm * 120  # what the attacker itself sends
            self.assertLess(self.net.sent_bytes - before - acks, 3 * 200_000 + 20 * 1_184 + 20_000)

    def test_whoever_acknowledges_what_was_never_sent_gets_nothing_more(self) -> None:
        self.build(faults=Faults(rate=125_000))
        asked = self.started()
        out = self.leaving()
        total, size_class = out.total, out.size_class
        self.say(Ack(id=1, size_class=size_class, base=total, counter=out.seal.sealed - 1, delay=0, bitmap=b""))
        self.net.run(1)
        self.assertEqual(sessions(self.server)[0].objects.out, {})  # type: ignore[attr-defined]
        self.assertGreater(self.server.node.counters["ack unsent"], 0)
        sent = self.net.sent_bytes
        self.net.run(5)
        self.assertLess(self.net.sent_bytes - sent, 3_000)
        with self.assertRaises(RequestFailed):
            self.net.result(asked, limit=100)

    def test_acks_of_other_classes_counters_and_ids_neither_raise_nor_send(self) -> None:
        self.build(faults=Faults(rate=125_000))
        self.started()
        for bad in (
            Ack(id=9, size_class=4, base=0, counter=0, delay=0, bitmap=b"\xff"),
            Ack(id=2**32 - 1, size_class=255, base=2**32 - 1, counter=2**32 - 1, delay=0xFFFF, bitmap=b"\xff" * 1_024),
            Beat(id=77), Gone(id=99, reason=200, ours=False), Gone(id=99, reason=1, ours=True),
        ):  # fmt: skip
            self.say(bad)
        self.net.run(0.5)
        self.say(Ack(id=1, size_class=4, base=0, counter=2**32 - 1, delay=0, bitmap=b""))
        self.net.run(0.5)
        self.assertEqual(sessions(self.server)[0].objects.out, {})  # type: ignore[attr-defined]

    def test_what_comes_after_the_end_is_nothing(self) -> None:
        self.build()
        self.join()
        self.net.result(self.client.request(self.server, Give(size=100_000)))
        self.net.run(5)
        sent = dict(self.server.node.counters)
        before = self.net.sent_datagrams
        storm = 10_000 if full() else 500
        for number in range(storm):
            self.say(Ack(id=1, size_class=4, base=number, counter=number, delay=0, bitmap=b"\x01"))
            self.say(Gone(id=1, reason=4, ours=False))
        self.net.run(5)
        self.assertLessEqual(self.net.sent_datagrams - before, 2 * storm)  # all of them the attacker's
        self.assertEqual(self.server.node.counters["object sent"], sent["object sent"])

    def test_a_peer_that_gives_everything_up_ends_each_once(self) -> None:
        self.build(faults=Faults(rate=125_000))
        asked = self.started()
        for reason in range(12):
            self.say(Gone(id=1, reason=reason, ours=False))
        with self.assertRaises(Refused):
            self.net.result(asked)

    def test_packets_under_another_key_or_for_another_session_open_nothing(self) -> None:
        self.build()
        session = self.join()
        self.offer(offer_of(1))
        self.net.run(0.1)
        seal = ObjectSeal(b"\1" * 32, session.suite, session.seal.peer_code, 1)
        wrong = ObjectSeal(bytes(32), CHACHA if session.suite != CHACHA else 2, session.seal.peer_code, 1)
        nobody = ObjectSeal(bytes(32), session.suite, session.seal.peer_code ^ 1, 1)
        path, data = self.client.path_to(self.server), memoryview(content(2_000_000))
        for one in (seal, wrong, nobody):
            self.net.carry(self.client, Burst(path, one.seal_run(4, range(20), data)))
        self.net.carry(self.client, Burst(path, [b"\x46" + bytes(n) for n in range(60)]))
        self.net.run(1)
        self.assertEqual(self.server.node._state.object_bytes, 0)
        counters = self.server.node.counters
        self.assertEqual(counters["drop object"], 40)
        self.assertEqual(counters["drop object unknown"], 80)

    def test_a_read_that_brings_packets_of_two_objects_brings_each_its_own(self) -> None:
        self.build(faults=Faults(together=1.0))
        session = self.join()
        runs = []
        for id in (1, 2):
            self.offer(offer_of(id, 40_000, key=bytes([id]) * 32))
            seal = ObjectSeal(bytes([id]) * 32, session.suite, session.seal.peer_code, id)
            runs.append(list(seal.seal_run(4, range(10), memoryview(content(40_000)))))
        self.net.run(0.1)
        packets = [packet for pair in zip(*runs, strict=True) for packet in pair]
        self.net.carry(self.client, Burst(self.client.path_to(self.server), packets))
        self.net.run(0.1)
        objects: Any = sessions(self.server)[0]
        came = {id: arrival.inner.progress for id, arrival in objects.objects.incoming.items()}
        self.assertEqual(came, {1: 11_520, 2: 11_520})
        self.assertEqual(self.server.node.counters["drop object"], 0)


class BlackHoles(AttackTestCase):
    """Paths that swallow what is too large, and say nothing."""

    def test_an_object_gets_through_the_narrowest_way_or_fails_in_time(self) -> None:
        for mtu, through in ((1_200, True), (700, True), (500, True), (300, False)):
            self.build(faults=Faults(rate=1_250_000))
            self.join()
            self.net.everywhere(Faults(rate=1_250_000, mtu=mtu))
            begun = self.net.clock.now
            asked = self.client.request(self.server, Count(data=content(100_000)))
            self.net.wait(asked, limit=90)
            self.assertEqual(isinstance(asked.failure, RequestFailed), not through, f"mtu {mtu}: {asked.failure!r}")
            self.assertLess(self.net.clock.now - begun, 30 if through else 60)


class Numbers(AttackTestCase):
    """Ids and hashcodes used again."""

    def send(self, id: int, data: bytes, hashcode: int) -> None:
        """An object by hand, under an id of the attacker's choice."""
        session: Any = sessions(self.client)[0]
        message = compose(Count.identifier, session.own, session.peer, NO_HASH, bytes(16), Count(data=data).encode())
        whole = message.encode()
        self.offer(offer_of(id, len(whole), named=message.hash, hashcode=hashcode))
        self.net.run(0.1)
        seal = ObjectSeal(bytes(32), session.suite, session.seal.peer_code, id)
        run = seal.seal_run(4, range(piece_count(len(whole), 4)), memoryview(whole))
        self.net.carry(self.client, Burst(self.client.path_to(self.server), run))
        self.net.run(0.1)

    def test_an_id_is_not_used_again_while_a_handler_holds_what_came_under_it(self) -> None:
        self.build()
        self.join()
        held: list[Outcome[Counted]] = []
        self.server.answer(Count, lambda call: held.append(Outcome("held", 0.0)) or held[-1])
        for round_ in range(3):
            self.send(1, content(50_000, round_), hashcode=7 + round_)
            self.net.run(10)  # longer than what came whole is remembered
        self.assertEqual(len(held), 1)
        held[0].settle(self.net.clock.now, Counted(size=1))
        self.net.run(1)
        self.client.stop()
        self.net.run(5)
        state = self.server.node._state
        self.assertEqual((sessions(self.server), state.object_bytes, state.reserved), ([], 0, 0))

    def test_a_reply_that_is_offered_ever_again_does_not_hold_its_request_for_ever(self) -> None:
        self.build()
        self.join()
        self.server.answer(Count, lambda call: Outcome("never", 0.0))
        asked = self.client.request(self.server, Count(data=b"x"), timeout=5)
        self.net.run(0.1)
        (event,) = self.client._asked
        for id in range(1, 30):
            self.offer(offer_of(id, 1_000, hashcode=event.hashcode, kind=1), self.server)
            self.net.run(4)
        self.assertIsInstance(asked.failure, TimedOut)
        self.assertLess(asked.took, 5 + 30 + 2)

    def test_an_object_offered_anew_under_the_id_of_another_displaces_nothing(self) -> None:
        self.build()
        session = self.join()
        data = memoryview(content(200_000))
        for id in (1, 2):
            self.offer(offer_of(id, 200_000))
            self.net.run(0.1)
            seal = ObjectSeal(bytes(32), session.suite, session.seal.peer_code, id)
            self.net.carry(self.client, Burst(self.client.path_to(self.server), seal.seal_run(4, [0], data)))
        self.net.run(0.1)
        state = self.server.node._state
        self.assertEqual((self.coming(), state.object_bytes), (2, 400_000))
        self.offer(offer_of(2, 200_000, named=(1).to_bytes(32, "big")))
        self.net.run(0.1)
        self.assertEqual((self.coming(), state.object_bytes), (2, 400_000))
        self.client.stop()
        self.net.run(1)
        self.assertEqual(state.object_bytes, 0)
