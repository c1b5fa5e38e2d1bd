"""From one master secret to every key a person has, each link made from the one above and none from below.

A link is 32 secret bytes. It is not itself a signing seed, so a stolen signing key opens nothing beneath it. The chain,
the list of (type, argument) that leads from the root link to a wallet, is no secret and is kept with the wallet.
Spec page: docs/spec/derivation.md.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from rhotwist.errors import LocalError
from rhotwist.keys.pair import SeedKey, check_key

#: One step down: what the child is for, and which one.
Step = tuple[str, bytes]
#: The steps from the root link to a link, outermost first.
Chain = tuple[Step, ...]

LINK_SIZE = 32
#: Steps a chain may have; what is built today needs two.
CHAIN_MOST = 16
CHAIN_LABEL = b"rho/chain/1"
SEED_LABEL = b"rho/seed/1"

#: Bytes of the argument, by type: a number (u32), or a key (32) and a number.
ARGUMENT_SIZE: Final[Mapping[str, int]] = {"wallet": 4, "online": 4, "server": 36, "mail": 36, "receive": 36}


def check_step(type: str, arg: bytes) -> None:
    """Raises LocalError for a type that does not exist or an argument of another size than its type has."""
    size = ARGUMENT_SIZE.get(type)
    if size is None:
        raise LocalError(f"{type!r} is no type of link; there are {', '.join(ARGUMENT_SIZE)}")
    if len(arg) != size:
        raise LocalError(f"a link of type {type} has an argument of {size} bytes")


def number(value: int) -> bytes:
    """A number below 2**32 as an argument has it. Raises LocalError."""
    if not 0 <= value < 1 << 32:
        raise LocalError(f"{value} is not from 0 to {(1 << 32) - 1}")
    return value.to_bytes(4, "big")


def child(link: bytes | bytearray, type: str, arg: bytes) -> bytes:
    """The link one step below. Raises LocalError for a wrong size, type or argument."""
    check_step(type, arg)
    name = type.encode("ascii")
    return hmac.digest(_checked(link), b"".join((CHAIN_LABEL, bytes([len(name)]), name, arg)), "sha256")


def walk(link: bytes | bytearray, chain: Chain) -> bytes:
    """The link at the end of a chain that begins at this link."""
    for type, arg in chain:
        link = child(link, type, arg)
    return bytes(_checked(link))


def seed_key(link: bytes | bytearray) -> SeedKey:
    """The key pair of a link; that of the root link is the master wallet."""
    return SeedKey(hmac.digest(_checked(link), SEED_LABEL, "sha256"))


def server_identity(wallet_link: bytes | bytearray, server_key: bytes, generation: int = 0) -> SeedKey:
    """Who a wallet is towards one node. Raises BadKey for what is no node's key.

    Two nodes see two identities that nobody can link without the wallet's secret; a higher generation is a new one.
    """
    return seed_key(child(wallet_link, "server", check_key(server_key) + number(generation)))


def _checked(link: bytes | bytearray) -> bytes | bytearray:
    if len(link) != LINK_SIZE:
        raise LocalError(f"a link has {LINK_SIZE} bytes, not {len(link)}")
    return link
