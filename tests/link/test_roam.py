"""An address that may be the peer's new one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.link.messages import Challenge
from rhotwist.link.roam import CHALLENGE_SIZE, OWED, Candidate
from rhotwist.wire.datagram import Path
from rhotwist.wire.frame import pack_control


class Candidates(SynchronousTestCase):
    """One challenge a round trip, and never more bytes out than in."""

    def test_the_size_is_what_a_challenge_has_on_the_wire(self) -> None:
        plain = pack_control(Challenge.identifier, Challenge(data=bytes(8)).encode())
        self.assertEqual(CHALLENGE_SIZE, 12 + 16 + len(plain))

    def test_one_challenge_a_round_trip(self) -> None:
        candidate = Candidate(Path(0, bytes(18)), b"8 bytes!")
        self.assertTrue(candidate.heard(1000, 1.0, 0.1))
        self.assertFalse(candidate.heard(1000, 1.05, 0.1))
        self.assertTrue(candidate.heard(1000, 1.1, 0.1))

    def test_bytes_out_stay_below_bytes_in(self) -> None:
        candidate = Candidate(Path(0, bytes(18)), b"8 bytes!")
        challenges = sum(candidate.heard(29, float(second), 0.1) for second in range(1000))
        self.assertLessEqual(challenges * CHALLENGE_SIZE, 29 * 1000)
        self.assertGreater(challenges, 600)

    def test_replies_owed_are_bounded(self) -> None:
        candidate = Candidate(Path(0, bytes(18)), b"8 bytes!")
        for number in range(OWED + 10):
            candidate.owe(number)
        self.assertEqual(len(candidate.owed), OWED)
