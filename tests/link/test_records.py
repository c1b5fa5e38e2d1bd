"""Frames of one connection: cut anywhere they come out whole, nothing is kept that may not come, a fault is the end."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, KeySpent
from rhotwist.limits import Limits
from rhotwist.link.records import DATAGRAM_MOST, Inbound, Outbound, Piece
from rhotwist.secret.stream_seal import StreamSeal
from rhotwist.wire.stream import frame, pack_head
from tests.secret.sides import RESPONDER_CODE, ROOT, pair
from tests.secret.test_stream_seal import turn

MOST = 2 * 10**6


class Side:
    """The receiving end of a connection that several sessions share."""

    def __init__(self, *seals: StreamSeal, most: int = MOST) -> None:
        self.inbound = Inbound()
        self.seals = {RESPONDER_CODE + at: seal for at, seal in enumerate(seals)}
        self.most = most
        self.got: list[object] = []
        self.datagrams: list[bytes] = []
        self.records: list[bytes] = []
        self.pieces: list[Piece] = []

    def find(self, code: int) -> tuple[StreamSeal, int]:
        if code not in self.seals:
            raise BadPacket("unknown")
        return self.seals[code], self.most

    def feed(self, *chunks: bytes) -> Side:
        for chunk in chunks:
            for event in self.inbound.feed(chunk, self.find):
                if isinstance(event, list):
                    self.datagrams += event
                    self.got += event
                    continue
                self.pieces.append(event)
                if not event.at:
                    self.records.append(b"")
                self.records[-1] += event.data
                if event.last:
                    self.got.append(self.records[-1])
        return self


def two(**how: int) -> tuple[StreamSeal, Side]:
    """A sender's streams, and the connection they go over."""
    a, b = pair()
    return StreamSeal(a), Side(StreamSeal(b), **how)


def cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    chunks, at = [], 0
    for size in sizes:
        if at < len(data):
            chunks.append(data[at : at + size])
            at += size
    return [*chunks, data[at:]] if at < len(data) else chunks


def outbound(**limits: int) -> Outbound:
    return Outbound(Limits(**limits))  # type: ignore[arg-type]


def all_of(out: Outbound) -> bytes:
    data = []
    while out:
        data += out.pull(1)
    return b"".join(data)


class BothTests(SynchronousTestCase):
    @given(st.lists(st.integers(1, 9_000), max_size=60), st.integers(0, 2**32))
    @settings(deadline=None, max_examples=30)
    def test_whatever_is_said_arrives_in_order_however_it_is_cut(self, sizes: list[int], seed: int) -> None:
        random = Random(seed)
        one, side = two()
        out, said = outbound(), []
        for _ in range(6):
            if random.random() < 0.5:
                said.append(random.randbytes(random.choice((1, 1_232, DATAGRAM_MOST))))
                out.say(said[-1:])
            else:
                said.append(random.randbytes(random.choice((1, 64, 4_096, 4_097, 65_536, 70_000))))
                out.send(one, said[-1])
            if random.random() < 0.7:
                wire = all_of(out)
                side.feed(*cut(wire, sizes))
        side.feed(*cut(all_of(out), sizes))
        self.assertCountEqual(side.got, said)
        self.assertLessEqual(side.inbound.held, 0)

    def test_byte_by_byte(self) -> None:
        one, side = two()
        out = outbound()
        out.say([b"before"])
        out.send(one, bytes(5_000))
        out.send(one, b"x")
        wire = all_of(out)
        side.feed(*(wire[at : at + 1] for at in range(len(wire))))
        self.assertEqual(side.got, [b"before", bytes(5_000), b"x"])

    def test_several_sessions_share_a_connection(self) -> None:
        pairs = [pair(), pair(root=ROOT[::-1])]
        pairs[1][0].peer_code = RESPONDER_CODE + 1
        senders = [StreamSeal(a) for a, _ in pairs]
        side = Side(*(StreamSeal(b) for _, b in pairs))
        out = outbound()
        for number, sender in enumerate([*senders, senders[1], senders[0]]):
            out.send(sender, bytes([number]) * 100)
        side.feed(all_of(out))
        self.assertEqual([piece.code - RESPONDER_CODE for piece in side.pieces], [0, 1, 1, 0])
        self.assertEqual([sender.number for sender in senders], [1, 0])

    def test_a_new_epoch_is_a_new_use(self) -> None:
        a, b = pair()
        one, side = StreamSeal(a), Side(StreamSeal(b))
        out = outbound()
        out.send(one, b"old")
        side.feed(all_of(out))
        turn(a, b)
        self.assertTrue(side.inbound.behind)
        out.send(one, b"new")
        side.feed(all_of(out))
        self.assertEqual((side.got, one.number, side.inbound.behind), ([b"old", b"new"], 1, False))

    def test_a_connection_played_again_opens_nothing(self) -> None:
        one, side = two()
        out = outbound()
        out.send(one, b"pay")
        wire = all_of(out)
        side.feed(wire)
        again = Side(*side.seals.values())
        self.assertRaises(BadPacket, again.feed, wire)
        self.assertEqual(again.got, [])


