"""Packets of big objects: each piece opens in its place, no nonce comes twice, and nothing wrong moves anything."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import KeySpent, LocalError
from rhotwist.secret import audit
from rhotwist.secret.object_seal import ObjectSeal
from rhotwist.secret.suite import SUITES, aead
from rhotwist.wire.datagram import Train
from rhotwist.wire.object_packet import (
    ASK,
    CLASSES,
    OBJECT_OVERHEAD,
    PROBE,
    ObjectHeader,
    piece_count,
    read_object_header,
)

KEY = bytes(range(32))
CODE, ID = 0x01020304, 7


def seal(suite: int = 2, key: bytes = KEY, **options: int) -> ObjectSeal:
    """One end of an object's key."""
    return ObjectSeal(key, suite, CODE, ID, **options)


def seal_as(counter: int, index: int, piece: bytes) -> bytes:
    """The datagram of one piece, by the page alone: class 0, suite 2."""
    header = ObjectHeader(0, ID, CODE, counter, index, False).encode()
    return header + aead(2, KEY).encrypt(bytes(8) + counter.to_bytes(4, "big"), piece, header)


class Receiver:
    """Where an object arrives: its buffer and one byte a piece."""

    def __init__(self, size: int, size_class: int, suite: int = 2) -> None:
        self.seal = seal(suite)
        self.size_class = size_class
        self.buffer = bytearray(size)
        self.here = bytearray(piece_count(size, size_class))

    def take(self, datagrams: Sequence[bytes]) -> tuple[list[int], list[bytes]]:
        """Open a batch."""
        return self.seal.open_run(datagrams, self.size_class, memoryview(self.buffer), self.here)


class SealTests(SynchronousTestCase):
    """What one side seals."""

    def test_the_bytes_are_those_of_the_spec_page(self) -> None:
        data = bytes(range(256)) * 3
        for suite in SUITES:
            run = seal(suite).seal_run(0, [0, 2], memoryview(data), ask=True)
            for counter, (index, datagram) in enumerate(zip((0, 2), run, strict=True)):
                header = ObjectHeader(0, ID, CODE, counter, index, index == 2).encode()
                nonce = bytes(8) + counter.to_bytes(4, "big")
                piece = data[index * 288 : index * 288 + 288]
                self.assertEqual(datagram, header + aead(suite, KEY).encrypt(nonce, piece, header))

    def test_every_seal_takes_the_next_counter_whatever_it_carries(self) -> None:
        own = seal()
        data = memoryview(bytes(3_000))
        run = [*own.seal_run(4, [0, 1, 2], data), *own.seal_run(4, [1], data)]
        run += [own.seal_probe(5), *own.seal_run(2, [5], data), *own.seal_run(4, [], data)]
        self.assertEqual([read_object_header(datagram).counter for datagram in run], list(range(6)))
        self.assertEqual((own.sealed, own.left), (6, 2**22 - 6))
        self.assertEqual((len(run[4]), read_object_header(run[4]).index), (1_408 + OBJECT_OVERHEAD, PROBE))

    def test_no_nonce_comes_twice_through_resends_halving_and_probes(self) -> None:
        seen: dict[tuple[bytes, bytes], bytes] = {}
        draw = random.Random(1)

        def look(key: bytes, nonce: bytes, digest: bytes) -> None:
            self.assertNotIn((key, nonce), seen)
            seen[key, nonce] = digest

        self.patch(audit, "hook", look)
        own, data = seal(), memoryview(bytes(11_520))
        for _ in range(200):
            size_class = draw.choice([0, 2, 4])
            total = piece_count(11_520, size_class)
            own.seal_run(size_class, sorted(draw.sample(range(total), draw.randrange(min(20, total)))), data)
            own.seal_probe(size_class)
        self.assertEqual({key for key, _ in seen}, {KEY})
        self.assertEqual(len(seen), own.sealed)

    def test_a_key_at_its_limit_seals_nothing_more_and_not_a_part_of_a_run(self) -> None:
        own = seal(seals_max=3)
        data = memoryview(bytes(1_152))
        own.seal_run(0, [0, 1], data)
        self.assertRaises(KeySpent, own.seal_run, 0, [2, 3], data)
        self.assertEqual(len(own.seal_run(0, [2], data)), 1)
        self.assertRaises(KeySpent, own.seal_probe, 5)
        self.assertEqual((own.sealed, own.left), (3, 0))

    def test_an_erased_key_seals_and_opens_nothing(self) -> None:
        receiver = Receiver(288, 0)
        datagrams = seal().seal_run(0, [0], memoryview(bytes(288)))
        receiver.seal.erase()
        self.assertEqual(receiver.take(datagrams), ([], []))
        self.assertIsNone(receiver.seal.open_one(datagrams[0]))
        self.assertEqual((receiver.seal.refused, receiver.seal.left), (2, 0))
        self.assertRaises(KeySpent, receiver.seal.seal_run, 0, [0], memoryview(bytes(288)))
        self.assertRaises(KeySpent, receiver.seal.seal_probe, 0)

    def test_what_cannot_be_a_seal_is_our_own_mistake(self) -> None:
        for key, suite, number in ((bytes(31), 2, 1), (KEY, 9, 1), (KEY, 2, 0), (KEY, 2, 2**24)):
            self.assertRaises(LocalError, ObjectSeal, key, suite, CODE, number)

    def test_a_head_before_the_data_is_as_if_it_were_one(self) -> None:
        data = memoryview(bytes(range(256)) * 4)
        for lead in (0, 1, 116, 287):
            for indices in ([0], [0, 1, 3], [1, 2], [2, 3]):
                apart = seal().seal_run(0, indices, data[lead:], head=bytes(data[:lead]))
                self.assertEqual(list(apart), list(seal().seal_run(0, indices, data)))

    def test_pieces_out_of_order_are_our_own_mistake_and_seal_nothing(self) -> None:
        own, data = seal(), memoryview(bytes(1_000))
        for indices in ([1, 0], [0, 0], [0, 3, 2]):
            self.assertRaises(LocalError, own.seal_run, 0, indices, data)
        self.assertEqual(own.sealed, 0)

    def test_counters_beyond_the_table_of_nonces_are_nonces_all_the_same(self) -> None:
        own, data = seal(), memoryview(bytes(288 * 100))
        for _ in range(25):
            run = own.seal_run(0, range(100), data)
        self.assertEqual(run[99], seal_as(own.sealed - 1, 99, bytes(288)))
        receiver = Receiver(288 * 100, 0)
        self.assertEqual(len(receiver.take(run)[0]), 100)
        self.assertEqual(receiver.seal.newest, 2_499)

    def test_its_key_is_in_no_repr(self) -> None:
        self.assertNotIn(repr(KEY)[2:20], repr(seal()))


