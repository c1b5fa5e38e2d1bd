"""Packet headers: what stands in clear before each sealed part. Sizes are bytes; docs/spec/packets.md has the tables.

Handshake packets (types 1 to 4) carry this header:

    0 1  version 1 ‖ type, 4 bits each   2 1  fragment k ‖ n, 4 bits each   4 4  sender's hashcode
    1 1  suite                           3 1  flags                         8 4  receiver's hashcode

    H  header 12 ‖ M1 48+payload.. ‖ cookie 16 ‖ puzzle 8 ‖ mac1 16
    R  header 12 ‖ nonce 12 ‖ sealed 40
    A  header 12 ‖ M2 ‖ mac1 16
    F  header 12 ‖ M3
Small packets (type 5) carry this one, which is also what their seal authenticates:

    0 1  epoch mod 16 ‖ type 5, 4 bits each   1 1  flags   2 6  counter   8 4  receiver's hashcode
"""

from __future__ import annotations

from struct import Struct

import attrs

from rhotwist.errors import BadPacket

VERSION = 1
HELLO, RETRY, ACCEPT, FINISH, SMALL, OBJECT = 1, 2, 3, 4, 5, 6

#: Flags of a Hello: what stands in its cookie field.
COOKIE, TOKEN, TOKEN_REDIRECT = 1, 2, 4

HEADER = 12
COOKIE_SIZE = 16
PUZZLE_SIZE = 8
MAC_SIZE = 16
TAG_SIZE = 16
RETRY_SIZE = 64
HELLO_TAIL = COOKIE_SIZE + PUZZLE_SIZE + MAC_SIZE

_HANDSHAKE = Struct("!BBBBII")
_SMALL = Struct("!QI")


@attrs.frozen
class Header:
    """The clear header of a handshake packet. fragment is (k << 4) | n: the k-th of n, k from 0."""

    type: int
    suite: int
    fragment: int
    flags: int
    sender: int
    receiver: int

    def encode(self) -> bytes:
        """The 12 bytes."""
        return pack_header(self.type, self.suite, self.fragment, self.flags, self.sender, self.receiver)


def pack_header(type_: int, suite: int, fragment: int, flags: int, sender: int, receiver: int) -> bytes:
    """The 12 bytes of a Header that nobody needs as an object."""
    return _HANDSHAKE.pack(VERSION << 4 | type_, suite, fragment, flags, sender, receiver)


def read_header(data: bytes) -> Header:
    """The header of a handshake packet. Raises BadPacket for a short one, another version or another type."""
    if len(data) < HEADER:
        raise BadPacket("short")
    first, suite, fragment, flags, sender, receiver = _HANDSHAKE.unpack_from(data)
    if first >> 4 != VERSION:
        raise BadPacket("version")
    kind = first & 15
    if not HELLO <= kind <= FINISH:
        raise BadPacket("type")
    return Header(kind, suite, fragment, flags, sender, receiver)


@attrs.frozen
class Hello:
    """A Hello datagram, whole or one of two halves, taken apart; nothing in it is proven yet.

    noise is M1 or this half's part of it; body is everything before mac1, which is what mac1 covers.
    """

    header: Header
    noise: bytes
    cookie: bytes
    puzzle: bytes
    mac1: bytes
    body: bytes


def read_hello(data: bytes) -> Hello:
    """Take a Hello apart. Raises BadPacket for what no Hello has: sizes, fragments, unknown flags, zero hashcode."""
    header = read_header(data)
    if header.type != HELLO:
        raise BadPacket("type")
    end = len(data) - HELLO_TAIL
    if end <= HEADER:
        raise BadPacket("short")
    if header.fragment not in (0x01, 0x02, 0x12):
        raise BadPacket("fragment")
    if header.flags not in (0, COOKIE, TOKEN, TOKEN_REDIRECT):
        raise BadPacket("flags")
    if header.receiver or not header.sender:
        raise BadPacket("hashcode")
    cookie, puzzle = data[end : end + COOKIE_SIZE], data[end + COOKIE_SIZE : end + COOKIE_SIZE + PUZZLE_SIZE]
    if not header.flags and any(cookie):
        raise BadPacket("cookie")
    if not puzzle[0] and any(puzzle):
        raise BadPacket("puzzle")
    return Hello(header, data[HEADER:end], cookie, puzzle, data[-MAC_SIZE:], data[:-MAC_SIZE])


def small_header(epoch: int, flags: int, counter: int, receiver: int) -> bytes:
    """The 12 bytes before a small packet. counter is below 2**48; epoch is taken mod 16."""
    return _SMALL.pack(((epoch & 15) << 4 | SMALL) << 56 | flags << 48 | counter, receiver)
