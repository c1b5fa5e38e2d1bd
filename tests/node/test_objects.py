"""Bodies of any size: the same verbs, whatever the net does, and an end for whatever does not go on."""

from __future__ import annotations

from random import Random
from typing import Any

from rhotwist.errors import Cancelled, LocalError, Refused, SessionLost, TimedOut
from rhotwist.limits import Limits
from rhotwist.node.jobs import Arriving, Call
from rhotwist.testing.cases import SeededTestCase
from rhotwist.testing.host import Host
from rhotwist.testing.kem import StandInKem
from rhotwist.testing.link import Faults
from rhotwist.testing.outcome import Outcome
from rhotwist.wire.schema import Request, Schema, bulk, u32
from tests.node.talk import Say, sessions, turned

OPEN = Limits(object_max_stranger=2**21)


class Counted(Schema, name="test.counted"):
    """How many bytes came."""

    size: int = u32()


class Count(Request[Counted], name="test.count"):
    """Bytes to count."""

    data: bytes = bulk(3_000_000)


class Given(Schema, name="test.given"):
    """So many bytes."""

    data: bytes = bulk(3_000_000)


class Give(Request[Given], name="test.give"):
    """Wants so many bytes."""

    size: int = u32()
    data: bytes = bulk(3_000_000, default=b"")


class Notice(Schema, name="test.notice"):
    """Only told."""

    data: bytes = bulk(3_000_000)


def content(size: int, seed: int = 1) -> bytes:
    """Bytes that are the same each time."""
    return Random(seed).randbytes(size)


class ObjectsTestCase(SeededTestCase):
    """Two hosts; the server takes much from anybody."""

    def build(self, seed: int = 1, faults: Faults = Faults(), limits: Limits = OPEN) -> None:
        self.net = self.network(seed, faults)
        self.net.kem = StandInKem(self.net.chance("kem").randbytes)
        self.client: Host = self.net.node("client")
        self.server: Host = self.net.node("server", limits=limits)
        self.heard: list[bytes] = []
        self.server.answer(Count, self.count)
        self.server.answer(Give, lambda call: Given(data=content(call.body.size)))
        self.server.answer(Notice, lambda call: self.heard.append(call.body.data))
        self.server.answer(Say, turned)

    def count(self, call: Call) -> Counted:
        """The handler of Count."""
        self.heard.append(call.body.data)  # type: ignore[attr-defined]
        return Counted(size=len(self.heard[-1]))

    def nothing_is_left(self) -> None:
        """Both sides hold nothing of any object."""
        self.net.run(70)
        for host in (self.client, self.server):
            state = host.node._state
            self.assertEqual((state.object_bytes, len(state.pending), state.bulk), (0, 0, {}))
            self.assertEqual(state.reserved, 0)
            for session in sessions(host):
                if session.objects is not None:  # type: ignore[attr-defined]
                    objects = session.objects  # type: ignore[attr-defined]
                    self.assertEqual((objects.out, list(objects.line), objects.incoming), ({}, [], {}))
                    self.assertEqual((objects.reserved, objects.owed), (0, {}))
                    self.assertEqual((objects.offers, objects.bytes_out), ({}, 0))


