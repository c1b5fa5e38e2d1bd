"""News by itself: who is told what, who is asked, and ten thousand nodes by the same rules."""

from __future__ import annotations

import heapq
import itertools
from math import inf
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory.flood import OFFERS, Flood, news_id
from rhotwist.directory.messages import NEWS, News, NewsRecords, NewsWanted
from rhotwist.directory.record import read_layout, split
from rhotwist.directory.replica import Entry
from rhotwist.limits import Limits
from rhotwist.testing.cases import full
from rhotwist.testing.replicas import MemoryReplica
from rhotwist.wire.schema import Schema
from tests.directory.comparing import made, replica

ANN, BOB, CAROL, DAVE = (name.ljust(32) for name in (b"ann", b"bob", b"carol", b"dave"))
EMPTY = replica(())


def flood(*neighbours: bytes, **limits: float) -> Flood:
    """A node with neighbours."""
    some = Flood(Limits(**limits), bytes)  # type: ignore[arg-type]
    for peer in neighbours:
        some.join(peer)
    return some


def ids(*numbers: int) -> list[bytes]:
    """The ids of records, in order."""
    return sorted(news_id(made(number)) for number in numbers)


def prefixes(*numbers: int) -> bytes:
    """The wants of records."""
    return b"".join(id[:5] for id in ids(*numbers))


class TellingTests(SynchronousTestCase):
    def test_what_was_stored_is_told_at_the_next_beat_to_all_who_are_not_known_to_have_it(self) -> None:
        some = flood(ANN, BOB, CAROL, DAVE)
        some.news(ANN, ids(1), EMPTY, 10.1)
        some.came(BOB, [made(1)])
        some.outgoing()
        some.stored([made(1), made(2)], 10.2)
        some.news(DAVE, ids(2), replica((1, 2)), 10.3)
        self.assertEqual(10.5, some.deadline())
        some.tick(10.4)
        self.assertEqual([], some.outgoing())
        some.tick(10.5)
        told = dict(some.outgoing())
        self.assertEqual({ANN: ids(2), BOB: ids(2), CAROL: ids(1, 2), DAVE: ids(1)}, {
            peer: [body.ids[at : at + 8] for at in range(0, len(body.ids), 8)]  # type: ignore[attr-defined]
            for peer, body in told.items()
        })  # fmt: skip
        some.tick(11.0)
        self.assertEqual(([], None), (some.outgoing(), some.deadline()))

    def test_nodes_tell_at_instants_of_their_own(self) -> None:
        some = Flood(Limits(news_beat=2.0), lambda count: b"\x40".ljust(count, b"\0"))
        some.join(ANN)
        for mono, beat in ((10.0, 10.5), (10.6, 12.5)):
            some.stored([made(int(mono * 10))], mono)
            self.assertEqual(beat, some.deadline())
            some.tick(beat)

    def test_what_was_told_is_not_told_again(self) -> None:
        some = flood(ANN)
        for number, told in ((1, ids(1)), (2, ids(2))):
            some.stored([made(number)], float(number))
            some.tick(number + 0.5)
            self.assertEqual([(ANN, News(ids=b"".join(told)))], some.outgoing())

    def test_what_all_have_is_no_news_and_what_comes_late_moves_no_beat(self) -> None:
        some = flood(ANN)
        some.news(ANN, ids(1), replica((1,)), 10.0)
        some.stored([made(1)], 10.1)
        self.assertIsNone(some.deadline())
        for mono in (10.2, 10.7):
            some.stored([made(int(10 * mono))], mono)
            self.assertEqual(10.5, some.deadline())

    def test_it_wants_to_be_woken_for_what_is_first(self) -> None:
        for beat, first in ((0.5, 10.5), (5.0, 11.0)):
            some = flood(ANN, BOB, news_beat=beat)
            some.news(ANN, ids(1), EMPTY, 10.0)
            some.stored([made(2)], 10.1)
            self.assertEqual(first, some.deadline())

    def test_many_ids_go_in_several_packets(self) -> None:
        some = flood(ANN)
        some.stored(map(made, range(200)), 0.0)
        some.tick(1.0)
        self.assertEqual([NEWS, 8 * 60], [len(body.ids) for _, body in some.outgoing()])  # type: ignore[attr-defined]

    def test_whoever_wants_records_gets_them_in_packets_and_is_told_no_more(self) -> None:
        some, tree = flood(ANN), replica(range(10))
        some.stored(map(made, range(10)), 0.0)
        some.wanted(ANN, [id[:5] for id in ids(*range(10))], tree, 0.1)
        bodies = [body for _, body in some.outgoing()]
        self.assertTrue(all(isinstance(body, NewsRecords) and len(body.records) <= NEWS for body in bodies))
        came = [read_layout(one) for body in bodies for one in split(body.records)]  # type: ignore[attr-defined]
        self.assertEqual({made(n).address for n in range(10)}, {one.address for one in came})
        some.tick(1.0)
        self.assertEqual([], some.outgoing())

    def test_who_wants_one_record_is_told_of_those_beside_it(self) -> None:
        first: dict[bytes, int] = {}
        one, other = next(
            (first[start], number) for number in range(10_000)
            if first.setdefault(start := made(number).address[:1], number) != number
        )  # fmt: skip
        some = flood(ANN)
        some.stored([made(one), made(other)], 0.0)
        some.wanted(ANN, [made(one).address[:5]], replica((one, other)), 0.1)
        some.outgoing()
        some.tick(1.0)
        self.assertEqual([(ANN, News(ids=news_id(made(other))))], some.outgoing())

    def test_nobody_but_neighbours_is_served_and_they_within_bounds(self) -> None:
        some, tree = flood(ANN, news_rate=1.0), replica((1,))
        some.wanted(BOB, [ids(1)[0][:5]], tree, 0.0)
        some.news(BOB, ids(2), tree, 0.0)
        self.assertEqual([], some.outgoing())
        for _ in range(100):
            some.wanted(ANN, [ids(1)[0][:5]], tree, 0.0)
        self.assertEqual(60, len(some.outgoing()))


