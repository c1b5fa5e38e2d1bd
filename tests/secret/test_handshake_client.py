"""rhotwist.secret.handshake_client"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadKey, BadPacket, LocalError, TooBig
from rhotwist.secret.curve import OPERATIONS
from rhotwist.secret.greeting import Answer, read_offer
from rhotwist.secret.handshake import FINISH_ROOM, Draft
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.wire.packet import COOKIE, HEADER, TOKEN, TOKEN_REDIRECT, read_header, read_hello
from tests.secret.handshakes import ADDRESS, ALL, CLIENT_CODE, SERVER_CODE, Audit, Pair


class DraftTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair()

    def draw(self, **change: Any) -> Draft:
        said: dict[str, Any] = {
            "identity": self.pair.client,
            "server": self.pair.server.public,
            "suite": 1,
            "order": (1,),
            "code": CLIENT_CODE,
            "rng": self.pair.rng,
            "kem": ML_KEM_768,
        }
        return Draft.draw(**said | change)

    def test_one_ephemeral_key_seals_one_hello(self) -> None:
        for suite in (1, 4):
            draft = self.draw(suite=suite, order=(suite,))
            e = draft.e
            sent = draft.seal()
            self.assertEqual(sent.datagram[HEADER : HEADER + 32], e)
            self.assertRaises(LocalError, draft.seal)
            self.assertRaises(LocalError, draft.seal, cookie=b"c" * 16, flags=COOKIE)
            self.assertRaises(LocalError, getattr, draft, "e")
            self.assertEqual((draft._ephemeral, draft._e1), (None, None))

    def test_every_draft_has_keys_of_its_own(self) -> None:
        self.assertEqual(len({self.draw().e for _ in range(20)}), 20)

    def test_what_cannot_be_asked_raises_before_any_key_is_drawn(self) -> None:
        before = OPERATIONS.total
        for change in (
            {"suite": 5, "order": (5,)},
            {"suite": 1, "order": (4, 3, 2)},
            {"code": 0},
            {"code": 2**32},
            {"server": self.pair.client.public},
        ):
            self.assertRaises(LocalError, self.draw, **change)
        self.assertRaises(BadKey, self.draw, server=bytes(32))
        self.assertEqual(OPERATIONS.total, before)

    def test_a_hello_no_server_would_take_is_not_sealed_and_the_draft_still_good(self) -> None:
        draft = self.draw()
        audit = Audit(self)
        for wrong in (
            {"flags": 3},
            {"flags": 8},
            {"cookie": b"c" * 16},
            {"cookie": b"c" * 15, "flags": COOKIE},
            {"puzzle": bytes(7)},
            {"puzzle": b"\0" + b"p" * 7},
            {"largest": 1231},
            {"largest": 65536},
        ):
            self.assertRaises(LocalError, draft.seal, **wrong)
        self.assertEqual(audit.seen, {})
        self.assertTrue(draft.seal().datagram)

    def test_cookie_puzzle_flag_and_offer_stand_where_they_should(self) -> None:
        for flags in (COOKIE, TOKEN, TOKEN_REDIRECT):
            draft = self.draw(order=(2, 1), suite=2)
            sent = draft.seal(cookie=b"c" * 16, flags=flags, puzzle=b"\x05" + b"p" * 7, largest=9000)
            hello = read_hello(sent.datagram)
            self.assertEqual((hello.cookie, hello.puzzle, hello.header.flags), (b"c" * 16, b"\x05" + b"p" * 7, flags))
            self.assertEqual((hello.header.sender, hello.header.suite), (CLIENT_CODE, 2))
            state = self.pair.state_of_server(sent.datagram)
            self.assertEqual(state.step, 1)
            _, half = self.pair.accept(sent.datagram, suites=0b100)
            self.assertEqual(half.largest, 9000)
        self.assertEqual(read_offer(bytes.fromhex("0201000000000000 0101 2328 00000000 00000000")).order, (2, 1))

    def test_only_a_hybrid_hello_has_halves(self) -> None:
        self.assertEqual(self.draw().seal().halves, ())
        self.assertEqual(len(self.draw(suite=3, order=(3,)).seal().halves), 2)

    def test_a_repr_shows_no_secret(self) -> None:
        draft = self.draw()
        sent = draft.seal()
        answer, _ = self.pair.accept(sent.datagram)
        name = self.pair.server.public.hex()
        self.assertEqual(
            [repr(draft), repr(sent), repr(sent.read_accept(answer))],
            [f"<Draft suite 1 to {name}>", f"<SentHello suite 1 to {name}>", f"<Accepted suite 1 by {name}>"],
        )


class SentHelloTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair(3)
        self.sent = self.pair.hello(1)

    def by_hand(self, payload: bytes, sender: int = SERVER_CODE) -> bytes:
        return self.pair.accept_by_hand(self.sent.datagram, payload, sender)

    def test_one_accept_is_read_and_its_copies_are_late(self) -> None:
        answer, _ = self.pair.accept(self.sent.datagram)
        self.sent.read_accept(answer)
        self.assertEqual(self.assertRaises(BadPacket, self.sent.read_accept, answer).reason, "late")

    def test_no_retry_is_read_after_an_accept(self) -> None:
        answer, _ = self.pair.accept(self.sent.datagram)
        self.sent.read_accept(answer)
        self.assertEqual(self.assertRaises(BadPacket, self.sent.read_retry, bytes(64)).reason, "late")

    def test_an_accept_for_another_hello_is_refused(self) -> None:
        answer, _ = self.pair.accept(self.pair.hello(1).datagram)
        self.assertEqual(self.assertRaises(BadPacket, self.sent.read_accept, answer).reason, "mac1")

    def test_an_accept_by_another_server_is_refused(self) -> None:
        other = Pair(4)
        other.server = self.pair.client
        error = self.assertRaises(BadPacket, other.accept, self.sent.datagram)
        self.assertEqual(error.reason, "tag")

    def test_a_payload_with_anything_odd_is_refused_and_the_true_one_still_read(self) -> None:
        good = Answer(ALL & 2, 1232, 0, SERVER_CODE, ADDRESS).encode()
        for at, value, slug in ((4, 2, "version"), (5, 1, "payload"), (34, 1, "payload"), (39, 128, "payload")):
            data = self.by_hand(good[:at] + bytes([value]) + good[at + 1 :])
            self.assertEqual(self.assertRaises(BadPacket, self.sent.read_accept, data).reason, slug)
        data = self.by_hand(good, sender=SERVER_CODE + 1)
        self.assertEqual(self.assertRaises(BadPacket, self.sent.read_accept, data).reason, "hashcode")
        self.assertEqual(self.sent.read_accept(self.by_hand(good)).peer_code, SERVER_CODE)

    def test_a_small_order_key_in_an_accept_is_refused_and_counted(self) -> None:
        answer, _ = self.pair.accept(self.sent.datagram)
        before = OPERATIONS.zero
        body = answer[:HEADER] + bytes(32) + answer[HEADER + 32 : -16]
        forged = self.pair.mac_accept(body, self.sent.datagram)
        self.assertEqual(self.assertRaises(BadPacket, self.sent.read_accept, forged).reason, "zero")
        self.assertEqual(OPERATIONS.zero, before + 1)
        self.sent.read_accept(answer)

    def test_an_accept_of_another_size_costs_no_curve_work_even_with_its_mac(self) -> None:
        answer, _ = self.pair.accept(self.sent.datagram)
        before = OPERATIONS.total
        for body in (answer[:-17], answer[:-16] + b"\0", answer[:HEADER]):
            data = self.pair.mac_accept(body, self.sent.datagram)
            self.assertEqual(self.assertRaises(BadPacket, self.sent.read_accept, data).reason, "short")
        self.assertEqual(OPERATIONS.total, before)

    def test_no_accept_without_its_mac_costs_curve_work(self) -> None:
        before = OPERATIONS.total
        for data in (b"", bytes(116), self.sent.datagram, self.sent.datagram[:116]):
            self.assertRaises(BadPacket, self.sent.read_accept, data)
        self.assertEqual(OPERATIONS.total, before)


class AcceptedTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair(5)
        self.sent = self.pair.hello(2)
        answer, self.half = self.pair.accept(self.sent.datagram)
        self.accepted = self.sent.read_accept(answer)

    def test_finish_is_written_once(self) -> None:
        audit = Audit(self)
        self.accepted.finish(b"")
        self.assertRaises(LocalError, self.accepted.finish, b"other")
        self.assertEqual(len(audit.seen), 1)

    def test_a_payload_fills_a_finish_of_1200_bytes_and_no_more(self) -> None:
        self.assertRaises(TooBig, self.accepted.finish, bytes(FINISH_ROOM + 1))
        finish, _ = self.accepted.finish(b"x" * FINISH_ROOM)
        self.assertEqual(len(finish), 1200)
        self.assertEqual(self.half.read_finish(finish).payload, b"x" * FINISH_ROOM)

    def test_its_header_names_both_hashcodes(self) -> None:
        finish, _ = self.accepted.finish(b"")
        header = read_header(finish)
        self.assertEqual((header.sender, header.receiver, header.suite), (CLIENT_CODE, SERVER_CODE, 2))