class OpenTests(SynchronousTestCase):
    """What the other side opens."""

    @given(
        st.integers(1, 6_000), st.sampled_from([0, 1, 2, 3, 4, 5]), st.sampled_from(sorted(SUITES)),
        st.randoms(use_true_random=False),
    )  # fmt: skip
    def test_an_object_arrives_whole_in_any_order(
        self, size: int, size_class: int, suite: int, draw: random.Random
    ) -> None:
        data = draw.randbytes(size)
        receiver = Receiver(size, size_class, suite)
        order = list(range(len(receiver.here)))
        sealed = list(seal(suite).seal_run(size_class, order, memoryview(data)))
        draw.shuffle(order)
        datagrams = [sealed[index] for index in order]
        self.assertEqual(receiver.take(datagrams + datagrams), (order, []))
        self.assertEqual((bytes(receiver.buffer), receiver.seal.refused), (data, 0))
        self.assertEqual((receiver.seal.newest, all(receiver.here)), (len(order) - 1, True))

    @given(st.integers(1, 8_000), st.sampled_from(sorted(SUITES)), st.randoms(use_true_random=False))
    def test_a_train_opens_as_its_datagrams_do_one_by_one(self, size: int, suite: int, draw: random.Random) -> None:
        data = draw.randbytes(size)
        total = piece_count(size, 0)
        own = seal(suite)
        packets = list(own.seal_run(0, range(total), memoryview(data), ask=draw.random() < 0.5))
        packets += own.seal_run(0, sorted(draw.sample(range(total), min(total, 3))), memoryview(data))
        if draw.random() < 0.5:
            packets.append(own.seal_probe(0))
        if draw.random() < 0.3:
            packets += own.seal_run(0, [0], memoryview(bytes(288)), ask=True)
        draw.shuffle(packets)
        packets.sort(key=len, reverse=True)  # a train has one short packet, its last
        shorter = [packet for packet in packets if len(packet) < len(packets[0])]
        packets = packets[: len(packets) - len(shorter)] + shorter[:1]
        if draw.random() < 0.5:
            at, bit = draw.randrange(len(packets)), 1 << draw.randrange(8)
            wrong = bytearray(packets[at])
            wrong[draw.randrange(len(wrong))] ^= bit
            packets[at] = bytes(wrong)
        one, other = Receiver(size, 0, suite), Receiver(size, 0, suite)
        apart = one.take(packets)
        fresh, others = other.take(Train(memoryview(bytearray(b"".join(packets))), len(packets[0])))
        self.assertEqual((sorted(fresh), others), (sorted(apart[0]), apart[1]))
        self.assertEqual((other.buffer, other.here), (one.buffer, one.here))
        for name in ("newest", "asked", "refused"):
            self.assertEqual(getattr(other.seal, name), getattr(one.seal, name), name)

    def test_of_a_train_that_is_all_new_only_a_packet_that_asks_is_opened_apart(self) -> None:
        apart: list[int] = []
        whole = ObjectSeal._open_each

        def count(own: ObjectSeal, datagrams: Sequence[bytes], *how: Any) -> Any:
            apart.append(len(datagrams))
            return whole(own, datagrams, *how)

        self.patch(ObjectSeal, "_open_each", count)
        data = memoryview(bytes(20 * 288))
        for ask in (False, True):
            receiver = Receiver(len(data), 0)
            self.assertEqual(receiver.take(seal().seal_run(0, range(20), data, ask=ask))[0], list(range(20)))
        self.assertEqual(apart, [0, 1])

    def test_junk_anywhere_in_a_train_costs_its_own_packet_and_no_other(self) -> None:
        data = random.Random(4).randbytes(44 * 288)
        sealed = list(seal().seal_run(0, range(44), memoryview(data)))
        for at in range(44):
            for junk in (bytes(320), sealed[at][:-1] + bytes([sealed[at][-1] ^ 1])):
                receiver = Receiver(len(data), 0)
                packets = [*sealed[:at], junk, *sealed[at + 1 :]]
                fresh, others = receiver.take(Train(b"".join(packets), 320))
                self.assertEqual(sorted(fresh), [index for index in range(44) if index != at])
                self.assertEqual(len(others) + receiver.seal.refused, 1)

    def test_any_changed_byte_is_refused_and_no_piece_is_here(self) -> None:
        (datagram,) = seal().seal_run(0, [1], memoryview(bytes(1_000)))
        for at in range(len(datagram)):
            receiver = Receiver(1_000, 0)
            wrong = bytearray(datagram)
            wrong[at] ^= 0x10
            fresh, others = receiver.take([bytes(wrong)])
            self.assertEqual((fresh, any(receiver.here)), ([], False))
            self.assertEqual(len(others) + receiver.seal.refused, 1)
            for other in others:
                self.assertIsNone(receiver.seal.open_one(other))
            self.assertEqual(receiver.seal.newest, -1)

    def test_a_wrong_packet_does_not_touch_a_piece_that_is_here(self) -> None:
        receiver = Receiver(288, 0)
        receiver.take(seal().seal_run(0, [0], memoryview(b"a" * 288)))
        forged = seal(key=bytes(32)).seal_run(0, [0], memoryview(b"b" * 288), ask=True)
        receiver.take(forged)
        self.assertEqual((bytes(receiver.buffer), receiver.seal.refused), (b"a" * 288, 1))
        self.assertFalse(receiver.seal.asked)

    def test_a_piece_of_the_wrong_length_is_refused_though_it_opens(self) -> None:
        own = seal()
        long = own.seal_run(0, [3], memoryview(bytes(4 * 288)))
        short = own.seal_run(0, [0], memoryview(bytes(100)))
        receiver = Receiver(1_000, 0)
        self.assertEqual(receiver.take([*long, *short]), ([], []))
        self.assertEqual((receiver.seal.refused, sum(receiver.here)), (2, 0))

    def test_an_ask_is_heard_from_a_new_piece_and_from_one_that_is_here(self) -> None:
        own, receiver = seal(), Receiver(288, 0)
        receiver.take(own.seal_run(0, [0], memoryview(bytes(288))))
        self.assertFalse(receiver.seal.asked)
        self.assertEqual(receiver.take(own.seal_run(0, [0], memoryview(bytes(288)), ask=True)), ([], []))
        self.assertTrue(receiver.seal.asked)
        self.assertEqual(receiver.seal.newest, 1)

    def test_probes_and_other_classes_are_left_for_opening_one_by_one(self) -> None:
        own, receiver = seal(), Receiver(2_304, 4)
        data = memoryview(bytes(range(256)) * 9)
        half, probe = own.seal_run(2, [3], data)[0], own.seal_probe(5)
        beyond = own.seal_run(4, [0, 1], data)
        fresh, others = receiver.take([half, probe, b"", *beyond])
        self.assertEqual((fresh, others), ([0, 1], [half, probe, b""]))
        self.assertEqual(receiver.seal.open_one(half), (2, 3, bytes(data[3 * 576 : 4 * 576])))
        self.assertFalse(receiver.seal.asked)
        self.assertEqual(receiver.seal.open_one(probe), (5, PROBE, bytes(CLASSES[5])))
        self.assertTrue(receiver.seal.asked)
        self.assertIsNone(receiver.seal.open_one(b"\xf6" + bytes(60)))
        self.assertIsNone(receiver.seal.open_one(bytes(OBJECT_OVERHEAD)))

    def test_an_index_beyond_the_array_is_nobody_s_piece(self) -> None:
        own, receiver = seal(), Receiver(288, 0)
        (datagram,) = own.seal_run(0, [1], memoryview(bytes(576)))
        self.assertEqual(receiver.take([datagram]), ([], [datagram]))
        self.assertLess(PROBE, ASK)
