"""An object coming in: whole at the end or given up, whatever comes in whatever order."""

from __future__ import annotations

import hashlib
import tracemalloc
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.limits import Limits
from rhotwist.link.messages import Ack, GoneReason, Offer
from rhotwist.link.object_in import ACK_BYTES, ACK_WINDOW, ObjectIn, recut
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.secret.suite import CHACHA
from rhotwist.wire.object_packet import CLASSES, HALF, OBJECT_HEADER, piece_count
from tests import FULL

KEY = bytes(range(32))
LIMITS = Limits()
SEEDS = 100 if FULL else 20


class Sender:
    """The other side, as bare as can be: it seals what it is told to."""

    def __init__(self, size: int, size_class: int = 4, *, seed: int = 1, id: int = 7) -> None:
        self.data = Random(seed).randbytes(size)
        self.size_class = size_class
        self.seal = ObjectSeal(KEY, CHACHA, 99, id)
        named = hashlib.sha256(b"\0" + self.data).digest()
        self.offer = Offer(id=id, key=KEY, named=named, size=size, size_class=size_class, hashcode=1, kind=0)

    @property
    def count(self) -> int:
        return piece_count(len(self.data), self.size_class)

    def packets(self, *indices: int, size_class: int | None = None, ask: bool = False) -> list[bytes]:
        chosen, data = self.size_class if size_class is None else size_class, memoryview(self.data)
        return [
            packet for index in indices
            for packet in self.seal.seal_run(chosen, [index], data, ask=ask and index == indices[-1])
        ]  # fmt: skip

    def all(self) -> list[bytes]:
        return self.packets(*range(self.count))

    def receiver(self, mono: float = 0.0, **how: object) -> ObjectIn:
        how = {"limits": LIMITS, "store": bytearray} | how
        seal = ObjectSeal(KEY, CHACHA, 99, self.offer.id)
        return ObjectIn(self.offer, seal, mono=mono, **how)  # type: ignore[arg-type]


def bits(ack: Ack) -> set[int]:
    """The indices that an ack says are here."""
    value = int.from_bytes(ack.bitmap, "little")
    return set(range(ack.base)) | {ack.base + i for i in range(value.bit_length()) if value >> i & 1}


