"""An invitation: a wallet and where it may be reached, as one text that survives being typed.

    WALLET@NODE@HOST:PORT       more places of the same node behind commas: WALLET@NODE@HOST:PORT,tcp:HOST:PORT

Each key has the checksum of its address, so a wrong character is named; the place has none, because a wrong one leads
to nobody who could prove the node's key. (One checksum over both keys is none: bech32m holds its promises for 90
characters.) The bare address of a wallet is an invitation without a place. Spec page: docs/spec/addresses.md.
"""

from __future__ import annotations

import attrs

from rhotwist.errors import BadAddress, LocalError
from rhotwist.keys.address import (
    NODE,
    WALLET,
    Address,
    NodeAt,
    format_address,
    format_node_at,
    parse_address,
    parse_node_at,
)

PLACES_MOST = 4
"""Places that one names."""
TEXT_MOST = 2_000
"""Characters of one, white space and all."""


@attrs.frozen
class Invitation:
    """A wallet's key, and where its node is said to be, the best place first."""

    wallet: bytes = attrs.field(repr=bytes.hex)
    places: tuple[NodeAt, ...] = ()


def format_invitation(invitation: Invitation) -> str:
    """The text. Raises LocalError for more places than it names, or places of several nodes."""
    places = invitation.places
    if len(places) > PLACES_MOST or len({place.key for place in places}) > 1:
        raise LocalError(f"{len(places)} places; an invitation names {PLACES_MOST} at most, all of one node")
    text = format_address(Address(WALLET, invitation.wallet))
    if not places:
        return text
    where = ",".join(format_node_at(place).partition("@")[2] for place in places)
    return f"{text}@{format_address(Address(NODE, places[0].key))}@{where}"


def parse_invitation(text: str) -> Invitation:
    """Read one; white space anywhere is passed over, as chats break lines. Raises BadAddress, saying what is wrong."""
    if len(text) > TEXT_MOST:
        raise BadAddress(f"{len(text)} characters where an invitation has at most {TEXT_MOST}")
    wallet, at, rest = "".join(text.split()).partition("@")
    key = parse_address(wallet, WALLET).key
    if not at:
        return Invitation(key)
    node, at, where = rest.partition("@")
    places = tuple(parse_node_at(f"{node}@{place}") for place in where.split(","))
    if len(places) > PLACES_MOST:
        raise BadAddress(f"{len(places)} places where an invitation names {PLACES_MOST} at most")
    return Invitation(key, tuple(dict.fromkeys(places)))
