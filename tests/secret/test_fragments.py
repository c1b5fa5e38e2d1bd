"""Halves of a Hello: put together once, in bounded places, the first copy standing."""

import random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.limits import Limits
from rhotwist.secret.fragments import FIRST, SECOND, Fragments
from rhotwist.wire.datagram import pack_address
from rhotwist.wire.packet import COOKIE, HELLO, Header, Hello, read_hello

HERE = pack_address("192.0.2.1", 7460)


def half(
    fragment: int, noise: bytes = b"", *, code: int = 9, cookie: bytes = b"c" * 16, puzzle: bytes = b"\x08" + b"p" * 7,
    suite: int = 4, flags: int = COOKIE,
) -> Hello:  # fmt: skip
    noise = noise or bytes((fragment,)) * 600
    header = Header(HELLO, suite, fragment, flags, code, 0)
    return read_hello(header.encode() + noise + cookie + puzzle + bytes((fragment,)) * 16)


class FragmentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.fragments = Fragments(Limits(), random.Random(1).randbytes)

    def test_two_halves_in_either_order_make_the_whole(self) -> None:
        for order in ((FIRST, SECOND), (SECOND, FIRST)):
            self.assertIsNone(self.fragments.add(HERE, half(order[0]), 0.0))
            whole = self.fragments.add(HERE, half(order[1]), 1.0)
            assert whole is not None
            self.assertEqual(whole.noise, b"\x02" * 600 + b"\x12" * 600)
            self.assertEqual(whole.header, attrs.evolve(half(FIRST).header, fragment=0x01))
            self.assertEqual((whole.cookie, whole.puzzle), (b"c" * 16, b"\x08" + b"p" * 7))
            self.assertEqual((whole.mac1, whole.body), (b"\x02" * 16, half(FIRST).body))
            self.assertEqual(len(self.fragments), 0)

    def test_of_each_half_the_first_copy_stands(self) -> None:
        self.fragments.add(HERE, half(FIRST, b"first" * 100), 0.0)
        self.assertIsNone(self.fragments.add(HERE, half(FIRST, b"later" * 100), 0.1))
        whole = self.fragments.add(HERE, half(SECOND), 0.2)
        self.assertEqual(whole and whole.noise[:500], b"first" * 100)

    def test_a_half_waits_two_seconds_from_its_first_copy(self) -> None:
        self.fragments.add(HERE, half(FIRST), 0.0)
        self.fragments.add(HERE, half(FIRST), 1.5)
        self.assertIsNone(self.fragments.add(HERE, half(SECOND), 2.0))
        self.assertIsNotNone(self.fragments.add(HERE, half(FIRST), 3.9))

    def test_halves_of_different_hellos_never_meet(self) -> None:
        self.fragments.add(HERE, half(FIRST), 0.0)
        other = pack_address("192.0.2.1", 7461)
        self.assertIsNone(self.fragments.add(other, half(SECOND), 0.0))
        self.assertIsNone(self.fragments.add(HERE, half(SECOND, code=8), 0.0))
        self.assertIsNone(self.fragments.add(HERE, half(FIRST), 0.0))
        self.assertIsNone(self.fragments.add(HERE, half(SECOND, cookie=b"d" * 16), 0.0))

    def test_an_address_has_one_place(self) -> None:
        for code in range(1, 50):
            self.fragments.add(HERE, half(FIRST, code=code), 0.0)
        self.assertEqual(len(self.fragments), 1)
        self.assertIsNotNone(self.fragments.add(HERE, half(SECOND, code=49), 0.0))

    def test_halves_that_differ_in_what_must_be_the_same_are_refused_and_the_first_stands(self) -> None:
        for wrong in (half(SECOND, suite=3), half(SECOND, flags=2), half(SECOND, puzzle=b"\x09" + b"p" * 7)):
            self.fragments.add(HERE, half(FIRST), 0.0)
            self.assertRaises(BadPacket, self.fragments.add, HERE, wrong, 0.1)
            self.assertIsNotNone(self.fragments.add(HERE, half(SECOND), 0.2))

    def test_a_flood_of_halves_fills_1024_places_and_leaves_most_of_the_time_one_for_the_honest(self) -> None:
        done = 0
        for number in range(3_000):
            self.fragments.add(pack_address(f"10.1.{number >> 8}.{number & 255}", 1), half(FIRST), 0.0)
            if number >= 1_024 and number % 100 == 0:
                self.fragments.add(HERE, half(FIRST), 0.0)
                for more in range(10):
                    self.fragments.add(pack_address(f"10.2.{number >> 8}.{more}", 1), half(FIRST), 0.0)
                done += self.fragments.add(HERE, half(SECOND), 0.0) is not None
            self.assertLessEqual(len(self.fragments), 1_024)
        self.assertGreaterEqual(done, 18)

    def test_the_last_one_gone_all_are_let_go(self) -> None:
        self.assertIsNone(self.fragments.until)
        for second in range(5):
            self.fragments.add(pack_address(f"192.0.2.{second}", 1), half(FIRST), float(second))
        self.fragments.expire(5.9)
        self.assertEqual((len(self.fragments), self.fragments.until), (5, 6.0))
        self.fragments.expire(6.0)
        self.assertEqual((len(self.fragments), self.fragments.until), (0, None))

    def test_sizes_no_small_path_carries_are_refused(self) -> None:
        self.fragments.add(HERE, half(FIRST, bytes(1_180)), 0.0)
        for wrong in (half(FIRST, bytes(1_181)), half(SECOND, bytes(1_181)), half(FIRST, bytes(31))):
            self.assertRaises(BadPacket, self.fragments.add, pack_address("192.0.2.2", 1), wrong, 0.0)
        self.assertRaises(LocalError, self.fragments.add, HERE, half(0x01), 0.0)
