"""rhotwist.secret.handshake_server"""

from __future__ import annotations

import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.keys.pair import SeedKey
from rhotwist.secret.curve import OPERATIONS
from rhotwist.secret.greeting import Offer, WrongSuite
from rhotwist.secret.handshake import Draft, HalfOpen, accept
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.wire.packet import HEADER, read_hello
from tests.secret.handshakes import ADDRESS, ALL, SERVER_CODE, Liar, Pair, negative


class AcceptTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair(1)

    def reason(self, data: bytes) -> str:
        return str(self.assertRaises(BadPacket, self.pair.accept, data).reason)

    def test_a_payload_with_anything_odd_is_refused(self) -> None:
        for suite in (1, 4):
            good = Offer((suite,), 1232).encode()
            self.pair.accept(self.pair.hello_by_hand(suite, good))
            for at, value, slug in ((1, suite, "payload"), (8, 2, "version"), (16, 1, "payload"), (19, 1, "payload")):
                data = self.pair.hello_by_hand(suite, good[:at] + bytes([value]) + good[at + 1 :])
                self.assertEqual(self.reason(data), slug)

    def test_a_payload_of_another_size_is_refused_before_any_curve_work(self) -> None:
        good = Offer((1,), 1232).encode()
        for payload in (b"", good[:-1], good + b"\0"):
            data = self.pair.hello_by_hand(1, payload)
            before = OPERATIONS.total
            self.assertEqual(self.reason(data), "short")
            self.assertEqual(OPERATIONS.total, before)

    def test_a_suite_that_the_client_did_not_offer_is_not_used(self) -> None:
        data = self.pair.hello_by_hand(1, Offer((4, 2), 1232).encode())
        self.assertRaises(WrongSuite, self.pair.accept, data)

    def test_a_small_order_key_is_refused_and_counted(self) -> None:
        data = self.pair.hello(1).datagram
        before = OPERATIONS.zero
        forged = self.pair.mac_hello(data[:HEADER] + bytes(32) + data[HEADER + 32 : -16])
        self.assertEqual(self.reason(forged), "zero")
        self.assertEqual(OPERATIONS.zero, before + 1)

    def test_a_public_kem_key_that_is_none_is_refused(self) -> None:
        class Broken:
            """Sends a key whose coefficients are all beyond the modulus."""

            def generate(self) -> tuple[object, bytes]:
                return None, b"\xff" * 1184

            encapsulate, decapsulate = ML_KEM_768.encapsulate, ML_KEM_768.decapsulate

        sent = Draft.draw(
            self.pair.client, self.pair.server.public, 4, (4,), code=1, rng=self.pair.rng, kem=Broken()
        ).seal()
        self.assertEqual(self.reason(sent.datagram), "kem")

    def test_work_before_finish_is_two_exchanges_and_one_key_pair(self) -> None:
        for suite in (1, 2, 3, 4):
            data = self.pair.hello(suite).datagram
            self.pair.accept(data)  # the server's own X form is remembered from here on
            before = OPERATIONS.generated, OPERATIONS.exchanged
            self.pair.accept(data)
            self.assertEqual((OPERATIONS.generated, OPERATIONS.exchanged), (before[0] + 1, before[1] + 2))

    def test_our_own_mistakes_raise_at_once(self) -> None:
        hello = read_hello(self.pair.hello(1).datagram)
        good: dict[str, Any] = {
            "code": SERVER_CODE,
            "mask": ALL & 2,
            "address": ADDRESS,
            "rng": self.pair.rng,
            "kem": ML_KEM_768,
        }
        for change in ({"code": 0}, {"address": bytes(17)}, {"largest": 1231}):
            self.assertRaises(LocalError, accept, self.pair.server, hello, **good | change)