class InboundTests(SynchronousTestCase):
    def refuses(self, reason: str, side: Side, wire: bytes) -> None:
        with self.assertRaises(BadPacket) as wrong:
            side.feed(wire)
        self.assertEqual(wrong.exception.reason, reason)

    def use(self, one: StreamSeal, plain: bytes = b"x") -> tuple[bytes, bytes]:
        """A USE, and a record behind it."""
        out = outbound()
        out.send(one, plain)
        wire = all_of(out)
        return wire[:28], wire[28:]

    def test_heads_that_may_not_come_are_refused_before_a_byte_behind_them(self) -> None:
        for reason, head in (
            ("frame kind", pack_head(3, 1)), ("frame kind", pack_head(255, 0)), ("frame size", pack_head(0, 0)),
            ("frame size", pack_head(0, DATAGRAM_MOST + 1)), ("frame size", pack_head(1, 23)),
            ("no use", pack_head(2, 1)),
        ):  # fmt: skip
            self.refuses(reason, two()[1], head)

    def test_records_beyond_the_peers_limit_are_refused_by_their_head(self) -> None:
        one, side = two(most=5_000)
        use, record = self.use(one, bytes(5_000))
        side.feed(use, record)
        self.refuses("record size", side, pack_head(2, 5_001))
        one, side = two(most=5_000)
        side.feed(self.use(one)[0])
        self.refuses("record size", side, pack_head(2, 0))

    def test_a_use_of_no_session_or_with_a_bad_tag_is_the_end(self) -> None:
        one, side = two()
        use, _ = self.use(one)
        self.refuses("use tag", side, use[:-1] + bytes([use[-1] ^ 1]))
        side.seals.clear()
        self.refuses("unknown", Side(), use)

    def test_a_flipped_bit_anywhere_in_a_record_is_the_end(self) -> None:
        for at in (0, 3, 4, 4_099, 4_100, 4_115, 4_116, 5_030):
            one, side = two()
            use, record = self.use(one, bytes(5_000))
            side.feed(use)
            damaged = record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :]
            self.assertRaises(BadPacket, side.feed, damaged + bytes(9_000))
            self.assertEqual([piece.at for piece in side.pieces], [0] if at > 4_115 else [])

    def test_no_more_is_held_than_one_piece(self) -> None:
        one, side = two()
        use, record = self.use(one, bytes(MOST))
        most = 0
        for chunk in cut(use + record, [1_000] * 3_000):
            side.feed(chunk)
            most = max(most, side.inbound.held)
        self.assertLess(most, 65_552 + 1_000)
        self.assertEqual(side.got, [bytes(MOST)])

    def test_before_its_first_piece_opens_a_record_holds_that_piece_alone(self) -> None:
        one, side = two()
        use, record = self.use(one, bytes(MOST))
        side.feed(use, record[: 4 + 4_096 + 15])
        self.assertEqual((side.pieces, side.inbound.held), ([], 4_096 + 15))
        side.feed(record[4 + 4_096 + 15 : 4 + 4_096 + 16])
        self.assertEqual((len(side.pieces[0].data), side.inbound.held), (4_096, 0))

    def test_a_record_that_nobody_wants_goes_by_unopened_and_unkept(self) -> None:
        one, side = two()
        for chunk in (10**9, 7_001):
            out = outbound()
            out.send(one, bytes(300_000))
            out.send(one, b"next")
            wire, pieces, most = all_of(out), [], 0
            for data in cut(wire, [chunk] * 100):
                for event in side.inbound.feed(data, side.find):
                    assert isinstance(event, Piece)
                    pieces.append(event)
                    if event.size == 300_000:
                        side.inbound.skip()
                most = max(most, side.inbound.held)
            self.assertEqual([(piece.at, len(piece.data)) for piece in pieces], [(0, 4_096), (0, 4)])
            self.assertLess(most, 7_001)

    def test_datagrams_in_a_row_come_together_and_before_what_follows_them(self) -> None:
        one, side = two()
        use, record = self.use(one)
        wire = frame(b"a") + frame(b"b") + use + frame(b"c") + record + frame(b"d")
        events = list(side.inbound.feed(wire, side.find))
        self.assertEqual([event if isinstance(event, list) else event.data for event in events],
                         [[b"a", b"b"], [b"c"], b"x", [b"d"]])  # fmt: skip


