"""Where to listen, as an operator writes it: ``7460``, ``203.0.113.5:7460``, ``[::1]:7460``, ``tcp:7460``.

Without a word before it a place is for datagrams, as after ``udp:``; after ``tcp:`` it is for connections.
"""

from __future__ import annotations

import ipaddress
import re

import attrs

from rhotwist.control import trouble
from rhotwist.keys.address import TCP, UDP

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - a node is there to be reached
"""A port alone means both families, on every interface."""
_PORT = re.compile(r"[0-9]{1,5}")


@attrs.frozen
class Place:
    """One socket to be: host is an IP address of this machine, port 0 any free one; carrier ``"udp"`` or ``"tcp"``."""

    host: str
    port: int
    carrier: str = UDP

    @property
    def named(self) -> str:
        """It, and what it carries, as people are told: ``udp 203.0.113.5:7460``."""
        return f"{self.carrier} {self}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> tuple[Place, ...]:
    """The places that text names. Raises OperatorError RHO-1004."""
    bare = text.strip()
    carrier = TCP if bare.startswith("tcp:") else UDP
    host, colon, port = bare.removeprefix(f"{carrier}:").rpartition(":")
    if not _PORT.fullmatch(port) or int(port) > 0xFFFF:
        raise trouble.LISTEN_WRONG(text=repr(text), why=f"{port[:20]!r} is no port from 0 to 65535")
    if not colon:
        return tuple(Place(host, int(port), carrier) for host in EVERYWHERE)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise trouble.LISTEN_WRONG(text=repr(text), why="an IPv6 address stands in brackets")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        why = f"{host[:60]!r} is no IP address; names are not looked up"
        raise trouble.LISTEN_WRONG(text=repr(text), why=why) from None
    return (Place(str(address), int(port), carrier),)


def parse_all(texts: tuple[str, ...]) -> tuple[Place, ...]:
    """The places of all texts, each once, in order. Raises OperatorError RHO-1004."""
    return tuple(dict.fromkeys(place for text in texts for place in parse(text)))
