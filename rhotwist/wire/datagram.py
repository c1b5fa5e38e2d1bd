"""Where bytes come from and go to, as values: a path is all the core knows of a network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

#: An address on the wire: 16 bytes of IP (IPv4 mapped as ::ffff:a.b.c.d) and 2 of port; 18 random bytes for a stream.
ADDRESS = 18
#: The kernel's limits for one train: datagrams (older kernels allow 64) and bytes.
TRAIN_MOST = 64
TRAIN_BYTES = 65_000
_MAPPED = bytes(10) + b"\xff\xff"


class Path(NamedTuple):
    """One way to a peer.

    carrier is the index of the local socket or connection it uses, address the 18 bytes of the far end.
    stream is True where datagrams ride on a connection: nothing is lost there and the size limits are larger.
    """

    carrier: int
    address: bytes
    stream: bool = False


class Train(Sequence[bytes]):
    """Datagrams of one size, the last of which may be shorter, as the one run of bytes that the kernel takes and gives
    (UDP_SEGMENT, UDP_GRO). None of them is empty.

    data may be a view of a buffer that is used again: whoever keeps a datagram takes it out, which copies it. A slice
    is a train over the same bytes; it takes no steps.
    """

    __slots__ = ("data", "size")

    def __init__(self, data: bytes | memoryview, size: int) -> None:
        self.data = data
        self.size = size

    def __len__(self) -> int:
        return (len(self.data) + self.size - 1) // self.size

    def __iter__(self) -> Iterator[bytes]:
        data, size = self.data, self.size
        return (bytes(data[at : at + size]) for at in range(0, len(data), size))

    @overload
    def __getitem__(self, at: int) -> bytes: ...

    @overload
    def __getitem__(self, at: slice) -> Train: ...

    def __getitem__(self, at: int | slice) -> bytes | Train:
        if isinstance(at, slice):
            start, stop, _ = at.indices(len(self))
            return Train(memoryview(self.data)[start * self.size : stop * self.size], self.size)
        start = range(len(self))[at] * self.size
        return bytes(self.data[start : start + self.size])

    def begins_with(self, head: bytes) -> bool:
        """Whether every one of its datagrams does."""
        data, count = memoryview(self.data), len(self)
        return all(bytes(data[at :: self.size]).count(head[at]) == count for at in range(len(head)))


class Burst(NamedTuple):
    """Datagrams for one path, in order."""

    path: Path
    datagrams: Sequence[bytes]


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


def couple(datagrams: Sequence[bytes]) -> list[Sequence[bytes]]:
    """What a kernel makes of datagrams of one sender that it holds together: trains, and single ones between them."""
    reads: list[Sequence[bytes]] = []
    at = 0
    while at < len(datagrams):
        end = run(datagrams, at)
        size = len(datagrams[at])
        reads.append(Train(b"".join(datagrams[at:end]), size) if end - at > 1 else (datagrams[at],))
        at = end
    return reads


def run(datagrams: Sequence[bytes], at: int) -> int:
    """Where the train ends that starts at index at: datagrams equal in size but for a shorter last one, and no more
    than one system call takes. An empty datagram is a run of its own."""
    size = len(datagrams[at])
    end = at + 1
    if not size:
        return end
    most = min(len(datagrams), at + TRAIN_MOST, at + max(1, TRAIN_BYTES // size))
    while end < most and len(datagrams[end]) == size:
        end += 1
    if end < most and 0 < len(datagrams[end]) < size:
        end += 1
    return end
