"""What a small packet holds once it is open: nothing, one control message, one message, one reply, or several of them.

    0 1 kind: low 4 bits EMPTY 0, CONTROL 1, MESSAGE 2, REPLY 3, SEVERAL 4; MESSAGE: 0x10 source follows,
        0x20 destination follows; REPLY: 0x40 say that you have it
    CONTROL  schema u32 ‖ body
    MESSAGE  number u16 ‖ behind u8 ‖ hashcode u32 ‖ schema u32 ‖ random 16 ‖ [source 32] ‖ [destination 32] ‖ body
    REPLY    hashcode u32 ‖ schema u32 ‖ answers 32 ‖ random 16 ‖ body
    SEVERAL  (size u16 ‖ frame of the first three kinds but EMPTY), twice or more
A source or destination that is the session's own identity is left out and must be: one byte string a meaning. A reply
goes from whom the request was for to whom it was from, and does not say it again. Requests of a session and direction
are numbered mod 2**16; number - behind is the oldest one that its sender still waits for, so the receiver may forget
the replies below it. Hashcode 0 wants no answer, and then number and behind are 0.
Spec page: docs/spec/small-packets.md.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from rhotwist.errors import BadPacket

EMPTY, CONTROL, MESSAGE, REPLY, SEVERAL = 0, 1, 2, 3, 4
SOURCE, DESTINATION, CONFIRM = 0x10, 0x20, 0x40

_CONTROL = Struct("!BI")
_MESSAGE = Struct("!BHBII16s")
_REPLY = Struct("!BII32s16s")
MESSAGE_HEAD, REPLY_HEAD = _MESSAGE.size, _REPLY.size
_SEVERAL = bytes((SEVERAL,))


class Control(NamedTuple):
    """A message of the protocol itself."""

    schema: int
    body: bytes


class Said(NamedTuple):
    """A message or request; source and destination are None where the session's identities are meant."""

    number: int
    behind: int
    hashcode: int
    schema: int
    random: bytes
    source: bytes | None
    destination: bytes | None
    body: bytes


class Answered(NamedTuple):
    """A reply to the request that has this hashcode and hashes to answers; confirm asks for a Got."""

    confirm: bool
    hashcode: int
    schema: int
    answers: bytes
    random: bytes
    body: bytes | memoryview


Frame = Control | Said | Answered | None

#: random 16, source 32, destination 32, body; source and destination are b"" where the session's identities are meant.
Rest = tuple[bytes, bytes, bytes, bytes]


def pack_control(schema: int, body: bytes) -> bytes:
    """The plain bytes of a control message."""
    return _CONTROL.pack(CONTROL, schema) + body


def pack_message(number: int, behind: int, hashcode: int, schema: int, rest: Rest) -> bytes:
    """The plain bytes of a message. number is taken mod 2**16; behind is below 256."""
    random, source, destination, body = rest
    if not source and not destination:
        return _MESSAGE.pack(MESSAGE, number & 0xFFFF, behind, hashcode, schema, random) + body
    kind = MESSAGE | (SOURCE if source else 0) | (DESTINATION if destination else 0)
    head = _MESSAGE.pack(kind, number & 0xFFFF, behind, hashcode, schema, random)
    return b"".join((head, source, destination, body))


def pack_reply(hashcode: int, schema: int, answers: bytes, random: bytes, body: bytes, confirm: bool = False) -> bytes:
    """The plain bytes of a reply to the request that hashes to answers."""
    return _REPLY.pack(REPLY | (CONFIRM if confirm else 0), hashcode, schema, answers, random) + body


def pack_several(frames: list[bytes], room: int) -> list[bytes]:
    """The fewest plains of at most room bytes that hold these packed frames in order; none of them is the empty one.

    A frame that no other shares with goes as it is, whatever its size.
    """
    plains: list[bytes] = []
    parts: list[bytes] = []
    left = 0
    for frame in frames:
        size = len(frame)
        left -= 2 + size
        if left < 0:
            if parts:
                plains.append(_several(parts))
                parts = []
            left = room - 3 - size
        parts += size.to_bytes(2, "big"), frame
    plains.append(_several(parts))
    return plains


def _several(parts: list[bytes]) -> bytes:
    return parts[1] if len(parts) == 2 else _SEVERAL + b"".join(parts)


def read_frames(plain: bytes) -> list[Frame]:
    """Take an opened packet apart, whatever it holds. Raises BadPacket, and then all of it is to be dropped."""
    if plain[:1] != _SEVERAL:
        return [read_frame(plain)]
    frames: list[Frame] = []
    at, end = 1, len(plain)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(plain[at:start], "big")
        if at > end:
            raise BadPacket("short")
        frames.append(read_frame(plain[start:at]))
    if len(frames) < 2 or None in frames:
        raise BadPacket("kind")
    return frames


def read_frame(plain: bytes) -> Frame:
    """Take one frame apart; None for an empty one. Raises BadPacket."""
    if not plain:
        raise BadPacket("short")
    kind = plain[0]
    try:
        if kind & ~(SOURCE | DESTINATION) == MESSAGE:
            _, number, behind, hashcode, schema, random = _MESSAGE.unpack_from(plain)
            source = destination = None
            at = MESSAGE_HEAD
            if kind != MESSAGE:
                source, destination, at = _wallets(plain, kind, MESSAGE_HEAD)
            if not hashcode and (number or behind):
                raise BadPacket("number")
            return Said(number, behind, hashcode, schema, random, source, destination, plain[at:])
        if kind & ~CONFIRM == REPLY:
            _, hashcode, schema, answers, random = _REPLY.unpack_from(plain)
            if not hashcode:
                raise BadPacket("hashcode")
            return Answered(kind == REPLY | CONFIRM, hashcode, schema, answers, random, plain[REPLY_HEAD:])
        if kind == CONTROL:
            _, schema = _CONTROL.unpack_from(plain)
            return Control(schema, plain[_CONTROL.size :])
    except StructError:
        raise BadPacket("short") from None
    if kind == EMPTY and len(plain) == 1:
        return None
    raise BadPacket("kind")


def _wallets(plain: bytes, kind: int, at: int) -> tuple[bytes | None, bytes | None, int]:
    source = destination = None
    if kind & SOURCE:
        source, at = plain[at : at + 32], at + 32
    if kind & DESTINATION:
        destination, at = plain[at : at + 32], at + 32
    if at > len(plain):
        raise BadPacket("short")
    return source, destination, at
