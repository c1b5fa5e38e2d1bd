"""The payload of Finish."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from rhotwist.errors import BadPacket
from rhotwist.link.finish import AROUND, FINISH_MAX, PROOFS_MAX, FinishPayload, read_finish_payload
from rhotwist.secret.handshake import FINISH_ROOM
from rhotwist.secret.proof import PROOF_SIZE

PAYLOADS = st.builds(
    FinishPayload,
    st.booleans(),
    st.none() | st.tuples(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32)),
    st.lists(st.binary(min_size=PROOF_SIZE, max_size=PROOF_SIZE), max_size=PROOFS_MAX).map(tuple),
    st.binary(max_size=100),
)


class Payload(SynchronousTestCase):
    """One byte string for each meaning."""

    def test_known_bytes(self) -> None:
        self.assertEqual(FinishPayload().encode(), b"\0\0")
        whole = FinishPayload(True, (b"f" * 32, b"m" * 32), (b"p" * PROOF_SIZE,), b"frame")
        self.assertEqual(whole.encode(), b"\x03" + b"f" * 32 + b"m" * 32 + b"\x01" + b"p" * PROOF_SIZE + b"frame")

    @given(PAYLOADS)
    def test_round_trip(self, payload: FinishPayload) -> None:
        self.assertEqual(read_finish_payload(payload.encode()), payload)

    @given(st.binary(max_size=300))
    def test_anything_else_is_a_bad_packet_or_reads_back(self, data: bytes) -> None:
        try:
            payload = read_finish_payload(data)
        except BadPacket:
            return
        self.assertEqual(payload.encode(), data)

    def test_more_proofs_than_four_and_cut_ones_are_refused(self) -> None:
        many, cut = b"\0\x05" + bytes(5 * PROOF_SIZE), b"\0\x01" + bytes(97)
        for data in (b"", b"\x04\0", b"\x01" + bytes(63), b"\0", many, cut):
            self.assertRaises(BadPacket, read_finish_payload, data)

    def test_the_room_left_is_what_the_handshake_takes(self) -> None:
        self.assertEqual(FINISH_MAX - AROUND, FINISH_ROOM)
        payload = FinishPayload(False, None, (), b"x" * 40)
        self.assertEqual(payload.room(), FINISH_ROOM - 2)

    def test_the_ticket_is_not_shown(self) -> None:
        self.assertNotIn("mmmm", repr(FinishPayload(ticket=(b"f" * 32, b"m" * 32))))