class Arrival(SynchronousTestCase):
    """What comes finds its place."""

    def test_all_packets_make_the_object_and_the_last_ack_says_so(self) -> None:
        for size in (1, 1_151, 1_152, 1_153, 50_000):
            sender = Sender(size)
            object_in = sender.receiver()
            self.assertEqual(object_in.take(sender.all(), 1.0), sender.count)
            self.assertTrue(object_in.whole)
            self.assertEqual(bytes(object_in.hand_over()), sender.data)
            self.assertEqual(object_in.progress, size)
            ack = object_in.ack(1.0)
            assert ack is not None
            self.assertEqual((ack.base, ack.bitmap, ack.counter, ack.id), (sender.count, b"", sender.count - 1, 7))
            self.assertIsNone(object_in.ack(9.0))

    def test_in_any_order_twice_and_in_any_batches(self) -> None:
        for seed in range(SEEDS):
            random = Random(seed)
            sender = Sender(random.randint(1, 90_000), random.randrange(6), seed=seed)
            packets = [*sender.all(), *sender.all()]
            random.shuffle(packets)
            object_in = sender.receiver()
            at = new = 0
            while at < len(packets):
                step = random.randint(1, 60)
                new += object_in.take(packets[at : at + step], at * 1e-3)
                object_in.ack(at * 1e-3)
                at += step
            self.assertEqual(new, sender.count, f"seed {seed}")
            self.assertEqual((object_in.whole, bytes(object_in.hand_over())), (True, sender.data), f"seed {seed}")
            self.assertEqual(object_in.progress, len(sender.data), f"seed {seed}")

    def test_halved_packets_and_late_whole_ones_fill_the_same_object(self) -> None:
        for seed in range(SEEDS):
            random = Random(seed)
            sender = Sender(random.randint(10_000, 60_000), 5, seed=seed)
            object_in = sender.receiver()
            packets = random.sample(sender.all(), sender.count // 2)
            late, packets = packets[:5], packets[5:]
            object_in.take(packets, 0.0)
            for smaller in (3, 1):
                self.assertEqual(HALF[5 if smaller == 3 else 3], smaller)
                count = piece_count(len(sender.data), smaller)
                some = random.sample(range(count), count // 2)
                object_in.take([*sender.packets(*some, size_class=smaller), late.pop()], 0.1)
                self.assertEqual(object_in.size_class, smaller)
                ack = object_in.state(0.1)
                self.assertEqual(ack.size_class, smaller)
                self.assertLessEqual(set(some), bits(ack))
            missing = set(range(piece_count(len(sender.data), 1))) - bits(object_in.state(0.2))
            object_in.take(late, 0.2)
            object_in.take(sender.packets(*missing, size_class=1), 0.2)
            self.assertEqual((object_in.whole, bytes(object_in.hand_over())), (True, sender.data), f"seed {seed}")
            self.assertEqual(object_in.progress, len(sender.data))

    def test_what_is_here_is_counted_by_its_bytes(self) -> None:
        sender = Sender(3_000)
        object_in = sender.receiver()
        for index, progress in ((2, 696), (0, 1_848), (1, 3_000)):
            object_in.take(sender.packets(index), 0.0)
            self.assertEqual(object_in.progress, progress)

    def test_a_cut_in_other_pieces_keeps_what_is_whole(self) -> None:
        self.assertEqual(recut(bytearray([1, 0, 1]), 1_152 * 3, 4, 2), bytearray([1, 1, 0, 0, 1, 1]))
        self.assertEqual(recut(bytearray([1, 1, 0, 0, 1, 1]), 1_152 * 3, 2, 4), bytearray([1, 0, 1]))
        self.assertEqual(recut(bytearray([1, 0, 1]), 1_152 * 2 + 100, 4, 2), bytearray([1, 1, 0, 0, 1]))
        self.assertEqual(recut(bytearray([1, 1, 0]), 3_000, 4, 5), bytearray([1, 0, 0]))


class Acks(SynchronousTestCase):
    """When one is due, and what it says."""

    def setUp(self) -> None:
        self.sender = Sender(300_000)
        self.object_in = self.sender.receiver()

    def test_a_first_packet_waits_five_milliseconds_for_others(self) -> None:
        self.object_in.take(self.sender.packets(0), 1.0)
        self.assertIsNone(self.object_in.ack(1.0))
        self.assertAlmostEqual(self.object_in.deadline(), 1.005)
        self.object_in.take(self.sender.packets(1), 1.004)
        ack = self.object_in.ack(1.005)
        assert ack is not None
        self.assertEqual((ack.base, ack.bitmap, ack.counter), (2, b"", 1))
        self.assertIn(ack.delay, (9, 10))

    def test_on_a_long_way_it_waits_longer_but_not_much(self) -> None:
        for round_trip, wait in ((0.02, 0.005), (0.08, 0.01), (1.5, 0.025)):
            object_in = self.sender.receiver(round_trip=round_trip)
            object_in.take(self.sender.packets(0), 0.0)
            self.assertAlmostEqual(object_in.deadline(), wait)

    def test_a_batch_is_acknowledged_at_once(self) -> None:
        self.object_in.take(self.sender.packets(*range(ACK_BYTES // 1_152 + 1)), 1.0)
        self.assertIsNotNone(self.object_in.ack(1.0))
        self.assertIsNone(self.object_in.ack(9.0))

    def test_gaps_are_told_with_the_rest(self) -> None:
        self.object_in.take(self.sender.packets(0, 1, 3, 4, 7), 1.0)
        self.assertIsNone(self.object_in.ack(1.0))  # a sender that tests our honesty leaves one in 64
        ack = self.object_in.ack(1.005)
        assert ack is not None
        self.assertEqual((ack.base, ack.bitmap), (2, b"\x26"))
        self.assertEqual(bits(ack), {0, 1, 3, 4, 7})

    def test_a_packet_that_asks_is_answered_at_once_also_if_it_is_here(self) -> None:
        self.object_in.take(self.sender.packets(0), 1.0)
        self.object_in.ack(2.0)
        self.object_in.take(self.sender.packets(0), 3.0)
        self.assertIsNone(self.object_in.ack(3.0))
        self.object_in.take(self.sender.packets(0, ask=True), 4.0)
        ack = self.object_in.ack(4.0)
        assert ack is not None
        self.assertEqual(ack.counter, 2)

    def test_after_the_end_a_packet_that_asks_draws_the_last_ack_again(self) -> None:
        self.object_in.take(self.sender.all(), 1.0)
        self.object_in.ack(1.0)
        self.object_in.take(self.sender.packets(5), 2.0)
        self.assertIsNone(self.object_in.ack(2.0))
        self.object_in.take(self.sender.packets(5, ask=True), 3.0)
        ack = self.object_in.ack(3.0)
        assert ack is not None
        self.assertEqual((ack.base, ack.bitmap, ack.delay), (self.sender.count, b"", 0))

    def test_a_probe_is_answered_in_its_own_class_and_brings_nothing(self) -> None:
        self.object_in.take([self.sender.seal.seal_probe(5)], 1.0)
        acks = [self.object_in.ack(1.0), self.object_in.ack(1.0)]
        assert acks[0] is not None and acks[1] is not None
        self.assertEqual((acks[0].size_class, acks[0].base, acks[0].bitmap), (5, 0, b""))
        self.assertEqual((acks[1].size_class, acks[1].base), (4, 0))
        self.assertEqual((self.object_in.progress, self.object_in.ack(9.0)), (0, None))

    def test_an_object_of_more_packets_than_a_bitmap_is_told_of_in_a_window(self) -> None:
        sender = Sender(288 * (ACK_WINDOW + 500), 0)
        object_in = sender.receiver()
        object_in.take(sender.packets(*range(1, sender.count)), 0.0)
        ack = object_in.ack(0.0)
        assert ack is not None
        self.assertEqual((len(ack.bitmap), bits(ack)), (ACK_WINDOW // 8, set(range(1, ACK_WINDOW))))
        self.assertEqual(len(ack.encode()), len(Ack.decode(ack.encode()).encode()))
        object_in.take(sender.packets(0), 0.0)
        self.assertTrue(object_in.whole)


class Attacks(SynchronousTestCase):
    """threats.md 2.3 and 2.4, as far as one object goes."""

    def test_nothing_is_reserved_before_a_packet_has_opened(self) -> None:
        asked: list[int] = []

        def store(size: int) -> bytearray:
            asked.append(size)
            return bytearray(size)

        sender = Sender(2_000_000)
        object_in = sender.receiver(store=store)
        forged = [packet[:-1] + bytes([packet[-1] ^ 1]) for packet in sender.packets(0, 1)]
        self.assertEqual(object_in.take([b"", b"x" * 33, *forged], 0.0), 0)
        self.assertEqual((asked, object_in.began, object_in.seal.refused), ([], False, 4))
        object_in.take(sender.packets(3), 0.0)
        object_in.take(sender.packets(4), 0.0)
        self.assertEqual((asked, object_in.began), ([2_000_000], True))

    def test_without_room_it_is_given_up_and_takes_no_more(self) -> None:
        sender = Sender(5_000)
        object_in = sender.receiver(store=lambda size: None)
        self.assertEqual(object_in.take(sender.all(), 0.0), 0)
        self.assertIs(object_in.failed, GoneReason.NO_ROOM)
        self.assertTrue(object_in.expired(0.0))

    def test_no_flipped_bit_of_a_packet_gets_in(self) -> None:
        sender = Sender(5_000, 0)
        object_in = sender.receiver()
        object_in.take(sender.packets(0), 0.0)
        packet = sender.packets(3)[0]
        step = 1 if FULL else 7
        for bit in range(0, len(packet) * 8, step):
            flipped = bytearray(packet)
            flipped[bit // 8] ^= 1 << bit % 8
            self.assertEqual(object_in.take([bytes(flipped)], 0.0), 0, f"bit {bit}")
        self.assertEqual((object_in.progress, object_in.seal.newest), (288, 0))
        self.assertEqual(object_in.take([packet], 0.0), 1)

    def test_every_length_is_refused_but_the_right_one(self) -> None:
        sender = Sender(5_000)
        object_in = sender.receiver()
        object_in.take(sender.packets(0), 0.0)
        packet = sender.packets(1)[0]
        for length in (*range(0, 1_500, 1 if FULL else 13), 8_192, 8_193, 65_507):
            if length != len(packet):
                self.assertEqual(object_in.take([packet.ljust(length, b"\0")[:length]], 0.0), 0)
        self.assertEqual(object_in.take([packet], 0.0), 1)

    def test_an_index_outside_or_a_piece_of_the_wrong_size_is_written_nowhere(self) -> None:
        sender = Sender(5_000)
        object_in = sender.receiver()
        object_in.take(sender.packets(0), 0.0)
        before = object_in.head(5_000)
        longer = memoryview(sender.data + bytes(9_000))
        for size_class, index in ((4, 4), (4, 5), (4, 9), (5, 3), (5, 4), (2, 8), (0, 17), (0, 18)):
            self.assertEqual(object_in.take(sender.seal.seal_run(size_class, [index], longer), 0.0), 0)
        # What a smaller class brings in the right size counts, and only that.
        self.assertEqual(object_in.head(1_152), sender.data[:1_152])
        self.assertIsNone(before)
        self.assertEqual(object_in.progress, 1_152)

    def test_a_place_that_is_filled_is_not_filled_again_with_other_bytes(self) -> None:
        sender = Sender(100_000)
        object_in = sender.receiver()
        object_in.take(sender.packets(*range(80)), 0.0)  # most of it is hashed by now
        other = memoryview(bytes(100_000))
        object_in.take(sender.seal.seal_run(4, range(80), other), 0.0)
        object_in.take(sender.seal.seal_run(5, range(60), other), 0.0)
        object_in.take(sender.seal.seal_run(2, range(160), other), 0.0)
        object_in.take(sender.packets(*range(160, 174), size_class=2), 0.0)
        self.assertTrue(object_in.whole)
        self.assertEqual(bytes(object_in.hand_over()), sender.data)

    def test_bytes_that_are_not_what_was_offered_are_given_up_and_never_acknowledged_as_whole(self) -> None:
        sender = Sender(5_000)
        object_in = sender.receiver()
        wrong = memoryview(bytes([sender.data[0] ^ 1]) + sender.data[1:])
        object_in.take(sender.seal.seal_run(4, range(sender.count), wrong), 0.0)
        self.assertIs(object_in.failed, GoneReason.WRONG_HASH)
        self.assertFalse(object_in.whole)
        self.assertLess(object_in.state(0.0).base, sender.count)
        self.assertEqual(object_in.take(sender.all(), 0.0), 0)

    def test_one_packet_just_before_each_timeout_is_ended_by_the_least_rate(self) -> None:
        sender = Sender(2_000_000)
        object_in = sender.receiver()
        mono, index = 0.0, 0
        while not object_in.expired(mono):
            object_in.take(sender.packets(index), mono)
            index += 1
            mono += LIMITS.object_idle - 0.001
        self.assertIs(object_in.failed, GoneReason.TOO_SLOW)
        self.assertLess(index, 4)

    def test_the_deadline_is_absolute_at_the_least_rate_that_is_let_through(self) -> None:
        sender = Sender(200_000)
        object_in = sender.receiver()
        step = 1_152 / LIMITS.object_rate * 0.999
        for index in range(sender.count - 1):
            object_in.take(sender.packets(index), index * step)
            self.assertFalse(object_in.expired(index * step))
        self.assertLess(object_in.deadline(), LIMITS.object_grace + 200_000 / LIMITS.object_rate)

    def test_silence_ends_it_and_only_news_put_that_off(self) -> None:
        sender = Sender(100_000)
        object_in = sender.receiver()
        packet = sender.packets(0)
        object_in.take(sender.packets(*range(1, 60)), 0.0)
        object_in.take(packet, 5.0)
        object_in.ack(6.0)
        for mono in (10.0, 20.0, 30.0):
            object_in.take(packet, mono)
        self.assertEqual(object_in.deadline(), 35.0)
        self.assertFalse(object_in.expired(34.9))
        self.assertTrue(object_in.expired(35.0))

    def test_a_whole_one_does_not_expire(self) -> None:
        sender = Sender(5_000)
        object_in = sender.receiver()
        object_in.take(sender.all(), 0.0)
        object_in.ack(0.0)
        self.assertFalse(object_in.expired(1e6))
        self.assertEqual(object_in.deadline(), float("inf"))

    def test_a_million_replayed_packets_grow_nothing(self) -> None:
        sender = Sender(50_000)
        object_in = sender.receiver()
        packets = sender.packets(*range(30))
        object_in.take(packets, 0.0)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(30_000 if FULL else 300):
                object_in.take(packets, 1.0)
            self.assertLess(tracemalloc.get_traced_memory()[0] - before, 4_096)
        finally:
            tracemalloc.stop()


class Continuation(SynchronousTestCase):
    """Offered anew, under another key and id."""

    def test_what_is_here_stays_and_the_rest_comes_under_the_new_key(self) -> None:
        for size_class in (4, 2, 5):
            sender = Sender(60_000)
            object_in = sender.receiver()
            object_in.take(sender.packets(*range(0, 40, 2)), 0.0)
            anew = Sender(60_000, size_class, id=8)
            anew.seal = ObjectSeal(bytes(32), CHACHA, 99, 8)
            have = object_in.again(anew.offer, ObjectSeal(bytes(32), CHACHA, 99, 8), 5.0)
            here = int.from_bytes(have, "little")
            missing = [index for index in range(anew.count) if not here >> index & 1]
            self.assertEqual(object_in.take(sender.packets(1), 5.0), 0)  # the old key is no more
            self.assertEqual(object_in.take(anew.packets(*missing), 6.0), len(missing))
            self.assertEqual((object_in.whole, bytes(object_in.hand_over())), (True, sender.data))
            ack = object_in.ack(6.0)
            assert ack is not None
            self.assertEqual((ack.id, ack.base, ack.size_class), (8, anew.count, size_class))

    def test_one_that_had_not_begun_begins_under_the_new_key(self) -> None:
        sender = Sender(60_000)
        object_in = sender.receiver()
        anew = Sender(60_000, 5, id=8)
        self.assertEqual(object_in.again(anew.offer, ObjectSeal(KEY, CHACHA, 99, 8), 1.0), b"")
        object_in.take(anew.all(), 1.0)
        self.assertTrue(object_in.whole)

    def test_bytes_that_a_coarser_cut_threw_away_are_not_hashed_before_they_come_again(self) -> None:
        sender = Sender(400_000)
        object_in = sender.receiver()
        object_in.take(sender.packets(*range(100)), 0.0)
        anew = Sender(400_000, 6, id=8)
        object_in.again(anew.offer, ObjectSeal(KEY, CHACHA, 99, 8), 0.0)
        object_in.take(anew.all(), 0.0)
        self.assertTrue(object_in.whole)

    def test_an_object_that_is_let_go_opens_nothing_more(self) -> None:
        sender = Sender(60_000)
        object_in = sender.receiver()
        object_in.take(sender.packets(0), 0.0)
        object_in.release()
        self.assertEqual(object_in.take(sender.packets(1), 0.0), 0)
        self.assertFalse(object_in.began)


class Header(SynchronousTestCase):
    """Found by chance of bits alone."""

    def test_random_headers_write_nothing(self) -> None:
        sender = Sender(5_000)
        object_in = sender.receiver()
        object_in.take(sender.packets(0), 0.0)
        random, before = Random(5), object_in.head(1_152)
        tail = sender.packets(1)[0][OBJECT_HEADER:]
        for _ in range(65_536 if FULL else 2_000):
            length = random.choice((len(tail), random.randint(0, 3_000)))
            object_in.take([random.randbytes(OBJECT_HEADER) + tail[:length]], 0.0)
        self.assertEqual((object_in.progress, object_in.head(1_152)), (1_152, before))
        self.assertEqual(max(CLASSES), 45_056)
