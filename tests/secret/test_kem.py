"""rhotwist.secret.kem"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.secret.kem import CIPHERTEXT_SIZE, ML_KEM_768, PUBLIC_SIZE, SHARED_SIZE
from tests.secret.wycheproof import cases


class KemTest(SynchronousTestCase):
    def test_the_key_s_owner_finds_the_secret_and_the_sizes_are_the_standard_s(self) -> None:
        private, public = ML_KEM_768.generate()
        shared, ciphertext = ML_KEM_768.encapsulate(public)
        self.assertEqual(ML_KEM_768.decapsulate(private, ciphertext), shared)
        self.assertEqual((len(public), len(ciphertext), len(shared)), (PUBLIC_SIZE, CIPHERTEXT_SIZE, SHARED_SIZE))

    def test_a_changed_ciphertext_gives_another_secret_and_no_error(self) -> None:
        private, public = ML_KEM_768.generate()
        shared, ciphertext = ML_KEM_768.encapsulate(public)
        wrong = ML_KEM_768.decapsulate(private, bytes([ciphertext[0] ^ 1]) + ciphertext[1:])
        self.assertNotEqual(wrong, shared)
        self.assertEqual(len(wrong), SHARED_SIZE)

    def test_other_sizes_are_bad_packets(self) -> None:
        private, public = ML_KEM_768.generate()
        _, ciphertext = ML_KEM_768.encapsulate(public)
        for wrong in (b"", public[:-1], public + b"\0"):
            self.assertEqual(self.assertRaises(BadPacket, ML_KEM_768.encapsulate, wrong).reason, "kem")
        for wrong in (b"", ciphertext[:-1], ciphertext + b"\0"):
            self.assertEqual(self.assertRaises(BadPacket, ML_KEM_768.decapsulate, private, wrong).reason, "kem")


class WycheproofTest(SynchronousTestCase):
    """Every case of ML-KEM-768 whose inputs our interface has: it takes no chosen randomness, and no expanded keys."""

    def test_decapsulation_gives_every_expected_secret_and_refuses_every_wrong_size(self) -> None:
        taken = refused = skipped = 0
        for _, case in cases("Protocol/wycheproof/mlkem_768_test.json"):
            seed, ciphertext = bytes.fromhex(case["seed"]), bytes.fromhex(case["c"])
            if len(seed) != 64:
                skipped += 1  # a private key of ours never comes from bytes
                continue
            private = MLKEM768PrivateKey.from_seed_bytes(seed)
            try:
                shared = ML_KEM_768.decapsulate(private, ciphertext)
            except BadPacket:
                self.assertEqual(case["result"], "invalid", case["tcId"])
                refused += 1
                continue
            self.assertEqual((case["result"], shared.hex()), ("valid", case["K"]), case["tcId"])
            if case.get("ek"):
                self.assertEqual(private.public_key().public_bytes_raw().hex(), case["ek"], case["tcId"])
            taken += 1
        self.assertEqual((taken, refused, skipped), (161, 20, 20))

    def test_encapsulation_refuses_exactly_the_public_keys_that_are_none(self) -> None:
        taken = refused = 0
        for _, case in cases("Protocol/wycheproof/mlkem_768_encaps_test.json"):
            try:
                shared, ciphertext = ML_KEM_768.encapsulate(bytes.fromhex(case["ek"]))
            except BadPacket:
                self.assertEqual(case["result"], "invalid", case["tcId"])
                refused += 1
                continue
            self.assertEqual(
                (case["result"], len(shared), len(ciphertext)), ("valid", SHARED_SIZE, CIPHERTEXT_SIZE), case["tcId"]
            )
            taken += 1
        self.assertEqual((taken, refused), (133, 132))

    def test_a_seed_gives_the_expected_public_key(self) -> None:
        for _, case in cases("Protocol/wycheproof/mlkem_768_keygen_seed_test.json"):
            private = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(case["seed"]))
            self.assertEqual(private.public_key().public_bytes_raw().hex(), case["ek"], case["tcId"])