class AskingTests(SynchronousTestCase):
    def asked(self, some: Flood) -> list[tuple[bytes, bytes]]:
        return [(peer, body.wants) for peer, body in some.outgoing() if isinstance(body, NewsWanted)]

    def test_the_first_who_announces_is_asked_for_what_is_not_here(self) -> None:
        some = flood(ANN, BOB)
        some.news(ANN, ids(1, 2, 3), replica((2,)), 0.0)
        some.news(BOB, ids(1, 3), EMPTY, 0.1)
        self.assertEqual([(ANN, prefixes(1, 3))], self.asked(some))

    def test_after_a_second_the_next_is_asked_and_then_nobody(self) -> None:
        some = flood(ANN, BOB, CAROL)
        for peer in (ANN, BOB, CAROL):
            some.news(peer, ids(1), EMPTY, 0.0)
        some.leave(BOB, 0.5)
        some.outgoing()
        self.assertEqual(1.0, some.deadline())
        some.tick(1.0)
        self.assertEqual([(CAROL, prefixes(1))], self.asked(some))
        some.tick(2.0)
        self.assertEqual(([], None), (self.asked(some), some.deadline()))
        some.news(ANN, ids(1), EMPTY, 3.0)
        self.assertEqual([(ANN, prefixes(1))], self.asked(some))

    def test_each_record_is_waited_for_by_itself_and_one_is_asked_at_a_time(self) -> None:
        some = flood(ANN, BOB, CAROL)
        for peer in (ANN, BOB, CAROL):
            some.news(peer, ids(1), EMPTY, 0.0)
            some.news(peer, ids(2), EMPTY, 0.5)
        some.outgoing()
        some.tick(0.9)
        self.assertEqual([], self.asked(some))
        some.tick(1.0)
        self.assertEqual([(BOB, prefixes(1))], self.asked(some))
        self.assertEqual({ANN: 1, BOB: 1, CAROL: 0}, some._under_way)
        some.tick(1.5)
        self.assertEqual([(BOB, prefixes(2))], self.asked(some))
        some.came(CAROL, [made(1), made(2)])
        self.assertEqual({ANN: 0, BOB: 0, CAROL: 0}, some._under_way)

    def test_one_who_leaves_is_replaced_at_once(self) -> None:
        some = flood(ANN, BOB)
        for peer in (ANN, BOB):
            some.news(peer, ids(1), EMPTY, 0.0)
        some.outgoing()
        some.leave(ANN, 0.1)
        self.assertEqual([(BOB, prefixes(1))], self.asked(some))
        self.assertEqual((BOB,), some.neighbours)

    def test_what_comes_unwanted_is_not_taken(self) -> None:
        some = flood(ANN)
        some.news(ANN, ids(1), EMPTY, 0.0)
        self.assertEqual([made(1)], some.came(ANN, [made(1), made(2), made(1)]))

    def test_a_peer_that_announces_without_end_has_a_bounded_number_under_way(self) -> None:
        some = flood(ANN, news_wanted=50, news_recent=70)
        for start in range(0, 1_000, 100):
            some.news(ANN, ids(*range(start, start + 100)), EMPTY, 0.0)
        self.assertEqual((50, 70), (len(some._wanted), len(some._has)))
        some.came(ANN, [made(n) for n in range(1_000)])
        some.news(ANN, ids(5_000), EMPTY, 0.0)
        self.assertEqual(1, len(some._wanted))

    def test_who_announces_again_and_again_is_asked_once_and_keeps_nobody_out(self) -> None:
        some = flood(ANN, BOB, CAROL)
        for peer in (ANN, *[ANN, BOB] * 10, CAROL):
            some.news(peer, ids(1), EMPTY, 0.0)
        asked = []
        for second in range(5):
            asked += [peer for peer, _ in self.asked(some)]
            some.tick(1.0 + second)
        self.assertEqual([ANN, BOB, CAROL], asked)

    def test_of_many_who_announce_eight_are_remembered(self) -> None:
        crowd = [f"peer {n}".encode().ljust(32) for n in range(20)]
        some = flood(*crowd)
        for peer in crowd:
            some.news(peer, ids(1), EMPTY, 0.0)
        self.assertEqual(crowd[1 : 1 + OFFERS], list(some._wanted[ids(1)[0]].others))

    def test_who_came_told_and_went_is_not_remembered_with_what_it_told(self) -> None:
        some = flood(ANN, BOB)
        some.news(ANN, ids(1), replica((1,)), 0.0)
        for number in range(1_000):
            stranger = f"stranger {number}".encode().ljust(32)
            some.join(stranger)
            some.news(stranger, ids(1, 2), replica((1, 2)), 0.0)
            some.leave(stranger, 0.0)
        self.assertLessEqual(max(map(len, some._has.values())), 4)
        self.assertEqual({ANN, BOB}, set(some._under_way))
        some.stored([made(1)], 1.0)
        some.tick(2.0)
        self.assertEqual([BOB], [peer for peer, _ in some.outgoing()])  # Ann has it, and that is not forgotten

    def test_what_another_way_brought_is_not_waited_for(self) -> None:
        some = flood(ANN)
        some.news(ANN, ids(1), EMPTY, 0.0)
        some.stored([made(1)], 0.1)
        self.assertEqual(({}, {ANN: 0}), (some._wanted, some._under_way))


