"""Sorting out Hellos whose turn it is not (``rhotwist.link.sieve``) before they cost anything: in the kernel.

A socket filter is a program for the machine of classic BPF, which Linux runs on each datagram before it takes a place
in the socket's buffer. Any process may attach one to its own socket. Where the kernel does not take it, ``passes`` says
the same, for 2 µs after a read that cost 6.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from typing import Any

from rhotwist.link.sieve import KEY, PLACES, Turn
from rhotwist.wire.packet import HELLO, RETRY_SIZE

_LINUX = sys.platform.startswith("linux")

# Names the socket module does not have (asm-generic/socket.h).
SO_ATTACH_FILTER = 26
SO_DETACH_FILTER = 27
SO_MEMINFO = 55

#: struct sock_filter: code, jump if true, jump if false, k; and struct sock_fprog: count, address (linux/filter.h).
_STEP = struct.Struct("HBBI")
_PROGRAM = struct.Struct("HL")
# Codes of steps (linux/bpf_common.h). A is the accumulator, X the index, M the scratch memory, all of 32 bits.
_LOAD_SIZE, _LOAD_1, _LOAD_2, _LOAD_4 = 0x80, 0x30, 0x28, 0x20  # A = length; A = bytes at k, network order
_AND, _TIMES, _LESS, _PLUS_X, _TO_X = 0x54, 0x24, 0x14, 0x0C, 0x07
_EQUAL, _AT_LEAST, _RETURN = 0x15, 0x35, 0x06
#: k of a load from the IP header (SKF_NET_OFF); other offsets count from the UDP header, whose first field is the port.
_IP = 0xFFF00000
_UDP = 8
_ALL = 0xFFFFFFFF  # bytes of the datagram that are kept

#: What SO_MEMINFO tells: bytes held, bytes it may hold, six others, datagrams dropped (linux/sock_diag.h).
_MEMINFO = struct.Struct("=9I")

_KEY = struct.Struct("=6I")
if _KEY.size != KEY:
    raise ImportError("the key of a turn is six numbers of 32 bits")


def passes(turn: Turn, sender: tuple[Any, ...], hashcode: bytes) -> bool:
    """Whether it is the turn of a Hello without a cookie, by where it came from and its four bytes of hashcode."""
    place = hash((turn.key, sender[0], sender[1], hashcode))
    return (place - turn.start) % PLACES < turn.width


def is_bare(data: bytes) -> bool:
    """Whether a datagram is a Hello that gets a Retry at best: one without cookie or token."""
    return len(data) >= RETRY_SIZE and data[0] & 15 == HELLO and not data[3]


def program(turn: Turn, ipv6: bool) -> bytes:
    """The filter: 0 for a bare Hello whose turn it is not, all of any other datagram."""
    words = [_IP + at for at in ((8, 12, 16, 20) if ipv6 else (12,))]
    loads = [(_LOAD_2, 0), (_LOAD_4, _UDP + 4), *((_LOAD_4, word) for word in words)]
    factors = [factor | 1 for factor in _KEY.unpack(turn.key)]
    # place = the sum of words and port, each times an odd number of the key, mod 2**32
    steps = [loads[0], (_TIMES, factors[0])]
    for load, factor in zip(loads[1:], factors[1:], strict=False):
        steps += [(_TO_X, 0), load, (_TIMES, factor), (_PLUS_X, 0)]
    steps.append((_LESS, turn.start))
    rest = len(steps)
    code = [
        (_LOAD_SIZE, 0, 0, 0), (_AT_LEAST, 0, rest + 6, _UDP + RETRY_SIZE),
        (_LOAD_1, 0, 0, _UDP), (_AND, 0, 0, 15), (_EQUAL, 0, rest + 3, HELLO),
        (_LOAD_1, 0, 0, _UDP + 3), (_EQUAL, 0, rest + 1, 0),
        *((step, 0, 0, k) for step, k in steps),
        (_AT_LEAST, 1, 0, turn.width), (_RETURN, 0, 0, _ALL), (_RETURN, 0, 0, 0),
    ]  # fmt: skip
    return b"".join(_STEP.pack(*step) for step in code)


def attach(sock: socket.socket, turn: Turn, ipv6: bool) -> bool:
    """Have the kernel drop bare Hellos whose turn it is not, in place of whatever it dropped before; about 70 µs.

    False where it does not do such things.
    """
    if not _LINUX:
        return False
    code = program(turn, ipv6)
    held = ctypes.create_string_buffer(code, len(code))
    try:
        sock.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, _PROGRAM.pack(len(code) // _STEP.size, ctypes.addressof(held))
        )
    except OSError:
        return False
    return True


def detach(sock: socket.socket) -> None:
    """Have the kernel drop nothing any more."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
    except OSError:
        return  # nothing is attached


def crowd(sock: socket.socket) -> tuple[int, float]:
    """Datagrams that the kernel has dropped at this socket so far, by its filter or for want of room, mod 2**32; and
    how full its buffer is, from 0 to 1. Zeros where it does not say."""
    try:
        told = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size) if _LINUX else b""
    except OSError:
        told = b""
    if len(told) < _MEMINFO.size:
        return 0, 0.0
    held, room, *_, dropped = _MEMINFO.unpack(told)
    return dropped, min(1.0, held / max(1, room))
