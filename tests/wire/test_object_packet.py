"""Headers of object packets, and the arithmetic of pieces and halves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.wire.object_packet import (
    ASK,
    CLASSES,
    HALF,
    OBJECT_OVERHEAD,
    ObjectHeader,
    double_bits,
    halvings,
    piece_count,
    read_object_header,
)
from tests.wire.support import refused

HEADERS = st.builds(
    ObjectHeader, st.integers(0, 10), st.integers(1, 2**24 - 1), st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1), st.integers(0, ASK - 1), st.booleans(),
)  # fmt: skip


class ObjectHeaderTests(SynchronousTestCase):
    """16 bytes in clear."""

    def test_the_layout_is_that_of_the_page(self) -> None:
        header = ObjectHeader(4, 0x010203, 0x04050607, 8, 9, True)
        self.assertEqual(header.encode().hex(), "46010203" "04050607" "00000008" "80000009")

    @given(HEADERS, st.integers(1, 288))
    def test_every_header_comes_back(self, header: ObjectHeader, size: int) -> None:
        self.assertEqual(read_object_header(header.encode() + bytes(16 + size)), header)

    def test_what_no_sender_makes_is_refused(self) -> None:
        good = ObjectHeader(4, 1, 2, 3, 4, False).encode() + bytes(17)
        read_object_header(good)
        cases = {
            "short": good[:-1],
            "type": b"\x45" + good[1:],
            "class": b"\xb6" + good[1:],
            "long": b"\x06" + good[1:] + bytes(288),
            "id": good[:1] + bytes(3) + good[4:],
        }
        for reason, datagram in cases.items():
            self.assertEqual(refused(read_object_header, datagram), reason)
        read_object_header(b"\x06" + good[1:16] + bytes(16 + 288))

    @given(st.binary(max_size=60))
    def test_any_bytes_give_a_header_or_bad_packet(self, data: bytes) -> None:
        try:
            read_object_header(data)
        except BadPacket:
            pass


class PieceTests(SynchronousTestCase):
    """The size classes."""

    def test_each_class_halves_exactly_down_to_one_that_does_not(self) -> None:
        for number, half in enumerate(HALF):
            if half is not None:
                self.assertEqual(CLASSES[number], 2 * CLASSES[half])
        self.assertEqual([number for number, half in enumerate(HALF) if half is None], [0, 1])
        self.assertEqual(halvings(10, 1), 7)
        self.assertEqual(halvings(4, 0), 2)
        self.assertIsNone(halvings(5, 4))
        self.assertIsNone(halvings(3, 5))

    def test_the_class_to_start_with_passes_wherever_ipv6_does(self) -> None:
        self.assertLessEqual(CLASSES[4] + OBJECT_OVERHEAD + 48, 1_280)
        self.assertLessEqual(CLASSES[5] + OBJECT_OVERHEAD + 48, 1_500)
        self.assertLessEqual(CLASSES[10] + OBJECT_OVERHEAD + 48, 65_535)

    def test_the_last_piece_may_be_shorter_and_an_object_of_one_byte_has_one(self) -> None:
        self.assertEqual([piece_count(size, 0) for size in (0, 1, 288, 289, 576)], [1, 1, 1, 2, 2])

    @given(st.sets(st.integers(0, 300)))
    def test_a_piece_that_is_here_is_both_its_halves(self, here: set[int]) -> None:
        doubled = double_bits(sum(1 << index for index in here))
        self.assertEqual(doubled, sum(3 << 2 * index for index in here))
