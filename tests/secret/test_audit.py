"""rhotwist.secret.audit"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.secret import audit


class AuditTest(SynchronousTestCase):
    def test_nobody_looks_on_unless_a_test_does(self) -> None:
        self.assertIsNone(audit.hook)

    def test_a_digest_tells_apart_what_moves_between_plain_bytes_and_associated_data(self) -> None:
        digests = {audit.digest_of(plain, ad) for plain, ad in ((b"ab", b""), (b"a", b"b"), (b"", b"ab"), (b"ba", b""))}
        self.assertEqual(len(digests), 4)
        self.assertEqual(audit.digest_of(b"a", b"b"), audit.digest_of(b"a", b"b"))