class Verbs(ObjectsTestCase):
    """What a small body does, a big one does."""

    def test_a_request_of_any_size_is_answered(self) -> None:
        self.build()
        for size in (0, 1_136, 1_137, 1_200, 5_000, 100_000, 2_000_000):
            data = content(size)
            self.assertEqual(self.net.result(self.client.request(self.server, Count(data=data))).size, size)
            self.assertEqual(self.heard.pop(), data)
        self.nothing_is_left()

    def test_a_reply_of_any_size_comes_back(self) -> None:
        self.build()
        for size in (0, 1_200, 100_000, 2_000_000):
            self.assertEqual(self.net.result(self.client.request(self.server, Give(size=size))).data, content(size))
        big = self.client.request(self.server, Give(size=100_000, data=content(100_000)))
        self.assertEqual(self.net.result(big).data, content(100_000))
        self.nothing_is_left()

    def test_what_is_told_is_heard_once(self) -> None:
        self.build()
        self.client.tell(self.server, Notice(data=content(50_000)))
        self.net.run(5)
        self.assertEqual(self.heard, [content(50_000)])
        self.nothing_is_left()

    def test_a_hundred_at_once_all_arrive(self) -> None:
        self.build(faults=Faults(rate=12_500_000))
        asked = [self.client.request(self.server, Count(data=content(200_000, seed))) for seed in range(100)]
        self.net.wait(*asked, limit=200)
        self.assertEqual({outcome.result().size for outcome in asked}, {200_000})
        self.assertEqual(sorted(self.heard), sorted(content(200_000, seed) for seed in range(100)))
        self.nothing_is_left()

    def test_progress_counts_what_has_arrived_and_ends_at_all(self) -> None:
        self.build(faults=Faults(rate=1_250_000))
        seen: list[tuple[int, int]] = []
        asked = self.client.request(
            self.server, Give(size=300_000, data=content(200_000)), progress=lambda *how: seen.append(how)
        )
        self.net.result(asked)
        self.assertGreater(len(seen), 50)
        self.assertEqual(sorted(seen), seen)
        request, both = 200_124, 500_244
        self.assertEqual({total for _, total in seen}, {request, both})
        self.assertEqual(seen[-1], (both, both))
        self.assertIn((request, request), seen)

    def test_a_handler_that_wants_to_know_hears_of_what_is_coming(self) -> None:
        self.build(faults=Faults(rate=1_250_000, loss=0.05))
        seen: list[Arriving] = []
        self.server.answer(Count, lambda call: Counted(size=len(call.body.data)), progress=seen.append)
        self.net.result(self.client.request(self.server, Count(data=content(300_000))))
        self.net.result(self.client.request(self.server, Give(size=1, data=content(300_000))))
        self.assertGreater(len(seen), 30)
        self.assertEqual({(arriving.schema, arriving.source, arriving.total) for arriving in seen},
                         {(Count, self.client.public, 300_120)})
        self.assertEqual([arriving.done for arriving in seen], sorted(arriving.done for arriving in seen))

    def test_a_slow_line_is_given_the_time_it_takes(self) -> None:
        self.build(faults=Faults(rate=4_000, queue=20_000))
        asked = self.client.request(self.server, Count(data=content(200_000)), timeout=10)
        self.assertEqual(self.net.result(asked, limit=300).size, 200_000)
        self.assertGreater(self.net.clock.now, 50)
        asked = self.client.request(self.server, Give(size=200_000), timeout=10)
        self.assertEqual(len(self.net.result(asked, limit=300).data), 200_000)

    def test_a_handler_that_never_answers_lets_the_request_time_out(self) -> None:
        self.build()
        self.server.answer(Count, lambda call: Outcome("never", 0.0))
        asked = self.client.request(self.server, Count(data=content(50_000)), timeout=5)
        with self.assertRaises(TimedOut):
            self.net.result(asked)
        self.assertLess(self.net.clock.now, 6)

    def test_an_answer_much_later_is_pushed_and_confirmed(self) -> None:
        self.build()
        waiting: list[Outcome[Counted]] = []
        self.server.answer(Count, lambda call: waiting.append(Outcome("late", 0.0)) or waiting[-1])
        asked = self.client.request(self.server, Count(data=content(50_000)), timeout=10_000)
        self.net.run(3_600)
        waiting[0].settle(self.net.clock.now, Counted(size=7))
        self.net.run(1)
        self.assertEqual(asked.reply, Counted(size=7))
        self.nothing_is_left()

    def test_a_second_answer_does_nothing_while_the_first_is_on_its_way(self) -> None:
        self.build(faults=Faults(rate=125_000))
        calls: list[Call] = []
        self.server._runners[Call] = calls.append
        asked = self.client.request(self.server, Give(size=100_000))
        self.net.run(0.5)
        self.server.node.answer(calls[0], Given(data=content(100_000)), self.server.moment())
        self.server.node.answer(calls[0], Given(data=b"another"), self.server.moment())
        self.server.act()
        self.net.run(0.2)
        self.server.node.answer(calls[0], Given(data=b"another"), self.server.moment())
        self.server.act()
        self.assertEqual(len(self.net.result(asked).data), 100_000)
        self.nothing_is_left()

    def test_nobody_there_is_told_as_for_a_small_one(self) -> None:
        self.build()
        self.assertRaises(LocalError, self.client.request, self.server, Count(data=bytes(2_200_000)))
        refused = self.client.request(self.server, Give(size=2_500_000))
        with self.assertRaises(Refused):
            self.net.result(refused)
        self.assertEqual(len(self.net.flush_errors()), 1)

        class Unheard(Request[Counted], name="test.unheard"):
            """Nobody answers this."""

            data: bytes = bulk(3_000_000)

        with self.assertRaises(Refused):
            self.net.result(self.client.request(self.server, Unheard(data=bytes(50_000))))
        self.nothing_is_left()


