"""The siblings file: which processes a full node sends clients on to, and the secret that all of them share.

    secret = "64 hex digits: the same 32 random bytes in every member's file"
    [[member]]
    key = "rho1n..."
    addresses = ["203.0.113.6:7460", "[2001:db8::6]:7460"]

The file holds a secret, so its mode must be 0600.
"""

from __future__ import annotations

import ipaddress
import stat
import tomllib
from pathlib import Path
from typing import Any

import attrs

from rhotwist.control import trouble
from rhotwist.errors import BadAddress
from rhotwist.keys.address import parse_address

SECRET_SIZE = 32
MEMBER_MOST = 256
ADDRESS_MOST = 8
FILE_MOST = 1 << 20  # bytes


@attrs.frozen
class Member:
    """One process: its public key (32 bytes) and where it listens, as (IP address, port)."""

    key: bytes
    addresses: tuple[tuple[str, int], ...]


@attrs.frozen
class Siblings:
    """All members, this process among them or not, and the 32 bytes from which their shared secrets come."""

    members: tuple[Member, ...]
    secret: bytes = attrs.field(repr=False)

    def others(self, public: bytes) -> tuple[Member, ...]:
        """All members but the one with this key."""
        return tuple(member for member in self.members if member.key != public)


def load(path: Path) -> Siblings:
    """Read a siblings file. Raises OperatorError RHO-1005 or RHO-1006."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read(FILE_MOST)
    except OSError as error:
        raise trouble.SIBLINGS_WRONG(path=path, why=error.strerror or str(error)) from None
    if mode & 0o077:
        raise trouble.SIBLINGS_OPEN(path=path, mode=f"{mode:04o}")
    try:
        return _read(tomllib.loads(data.decode("utf-8")))
    except (_Wrong, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise trouble.SIBLINGS_WRONG(path=path, why=str(error)) from None


class _Wrong(Exception):
    """Something in the file; the message says what, without the secret."""


def _read(found: dict[str, Any]) -> Siblings:
    _only(found, {"secret", "member"}, "the file")
    secret, members = found.get("secret"), found.get("member", [])
    if not isinstance(secret, str) or len(secret) != 2 * SECRET_SIZE:
        raise _Wrong(f"secret is not {2 * SECRET_SIZE} hex digits")
    try:
        raw = bytes.fromhex(secret)
    except ValueError:
        raise _Wrong(f"secret is not {2 * SECRET_SIZE} hex digits") from None
    if not any(raw):
        raise _Wrong("secret is all zeros; make one with: openssl rand -hex 32")
    if not isinstance(members, list) or not 1 <= len(members) <= MEMBER_MOST:
        raise _Wrong(f"there are not 1 to {MEMBER_MOST} [[member]] parts")
    read = tuple(_member(member, f"member {place}") for place, member in enumerate(members, 1))
    if len({member.key for member in read}) != len(read):
        raise _Wrong("two members have one key")
    return Siblings(read, raw)


def _member(found: Any, place: str) -> Member:
    if not isinstance(found, dict):
        raise _Wrong(f"{place} is no [[member]] part")
    _only(found, {"key", "addresses"}, place)
    key, addresses = found.get("key"), found.get("addresses")
    if not isinstance(key, str) or not isinstance(addresses, list) or not 1 <= len(addresses) <= ADDRESS_MOST:
        raise _Wrong(f"{place} lacks key = \"rho1n...\" or addresses, a list of 1 to {ADDRESS_MOST}")
    try:
        return Member(parse_address(key, "n").key, tuple(_address(text, place) for text in addresses))
    except BadAddress as error:
        raise _Wrong(f"{place}: key: {error}") from None


def _address(text: Any, place: str) -> tuple[str, int]:
    try:
        host, _, port = str(text).rpartition(":")
        address = ipaddress.ip_address(host[1:-1] if host.startswith("[") else host)
        if not 1 <= int(port) <= 0xFFFF:
            raise ValueError
    except ValueError:
        raise _Wrong(f"{place}: {str(text)[:60]!r} is no IP address and port, such as 203.0.113.6:7460") from None
    return str(address), int(port)


def _only(found: dict[str, Any], names: set[str], place: str) -> None:
    for name in found:
        if name not in names:
            raise _Wrong(f"{place} has no key {name[:40]!r}; it may have {', '.join(sorted(names))}")


