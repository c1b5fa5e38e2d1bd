"""The queue of Hellos without a cookie."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.sieve import PLACES, Turn
from rhotwist.net.strangers import MOST, MOST_BYTES, Strangers
from tests.net.fakes import FROM


class StrangersTests(SynchronousTestCase):
    """Bounded, first come first served."""

    def setUp(self) -> None:
        self.strangers = Strangers()

    def take(self, data: bytes, segment: int = 0) -> None:
        self.strangers.take(bytearray(data + b"what an earlier read left"), len(data), segment, FROM)

    def test_they_come_out_as_they_went_in(self) -> None:
        self.take(b"one")
        self.take(b"twotwo", 3)
        self.assertEqual([self.strangers.next() for _ in range(2)], [(b"one", 0, FROM), (b"twotwo", 3, FROM)])
        self.assertEqual((len(self.strangers), self.strangers.full), (0, 0.0))

    def test_places_and_bytes_are_bounded_and_the_newest_goes(self) -> None:
        for size, most in ((1, MOST), (60_000, MOST_BYTES // 60_000)):
            for _ in range(most + 3):
                self.take(bytes(size))
            self.assertEqual((len(self.strangers), self.strangers.dropped), (most, 3))
            self.assertTrue(self.strangers.full > 0.95)
            self.strangers.next()
            self.take(bytes(size))
            self.assertEqual((len(self.strangers), self.strangers.dropped), (most, 3))
            self.strangers.clear()
            self.strangers.dropped = 0
            self.assertEqual((len(self.strangers), self.strangers.full), (0, 0.0))

    def test_where_the_kernel_does_not_whose_turn_it_is_not_is_dropped_here(self) -> None:
        self.strangers.turn = Turn(bytes(24), 0, 0)
        self.take(b"\x11\x04\x01\x00code")
        self.strangers.turn = Turn(bytes(24), 0, PLACES)
        self.take(b"\x11\x04\x01\x00code")
        self.assertEqual((len(self.strangers), self.strangers.dropped), (1, 1))
