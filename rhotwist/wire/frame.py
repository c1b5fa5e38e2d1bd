"""What a small packet holds once it is open: nothing, one control message, one message or one reply.

    0 1 kind: low 4 bits EMPTY 0, CONTROL 1, MESSAGE 2, REPLY 3; 0x10 source follows; 0x20 destination follows
    CONTROL  schema u32 ‖ body
    MESSAGE  floor u16 ‖ hashcode u32 ‖ schema u32 ‖ random 16 ‖ [source 32] ‖ [destination 32] ‖ body
    REPLY    hashcode u32 ‖ schema u32 ‖ answers 32 ‖ random 16 ‖ [source 32] ‖ [destination 32] ‖ body
A source or destination that is the session's own identity is left out and must be: one byte string a meaning. Hashcode 0
wants no answer. floor says how far below this packet's counter the sender's oldest unanswered request was first sealed
(0xFFFF: it says nothing), so the receiver may forget what lies below. Spec page: docs/spec/small-packets.md.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

import attrs

from rhotwist.errors import BadPacket

EMPTY, CONTROL, MESSAGE, REPLY = 0, 1, 2, 3
SOURCE, DESTINATION = 0x10, 0x20
NO_FLOOR = 0xFFFF

_CONTROL = Struct("!BI")
_MESSAGE = Struct("!BHII16s")
_REPLY = Struct("!BII32s16s")
MESSAGE_HEAD, REPLY_HEAD = _MESSAGE.size, _REPLY.size


@attrs.frozen
class Control:
    """A message of the protocol itself."""

    schema: int
    body: bytes


@attrs.frozen
class Said:
    """A message or request; source and destination are None where the session's identities are meant."""

    floor: int
    hashcode: int
    schema: int
    random: bytes
    source: bytes | None
    destination: bytes | None
    body: bytes


@attrs.frozen
class Answered:
    """A reply to the request that has this hashcode and hashes to answers."""

    hashcode: int
    schema: int
    answers: bytes
    random: bytes
    source: bytes | None
    destination: bytes | None
    body: bytes


Frame = Control | Said | Answered | None


def pack_control(schema: int, body: bytes) -> bytes:
    """The plain bytes of a control message."""
    return _CONTROL.pack(CONTROL, schema) + body


def pack_message(
    floor: int, hashcode: int, schema: int, random: bytes, source: bytes, destination: bytes, body: bytes
) -> bytes:
    """The plain bytes of a message; source and destination are b"" where the session's identities are meant."""
    kind = MESSAGE | (SOURCE if source else 0) | (DESTINATION if destination else 0)
    return b"".join((_MESSAGE.pack(kind, floor, hashcode, schema, random), source, destination, body))


def pack_reply(
    hashcode: int, schema: int, answers: bytes, random: bytes, source: bytes, destination: bytes, body: bytes
) -> bytes:
    """The plain bytes of a reply; source and destination as in ``pack_message``."""
    kind = REPLY | (SOURCE if source else 0) | (DESTINATION if destination else 0)
    return b"".join((_REPLY.pack(kind, hashcode, schema, answers, random), source, destination, body))


def read_frame(plain: bytes) -> Frame:
    """Take an opened packet apart; None for an empty one. Raises BadPacket."""
    if not plain:
        raise BadPacket("short")
    kind = plain[0]
    try:
        if kind & 15 == MESSAGE:
            _, floor, hashcode, schema, random = _MESSAGE.unpack_from(plain)
            source, destination, at = _wallets(plain, kind, MESSAGE_HEAD)
            return Said(floor, hashcode, schema, random, source, destination, plain[at:])
        if kind & 15 == REPLY:
            _, hashcode, schema, answers, random = _REPLY.unpack_from(plain)
            source, destination, at = _wallets(plain, kind, REPLY_HEAD)
            if not hashcode:
                raise BadPacket("hashcode")
            return Answered(hashcode, schema, answers, random, source, destination, plain[at:])
        if kind == CONTROL:
            _, schema = _CONTROL.unpack_from(plain)
            return Control(schema, plain[_CONTROL.size :])
    except StructError:
        raise BadPacket("short") from None
    if kind == EMPTY and len(plain) == 1:
        return None
    raise BadPacket("kind")


def _wallets(plain: bytes, kind: int, at: int) -> tuple[bytes | None, bytes | None, int]:
    if kind & 0xC0:
        raise BadPacket("kind")
    source = destination = None
    if kind & SOURCE:
        source, at = plain[at : at + 32], at + 32
    if kind & DESTINATION:
        destination, at = plain[at : at + 32], at + 32
    if at > len(plain):
        raise BadPacket("short")
    return source, destination, at