class Endings(ObjectsTestCase):
    """What does not go on is over on both sides."""

    def test_a_request_that_is_withdrawn_stops_both_sides(self) -> None:
        self.build(faults=Faults(rate=125_000))
        bodies: list[Any] = [Count(data=content(500_000)), Give(size=500_000)]
        for body in bodies:
            asked = self.client.request(self.server, body)
            self.net.run(1)
            self.client.cancel(asked)
            with self.assertRaises(Cancelled):
                self.net.result(asked)
            self.net.run(1)
            sent = self.net.sent_bytes
            self.net.run(5)
            self.assertLess(self.net.sent_bytes - sent, 2_000)
            self.assertEqual(self.heard, [])
        self.nothing_is_left()

    def test_a_peer_that_falls_silent_loses_the_request_and_everything_is_let_go(self) -> None:
        self.build(faults=Faults(rate=125_000))
        asked = self.client.request(self.server, Count(data=content(500_000)), timeout=100)
        self.net.run(1)
        self.net.isolate(self.server)
        with self.assertRaises((SessionLost, TimedOut)):
            self.net.result(asked, limit=200)
        self.net.run(60)
        self.assertEqual(self.server.node._state.object_bytes, 0)
        self.assertEqual(self.client.node._state.bulk, {})

    def test_a_server_that_stops_ends_what_was_on_its_way(self) -> None:
        self.build(faults=Faults(rate=125_000))
        asked = self.client.request(self.server, Count(data=content(500_000)))
        self.net.run(1)
        self.server.stop()
        with self.assertRaises(SessionLost):
            self.net.result(asked)
        self.assertEqual(sessions(self.client), [])

    def test_another_session_goes_on_where_the_first_one_stopped(self) -> None:
        for seed in self.seeds(5, 100):
            self.build(seed, Faults(rate=125_000, loss=0.02))
            sent: list[Outcome[Any]] = [self.client.request(self.server, Count(data=content(400_000)), timeout=60)]
            sent.append(self.client.request(self.server, Give(size=400_000), timeout=60))
            self.net.run(Random(seed).uniform(1.0, 3.0))
            before = self.net.sent_bytes
            self.net.cut(self.client, self.server)
            self.net.run(12)  # long enough for the client to dial anew
            self.net.heal()
            self.net.wait(*sent, limit=100)
            self.assertEqual((sent[0].result().size, sent[1].result().data), (400_000, content(400_000)))
            self.assertEqual(self.heard, [content(400_000)])
            self.assertLess(self.net.sent_bytes - before, 1_100_000)
            self.nothing_is_left()

    def test_another_port_of_a_nat_every_five_seconds_needs_no_new_handshake(self) -> None:
        self.build(faults=Faults(rate=50_000, queue=20_000))
        asked = self.client.request(self.server, Count(data=content(600_000)))
        while not asked.settled and self.net.clock.now < 100:
            self.net.run(5, until=lambda: asked.settled)
            self.net.rebind(self.client)
        self.assertEqual(asked.result().size, 600_000)
        self.assertEqual(self.server.node.counters["finished"], 1)
        self.assertLess(self.net.clock.now, 25)


class Keys(ObjectsTestCase):
    """One key is for so many packets."""

    def test_an_object_that_takes_more_packets_is_offered_anew_and_goes_on(self) -> None:
        limits = Limits(object_max_stranger=2**21, object_seals_max=600)
        self.build(faults=Faults(rate=1_250_000, loss=0.05))
        self.client = self.net.node("spendthrift", limits=limits)
        before = self.net.sent_bytes
        asked = self.client.request(self.server, Count(data=content(1_500_000)))
        self.assertEqual(self.net.result(asked).size, 1_500_000)
        session: Any = sessions(self.client)[0]
        self.assertGreaterEqual(session.objects.last_id, 2)
        self.assertLess(self.net.sent_bytes - before, 2_200_000)
        self.assertEqual(self.heard, [content(1_500_000)])
        self.nothing_is_left()


