"""Streams of one session: every position sealed once, whatever befalls connections, epochs and callers."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, KeySpent, LocalError
from rhotwist.limits import Limits
from rhotwist.secret import audit
from rhotwist.secret import stream_seal as streams
from rhotwist.secret.ratchet import Ratchet
from rhotwist.secret.seal import PacketSeal, derive
from rhotwist.secret.stream_seal import RANGE, WINDOW, Inward, Outward, StreamSeal, room_of
from rhotwist.secret.suite import SUITES, aead
from rhotwist.wire.stream import HEAD_SIZE, RECORD_MOST, piece_size
from tests.secret.sides import RESPONDER_CODE, ROOT, counting, pair

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "stream.md"


def streams_of(suite: int = 4, **how: int) -> tuple[StreamSeal, StreamSeal]:
    a, b = pair(suite)
    return StreamSeal(a, **how), StreamSeal(b, **how)


def sealed(outward: Outward, plain: bytes) -> list[bytes]:
    """The pieces of a record, its head first."""
    record, out = outward.record(plain), []
    while not record.done:
        out += record.next()
    return out


def opened(inward: Inward, wire: list[bytes]) -> bytes:
    inward.begin(int.from_bytes(wire[0][1:4], "big"))
    return b"".join(inward.open(piece) for piece in wire[1:])


def turn(a: PacketSeal, b: PacketSeal, shared: bytes = b"s" * 32) -> None:
    """Take both ends into the next epoch."""
    for side in (a, b):
        side.prepare(shared, bytes(32), bytes(32))
    a.switch()
    b.open(a.seal(b""))
    a.open(b.seal(b""))
    a.turned = b.turned = False


class RecordTests(SynchronousTestCase):
    def test_what_one_side_seals_the_other_opens_in_every_suite(self) -> None:
        for suite in SUITES:
            for one, other in (streams_of(suite), streams_of(suite)[::-1]):
                outward = one.use()
                inward = other.take(outward.frame[HEAD_SIZE:])
                for size in (1, 63, 64, 65, 4_096, 4_097, 65_536, 65_537, 200_000):
                    plain = bytes(range(256)) * (size // 256 + 1)
                    self.assertEqual(opened(inward, sealed(outward, plain[:size])), plain[:size])

    def test_the_bytes_are_those_of_the_spec_page(self) -> None:
        one, _ = streams_of()
        one.use()
        outward = one.use()
        key = derive(ROOT, 2, 0)
        use = b"\1\0\0\x18" + RESPONDER_CODE.to_bytes(4, "big") + b"\0" + b"\0\0\1"
        nonce = bytes(4) + RANGE.to_bytes(8, "big")
        self.assertEqual(outward.frame, use + aead(4, key).encrypt(nonce, b"", use))
        plain = bytes(70_000)
        first, second = sealed(outward, b"x" * 100), sealed(outward, plain)
        head = b"\2\0\0\x64"
        self.assertEqual(first, [head, aead(4, key).encrypt(_at(RANGE + 4_096), b"x" * 100, head)])
        head, start = b"\2\1\x11\x70", RANGE + 131_072
        cuts = [(0, 4_096), (4_096, 65_536), (65_536, 70_000)]
        self.assertEqual(
            second,
            [head, *(aead(4, key).encrypt(_at(start + low), plain[low:high], head) for low, high in cuts)],
        )

    def test_the_vectors_of_the_spec_page_hold(self) -> None:
        page = PAGE.read_text().replace("\n", "").replace(" ", "")
        for suite in (1, 2):
            one, other = streams_of(suite)
            for side, name in ((one, 0), (other, 1)):
                outward = side.use()
                self.assertIn(derive(ROOT, 2, name).hex(), page)
                self.assertIn(outward.frame.hex(), page)
                self.assertIn(b"".join(sealed(outward, b"hello")).hex(), page)
                self.assertIn(b"".join(sealed(outward, b"again")).hex(), page)

    def test_a_record_begins_at_the_next_multiple_of_the_power_of_two_that_holds_it(self) -> None:
        rooms = [room_of(size) for size in (1, 64, 65, 128, 129, RECORD_MOST)]
        self.assertEqual(rooms, [64, 64, 128, 128, 256, 1 << 24])
        nonces = watched(self)
        outward = streams_of()[0].use()
        for size in (10, 10, 100, 5_000, 64):
            sealed(outward, bytes(size))
        starts = [0, 4_096, 4_160, 4_224, 8_192, 8_192 + 4_096, 16_384]
        self.assertEqual([int.from_bytes(nonce, "big") for _, nonce, _ in nonces], starts)

    def test_a_record_that_would_leave_the_range_waits_for_a_new_use(self) -> None:
        one, other = streams_of()
        outward = one.use()
        inward = other.take(outward.frame[HEAD_SIZE:])
        for side in (outward, inward):
            side._cursor = side._end - 100
        self.assertFalse(outward.serves(one, 65))
        self.assertTrue(outward.serves(one, 64))
        self.assertRaises(LocalError, outward.record, bytes(65))
        with self.assertRaises(BadPacket) as wrong:
            inward.begin(65)
        self.assertEqual(wrong.exception.reason, "range")
        self.assertEqual(opened(inward, sealed(outward, bytes(64))), bytes(64))

    def test_sizes_that_no_head_says_are_refused(self) -> None:
        outward = streams_of()[0].use()
        for size in (0, RECORD_MOST + 1):
            self.assertRaises(LocalError, outward.record, bytes(size))

    def test_pieces_out_of_order_or_of_another_record_do_not_open(self) -> None:
        one, other = streams_of()
        outward = one.use()
        inward = other.take(outward.frame[HEAD_SIZE:])
        wire = sealed(outward, bytes(200_000))
        inward.begin(200_000)
        for wrong in (wire[2], sealed(outward, bytes(200_000))[1], wire[1][:-1] + b"\0"):
            self.assertRaises(BadPacket, inward.open, wrong)
        self.assertEqual(inward.open(wire[1]), bytes(4_096))
        self.assertRaises(BadPacket, inward.open, wire[1])

    @given(st.lists(st.integers(1, 70_000), min_size=1, max_size=12))
    @settings(deadline=None)
    def test_pieces_cover_a_record_whole_and_cut_it_where_the_page_says(self, sizes: list[int]) -> None:
        for size in sizes:
            cuts, at = [], 0
            while at < size:
                at += piece_size(size, at)
                cuts.append(at)
            inner = [4_096, *range(65_536, size, 65_536)]
            self.assertEqual(cuts, [cut for cut in inner if cut < size] + [size])


def _at(position: int) -> bytes:
    return bytes(4) + position.to_bytes(8, "big")


def watched(case: SynchronousTestCase) -> list[tuple[bytes, bytes, bytes]]:
    """All seals from now on, each (key, nonce) once."""
    found: list[tuple[bytes, bytes, bytes]] = []
    seen: set[tuple[bytes, bytes]] = set()

    def look(key: bytes, nonce: bytes, digest: bytes) -> None:
        case.assertNotIn((key, nonce), seen)
        seen.add((key, nonce))
        found.append((key, nonce, digest))

    case.patch(audit, "hook", look)
    return found


class NonceTests(SynchronousTestCase):
    def test_no_position_is_sealed_twice_over_connections_epochs_and_interleaved_records(self) -> None:
        found = watched(self)
        a, b = pair()
        one, other = StreamSeal(a), StreamSeal(b)
        for _ in range(4):
            uses = [side.use() for side in (one, one, other)]
            records = [use.record(bytes(size)) for use in uses for size in (1, 64, 4_097, 100_000, 70_000)]
            while records:
                records = [record for record in records if record.next() and not record.done]
            turn(a, b)
        self.assertEqual(len(found), 4 * 3 * (1 + 1 + 1 + 2 + 3 + 3) + 8)  # 8: the packets that turned the epochs

    def test_a_seal_that_failed_has_used_up_its_position(self) -> None:
        nonces = watched(self)
        one, _ = streams_of()
        outward = one.use()
        record = outward.record(bytes(5_000))
        cipher = outward._cipher
        outward._cipher = None  # type: ignore[assignment]
        self.assertRaises(AttributeError, record.next)
        outward._cipher = cipher
        record.next()
        self.assertEqual([int.from_bytes(nonce, "big") for _, nonce, _ in nonces], [0, 8_192, 8_192 + 4_096])

    def test_a_key_seals_so_many_pieces_and_no_more(self) -> None:
        one, _ = streams_of(seals_max=3)
        outward = one.use()
        record = outward.record(bytes(70_000))
        record.next()
        record.next()
        self.assertRaises(KeySpent, record.next)
        self.assertRaises(KeySpent, one.use)

    def test_a_new_epoch_counts_anew(self) -> None:
        a, b = pair()
        one = StreamSeal(a, 1)
        one.use()
        self.assertRaises(KeySpent, one.use)
        turn(a, b)
        self.assertEqual((one.use().epoch, one.number, a.pieces), (1, 1, 1))

    def test_so_many_pieces_want_a_ratchet(self) -> None:
        a, b = pair()
        machine = Ratchet(a, initiator=True, rng=counting(), limits=Limits(ratchet_seals=10))
        a.seal(b"")
        outward = StreamSeal(a).use()
        self.assertFalse(machine.wanted(0.0))
        for _ in range(9):
            outward.record(b"x").next()
        self.assertTrue(machine.wanted(0.0))
        turn(a, b)
        self.assertEqual(a.pieces, 0)

    def test_use_numbers_end(self) -> None:
        one, _ = streams_of()
        one.number = streams.NUMBERS - 2
        self.assertEqual(one.use().frame[9:12], b"\xff\xff\xff")
        self.assertRaises(KeySpent, one.use)

    def test_erased_keys_seal_and_open_nothing(self) -> None:
        a, b = pair()
        one, other = StreamSeal(a), StreamSeal(b)
        outward = one.use()
        inward = other.take(outward.frame[HEAD_SIZE:])
        wire, late = sealed(outward, b"x"), outward.record(b"y")
        a.erase()
        b.erase()
        self.assertFalse(outward.serves(one, 1))
        self.assertRaises(KeySpent, late.next)
        self.assertRaises(KeySpent, one.use)
        self.assertTrue(inward.behind)
        inward.begin(1)
        self.assertRaises(BadPacket, inward.open, wire[1])
        self.assertRaises(BadPacket, other.take, outward.frame[HEAD_SIZE:])


class UseTests(SynchronousTestCase):
    def reason(self, side: StreamSeal, body: bytes) -> str:
        before = side.digest()
        try:
            side.take(body)
        except BadPacket as error:
            self.assertEqual(side.digest(), before)
            return error.reason
        return "taken"

    def test_a_use_is_taken_once(self) -> None:
        one, other = streams_of()
        body = one.use().frame[HEAD_SIZE:]
        self.assertEqual([self.reason(other, body) for _ in range(2)], ["taken", "use replay"])

    def test_uses_overtake_each_other_within_the_window(self) -> None:
        one, other = streams_of()
        bodies = [one.use().frame[HEAD_SIZE:] for _ in range(WINDOW + 2)]
        self.assertEqual(self.reason(other, bodies[-1]), "taken")
        self.assertEqual(self.reason(other, bodies[0]), "use replay")
        for body in bodies[1:-1]:
            self.assertEqual(self.reason(other, body), "taken")
        for body in bodies:
            self.assertEqual(self.reason(other, body), "use replay")
        self.assertEqual(self.reason(other, one.use().frame[HEAD_SIZE:]), "taken")

    def test_every_bit_of_a_use_counts(self) -> None:
        one, other = streams_of()
        body = one.use().frame[HEAD_SIZE:]
        for bit in range(8 * len(body)):
            changed = bytearray(body)
            changed[bit >> 3] ^= 1 << (bit & 7)
            self.assertIn(self.reason(other, bytes(changed)), ("use tag", "epoch"))
        for wrong in (body[:-1], body + b"\0", b""):
            self.assertEqual(self.reason(other, wrong), "use size")
        self.assertEqual(self.reason(one, body), "use tag")
        self.assertEqual(self.reason(other, body), "taken")

    def test_a_use_of_the_next_epoch_opens_before_the_first_packet_of_it(self) -> None:
        a, b = pair()
        one, other = StreamSeal(a), StreamSeal(b)
        early = one.use()
        for side in (a, b):
            side.prepare(b"s" * 32, bytes(32), bytes(32))
        a.switch()
        self.assertEqual((one.epoch, other.epoch), (1, 0))
        self.assertFalse(early.serves(one, 1))
        inward = other.take(one.use().frame[HEAD_SIZE:])
        self.assertEqual((inward.epoch, inward.behind), (1, False))
        self.assertEqual(other.take(early.frame[HEAD_SIZE:]).epoch, 0)

    def test_a_use_of_the_epoch_before_opens_until_that_is_forgotten(self) -> None:
        a, b = pair()
        one, other = StreamSeal(a), StreamSeal(b)
        uses = [one.use() for _ in range(2)]
        late = sealed(uses[0], b"still")
        turn(a, b)
        inward = other.take(uses[0].frame[HEAD_SIZE:])
        self.assertTrue(inward.behind)
        b.forget_before()
        self.assertEqual(self.reason(other, uses[1].frame[HEAD_SIZE:]), "epoch")
        self.assertEqual(opened(inward, late), b"still")

    def test_epochs_wrap_at_256(self) -> None:
        a, b = pair()
        one, other = StreamSeal(a), StreamSeal(b)
        for number in range(258):
            outward = one.use()
            self.assertEqual(outward.frame[8], number & 255)
            self.assertEqual(opened(other.take(outward.frame[HEAD_SIZE:]), sealed(outward, b"x")), b"x")
            turn(a, b, bytes([number & 255]) * 32)
