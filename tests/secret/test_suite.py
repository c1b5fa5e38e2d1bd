"""rhotwist.secret.suite"""

from __future__ import annotations

import itertools

from cryptography.exceptions import InvalidTag
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import LocalError
from rhotwist.secret.suite import AES, CHACHA, DEFAULT_ORDER, HYBRID_AES, HYBRID_CHACHA, SUITES, aead, choose, mask
from tests.secret.wycheproof import cases


class WycheproofTest(SynchronousTestCase):
    def verdicts(self, path: str, numbers: tuple[int, ...]) -> tuple[int, int]:
        """Cases taken and refused, of those with the sizes that we have; each in every suite of that cipher."""
        taken = refused = 0
        for group, case in cases(path):
            if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
                continue
            key, nonce, ad, plain, sealed, tag = (
                bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
            )
            for number in numbers:
                cipher = aead(number, key)
                if case["result"] == "valid":
                    self.assertEqual(cipher.encrypt(nonce, plain, ad), sealed + tag, case["tcId"])
                    self.assertEqual(cipher.decrypt(nonce, sealed + tag, ad), plain, case["tcId"])
                else:
                    self.assertRaises(InvalidTag, cipher.decrypt, nonce, sealed + tag, ad)
            taken, refused = taken + (case["result"] == "valid"), refused + (case["result"] != "valid")
        return taken, refused

    def test_every_chacha20_poly1305_case_has_its_verdict(self) -> None:
        found = self.verdicts("Cipher/wycheproof/chacha20_poly1305_test.json", (CHACHA, HYBRID_CHACHA))
        self.assertEqual(found, (256, 60))

    def test_every_aes_gcm_case_of_our_sizes_has_its_verdict(self) -> None:
        found = self.verdicts("Cipher/wycheproof/aes_gcm_test.json", (AES, HYBRID_AES))
        self.assertEqual(found, (39, 27))


class SuiteTest(SynchronousTestCase):
    def test_the_table_is_numbered_by_its_keys_and_one_hash_serves_all(self) -> None:
        self.assertEqual(set(SUITES), {1, 2, 3, 4})
        for number, suite in SUITES.items():
            self.assertEqual(suite.number, number)
            self.assertTrue(suite.name.endswith("_SHA256"), suite.name)
            self.assertEqual(suite.kem, "hfs" in suite.name)
            self.assertEqual(suite.endian, "big" if "AESGCM" in suite.name else "little")

    def test_the_default_prefers_post_quantum_and_offers_everything(self) -> None:
        self.assertEqual(set(DEFAULT_ORDER), set(SUITES))
        self.assertEqual([SUITES[number].kem for number in DEFAULT_ORDER], [True, True, False, False])

    def test_message_sizes(self) -> None:
        self.assertEqual([SUITES[n].first_size(20) for n in (1, 2, 3, 4)], [68, 68, 1268, 1268])
        self.assertEqual([SUITES[n].second_size(40) for n in (1, 2, 3, 4)], [88, 88, 1192, 1192])

    def test_the_client_s_first_that_the_server_has_is_chosen(self) -> None:
        for size in range(5):
            for order in itertools.permutations(SUITES, size):
                for bits in range(32):
                    common = [number for number in order if bits & 1 << number]
                    self.assertEqual(choose(order, bits), common[0] if common else None)

    def test_a_mask_has_bit_n_for_suite_n(self) -> None:
        self.assertEqual((mask(()), mask((1,)), mask((4, 1, 4)), mask(SUITES)), (0, 2, 18, 30))
        for number in (0, 32, -1):
            self.assertRaises(LocalError, mask, (number,))

    def test_an_unknown_suite_is_our_caller_s_mistake(self) -> None:
        for number in (0, 5):
            self.assertIn("none of [1, 2, 3, 4]", str(self.assertRaises(LocalError, aead, number, bytes(32))))
