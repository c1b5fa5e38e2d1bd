"""rhotwist.secret.curve"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.secret.curve import OPERATIONS, exchange, generate
from tests.secret.wycheproof import cases


class WycheproofTest(SynchronousTestCase):
    def test_every_shared_point_is_right_and_exactly_the_zero_ones_are_refused(self) -> None:
        refused, taken = [], 0
        for _, case in cases("Protocol/wycheproof/x25519_test.json"):
            private, public, shared = (bytes.fromhex(case[name]) for name in ("private", "public", "shared"))
            try:
                self.assertEqual(exchange(private, public), shared, case["tcId"])
                taken += 1
            except BadPacket as error:
                self.assertEqual(error.reason, "zero")
                self.assertEqual((shared, "ZeroSharedSecret" in case["flags"]), (bytes(32), True), case["tcId"])
                refused.append(case["tcId"])
        self.assertEqual((taken, len(refused)), (487, 31))


class CurveTest(SynchronousTestCase):
    def test_both_sides_share_one_point(self) -> None:
        rng = random.Random(1).randbytes
        (a, public_a), (b, public_b) = generate(rng), generate(rng)
        self.assertEqual(exchange(a, public_b), exchange(b, public_a))
        self.assertNotEqual(public_a, public_b)

    def test_a_public_key_is_the_private_one_times_the_base_point(self) -> None:
        base = (9).to_bytes(32, "little")  # RFC 7748 4.1
        for seed in range(20):
            private, public = generate(random.Random(seed).randbytes)
            self.assertEqual(private, random.Random(seed).randbytes(32))
            self.assertEqual(public, exchange(private, base))

    def test_every_operation_is_counted_and_zero_results_apart(self) -> None:
        private, public = generate(random.Random(2).randbytes)
        generated, exchanged, zero, total = (
            OPERATIONS.generated,
            OPERATIONS.exchanged,
            OPERATIONS.zero,
            OPERATIONS.total,
        )
        generate(random.Random(3).randbytes)
        exchange(private, public)
        self.assertRaises(BadPacket, exchange, private, bytes(32))
        self.assertEqual(OPERATIONS.generated - generated, 1)
        self.assertEqual(OPERATIONS.exchanged - exchanged, 2)
        self.assertEqual(OPERATIONS.zero - zero, 1)
        self.assertEqual(OPERATIONS.total - total, 3)

    def test_a_key_of_another_size_never_reaches_libsodium(self) -> None:
        private, public = generate(random.Random(4).randbytes)
        before = OPERATIONS.total
        for size in (0, 31, 33):
            error = self.assertRaises(BadPacket, exchange, private, bytes(size))
            self.assertEqual(error.reason, "short")
            self.assertRaises(LocalError, exchange, bytes(size), public)
            self.assertRaises(LocalError, generate, lambda _, size=size: bytes(size))
        self.assertEqual(OPERATIONS.total, before)
