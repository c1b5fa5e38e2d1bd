"""Cookies, tokens and tickets: good for whom they were made, for a while, and at every sibling."""

import hmac
import random
from hashlib import blake2s
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.limits import Limits
from rhotwist.moment import Moment
from rhotwist.secret.cookie import REDIRECTED, SAVED, CookieJar, Rotating, StatelessSecrets, Tickets, Tokens
from rhotwist.wire.datagram import pack_address
from tests import FULL

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "cookies.md"
MASTER = bytes(range(32))
ALONE = StatelessSecrets(MASTER, False)
SHARED = StatelessSecrets.shared_by(MASTER)
HERE = pack_address("192.0.2.1", 7460)
CODE = 0x01020304
YEAR = 365.25 * 86_400


def at(mono: float, wall: float = 1_700_000_000.0) -> Moment:
    return Moment(mono, wall)


class SecretTests(SynchronousTestCase):
    def test_a_masters_size_is_32_and_it_is_not_shown(self) -> None:
        for size in (0, 31, 33):
            self.assertRaises(LocalError, StatelessSecrets, bytes(size), False)
        self.assertNotIn("master", repr(ALONE))
        self.assertRaises(LocalError, Rotating, ALONE, 1, 0.0)

    def test_a_process_alone_draws_its_own(self) -> None:
        one = StatelessSecrets.alone(lambda size: b"\1" * size)
        self.assertEqual((one.master, one.shared), (b"\1" * 32, False))

    def test_secrets_of_uses_periods_and_masters_all_differ(self) -> None:
        found = {
            Rotating(StatelessSecrets(master, False), use, 60.0).current(at(mono))
            for master in (MASTER, bytes(32))
            for use in (1, 2, 3)
            for mono in (0.0, 60.0, 120.0)
        }
        self.assertEqual(len(found), 18)

    def test_the_present_and_the_previous_period_count(self) -> None:
        rotating = Rotating(ALONE, 1, 60.0)
        self.assertEqual(rotating.periods(at(0.0)), (1,))
        self.assertEqual(rotating.periods(at(59.9)), (1,))
        self.assertEqual(rotating.periods(at(60.0)), (2, 1))
        self.assertEqual(rotating.periods(at(600.0)), (11, 10))

    def test_siblings_honour_the_next_one_too(self) -> None:
        self.assertEqual(Rotating(SHARED, 1, 60.0).periods(at(0.0, 600.0)), (11, 10, 12))

    def test_a_clock_before_1970_is_the_first_period(self) -> None:
        self.assertEqual(Rotating(SHARED, 1, 60.0).periods(at(0.0, -5e9)), (1, 2))


class VectorTests(SynchronousTestCase):
    def test_the_values_of_the_spec_page_hold(self) -> None:
        moment = at(0.0, 1_600_000_000.0)
        jar, tokens, tickets = CookieJar(SHARED), Tokens(SHARED), Tickets(SHARED)
        page = PAGE.read_text()
        for value in (
            jar.rotating.current(moment), jar.make(HERE, CODE, moment), tokens.rotating.current(moment),
            tokens.make(SAVED, HERE, lambda n: b"\5" * n, moment),
            tokens.make(REDIRECTED, HERE, lambda n: b"\5" * n, moment), tickets.rotating.current(moment),
            tickets.make(b"\1" * 32, b"\2" * 32, b"\3" * 32, moment),
        ):  # fmt: skip
            self.assertIn(f"`{value.hex()}`", page)

    def test_a_cookie_is_what_the_page_says(self) -> None:
        secret = hmac.digest(MASTER, b"rho/stateless/1\1" + (2).to_bytes(8, "big"), "sha256")
        cookie = blake2s(b"rho/cookie/1" + HERE + b"\1\2\3\4", key=secret, digest_size=16).digest()
        self.assertEqual(CookieJar(ALONE).make(HERE, CODE, at(61.0)), cookie)


class CookieTests(SynchronousTestCase):
    def test_it_is_good_for_its_address_and_hashcode_and_says_its_period(self) -> None:
        jar = CookieJar(ALONE)
        cookie = jar.make(HERE, CODE, at(100.0))
        self.assertEqual(jar.check(cookie, HERE, CODE, at(100.0)), 2)
        self.assertEqual(jar.check(cookie, HERE, CODE, at(130.0)), 2)

    def test_a_stolen_one_is_good_from_no_other_address_port_or_hashcode(self) -> None:
        jar = CookieJar(ALONE)
        cookie, chance = jar.make(HERE, CODE, at(0.0)), random.Random(1)
        taken = 0
        for _ in range(1_000):
            other_ip = pack_address(f"198.51.{chance.randrange(256)}.{chance.randrange(256)}", 7460)
            other_port = pack_address(
                "192.0.2.1", chance.choice([p for p in (chance.randrange(65536), 1) if p != 7460])
            )
            taken += jar.check(cookie, other_ip, CODE, at(1.0)) is not None
            taken += jar.check(cookie, other_port, CODE, at(1.0)) is not None
            taken += jar.check(cookie, HERE, CODE ^ 1 << chance.randrange(32), at(1.0)) is not None
        self.assertEqual(taken, 0)

    def test_it_lives_one_to_two_minutes_and_never_241_seconds(self) -> None:
        for secrets, most in ((ALONE, 120.0), (SHARED, 120.0)):
            for start in range(0, 180, 7):
                jar = CookieJar(secrets)
                cookie = jar.make(HERE, CODE, at(start, start))
                lived = next(s for s in range(300) if not jar.check(cookie, HERE, CODE, at(start + s, start + s)))
                self.assertTrue(60 < lived <= most, (start, lived))
        taken = 0
        for start in range(1_000):
            cookie = CookieJar(SHARED).make(HERE, CODE, at(start, start))
            taken += CookieJar(SHARED).check(cookie, HERE, CODE, at(start + 241.0, start + 241.0)) is not None
        self.assertEqual(taken, 0)

    def test_random_ones_are_none(self) -> None:
        jar, chance, moment = CookieJar(SHARED), random.Random(2), at(500.0)
        count = 1_000_000 if FULL else 20_000
        self.assertFalse(any(jar.check(chance.randbytes(16), HERE, CODE, moment) for _ in range(count)))

    @given(st.binary(max_size=40))
    def test_any_bytes_are_checked_without_an_exception(self, cookie: bytes) -> None:
        self.assertIsNone(CookieJar(ALONE).check(cookie, HERE, CODE, at(0.0)))
        self.assertIsNone(Tokens(ALONE).check(SAVED, cookie, HERE, at(0.0)))
        self.assertFalse(Tickets(ALONE).check(cookie, bytes(32), bytes(32), bytes(32), at(0.0)))

    def test_the_wall_clock_means_nothing_to_a_process_alone(self) -> None:
        jar = CookieJar(ALONE)
        cookie = jar.make(HERE, CODE, at(10.0, 0.0))
        for wall in (-YEAR, YEAR, 50 * YEAR):
            self.assertTrue(jar.check(cookie, HERE, CODE, at(20.0, wall)))