class Held(MemoryReplica):
    """What a node of the model holds: entries without a tree, records that all nodes share."""

    def __init__(self) -> None:
        self.mine: dict[bytes, int] = {}

    def entries(self, bits: int, prefix: bytes, most: int) -> list[Entry]:
        number = self.mine.get(prefix[:5])
        return [] if number is None else [Entry(made(number).address, 0, made(number).hash)]

    def records(self, prefix: bytes) -> list[bytes]:
        return [made(self.mine[prefix[:5]]).encode()] if prefix[:5] in self.mine else []


class ModelTests(SynchronousTestCase):
    """Ten thousand nodes (400 by default): the core itself, over links of 50 ms that carry values."""

    def run_model(self, count: int, degree: int, silent: float) -> list[float]:
        noise = Random(count)
        nodes = [Flood(Limits(), noise.randbytes) for _ in range(count)]
        held = [Held() for _ in range(count)]
        quiet = [number > 0 and noise.random() < silent for number in range(count)]
        for _ in range(degree // 2):
            order = list(range(count))
            noise.shuffle(order)
            for one, other in zip(order, order[1:] + order[:1], strict=True):
                nodes[one].join(_name(other))
                nodes[other].join(_name(one))
        events: list[tuple[float, int, int, int, Schema | None]] = []
        serial, armed = itertools.count(), [inf] * count
        came: dict[int, float] = {0: 0.0}

        def act(number: int, now: float) -> None:
            for peer, body in nodes[number].outgoing():
                if not quiet[number]:
                    to = int.from_bytes(peer[:4], "big")
                    heapq.heappush(events, (now + 0.05, next(serial), to, number, body))
            due = nodes[number].deadline()
            if due is not None and due < armed[number]:
                armed[number] = due
                heapq.heappush(events, (due, next(serial), number, number, None))

        held[0].mine[made(7).address[:5]] = 7
        nodes[0].stored([made(7)], 0.0)
        act(0, 0.0)
        while events:
            now, _, to, source, body = heapq.heappop(events)
            node, name = nodes[to], _name(source)
            if body is None:
                armed[to] = inf
                node.tick(now)
            elif isinstance(body, News):
                node.news(name, [body.ids], held[to], now)
            elif isinstance(body, NewsWanted):
                node.wanted(name, [body.wants], held[to], now)
            elif isinstance(body, NewsRecords) and node.came(name, [made(7)]):
                held[to].mine[made(7).address[:5]] = 7
                node.stored([made(7)], now)
                came[to] = now
            act(to, now)
        return sorted(came.get(number, 1e9) for number in range(count) if not quiet[number])

    def test_99_percent_have_it_in_2500_ms(self) -> None:
        times = self.run_model(10_000 if full() else 400, 8, 0.0)
        self.assertLessEqual(times[int(0.99 * len(times))], 2.5)

    def test_half_of_them_silent_99_and_a_half_percent_of_the_others_have_it(self) -> None:
        times = self.run_model(10_000 if full() else 400, 8, 0.5)
        self.assertGreaterEqual(sum(time < 10 for time in times) / len(times), 0.995)


def _name(number: int) -> bytes:
    return number.to_bytes(4, "big").ljust(32)
