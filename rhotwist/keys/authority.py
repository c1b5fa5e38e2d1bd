"""An authority: the signed leave of a master wallet for a subordinate to speak or receive for it.

      0 32  master                       72  4  expires, at most 92 days after issued
     32 32  subordinate                  76  1  scope: 1 speak, 2 receive, 3 both, 0 withdraws
     64  4  number                       77 32  A, the key of the receive branch; zeros where scope has no 2
     68  4  issued                      109 64  signature by the master over the label and the 109 bytes before

Times are seconds since 2020-01-01. Numbers count for each pair of master and subordinate, and the highest stands. A
master gives a higher number a later time of issue. Spec page: docs/spec/record.md.
"""

from __future__ import annotations

import struct

import attrs

from rhotwist.errors import BadPacket, LocalError
from rhotwist.keys.pair import SeedKey

LABEL = b"rho/authority/1"
SIZE = 173
#: Bytes that are signed, behind the label.
BODY = 109
LIFE_MOST = 92 * 86_400
"""Seconds an authority may last: three months."""
#: What a scope allows, as bits.
SPEAK, RECEIVE = 1, 2

_LAYOUT = struct.Struct(">32s32sIIIB32s")
_NONE = bytes(32)


@attrs.frozen
class Authority:
    """What an authority says. Its keys and its signature are for the reader to check."""

    master: bytes
    subordinate: bytes
    number: int
    issued: int
    expires: int
    scope: int
    branch: bytes = _NONE

    def body(self) -> bytes:
        """The 109 bytes that are signed behind the label. Raises LocalError for what no authority says."""
        try:
            made = _LAYOUT.pack(*attrs.astuple(self))
            read_authority(made + bytes(SIZE - BODY))
        except (struct.error, BadPacket) as wrong:
            raise LocalError(f"an authority cannot be {self}: {wrong}") from None
        return made

    def sign(self, master: SeedKey) -> bytes:
        """The authority as its 173 bytes. Raises LocalError, also for another master than the one it names."""
        if master.public != self.master:
            raise LocalError(f"{master.public.hex()} signs for {self.master.hex()}")
        body = self.body()
        return body + master.sign(LABEL + body)

    def parties(self) -> tuple[bytes, ...]:
        """The keys it names that ``check_key`` must take."""
        return (self.master, self.subordinate, *((self.branch,) if self.scope & RECEIVE else ()))


def read_authority(data: bytes) -> Authority:
    """What 173 bytes say, neither keys nor signature checked. Raises BadPacket: size, scope, life."""
    if len(data) != SIZE:
        raise BadPacket("size")
    made = Authority(*_LAYOUT.unpack_from(data))
    if made.scope & ~(SPEAK | RECEIVE) or bool(made.scope & RECEIVE) == (made.branch == _NONE):
        raise BadPacket("scope")
    if not made.issued < made.expires <= made.issued + LIFE_MOST:
        raise BadPacket("life")
    return made
