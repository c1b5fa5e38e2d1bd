"""What a comparison says to whoever drives it (``sync.Sync``)."""

from __future__ import annotations

import enum

import attrs

from rhotwist.wire.schema import Request, Schema


class Stage(enum.Enum):
    """Where a comparison stands."""

    HELLO = 1
    CELLS = 2
    TRADE = 3
    WALK = 4
    WHOLE = 5
    OVER = 6


class Ending(enum.Enum):
    """How it ended. LIED: a reply that no honest peer gives, or one that costs more than it brings."""

    EQUAL = 1
    OTHER_DAY = 2
    MOVED = 3
    UNEQUAL = 4
    LIED = 5
    BROKEN = 6


@attrs.frozen
class Mark:
    """How far we have all that a peer's store has."""

    store_id: bytes
    cursor: int


@attrs.define
class Step:
    """What is to be done next: requests to the peer, records to be admitted, all for one ``Sync.settled``; the end."""

    asks: list[Request[Schema]] = attrs.Factory(list)
    records: list[bytes] = attrs.Factory(list)
    ending: Ending | None = None


@attrs.frozen
class Seen:
    """What the peer last said of its tree."""

    count: int
    root: bytes
    seq: int