class HalfOpenTest(SynchronousTestCase):
    def half(self, pair: Pair, identity: object, suite: int = 1) -> tuple[HalfOpen, bytes]:
        """A half-open handshake and the Finish for it."""
        sent = pair.hello(suite, identity=identity)
        answer, half = pair.accept(sent.datagram)
        return half, sent.read_accept(answer).finish(b"\0\0")[0]

    def test_the_identity_must_be_the_one_whose_secret_was_used(self) -> None:
        pair = Pair(2)
        other = SeedKey(b"o" * 32)
        for public in (other.public, bytes(32), b"\xff" * 32):
            half, finish = self.half(pair, Liar(public, pair.client))
            self.assertEqual(self.assertRaises(BadPacket, half.read_finish, finish).reason, "identity")

    def test_a_key_and_its_negative_are_two_identities_that_only_the_owner_can_say(self) -> None:
        # They share the X form, so its owner may call itself either; nobody else can be either.
        pair = Pair(2)
        half, finish = self.half(pair, Liar(negative(pair.client.public), pair.client))
        self.assertEqual(half.read_finish(finish).identity, negative(pair.client.public))
        half, finish = self.half(pair, Liar(negative(pair.client.public), SeedKey(b"o" * 32)))
        self.assertEqual(self.assertRaises(BadPacket, half.read_finish, finish).reason, "identity")

    def test_the_server_s_own_key_is_refused_as_a_client_whatever_it_calls_itself(self) -> None:
        pair = Pair(3)
        for public in (negative(pair.server.public), pair.client.public):
            half, finish = self.half(pair, Liar(public, pair.server))
            self.assertEqual(self.assertRaises(BadPacket, half.read_finish, finish).reason, "self")
        liar = Liar(pair.client.public, pair.server)
        sent = pair.hello(1, identity=liar)
        answer, half = pair.accept(sent.datagram)
        accepted = sent.read_accept(answer)
        accepted._identity = pair.server
        self.assertEqual(self.assertRaises(BadPacket, half.read_finish, accepted.finish(b"")[0]).reason, "self")

    def test_a_client_s_static_key_of_small_order_is_refused_and_counted(self) -> None:
        pair = Pair(4)
        liar = Liar(pair.client.public, pair.client)
        liar.x_public = bytes(32)
        half, finish = self.half(pair, liar)
        before = OPERATIONS.zero
        self.assertEqual(self.assertRaises(BadPacket, half.read_finish, finish).reason, "zero")
        self.assertEqual(OPERATIONS.zero, before + 1)

    def test_a_refused_finish_leaves_the_handshake_able_to_finish(self) -> None:
        for suite in (1, 2, 3, 4):
            pair = Pair(suite)
            sent = pair.hello(suite)
            answer, half = pair.accept(sent.datagram)
            finish, keys = sent.read_accept(answer).finish(b"")
            for wrong in (finish[:-1] + b"\0", finish[:60] + bytes(48), self.half(pair, pair.client, suite)[1]):
                self.assertRaises(BadPacket, half.read_finish, wrong)
            self.assertEqual(half.read_finish(finish).keys.root, keys.root)

    def test_a_finish_of_another_size_is_refused_even_when_it_is_sealed_well(self) -> None:
        pair = Pair(5)
        for payload in (b"", pair.client.public[:31], pair.client.public + bytes(1093)):
            half, finish = self.half(pair, pair.client)
            sent = pair.hello(1)
            answer, half = pair.accept(sent.datagram)
            accepted = sent.read_accept(answer)
            assert accepted._state is not None
            finish = finish[:HEADER] + accepted._static + accepted._state.write_payload(payload)
            before = OPERATIONS.total
            self.assertEqual(self.assertRaises(BadPacket, half.read_finish, finish).reason, "short")
            self.assertEqual(OPERATIONS.total, before)

    def test_a_finish_is_read_once(self) -> None:
        pair = Pair(5)
        half, finish = self.half(pair, pair.client)
        half.read_finish(finish)
        self.assertEqual(self.assertRaises(BadPacket, half.read_finish, finish).reason, "late")

    def test_it_waits_in_about_a_kilobyte(self) -> None:
        pair = Pair(6)
        for suite in (1, 4):
            _, half = pair.accept(pair.hello(suite).datagram)
            state = half._state
            assert state is not None
            size = sys.getsizeof(half) + sys.getsizeof(state)
            for name in state.__slots__:
                value = getattr(state, name)
                parts = value if isinstance(value, tuple) else (value,)
                size += sum(sys.getsizeof(part) for part in parts if isinstance(part, bytes))
            self.assertIsNone(state._aead)
            self.assertLess(size, 1200)

    def test_a_repr_shows_no_secret(self) -> None:
        pair = Pair(7)
        half, _ = self.half(pair, pair.client)
        self.assertEqual(repr(half), "<HalfOpen suite 1, hashcodes 5e7fe700 and 0c11e175>")
