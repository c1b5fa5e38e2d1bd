"""What a node's directory wants done, as values; ``directory.Directory.jobs`` hands them out in order."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import attrs

from rhotwist.directory.admission import Batch, Settled
from rhotwist.directory.checks import Check
from rhotwist.directory.peers import Connect
from rhotwist.directory.sync import Sync
from rhotwist.directory.waiting import Origin
from rhotwist.errors import Refused
from rhotwist.wire.schema import Request, Schema


@attrs.frozen(eq=False)
class Given:
    """Who gave records, and what he is owed for it."""

    peer: bytes
    ticket: object


@attrs.frozen(eq=False)
class Pulled:
    """A comparison of ours that records came for."""

    peer: bytes
    sync: Sync


@attrs.define(eq=False)
class Slices:
    """Records that came together and are looked at apart: how many of the slices are not through, what was new."""

    owner: Owner
    left: int
    new: int = 0


Owner = Given | Pulled | Slices | None
"""Who waits for what becomes of records."""


@attrs.frozen(eq=False)
class Ask:
    """Send a request, then ``Directory.replied`` with its reply, or None if there is none."""

    peer: bytes
    request: Request[Schema]
    _sync: Sync | None = attrs.field(default=None, repr=False)


class Mention(NamedTuple):
    """Mention something to a peer."""

    peer: bytes
    body: Schema


class Answer(NamedTuple):
    """The reply to a request that ``asked`` was given with this ticket."""

    ticket: object
    reply: Schema | Refused


@attrs.frozen(eq=False)
class Judge:
    """Have a worker judge these checks, then ``Directory.judged`` with its verdicts."""

    checks: tuple[Check, ...]
    _batch: Batch = attrs.field(repr=False)
    _owner: Owner = attrs.field(repr=False)


@attrs.frozen(eq=False)
class Keep:
    """Put and remove this in the tree, then ``Directory.kept``."""

    settled: Settled
    _owner: Owner = attrs.field(repr=False)
    #: Of how many of the records who is the giver, if it was no paste.
    givers: Counter[bytes] = attrs.field(factory=Counter, repr=False)

    @classmethod
    def of(cls, batch: Batch, settled: Settled, owner: Owner) -> Keep:
        """What a batch was settled as."""
        put = {id(one.record) for one in settled.puts}
        came = (entry for entry in (*batch.entries, *batch.verified) if entry.source.origin is not Origin.PASTED)
        return cls(settled, owner, Counter(entry.source.sender for entry in came if id(entry.record) in put))


class Purge(NamedTuple):
    """A day has begun: drop what does not stand in the tree of that epoch."""

    epoch: int


class Leave(NamedTuple):
    """The session with this peer is of no use to the directory."""

    peer: bytes


Job = Ask | Mention | Answer | Judge | Keep | Purge | Connect | Leave
