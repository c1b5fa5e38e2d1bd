"""Wallet proofs: good in one session, between two parties, in one role."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket, LocalError
from rhotwist.keys.pair import SeedKey, verify
from rhotwist.secret.proof import INITIATOR, LOGIN, PROOF_SIZE, RESPONDER, prove, read_proof, wallet_of

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "proofs.md"
WALLET = SeedKey(bytes(range(32)))
PARTIES = b"\1" * 32, b"\2" * 32, b"\3" * 32


class ProofTests(SynchronousTestCase):
    def reason(self, proof: bytes, role: int = INITIATOR, parties: tuple[bytes, bytes, bytes] = PARTIES) -> str:
        with self.assertRaises(BadPacket) as caught:
            read_proof(proof, role, *parties)
        return caught.exception.reason

    def test_a_proof_names_its_wallet(self) -> None:
        for role in (INITIATOR, RESPONDER, LOGIN):
            proof = prove(WALLET, role, *PARTIES)
            self.assertEqual(len(proof), PROOF_SIZE)
            self.assertEqual(read_proof(proof, role, *PARTIES), WALLET.public)
            self.assertEqual(wallet_of(proof), WALLET.public)

    def test_its_bytes_are_those_of_the_spec_page(self) -> None:
        proof, page = prove(WALLET, INITIATOR, *PARTIES), PAGE.read_text()
        self.assertEqual(proof[:34], b"\1" + WALLET.public + b"\0")
        for value in (WALLET.public, proof[34:66], proof[66:]):
            self.assertIn(f"`{value.hex()}`", page)
        signed = b"rho/proof/1\1" + b"".join(PARTIES) + WALLET.public + bytes(32)
        self.assertTrue(verify(WALLET.public, signed, proof[34:]))

    def test_it_is_worth_nothing_in_another_session_or_between_others(self) -> None:
        proof = prove(WALLET, INITIATOR, *PARTIES)
        for place in range(3):
            other = tuple(b"\4" * 32 if number == place else part for number, part in enumerate(PARTIES))
            self.assertEqual(self.reason(proof, parties=other), "proof")  # type: ignore[arg-type]
        self.assertEqual(self.reason(proof, parties=(PARTIES[0], PARTIES[2], PARTIES[1])), "proof")

    def test_it_is_worth_nothing_in_another_role_even_with_that_role_written_in(self) -> None:
        proof = prove(WALLET, INITIATOR, *PARTIES)
        for role in (RESPONDER, LOGIN):
            self.assertEqual(self.reason(proof, role), "role")
            self.assertEqual(self.reason(bytes((role,)) + proof[1:], role), "proof")

    def test_every_flipped_bit_is_refused(self) -> None:
        proof = prove(WALLET, INITIATOR, *PARTIES)
        reasons = set()
        for bit in range(8 * PROOF_SIZE):
            flipped = bytearray(proof)
            flipped[bit >> 3] ^= 1 << (bit & 7)
            reasons.add(self.reason(bytes(flipped)))
        self.assertEqual(reasons, {"role", "authority", "key", "proof"})

    def test_an_authority_is_refused_while_there_is_none(self) -> None:
        proof = prove(WALLET, INITIATOR, *PARTIES)
        for flag in range(1, 256):
            self.assertEqual(self.reason(proof[:33] + bytes((flag,)) + proof[34:]), "authority")

    def test_a_key_that_is_no_canonical_one_is_refused(self) -> None:
        for key in (bytes(32), b"\1" + bytes(31), b"\xff" * 32):
            self.assertEqual(self.reason(b"\1" + key + b"\0" + bytes(64)), "key")

    def test_another_size_is_refused(self) -> None:
        proof = prove(WALLET, INITIATOR, *PARTIES)
        for wrong in [proof[:size] for size in range(PROOF_SIZE)] + [proof + b"\0"]:
            self.assertEqual(self.reason(wrong), "size")

    @given(st.binary(max_size=120) | st.binary(min_size=97, max_size=97).map(lambda rest: b"\1" + rest))
    def test_a_strangers_bytes_raise_one_thing(self, data: bytes) -> None:
        self.reason(data)

    def test_our_own_mistakes_raise_at_once(self) -> None:
        for role in (0, 4):
            self.assertRaises(LocalError, prove, WALLET, role, *PARTIES)
        for place in range(3):
            short = [b"x" if number == place else part for number, part in enumerate(PARTIES)]
            self.assertRaises(LocalError, prove, WALLET, INITIATOR, *short)