class BadNets(ObjectsTestCase):
    """Loss, disorder, damage, delay and holes on the way."""

    def test_lossy_lines_deliver_and_send_little_more_than_they_must(self) -> None:
        for loss, most in ((0.02, 1.1), (0.1, 1.4), (0.3, 2.2)):
            for seed in self.seeds(2, 100):
                self.build(seed, Faults(loss=loss, rate=1_250_000))
                self.net.result(self.client.request(self.server, Say(text="hello")))
                before = self.net.sent_bytes
                asked = self.client.request(self.server, Count(data=content(2_000_000)), timeout=60)
                self.assertEqual(self.net.result(asked, limit=600).size, 2_000_000)
                self.assertLess((self.net.sent_bytes - before) / 2e6, most, f"seed {seed}, loss {loss}")

    def test_disorder_and_doubles_change_nothing(self) -> None:
        for seed in self.seeds(3, 100):
            self.build(seed, Faults(reorder=0.25, duplicate=0.2, rate=1_250_000))
            asked: list[Outcome[Any]] = [self.client.request(self.server, Count(data=content(300_000))),
                     self.client.request(self.server, Give(size=300_000))]
            self.net.wait(*asked, limit=100)
            self.assertEqual((asked[0].result().size, asked[1].result().data), (300_000, content(300_000)))
            self.assertEqual(self.heard, [content(300_000)])
            self.nothing_is_left()

    def test_every_kind_of_damage_together(self) -> None:
        for seed in self.seeds(3, 100):
            faults = Faults(loss=0.1, burst=3, reorder=0.1, duplicate=0.1, corrupt=0.05, truncate=0.02, rate=1_250_000)
            self.build(seed, faults)
            asked: list[Outcome[Any]] = []
            asked += [self.client.request(self.server, Count(data=content(100_000, n)), timeout=60) for n in range(4)]
            asked += [self.client.request(self.server, Give(size=100_000), timeout=60) for _ in range(4)]
            self.net.wait(*asked, limit=200)
            for outcome in asked:
                outcome.result()
            self.assertEqual(len(self.heard), 4, f"seed {seed}")
            self.nothing_is_left()

    def test_objects_begun_together_take_turns_and_the_oldest_has_two(self) -> None:
        self.build(faults=Faults(rate=1_250_000, queue=60_000))
        self.net.result(self.client.request(self.server, Say(text="hello")))
        done: dict[int, int] = {}
        asked: list[Outcome[Any]] = []
        for number in range(3):
            def hear(came: int, total: int, number: int = number) -> None:
                done[number] = came

            body = Count(data=content(600_000, number))
            asked.append(self.client.request(self.server, body, timeout=60, progress=hear))
        self.net.result(asked[0])
        self.assertTrue(200_000 < done[2] <= done[1] + 50_000 < 400_000, done)
        self.net.wait(*asked)

    def test_small_packets_overtake(self) -> None:
        """Beside a saturating transfer on 10 Mbit/s, a round trip, one quantum and 10 ms more at most."""
        alone, beside = self.waits(False), self.waits(True)
        self.assertLessEqual(beside[-1] - alone[-1], 0.04 + 1_184 * 2 / 1.25e6 + 0.010)

    def waits(self, busy: bool) -> list[float]:
        """Sorted round trips of 64-byte requests, without the slowest hundredth."""
        self.build(faults=Faults(delay=0.02, rate=1_250_000, queue=50_000))
        self.net.result(self.client.request(self.server, Say(text="hello")))
        if busy:
            for _ in range(5):
                self.client.request(self.server, Count(data=content(2_000_000)))
            self.net.run(1)
        took = []
        for _ in range(200):
            before = self.net.clock.now
            self.net.result(self.client.request(self.server, Say(text="x" * 64)))
            took.append(self.net.clock.now - before)
            self.net.run(0.01)
        return sorted(took)[: len(took) * 99 // 100]