class OutboundTests(SynchronousTestCase):
    def test_datagrams_go_before_the_next_record_and_never_into_one(self) -> None:
        one, side = two()
        out = outbound()
        out.send(one, bytes(200_000))
        out.send(one, b"second")
        wire = out.pull(1)
        wire += out.pull(1)
        out.say([b"urgent"])
        side.feed(b"".join(wire), all_of(out))
        self.assertEqual(side.got, [bytes(200_000), b"urgent", b"second"])

    def test_a_pull_is_never_far_beyond_what_was_asked_for(self) -> None:
        one, _ = two()
        out = outbound(stream_queue=10**7)
        out.say([bytes(1_200)] * 1_000)
        out.send(one, bytes(MOST))
        for most in (1, 1_000, 65_536, 200_000):
            size = sum(map(len, out.pull(most)))
            self.assertTrue(most <= size <= most + 65_556)
        self.assertTrue(out)

    def test_a_peer_that_does_not_read_costs_a_bounded_queue_whose_oldest_go(self) -> None:
        out = outbound(stream_queue=10_000)
        for number in range(1_000):
            out.say([number.to_bytes(2, "big") * 48])
        self.assertLessEqual(out.queued, 10_000)
        self.assertEqual(out.dropped, 900)
        side = Side().feed(all_of(out))
        self.assertEqual([int.from_bytes(data[:2], "big") for data in side.datagrams], list(range(900, 1_000)))
        self.assertEqual(out.queued, 0)

    def test_nothing_is_sealed_before_it_is_pulled(self) -> None:
        a, _ = pair()
        out = outbound()
        out.send(StreamSeal(a), bytes(10**6))
        self.assertEqual(a.pieces, 0)
        out.pull(1)
        out.pull(1)
        self.assertEqual(a.pieces, 2)

    def test_records_of_a_dead_session_are_dropped_and_others_go_on(self) -> None:
        a, _ = pair()
        dead = StreamSeal(a)
        one, side = two()
        out = outbound()
        out.send(dead, b"lost")
        out.send(one, b"kept")
        a.erase()
        side.feed(all_of(out))
        self.assertEqual((side.got, out.dropped), ([b"kept"], 1))

    def test_a_record_under_way_whose_keys_go_is_the_end(self) -> None:
        a, _ = pair()
        one = StreamSeal(a)
        out = outbound()
        out.send(one, bytes(100_000))
        out.pull(1)
        out.pull(1)
        a.erase()
        self.assertRaises(KeySpent, out.pull, 1)

    def test_a_record_can_be_withdrawn_until_it_begins(self) -> None:
        one, side = two()
        out, first, second = outbound(), bytes(10), bytes(11)
        out.send(one, first)
        out.send(one, second)
        wire = out.pull(1) + out.pull(1)
        self.assertEqual([out.withdraw(data) for data in (first, second, second)], [False, True, False])
        side.feed(b"".join(wire), all_of(out))
        self.assertEqual(side.got, [first])