class SiblingTests(SynchronousTestCase):
    """Two processes with one master; their monotonic clocks have nothing in common."""

    def test_what_one_makes_the_other_takes_though_their_clocks_differ(self) -> None:
        wall = 1_700_000_000.0
        for second in range(0, 180, 7):
            for apart in (-59.0, -1.0, 0.0, 1.0, 59.0):
                here, there = at(5.0, wall + second), at(9e5, wall + second + apart)
                self.assertTrue(
                    CookieJar(SHARED).check(CookieJar(SHARED).make(HERE, CODE, here), HERE, CODE, there),
                    (second, apart),
                )
                token = Tokens(SHARED).make(REDIRECTED, HERE, bytes, here)
                self.assertTrue(Tokens(SHARED).check(REDIRECTED, token, HERE, there))
                keys = b"s" * 32, b"t" * 32, b"c" * 32
                self.assertTrue(Tickets(SHARED).check(Tickets(SHARED).make(*keys, here), *keys, there))

    def test_a_jump_of_the_wall_clock_costs_what_was_given_out_and_no_more(self) -> None:
        jar, wall = CookieJar(SHARED), 1_700_000_000.0
        before = jar.make(HERE, CODE, at(10.0, wall))
        for jump in (YEAR, -YEAR, 200.0, -200.0):
            self.assertIsNone(jar.check(before, HERE, CODE, at(11.0, wall + jump)))
            after = jar.make(HERE, CODE, at(11.0, wall + jump))
            self.assertTrue(jar.check(after, HERE, CODE, at(12.0, wall + jump + 1)))

    def test_another_master_takes_nothing(self) -> None:
        other = StatelessSecrets.shared_by(bytes(32))
        moment = at(0.0)
        self.assertIsNone(CookieJar(other).check(CookieJar(SHARED).make(HERE, CODE, moment), HERE, CODE, moment))


class TokenTests(SynchronousTestCase):
    def make(self, kind: int, address: bytes, mono: float) -> bytes:
        return Tokens(ALONE).make(kind, address, lambda size: b"\7" * size, at(mono))

    def test_it_is_good_for_its_ip_from_any_port_for_one_to_two_hours(self) -> None:
        life = Limits().token_life
        token = self.make(SAVED, HERE, life / 2)
        self.assertEqual(len(token), 16)
        for mono, good in ((life / 2, True), (1.99 * life, True), (2 * life, False)):
            found = Tokens(ALONE).check(SAVED, token, pack_address("192.0.2.1", 9), at(mono))
            self.assertEqual(found, 1 if good else None)

    def test_it_is_good_for_no_other_ip_and_no_other_kind(self) -> None:
        token = self.make(SAVED, HERE, 0.0)
        self.assertIsNone(Tokens(ALONE).check(SAVED, token, pack_address("192.0.2.2", 7460), at(0.0)))
        self.assertIsNone(Tokens(ALONE).check(REDIRECTED, token, HERE, at(0.0)))
        self.assertIsNone(Tokens(ALONE).check(SAVED, self.make(REDIRECTED, HERE, 0.0), HERE, at(0.0)))

    def test_every_bit_counts(self) -> None:
        token = self.make(SAVED, HERE, 0.0)
        for bit in range(128):
            flipped = bytearray(token)
            flipped[bit >> 3] ^= 1 << (bit & 7)
            self.assertIsNone(Tokens(ALONE).check(SAVED, bytes(flipped), HERE, at(0.0)))

    def test_two_for_one_address_differ(self) -> None:
        chance = random.Random(1)
        tokens = {Tokens(ALONE).make(SAVED, HERE, chance.randbytes, at(0.0)) for _ in range(100)}
        self.assertEqual(len(tokens), 100)


class TicketTests(SynchronousTestCase):
    def test_it_is_good_for_one_sender_target_and_client(self) -> None:
        keys = [b"s" * 32, b"t" * 32, b"c" * 32]
        tickets = Tickets(SHARED)
        ticket = tickets.make(*keys, at(0.0))
        self.assertTrue(tickets.check(ticket, *keys, at(0.0)))
        for place in range(3):
            self.assertFalse(
                tickets.check(ticket, *[b"x" * 32 if n == place else k for n, k in enumerate(keys)], at(0.0))
            )
        self.assertFalse(tickets.check(ticket, keys[1], keys[0], keys[2], at(0.0)))
        self.assertFalse(tickets.check(ticket, *keys, at(0.0, 1_700_000_000.0 + 181)))
