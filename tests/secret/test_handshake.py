"""rhotwist.secret.handshake: both sides together, and everybody who stands between them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, SuiteRefused
from rhotwist.secret import greeting, handshake
from rhotwist.secret.curve import OPERATIONS
from rhotwist.secret.greeting import WrongSuite
from rhotwist.secret.handshake import SUITE_WANTED, SentHello, check_mac1, mac1_key, retry
from rhotwist.secret.kem import ML_KEM_768
from rhotwist.secret.suite import SUITES, choose, mask
from rhotwist.wire.packet import COOKIE, HEADER, MAC_SIZE, read_hello
from tests import FULL
from tests.secret.handshakes import ADDRESS, ALL, CLIENT_CODE, SERVER_CODE, Audit, Pair, flipped, joined, negative
from tests.secret.worked import Recorded, recorded, run


class HandshakeTest(SynchronousTestCase):
    def test_both_sides_come_to_one_root_and_know_each_other(self) -> None:
        for suite in SUITES:
            pair = Pair(suite)
            sent = pair.hello(suite)
            answer, half = pair.accept(sent.datagram)
            accepted = sent.read_accept(answer)
            binding = accepted.h_before_payload
            finish, keys = accepted.finish(b"\0\0said")
            finished = half.read_finish(finish)
            self.assertEqual((finished.identity, finished.payload), (pair.client.public, b"\0\0said"))
            self.assertEqual((keys.peer, finished.keys.peer), (pair.server.public, pair.client.public))
            self.assertEqual((keys.root, keys.h, keys.suite), (finished.keys.root, finished.keys.h, suite))
            self.assertEqual((keys.initiator, finished.keys.initiator), (True, False))
            self.assertEqual(finished.binding, binding)
            self.assertNotEqual(binding, keys.h)
            self.assertEqual((accepted.peer_code, half.peer_code), (SERVER_CODE, CLIENT_CODE))
            self.assertEqual((accepted.code, half.code), (CLIENT_CODE, SERVER_CODE))
            self.assertEqual((accepted.your_address, accepted.mask), (ADDRESS, ALL))
            self.assertEqual((accepted.largest, half.largest), (1232, 1232))
            self.assertEqual((accepted.features, half.features), (0, 0))

    def test_two_handshakes_of_one_pair_share_no_key(self) -> None:
        pair = Pair()
        roots = {pair.run(suite)[1].root for suite in (1, 1, 2, 3, 3, 4)}
        self.assertEqual(len(roots), 6)

    def test_sizes_are_the_documented_ones_and_no_answer_is_longer_than_what_it_answers(self) -> None:
        classical, hybrid = (120, 116, 110), (1320, 1220, 110)
        for suite, sizes in ((1, classical), (2, classical), (3, hybrid), (4, hybrid)):
            pair = Pair()
            (hello, answer, finish), _, _ = pair.run(suite)
            self.assertEqual((len(hello), len(answer), len(finish)), sizes)
            self.assertLessEqual(len(answer), len(hello))
            sent = pair.hello(suite)
            again = retry(
                pair.server.public, read_hello(sent.datagram), bytes(16), difficulty=0, mask=ALL, reason=1, rng=pair.rng
            )
            for asked in (sent.datagram, *sent.halves[:1]):
                self.assertLessEqual(len(again), len(asked))
            if sent.halves:
                self.assertLessEqual(len(answer), sum(map(len, sent.halves)))
                self.assertEqual([len(half) for half in sent.halves], [686, 686])
                self.assertLessEqual(max(map(len, sent.halves)), 1232)

    def test_a_hello_in_two_halves_is_the_same_hello(self) -> None:
        for suite in (3, 4):
            pair = Pair(suite)
            sent = pair.hello(suite, cookie=b"c" * 16, flags=COOKIE)
            whole, parts = read_hello(sent.datagram), [read_hello(half) for half in sent.halves]
            self.assertEqual([part.header.fragment for part in parts], [0x02, 0x12])
            self.assertEqual(parts[0].noise + parts[1].noise, whole.noise)
            for part in parts:
                self.assertTrue(check_mac1(part, mac1_key(pair.server.public)))
                self.assertEqual((part.cookie, part.puzzle), (whole.cookie, whole.puzzle))
            answer, half = pair.accept(joined(*sent.halves))
            finish, keys = sent.read_accept(answer).finish(b"")
            self.assertEqual(half.read_finish(finish).keys.root, keys.root)

    def test_a_retry_to_a_first_half_is_read_and_one_to_a_second_half_is_not(self) -> None:
        pair = Pair()
        sent = pair.hello(4)
        said: dict[str, Any] = {"difficulty": 0, "mask": ALL, "reason": 1, "rng": pair.rng}
        for data in (sent.datagram, sent.halves[0]):
            answer = retry(pair.server.public, read_hello(data), b"c" * 16, **said)
            self.assertEqual(sent.read_retry(answer).cookie, b"c" * 16)
        answer = retry(pair.server.public, read_hello(sent.halves[1]), b"c" * 16, **said)
        self.assertRaises(BadPacket, sent.read_retry, answer)

    def test_a_server_known_by_its_negative_key_never_completes(self) -> None:
        for suite in SUITES:
            pair = Pair()
            true = pair.server.public
            hello = pair.hello_by_hand(suite, greeting.Offer((suite,), 1232).encode(), server=negative(true))
            self.assertTrue(check_mac1(read_hello(hello), mac1_key(true)))
            error = self.assertRaises(BadPacket, pair.accept, hello)
            self.assertEqual(error.reason, "tag")
            draft = handshake.Draft.draw(
                pair.client, negative(true), suite, (suite,), code=1, rng=pair.rng, kem=ML_KEM_768
            )
            self.assertFalse(check_mac1(read_hello(draft.seal().datagram), mac1_key(true)))

    def test_no_key_meets_a_nonce_twice_through_retries_forgeries_and_repeats(self) -> None:
        audit = Audit(self)
        for seed in range(40 if FULL else 8):
            pair = Pair(seed)
            for suite in SUITES:
                first = pair.hello(suite)
                again = retry(
                    pair.server.public, read_hello(first.datagram), b"c" * 16,
                    difficulty=3, mask=ALL, reason=1, rng=pair.rng,
                )  # fmt: skip
                said = first.read_retry(again)
                sent = pair.hello(suite, cookie=said.cookie, flags=COOKIE, puzzle=bytes([said.difficulty]) + bytes(7))
                for data in flipped(sent.datagram, 997):
                    try:
                        pair.accept(data)
                    except BadPacket:
                        pass
                answer, half = pair.accept(sent.datagram)
                pair.accept(sent.datagram)
                for data in flipped(answer, 997):
                    self.assertRaises(BadPacket, sent.read_accept, data)
                finish, _ = sent.read_accept(answer).finish(b"")
                half.read_finish(finish)
        self.assertEqual(audit.wrong, [])
        self.assertGreater(len(audit.seen), 8 * 4 * 7)


class FlipTest(SynchronousTestCase):
    """An editor on the path. One who knows the server's key and saw the Hello can make every MAC in clear anew."""

    def refused(self, call: Callable[[bytes], object], datas: Iterable[bytes]) -> int:
        count = 0
        for data in datas:
            self.assertRaises(BadPacket, call, data)
            count += 1
        return count

    def deep(self, suite: int) -> int:
        """How many bits to pass over, where each costs curve work."""
        return 1 if FULL or not SUITES[suite].kem else 23

    def test_a_hello_with_any_bit_flipped_is_refused(self) -> None:
        for suite in SUITES:
            pair = Pair(suite)
            sent = pair.hello(suite)
            key = mac1_key(pair.server.public)

            def gate(data: bytes, pair: Pair = pair, key: bytes = key) -> object:
                hello = read_hello(data)
                if not check_mac1(hello, key):
                    raise BadPacket("mac1")
                return pair.accept(hello)

            self.assertEqual(self.refused(gate, flipped(sent.datagram)), 8 * len(sent.datagram))
            body = sent.datagram[:-MAC_SIZE]
            self.refused(gate, map(pair.mac_hello, flipped(body, self.deep(suite))))
            self.refused(gate, map(pair.mac_hello, flipped(body, 1, HEADER + 34)))
            self.assertTrue(gate(sent.datagram))

    def test_half_a_hello_with_any_bit_flipped_is_refused(self) -> None:
        pair = Pair(4)
        sent = pair.hello(4, cookie=b"c" * 16, flags=COOKIE)
        for which in (0, 1):

            def gate(body: bytes, which: int = which) -> object:
                halves = list(sent.halves)
                halves[which] = pair.mac_hello(body)
                parts = [read_hello(half) for half in halves]
                if [part.header.fragment for part in parts] != [0x02, 0x12]:
                    raise BadPacket("fragment")
                if parts[0].cookie != parts[1].cookie or parts[0].header.sender != parts[1].header.sender:
                    raise BadPacket("slot")
                if which and parts[1].noise == read_hello(sent.halves[1]).noise:
                    raise BadPacket("the first half's clear bytes are the ones that count")
                return pair.accept(joined(*halves))

            body = sent.halves[which][:-MAC_SIZE]
            self.refused(gate, flipped(body, 1 if FULL else 13))
            self.refused(gate, flipped(body, 1, HEADER))

    def test_an_accept_with_any_bit_flipped_is_refused_and_the_true_one_still_read(self) -> None:
        for suite in SUITES:
            pair = Pair(suite)
            sent = pair.hello(suite)
            answer, half = pair.accept(sent.datagram)
            self.assertEqual(self.refused(sent.read_accept, flipped(answer)), 8 * len(answer))
            body, hello = answer[:-MAC_SIZE], sent.datagram
            self.refused(sent.read_accept, (pair.mac_accept(b, hello) for b in flipped(body, self.deep(suite))))
            self.refused(sent.read_accept, (pair.mac_accept(b, hello) for b in flipped(body, 1, HEADER + 34)))
            for size in (0, 1, HEADER, HEADER + 32, len(answer) - 1, len(answer) + 1):
                self.assertRaises(BadPacket, sent.read_accept, answer.ljust(size, b"\0")[:size])
            finish, keys = sent.read_accept(answer).finish(b"")
            self.assertEqual(half.read_finish(finish).keys.root, keys.root)

    def test_a_finish_with_any_bit_flipped_is_refused_and_the_true_one_still_read(self) -> None:
        for suite in SUITES:
            pair = Pair(suite)
            sent = pair.hello(suite)
            answer, half = pair.accept(sent.datagram)
            finish, keys = sent.read_accept(answer).finish(b"\0\0")
            self.assertEqual(self.refused(half.read_finish, flipped(finish)), 8 * len(finish))
            for size in (0, 1, HEADER, HEADER + 48, len(finish) - 1, len(finish) + 1, 1201):
                self.assertRaises(BadPacket, half.read_finish, finish.ljust(size, b"\0")[:size])
            self.assertEqual(half.read_finish(finish).keys.root, keys.root)

    def test_a_retry_with_any_bit_flipped_is_refused_and_the_hello_still_answered(self) -> None:
        for suite in SUITES:
            pair = Pair(suite)
            sent = pair.hello(suite)
            again = retry(
                pair.server.public, read_hello(sent.datagram), bytes(16), difficulty=0, mask=ALL, reason=1, rng=pair.rng
            )
            self.assertEqual(self.refused(sent.read_retry, flipped(again)), 8 * len(again))
            self.assertEqual(sent.read_retry(again).mask, ALL)
            answer, _ = pair.accept(sent.datagram)
            sent.read_accept(answer)


