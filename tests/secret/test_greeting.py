"""rhotwist.secret.greeting"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

import attrs
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.keys.pair import SeedKey
from rhotwist.secret.greeting import (
    COOKIE_WANTED,
    Answer,
    Offer,
    Retry,
    SessionKeys,
    WrongSuite,
    check_header,
    check_mac1,
    mac1_key,
    prologue,
    read_answer,
    read_offer,
    read_retry,
    retry,
    session_keys,
)
from rhotwist.wire.packet import ACCEPT, FINISH, RETRY, RETRY_SIZE, Header, read_hello
from tests.secret.handshakes import ADDRESS, CLIENT_CODE, Audit, Pair, flipped

OFFER = Offer((4, 3, 2, 1), 1500, 0x01020304)
ANSWER = Answer(30, 1232, 5, 0xAABBCCDD, ADDRESS)


def reason(case: SynchronousTestCase, call: Callable[..., object], *args: object, **named: object) -> str:
    """The slug of the BadPacket that a call must raise."""
    return str(case.assertRaises(BadPacket, call, *args, **named).reason)


class MacTest(SynchronousTestCase):
    def test_the_key_of_mac1_is_the_published_one_of_a_known_node(self) -> None:
        server = SeedKey(b"\x07" * 32).public
        self.assertEqual(server.hex(), "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c")
        self.assertEqual(mac1_key(server).hex(), "62d61cfdfc08eea1cd090890ef2417ca5d7983c6cfac7e37a282ed2adcbe0571")

    def test_mac1_covers_every_byte_of_every_hello(self) -> None:
        pair = Pair(1)
        for suite in (1, 4):
            sent = pair.hello(suite)
            for data in (sent.datagram, *sent.halves):
                self.assertTrue(check_mac1(read_hello(data), mac1_key(pair.server.public)))
                self.assertFalse(check_mac1(read_hello(data), mac1_key(pair.client.public)))
                for forged in flipped(data, 5 if sent.halves else 1):
                    try:
                        parts = read_hello(forged)
                    except BadPacket:
                        continue
                    self.assertFalse(check_mac1(parts, mac1_key(pair.server.public)))

    def test_the_prologue_is_every_clear_byte_with_the_fragment_as_zero(self) -> None:
        server, cookie, puzzle = b"s" * 32, b"c" * 16, b"p" * 8
        said = [prologue(server, Header(1, 2, fragment, 4, 5, 0), cookie, puzzle) for fragment in (0x01, 0x02, 0x12)]
        clear = bytes.fromhex("11 02 00 04 00000005 00000000")
        self.assertEqual(said, [b"rho/noise/1" + server + clear + cookie + puzzle] * 3)


class HeaderTest(SynchronousTestCase):
    def test_each_byte_has_one_permitted_value(self) -> None:
        right = Header(FINISH, 1, 0x01, 0, 5, 6)
        check_header(right, FINISH, 1, 5, 6)
        for change, slug in (
            ({"type": ACCEPT}, "type"),
            ({"suite": 2}, "suite"),
            ({"fragment": 0x02}, "fragment"),
            ({"flags": 1}, "flags"),
            ({"sender": 6}, "hashcode"),
            ({"receiver": 5}, "hashcode"),
        ):
            self.assertEqual(reason(self, check_header, attrs.evolve(right, **change), FINISH, 1, 5, 6), slug)

    def test_a_sender_not_known_yet_may_be_anything_but_zero(self) -> None:
        check_header(Header(ACCEPT, 1, 0x01, 0, 99, 6), ACCEPT, 1, None, 6)
        self.assertEqual(reason(self, check_header, Header(ACCEPT, 1, 0x01, 0, 0, 6), ACCEPT, 1, None, 6), "hashcode")


class OfferTest(SynchronousTestCase):
    def test_twenty_bytes_there_and_back(self) -> None:
        self.assertEqual(OFFER.encode().hex(), "0403020100000000010105dc0102030400000000")
        self.assertEqual(read_offer(OFFER.encode()), OFFER)
        eight = Offer((9, 8, 7, 6, 5, 4, 3, 2), 0xFFFF)
        self.assertEqual(read_offer(eight.encode()), eight)

    def test_what_no_client_says_is_refused(self) -> None:
        good = OFFER.encode()
        for at, value, slug in (
            (0, 0, "payload"),  # a hole in the list
            (1, 4, "payload"),  # a suite twice
            (5, 9, "payload"),  # a suite behind zeros
            (8, 0, "version"),
            (8, 2, "version"),
            (9, 0, "version"),
            (10, 3, "payload"),  # a datagram below what every path carries
            (16, 1, "payload"),
            (19, 1, "payload"),
        ):
            self.assertEqual(reason(self, read_offer, good[:at] + bytes([value]) + good[at + 1 :]), slug, at)
        self.assertEqual(reason(self, read_offer, bytes(8) + good[8:]), "payload")
        for wrong in (b"", good[:-1], good + b"\0"):
            self.assertEqual(reason(self, read_offer, wrong), "short")

    def test_a_newer_client_that_still_speaks_ours_is_read(self) -> None:
        data = bytearray(OFFER.encode())
        data[9] = 9
        self.assertEqual(read_offer(bytes(data)), OFFER)

    def test_our_own_mistakes_raise_at_once(self) -> None:
        for order in ((), (1, 1), (0,), tuple(range(1, 10))):
            self.assertRaises(LocalError, Offer(order, 1232).encode)
        for largest in (1231, 65536):
            self.assertRaises(LocalError, Offer((1,), largest).encode)
            self.assertRaises(LocalError, attrs.evolve(ANSWER, largest=largest).encode)
        for change in ({"code": 0}, {"code": 2**32}, {"address": bytes(17)}):
            self.assertRaises(LocalError, attrs.evolve(ANSWER, **change).encode)

    @given(st.binary(min_size=18, max_size=22))
    @example(OFFER.encode())
    def test_bytes_have_one_value_and_values_one_spelling(self, data: bytes) -> None:
        try:
            offer = read_offer(data)
        except BadPacket:
            return
        self.assertEqual(offer.encode()[:8] + offer.encode()[10:], data[:8] + data[10:])


class AnswerTest(SynchronousTestCase):
    def test_forty_bytes_there_and_back(self) -> None:
        self.assertEqual(ANSWER.encode().hex(), "0000001e010004d000000005aabbccdd" + ADDRESS.hex() + "000000000000")
        self.assertEqual(read_answer(ANSWER.encode()), ANSWER)

    def test_what_no_server_says_is_refused(self) -> None:
        good = ANSWER.encode()
        for at, value, slug in (
            (4, 0, "version"),
            (4, 2, "version"),
            (5, 1, "payload"),
            (6, 3, "payload"),
            (34, 1, "payload"),
            (39, 1, "payload"),
        ):
            self.assertEqual(reason(self, read_answer, good[:at] + bytes([value]) + good[at + 1 :]), slug, at)
        self.assertEqual(reason(self, read_answer, good[:12] + bytes(4) + good[16:]), "payload")
        for wrong in (b"", good[:-1], good + b"\0"):
            self.assertEqual(reason(self, read_answer, wrong), "short")

    @given(st.binary(min_size=38, max_size=42))
    @example(ANSWER.encode())
    def test_bytes_have_one_value_and_values_one_spelling(self, data: bytes) -> None:
        try:
            self.assertEqual(read_answer(data).encode(), data)
        except BadPacket:
            return


class RetryTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair(2)
        self.hello = read_hello(self.pair.hello(1).datagram)

    def made(self, **change: Any) -> bytes:
        said: dict[str, Any] = {
            "difficulty": 9,
            "mask": 30,
            "reason": COOKIE_WANTED,
            "rng": random.Random(1).randbytes,
        } | change
        return retry(self.pair.server.public, self.hello, b"c" * 16, **said)

    def read(self, data: bytes) -> Retry:
        macs = (bytes(16), self.hello.mac1)
        return read_retry(data, self.pair.server.public, macs, suite=1, code=CLIENT_CODE)

    def test_it_says_what_was_put_in(self) -> None:
        data = self.made()
        self.assertEqual(len(data), RETRY_SIZE)
        self.assertEqual(self.read(data), Retry(b"c" * 16, 9, 1, 30, COOKIE_WANTED))

    def test_its_bytes_are_the_documented_ones(self) -> None:
        data = self.made()
        self.assertEqual(data[:12].hex(), f"1201010000000000{CLIENT_CODE:08x}")
        self.assertEqual(data[12:24], random.Random(1).randbytes(12))
        key = hashlib.sha256(b"rho/retry/1" + self.pair.server.public + self.hello.mac1).digest()
        plain = ChaCha20Poly1305(key).decrypt(data[12:24], data[24:], data[:12])
        self.assertEqual(plain, b"c" * 16 + bytes.fromhex("09 01 0000001e 01 00"))

    def test_every_flipped_bit_is_refused(self) -> None:
        for forged in flipped(self.made()):
            self.assertRaises(BadPacket, self.read, forged)

    def test_another_size_another_hello_or_another_server_is_refused(self) -> None:
        data = self.made()
        for wrong in (b"", data[:-1], data + b"\0"):
            self.assertEqual(reason(self, self.read, wrong), "short")
        server = self.pair.server.public
        for wrong_server, macs in ((server, (bytes(16),)), (self.pair.client.public, (self.hello.mac1,)), (server, ())):
            self.assertEqual(reason(self, read_retry, data, wrong_server, macs, suite=1, code=CLIENT_CODE), "tag")

    def test_its_last_byte_must_be_zero(self) -> None:
        data = self.made()
        key = hashlib.sha256(b"rho/retry/1" + self.pair.server.public + self.hello.mac1).digest()
        plain = ChaCha20Poly1305(key).decrypt(data[12:24], data[24:], data[:12])
        sealed = ChaCha20Poly1305(key).encrypt(data[12:24], plain[:-1] + b"\x01", data[:12])
        self.assertEqual(reason(self, self.read, data[:24] + sealed), "payload")

    def test_a_header_that_no_retry_has_is_refused_even_under_the_right_key(self) -> None:
        data = self.made()
        key = hashlib.sha256(b"rho/retry/1" + self.pair.server.public + self.hello.mac1).digest()
        plain = ChaCha20Poly1305(key).decrypt(data[12:24], data[24:], data[:12])
        right = Header(RETRY, 1, 0x01, 0, 0, CLIENT_CODE)
        for change in (
            {"suite": 2},
            {"fragment": 0x02},
            {"flags": 1},
            {"sender": 1},
            {"receiver": 1},
            {"type": FINISH},
        ):
            header = attrs.evolve(right, **change).encode()
            sealed = ChaCha20Poly1305(key).encrypt(data[12:24], plain, header)
            self.assertRaises(BadPacket, self.read, header + data[12:24] + sealed)

    def test_its_seal_is_audited(self) -> None:
        audit = Audit(self)
        self.made()
        self.made(difficulty=10)
        self.assertEqual((len(audit.seen), len(audit.wrong)), (1, 1))  # the Rng of this test repeats its nonce

    def test_a_cookie_of_another_size_is_our_caller_s_mistake(self) -> None:
        self.assertRaises(
            LocalError, retry, bytes(32), self.hello, bytes(15), difficulty=0, mask=2, reason=1, rng=self.pair.rng
        )


class SessionTest(SynchronousTestCase):
    def test_the_root_comes_from_both_keys_and_the_hash(self) -> None:
        k1, k2, h = b"1" * 32, b"2" * 32, b"h" * 32
        keys = session_keys(2, (k1, k2), h, True, b"p" * 32)
        block = bytes(a ^ b for a, b in zip(k1 + k2, b"\x36" * 64, strict=True))
        inner = hashlib.sha256(block + b"rho/session/1" + h).digest()
        block = bytes(a ^ b for a, b in zip(k1 + k2, b"\x5c" * 64, strict=True))
        root = hashlib.sha256(block + inner).digest()
        self.assertEqual(keys, SessionKeys(2, root, h, True, b"p" * 32))

    def test_a_repr_shows_no_secret(self) -> None:
        keys = session_keys(2, (b"1" * 32, b"2" * 32), b"h" * 32, True, b"p" * 32)
        self.assertNotIn("root", repr(keys))
        self.assertNotIn(repr(keys.root), repr(keys))

    def test_a_wrong_suite_is_a_bad_packet_of_its_own(self) -> None:
        self.assertEqual(WrongSuite().reason, "suite")
        self.assertIsInstance(WrongSuite(), BadPacket)
