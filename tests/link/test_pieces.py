"""The array of pieces: every piece goes out once, comes back when lost, and only what was sent can have arrived."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.link.messages import Ack
from rhotwist.link.pieces import HELD_OF, Pieces


def pieces(total: int, size_class: int = 4) -> Pieces:
    """An object of so many pieces, the last of them short by a byte."""
    return Pieces(total * (288, 352, 576, 704, 1_152)[size_class] - 1, size_class, random.Random(1).randbytes)


def ack(base: int = 0, bits: int = 0, size_class: int = 4) -> Ack:
    """What the peer says."""
    bitmap = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return Ack(id=1, size_class=size_class, base=base, counter=0, delay=0, bitmap=bitmap)


def refusal(array: Pieces, said: Ack) -> str | None:
    """Why an ack is refused; None if it is not."""
    try:
        array.read(said)
    except BadPacket as error:
        return error.reason
    return None


class PieceTests(SynchronousTestCase):
    @given(st.integers(1, 400), st.randoms(use_true_random=False))
    def test_each_piece_goes_out_once_whatever_the_portions(self, total: int, draw: random.Random) -> None:
        array = pieces(total)
        sent: list[int] = []
        while array.waiting:
            indices, mask = array.take(draw.randint(1, 50))
            self.assertEqual(mask, sum(1 << index for index in indices))
            sent += indices
        self.assertEqual(sorted(sent), list(range(total)))
        self.assertEqual(array.flying, (1 << total) - 1)
        self.assertEqual(array.take(5), ([], 0))

    def test_one_piece_of_64_is_held_back_until_the_next_64_begin(self) -> None:
        array = pieces(3 * HELD_OF)
        first = array.take(HELD_OF - 1)[0]
        held = set(range(HELD_OF)) - set(first)
        self.assertEqual(len(held), 1)
        self.assertEqual(set(array.take(1)[0]), held)

    def test_the_lost_go_before_the_new_and_what_has_arrived_goes_no_more(self) -> None:
        array = pieces(40)
        array.take(10)
        self.assertEqual(array.lose(0b1100), 2 * 1_152)
        self.assertEqual(array.arrived(0b0101 | 1 << 12), 1_152)
        self.assertEqual(array.take(4)[0], [3, 10, 11, 13])

    def test_delivered_counts_the_short_last_piece_as_it_is(self) -> None:
        array = pieces(3)
        array.take(3)
        array.arrived(0b011)
        self.assertEqual(array.delivered, 2 * 1_152)
        array.arrived(0b100)
        self.assertEqual(array.delivered, array.size)

    def test_an_ack_is_everything_below_its_base_and_its_bits_above(self) -> None:
        array = pieces(40)
        array.take(20)
        self.assertEqual(array.read(ack(3, 0b101)), 0b101111)

    def test_an_ack_of_what_was_never_sent_is_a_lie(self) -> None:
        array = pieces(3 * HELD_OF)
        sent = sum(1 << index for index in array.take(40)[0])
        self.assertEqual(array.read(ack(0, sent)), sent)
        self.assertEqual(refusal(array, ack(0, sent | 1 << 41)), "unsent")
        self.assertEqual(refusal(array, ack(42)), "unsent")
        array = pieces(3 * HELD_OF)
        sent = sum(1 << index for index in array.take(HELD_OF - 1)[0])
        self.assertEqual(refusal(array, ack(HELD_OF)), "unsent")

    def test_an_ack_beyond_the_array_or_of_a_foreign_class_is_refused(self) -> None:
        array = pieces(10)
        array.take(10)
        for wrong, reason in (
            (ack(11), "index"), (ack(0, 1 << 10), "index"), (ack(2**32 - 1), "index"), (ack(1, 0, 5), "class"),
            (ack(0, 1, 3), "class"), (ack(0, 1, 2), "class"), (ack(0, 1, 11), "class"), (ack(1, 0, 255), "class"),
        ):  # fmt: skip
            self.assertEqual(refusal(array, wrong), reason)
        self.assertEqual(array.read(ack(0, 0, 6)), 0)

    @given(st.integers(1, 200), st.sets(st.integers(0, 199)))
    def test_halving_keeps_what_has_arrived_and_acks_of_before_still_count(self, total: int, here: set[int]) -> None:
        array = pieces(total)
        array.take(total)
        bits = sum(1 << index for index in here if index < total)
        array.arrived(bits)
        size = array.delivered
        self.assertTrue(array.halve())
        self.assertEqual((array.size_class, array.stride, array.total), (2, 576, -(-array.size // 576)))
        self.assertEqual(array.delivered, size)
        self.assertEqual(array.read(ack(0, bits)), array.here)
        self.assertEqual(array.here | array.lost, (1 << array.total) - 1)
        self.assertEqual((array.here & array.lost, array.flying), (0, 0))

    def test_halving_ends_at_the_smallest_class(self) -> None:
        array = pieces(3, 0)
        self.assertFalse(array.halve())
        self.assertEqual(array.size_class, 0)

    @given(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=1_024))
    def test_any_ack_is_read_or_refused(self, size_class: int, base: int, bitmap: bytes) -> None:
        array = pieces(100)
        array.take(70)
        said = Ack(id=1, size_class=size_class, base=base, counter=0, delay=0, bitmap=bitmap)
        try:
            self.assertEqual(array.read(said) >> 100, 0)
        except BadPacket:
            pass
