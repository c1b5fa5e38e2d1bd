"""Where a node is said to be, as a record says it: the type, an address, a port. Which of them a stranger may name.

    1 udp4   address 4, port 2        4 tcp6   address 16, port 2
    2 udp6   address 16, port 2       5 onion  public key of an onion service of version 3, 32, port 2
    3 tcp4   address 4, port 2        6 relay  key of the node that takes messages, 32

Which addresses a stranger may name is fixed here and not asked of ``ipaddress``, whose answers differ between versions
of Python: nodes that disagree about a record never have the same root. A test compares the two.
"""

from __future__ import annotations

import bisect
import enum
import ipaddress
import itertools
from collections.abc import Iterable
from typing import NamedTuple

from rhotwist.errors import BadPacket, LocalError
from rhotwist.keys.address import TCP, UDP


class Kind(enum.IntEnum):
    """The types of endpoint."""

    UDP4 = 1
    UDP6 = 2
    TCP4 = 3
    TCP6 = 4
    ONION = 5
    RELAY = 6


#: Bytes of an endpoint of each type, with the type; the last two are its port, but for a relay.
SIZES = (0, 7, 19, 7, 19, 35, 33)
_MAPPED = bytes(10) + b"\xff\xff"
_IP = {(UDP, 4): Kind.UDP4, (UDP, 6): Kind.UDP6, (TCP, 4): Kind.TCP4, (TCP, 6): Kind.TCP6}


class Endpoint(NamedTuple):
    """One endpoint. value is the packed IP address, the onion service's key or the node's key; a relay has port 0."""

    kind: int
    value: bytes
    port: int = 0

    def encode(self) -> bytes:
        """Its one byte string. Raises LocalError."""
        try:
            made = bytes((self.kind,)) + self.value
            made += b"" if self.kind == Kind.RELAY else self.port.to_bytes(2, "big")
            if read_endpoints(made, 0, 1) == (made,) and unpack(made) == self:
                return made
        except (BadPacket, ValueError, OverflowError):
            pass
        raise LocalError(f"{self} is no endpoint")

    @property
    def host(self) -> str:
        """The IP address as text. Raises LocalError for an endpoint that has none."""
        if self.kind not in _IP.values():
            raise LocalError(f"an endpoint of type {self.kind} has no IP address")
        return str(ipaddress.ip_address(self.value))


def at_ip(carrier: str, host: str, port: int) -> Endpoint:
    """The endpoint of a carrier, ``"udp"`` or ``"tcp"``, at an IP address in text. Raises LocalError."""
    try:
        ip = ipaddress.ip_address(host)
        return Endpoint(_IP[carrier, ip.version], ip.packed, port)
    except (KeyError, ValueError):
        raise LocalError(f"{carrier} at {host} is no carrier at an IP address") from None


def unpack(encoded: bytes) -> Endpoint:
    """The endpoint of bytes that ``read_endpoints`` took."""
    if encoded[0] == Kind.RELAY:
        return Endpoint(Kind.RELAY, encoded[1:])
    return Endpoint(Kind(encoded[0]), encoded[1:-2], int.from_bytes(encoded[-2:], "big"))


def read_endpoints(data: bytes, at: int, count: int) -> tuple[bytes, ...]:
    """The count endpoints that lie from at on, each as its bytes.

    Raises BadPacket: type, short, port (0), mapped (an IPv4 address written as IPv6 would be a second spelling), order
    (they ascend, so each set has one order and none comes twice).
    """
    found = []
    before = b""
    for _ in range(count):
        kind = data[at] if at < len(data) else 0
        if not 1 <= kind <= Kind.RELAY:
            raise BadPacket("type")
        one = data[at : at + SIZES[kind]]
        at += SIZES[kind]
        if at > len(data):
            raise BadPacket("short")
        if kind != Kind.RELAY and one[-2:] == b"\0\0":
            raise BadPacket("port")
        if kind in (Kind.UDP6, Kind.TCP6) and one[1:13] == _MAPPED:
            raise BadPacket("mapped")
        if one <= before:
            raise BadPacket("order")
        before = one
        found.append(one)
    return tuple(found)


# --- what a stranger may name -----------------------------------------------------------------------------------------


def _bounds(networks: Iterable[str]) -> list[int]:
    """The first address of each network and the first behind it, ascending: at an odd place one is inside."""
    nets = [ipaddress.ip_network(network) for network in networks]
    return sorted(
        itertools.chain.from_iterable((int(net.network_address), int(net.broadcast_address) + 1) for net in nets)
    )


#: This network, private, shared, loopback, link-local, protocol assignments, documentation, 6to4 relays, benchmarks,
#: multicast and reserved (iana.org, IPv4 Special-Purpose Address Registry).
_NOT_PUBLIC_4 = _bounds((
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3",
))  # fmt: skip
#: All but 2000::/3, and of that protocol assignments with Teredo, documentation, and 6to4, which leads to any IPv4
#: address (iana.org, IPv6 Special-Purpose Address Registry).
_NOT_PUBLIC_6 = _bounds((
    "::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1",
))  # fmt: skip


def is_public(encoded: bytes) -> bool:
    """Whether a stranger may name this endpoint: an address of the open internet, an onion service, a relay. 0.5 µs."""
    kind = encoded[0]
    if kind > Kind.TCP6:
        return True
    outside = _NOT_PUBLIC_6 if SIZES[kind] > SIZES[Kind.UDP4] else _NOT_PUBLIC_4
    return not bisect.bisect_right(outside, int.from_bytes(encoded[1:-2], "big")) & 1


def crowd_of(encoded: bytes) -> bytes | None:
    """Where many endpoints may be one party's: a /24, a /48, an onion service; None for a relay."""
    kind = encoded[0]
    if kind == Kind.RELAY:
        return None
    if kind == Kind.ONION:
        return encoded[1:-2]
    return encoded[1:7] if SIZES[kind] > SIZES[Kind.UDP4] else encoded[1:4]
