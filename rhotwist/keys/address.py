"""A party's key as text that survives being typed: ``rho1``, a kind character, the key, a checksum; 63 characters.

``rho1n...`` is a node, ``rho1w...`` a wallet; ``NODE@HOST:PORT`` says how to get to a node, ``NODE@tcp:HOST:PORT`` that
it is by TCP.
Spec page: docs/spec/addresses.md.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

import attrs

from rhotwist.errors import BadAddress, BadKey
from rhotwist.keys.pair import check_key
from rhotwist.wire import bech32

PREFIX = "rho"
NODE, WALLET = "n", "w"
#: What each kind character stands for.
KINDS: Final[Mapping[str, str]] = {NODE: "node", WALLET: "wallet"}
#: What carries a node's packets: datagrams, which is what is meant when nothing is said, or connections.
UDP, TCP = "udp", "tcp"
#: Characters of every address.
LENGTH = 63
#: Characters of a name that people give: anything longer is meant as an address.
NAME_MOST = 40
#: Where a node listens unless it is told otherwise, UDP and TCP.
DEFAULT_PORT = 7460

_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMBERS = re.compile(r"[0-9.]+")
_PORT = re.compile(r"[0-9]{1,5}")


@attrs.frozen
class Address:
    """Who: kind is ``"n"`` or ``"w"``, key the 32 bytes."""

    kind: str
    key: bytes


@attrs.frozen
class NodeAt:
    """A node and where it is said to be: host is an IP address or a name, without brackets.

    carrier is how to get there: ``"udp"``, or ``"tcp"`` over a connection.
    """

    key: bytes
    host: str
    port: int = DEFAULT_PORT
    carrier: str = UDP


def format_address(address: Address) -> str:
    """The 63 characters, in lower case. Raises BadAddress for a kind that does not exist, BadKey for what is no key."""
    if address.kind not in KINDS:
        raise BadAddress(f"{address.kind!r} is no kind of address")
    kind = bech32.ALPHABET.index(address.kind)
    return bech32.encode(PREFIX, [kind, *bech32.to_fives(check_key(address.key))])


def parse_address(text: str, kind: str | None = None) -> Address:
    """Read an address; white space around it and capital letters throughout are allowed, as a QR code has them.

    With kind given, an address of the other kind is refused. Raises BadAddress, naming the place of one wrong character
    and what was likely meant; one wrong character is never another address.
    """
    text = text.strip()
    if len(text) != LENGTH:
        raise BadAddress(_wrong_length(text))
    values = bech32.decode(text, PREFIX)[1]
    found = bech32.ALPHABET[values[0]]
    if found not in KINDS:
        raise BadAddress(f"rho1{found} is no kind of address that this version knows: rho1n is a node, rho1w a wallet")
    if kind is not None and found != kind:
        raise BadAddress(
            f"this is the address of a {KINDS[found]} (rho1{found}) where that of a {KINDS[kind]} (rho1{kind}) belongs"
        )
    try:
        return Address(found, check_key(bech32.from_fives(values[1:])))
    except BadKey:
        raise BadAddress("the checksum holds, but what it guards is no key: nobody can have this address") from None


def is_address(text: str) -> bool:
    """Whether a text is meant as an address rather than as a name of the user's own, be it right or mistyped."""
    text = text.strip()
    return len(text) > NAME_MOST or text[:4].lower() == PREFIX + "1"


def format_node_at(node: NodeAt) -> str:
    """``NODE@HOST:PORT`` or ``NODE@tcp:HOST:PORT``, an IPv6 address in brackets. Raises as ``format_address`` does."""
    host = f"[{node.host}]" if ":" in node.host else node.host
    carrier = "" if node.carrier == UDP else f"{node.carrier}:"
    return f"{format_address(Address(NODE, node.key))}@{carrier}{host}:{node.port}"


def parse_node_at(text: str) -> NodeAt:
    """Read ``NODE@HOST:PORT``; without ``:PORT`` it is 7460. Raises BadAddress, saying which of the three is wrong.

    ``tcp:`` before HOST means over a connection; ``udp:`` may stand there too.
    """
    who, at, where = text.strip().partition("@")
    if not at:
        raise BadAddress("no @: write NODE@HOST or NODE@HOST:PORT, such as rho1n...@192.0.2.1:7460")
    key = parse_address(who, NODE).key
    carrier = where[:4].lower()
    if carrier in ("tcp:", "udp:"):
        where = where[4:]
    host, port = _split(where)
    return NodeAt(key, _host(host), _port(port), TCP if carrier == "tcp:" else UDP)


def _split(where: str) -> tuple[str, str | None]:
    if where.startswith("["):
        host, bracket, rest = where[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadAddress(f"{where!r}: after an IPv6 address in brackets comes nothing or :PORT")
        if ":" not in host:
            raise BadAddress(f"{host!r} is no IPv6 address; only those stand in brackets")
        return host, rest[1:] if rest else None
    if where.count(":") > 1:
        raise BadAddress(f"{where!r}: an IPv6 address stands in brackets, such as [2001:db8::1]:7460")
    host, colon, port = where.partition(":")
    return host, port if colon else None


def _host(host: str) -> str:
    if ":" in host or _NUMBERS.fullmatch(host):
        try:
            ip = ipaddress.ip_address(host)
        except ValueError:
            raise BadAddress(f"{host!r} is no IP address") from None
        if ip.version == 4:
            return str(ip)
        if ip.scope_id is not None:
            raise BadAddress(f"{host!r}: an address with a zone (%) means something on one machine only")
        return str(ip.ipv4_mapped or ip)
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise BadAddress(f"{host[:60]!r} is no host name and no IP address")
    return host.lower()


def _port(port: str | None) -> int:
    if port is None:
        return DEFAULT_PORT
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 0xFFFF:
        raise BadAddress(f"{port[:20]!r} is no port from 1 to 65535")
    return int(port)


def _wrong_length(text: str) -> str:
    if text[:4].lower() != PREFIX + "1":
        return "it does not begin with rho1n, as a node's address does, or rho1w, as a wallet's"
    for place, character in enumerate(text, 1):
        if not character.isascii() or not character.isalnum():
            return f"character {place} is {character!a}, which no address has"
    count = abs(len(text) - LENGTH)
    what = "one character is" if count == 1 else f"{count} characters are"
    change = "missing" if len(text) < LENGTH else "too many"
    return f"{len(text)} characters where an address has {LENGTH}: {what} {change}"
