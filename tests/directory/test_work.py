"""Work: each nonce for one address and quarter, found in steps."""

from __future__ import annotations

import itertools

from nacl import bindings
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.directory import work
from rhotwist.directory.checks import GOOD, Check, judge
from rhotwist.directory.work import bits_of, search
from rhotwist.errors import LocalError
from tests.directory.support import record

ADDRESS = bytes(range(32))


def found(quarter: int, address: bytes, bits: int, **how: int) -> bytes:
    return next(nonce for nonce in search(quarter, address, bits, **how) if nonce is not None)


class WorkTests(SynchronousTestCase):
    def test_it_is_the_argon2id_of_the_page(self) -> None:
        """libsodium's, an implementation apart, says the same."""
        for number in range(20):
            nonce = number.to_bytes(8, "big")
            salt, kind = b"rho/work/1" + bytes(6), bindings.crypto_pwhash_ALG_ARGON2ID13
            made = bindings.crypto_pwhash_alg(16, b"\0\x05" + ADDRESS + nonce, salt, 1, 65_536, kind)
            zeros = "".join(f"{byte:08b}" for byte in made).index("1")
            self.assertEqual(zeros, bits_of(5, ADDRESS, nonce))

    def test_a_search_ends_with_a_nonce_that_holds_the_bits(self) -> None:
        for bits in range(8):
            self.assertGreaterEqual(bits_of(5, ADDRESS, found(5, ADDRESS, bits)), bits)
        self.assertEqual(bytes(8), found(5, ADDRESS, 0))

    def test_work_for_another_address_or_quarter_is_none(self) -> None:
        nonce = found(5, ADDRESS, 7)
        self.assertLess(bits_of(6, ADDRESS, nonce), 7)
        self.assertLess(bits_of(5, ADDRESS[::-1], nonce), 7)

    def test_it_goes_in_steps_from_where_it_is_told_and_the_last_nonce_is_followed_by_the_first(self) -> None:
        steps = list(search(5, ADDRESS, 7, tries=4))
        nonce = steps.pop()
        assert nonce is not None
        self.assertEqual([None] * (int.from_bytes(nonce, "big") // 4), steps)
        self.assertEqual(nonce, found(5, ADDRESS, 7, start=2**64 - 3, tries=8))
        beyond = found(5, ADDRESS, 5, start=int.from_bytes(nonce, "big") + 1)
        self.assertGreater(beyond, nonce)

    def test_whoever_stops_asking_has_cancelled(self) -> None:
        self.assertEqual([None, None], list(itertools.islice(search(5, ADDRESS, 128, tries=2), 2)))
        self.assertRaises(LocalError, next, search(5, ADDRESS, 129))
        self.assertRaises(LocalError, next, search(5, ADDRESS, -1))

    def test_where_none_is_asked_for_none_is_worked_out(self) -> None:
        self.patch(work, "bits_of", None)
        made = record(1)
        check = Check(made.key, made.signed, made.signature, (), (5, made.address, bytes(8)))
        self.assertEqual(bytes((GOOD,)), judge([check], 0))
