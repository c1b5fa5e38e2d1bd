"""What Finish says beside who speaks: its payload after the client's identity.

    0 1 flags: 1 a ticket follows, 2 the client still holds the exchange of its last session with this server
    [from 32 ‖ mac 32]   the ticket of a redirect and the node that issued it
    u8 p ‖ p proofs of 98 bytes
    the rest: at most one frame
Spec page: docs/spec/handshake.md.
"""

from __future__ import annotations

import attrs

from rhotwist.errors import BadPacket
from rhotwist.secret.proof import PROOF_SIZE

TICKET, CONTINUES = 1, 2

PROOFS_MAX = 4
#: Largest Finish, and what is around its payload: header 12, key and tag 48, tag 16, identity 32.
FINISH_MAX = 1_200
AROUND = 12 + 48 + 16 + 32


@attrs.frozen
class FinishPayload:
    """ticket is (issuing node's key, 32 bytes of MAC) or None; frame is the plain bytes of one frame or b""."""

    continues: bool = False
    ticket: tuple[bytes, bytes] | None = attrs.field(default=None, repr=False)
    proofs: tuple[bytes, ...] = ()
    frame: bytes = b""

    def encode(self) -> bytes:
        """The bytes after the identity."""
        flags = (TICKET if self.ticket else 0) | (CONTINUES if self.continues else 0)
        return b"".join(
            [bytes([flags]), *(self.ticket or ()), bytes([len(self.proofs)]), *self.proofs, self.frame]
        )

    def room(self) -> int:
        """Bytes left for a frame."""
        return FINISH_MAX - AROUND - len(self.encode()) + len(self.frame)


def read_finish_payload(data: bytes) -> FinishPayload:
    """Take the bytes after the identity apart. Raises BadPacket."""
    if not data or data[0] & ~(TICKET | CONTINUES):
        raise BadPacket("finish")
    at, ticket = 1, None
    if data[0] & TICKET:
        ticket, at = (data[1:33], data[33:65]), 65
    if at >= len(data) or data[at] > PROOFS_MAX:
        raise BadPacket("finish")
    end = at + 1 + data[at] * PROOF_SIZE
    if end > len(data):
        raise BadPacket("finish")
    proofs = tuple(data[start : start + PROOF_SIZE] for start in range(at + 1, end, PROOF_SIZE))
    return FinishPayload(bool(data[0] & CONTINUES), ticket, proofs, data[end:])
