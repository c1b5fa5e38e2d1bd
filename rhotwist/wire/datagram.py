"""Where bytes come from and go to, as values: a path is all the core knows of a network."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

#: An address on the wire: 16 bytes of IP (IPv4 mapped as ::ffff:a.b.c.d) and 2 of port; 18 random bytes for a stream.
ADDRESS = 18
_MAPPED = bytes(10) + b"\xff\xff"


class Path(NamedTuple):
    """One way to a peer.

    carrier is the index of the local socket or connection it uses, address the 18 bytes of the far end.
    stream is True where datagrams ride on a connection: nothing is lost there and the size limits are larger.
    """

    carrier: int
    address: bytes
    stream: bool = False


class Burst(NamedTuple):
    """Datagrams for one path, in order."""

    path: Path
    datagrams: list[bytes]


def pack_address(host: str, port: int) -> bytes:
    """The 18 bytes of an IP address as text and a port. Raises ValueError."""
    ip = ipaddress.ip_address(host)
    if not 0 <= port <= 0xFFFF:
        raise ValueError(f"port {port} is not from 0 to 65535")
    return (_MAPPED + ip.packed if ip.version == 4 else ip.packed) + port.to_bytes(2, "big")


def unpack_address(address: bytes) -> tuple[str, int]:
    """IP address as text and port; a mapped IPv4 address comes back as IPv4."""
    packed, port = address[:16], int.from_bytes(address[16:18], "big")
    ip = ipaddress.ip_address(packed[12:] if packed[:12] == _MAPPED else packed)
    return str(ip), port


def is_public(address: bytes) -> bool:
    """Whether 18 bytes name a unicast address and port of the open internet, not of some private network or none."""
    packed, port = address[:16], int.from_bytes(address[16:18], "big")
    ip = ipaddress.ip_address(packed[12:] if packed[:12] == _MAPPED else packed)
    return bool(port) and ip.is_global and not ip.is_multicast


def prefix(address: bytes) -> bytes:
    """What one household or server usually has: an IPv4 address whole, the /64 of an IPv6 address. 8 or 16 bytes."""
    return address[:16] if address[:12] == _MAPPED else address[:8]


def split(data: bytes, segment: int) -> Sequence[bytes]:
    """Undo the kernel's coalescing (UDP_GRO): equal pieces of segment bytes and a shorter last one.

    segment 0, or one not below the length, means that nothing was coalesced.
    """
    if segment <= 0 or segment >= len(data):
        return (data,)
    return [data[at : at + segment] for at in range(0, len(data), segment)]
