"""Frames on a byte stream: what goes over TCP where datagrams would go over UDP. Page: docs/spec/stream.md.

    0 1  kind                            1 3  size N of what follows, without tags
    kind 0  DATAGRAM  N bytes of one datagram: handshake or small packet
    kind 1  USE       N = 24: receiver's hashcode u32 ‖ epoch mod 256 u8 ‖ use number u24 ‖ tag 16
    kind 2  RECORD    N plain bytes under the last USE, sealed in pieces; 16 bytes of tag behind each piece
A record is cut at offset 4,096 and at every multiple of 65,536, so that its head opens early.
"""

from __future__ import annotations

from struct import Struct

DATAGRAM, USE, RECORD = 0, 1, 2
HEAD_SIZE = 4
#: What follows the head of a USE.
USE_SIZE = 24
#: Plain bytes of the largest record.
RECORD_MOST = (1 << 24) - 1
#: Where a record is cut for the first time, and at the multiples of what after that.
FIRST_CUT, LATER_CUT = 4_096, 65_536

_HEAD = Struct("!I")


def pack_head(kind: int, size: int) -> bytes:
    """The 4 bytes before a frame."""
    return _HEAD.pack(kind << 24 | size)


def read_head(data: bytes | bytearray | memoryview, at: int = 0) -> tuple[int, int]:
    """Kind and size of the frame whose head lies there, 4 bytes."""
    (both,) = _HEAD.unpack_from(data, at)
    return both >> 24, both & RECORD_MOST


def frame(datagram: bytes) -> bytes:
    """A datagram as it goes over a stream."""
    return _HEAD.pack(len(datagram)) + datagram


def piece_size(size: int, at: int) -> int:
    """Plain bytes of the piece at an offset of a record of size bytes."""
    cut = FIRST_CUT if at < FIRST_CUT else at - at % LATER_CUT + LATER_CUT
    return min(cut, size) - at