class DowngradeTest(SynchronousTestCase):
    def connect(self, pair: Pair, sent: SentHello, suites: int) -> int:
        """The suite of a finished session."""
        answer, half = pair.accept(sent.datagram, suites)
        finish, keys = sent.read_accept(answer).finish(b"")
        self.assertEqual(half.read_finish(finish).keys.suite, keys.suite)
        return keys.suite

    def test_whatever_suite_is_forced_only_the_best_common_one_connects(self) -> None:
        pair = Pair()
        for size in range(1, 5):
            for order in itertools.combinations((4, 3, 2, 1), size):
                for suites in range(16):
                    server = suites << 1
                    best = choose(order, server)
                    for forced in order:
                        sent = pair.hello(forced, order)
                        if forced == best:
                            self.assertEqual(self.connect(pair, sent, server), best)
                            continue
                        before = OPERATIONS.total
                        self.assertRaises(WrongSuite, pair.accept, sent.datagram, server)
                        if not server >> forced & 1:
                            self.assertEqual(OPERATIONS.total, before)

    def test_an_honest_mask_inside_accept_undoes_a_forged_retry(self) -> None:
        pair = Pair()
        sent = pair.hello(1, (4, 3, 2, 1))
        body = greeting.Answer(ALL, 1232, 0, SERVER_CODE, ADDRESS).encode()
        error = self.assertRaises(SuiteRefused, sent.read_accept, pair.accept_by_hand(sent.datagram, body))
        self.assertIn("suite 1", str(error))
        none = greeting.Answer(mask((9,)), 1232, 0, SERVER_CODE, ADDRESS).encode()
        self.assertRaises(SuiteRefused, sent.read_accept, pair.accept_by_hand(sent.datagram, none))

    def test_a_retry_carries_the_mask_that_leads_to_the_right_suite(self) -> None:
        pair = Pair()
        order, server = (4, 3, 2, 1), mask((1, 2))
        sent = pair.hello(4, order)
        self.assertRaises(WrongSuite, pair.accept, sent.datagram, server)
        again = retry(
            pair.server.public, read_hello(sent.datagram), bytes(16),
            difficulty=0, mask=server, reason=SUITE_WANTED, rng=pair.rng,
        )  # fmt: skip
        suite = choose(order, sent.read_retry(again).mask)
        self.assertEqual(suite, 2)
        self.assertEqual(self.connect(pair, pair.hello(2, order), server), 2)

    def test_a_suite_nobody_has_deserves_a_retry_and_no_curve_work(self) -> None:
        pair = Pair()
        data = pair.hello(1).datagram[:-MAC_SIZE]
        for suite in (0, 5, 31, 32, 255):
            hello = read_hello(pair.mac_hello(data[:1] + bytes([suite]) + data[2:]))
            before = OPERATIONS.total
            self.assertRaises(WrongSuite, pair.accept, hello, 2**32 - 1)
            self.assertEqual(OPERATIONS.total, before)


class WorkedTest(SynchronousTestCase):
    def test_every_suite_s_recorded_handshake_comes_out_byte_for_byte(self) -> None:
        cases = recorded()
        self.assertEqual(set(cases), set(SUITES))
        for suite, case in cases.items():
            kem = Recorded(case.get("shared", b""), case.get("ct", b""))
            self.assertEqual("ct" in case, SUITES[suite].kem)
            self.assertEqual(run(suite, kem), case)

    def test_the_page_shows_the_recorded_one_of_suite_1(self) -> None:
        page = (Path(__file__).parents[2] / "docs" / "spec" / "handshake.md").read_text(encoding="utf-8")
        text = "".join(page.split())
        for name, value in recorded()[1].items():
            self.assertIn(value.hex(), text, name)
