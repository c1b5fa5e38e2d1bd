import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadKey
from rhotwist.keys.chain import child, number, seed_key
from rhotwist.keys.pair import SeedKey
from rhotwist.keys.pair_hash import pair_hash
from tests.keys.pages import vectors

ROOT = bytes(range(32))
seeds = st.binary(min_size=32, max_size=32)


class PairHash(SynchronousTestCase):
    def test_master_and_online_wallet_have_the_hash_of_the_spec_page(self) -> None:
        master, online = seed_key(ROOT), seed_key(child(ROOT, "online", number(0)))
        self.assertEqual(
            pair_hash(master, online.public).hex(),
            vectors("derivation.md")["pair hash of the master and the online wallet"],
        )

    @given(seeds, seeds)
    def test_both_sides_come_to_the_same_bytes(self, one: bytes, two: bytes) -> None:
        a, b = SeedKey(one), SeedKey(two)
        self.assertEqual(pair_hash(a, b.public), pair_hash(b, a.public))

    def test_it_is_the_same_with_a_reduced_scalar(self) -> None:
        a, b = SeedKey(b"\x01" * 32), SeedKey(b"\x02" * 32)
        reduced = bindings.crypto_core_ed25519_scalar_reduce(a.x_private + bytes(32))
        self.assertNotEqual(reduced, a.x_private)
        point = bindings.crypto_scalarmult_ed25519_noclamp(reduced, b.public)
        low, high = sorted([a.public, b.public])
        expected = hmac.new(b"rho/pair/1", point + low + high, hashlib.sha256).digest()
        self.assertEqual(pair_hash(a, b.public), expected)

    def test_a_key_and_its_negative_make_two_pairs(self) -> None:
        a, b = SeedKey(b"\x01" * 32), SeedKey(b"\x02" * 32)
        other = b.public[:31] + bytes([b.public[31] ^ 0x80])
        self.assertNotEqual(pair_hash(a, b.public), pair_hash(a, other))

    def test_no_pair_with_what_is_no_key(self) -> None:
        for raw in (bytes(32), b"\x01" + bytes(31), bytes(31)):
            self.assertRaises(BadKey, pair_hash, SeedKey(b"\x01" * 32), raw)
