"""What comparing may cost us with each peer: bytes told and taken, and records that it may give."""

from __future__ import annotations

from rhotwist.directory.allowance import Allowance
from rhotwist.directory.messages import SyncWalk
from rhotwist.directory.waiting import Origin
from rhotwist.limits import Limits
from rhotwist.moment import Rng
from rhotwist.wire.schema import Request, Schema

WALKED = 8
"""Bytes that one of a walk counts as: to find where two trees part takes so many times as long as to read records."""


class Serving:
    """The allowances of all peers of one node."""

    def __init__(self, limits: Limits, rng: Rng) -> None:
        self._bytes = Allowance(limits.sync_rate, limits.sync_burst, limits.record_peers, rng)
        self._records = Allowance(limits.give_rate, limits.give_burst, limits.record_peers, rng)

    def spent(self, peer: bytes, mono: float) -> bool:
        """Whether it has to wait."""
        return self._bytes.wait(peer, 0, mono) > 0

    def told(self, peer: bytes, request: Request[Schema], reply: Schema, mono: float) -> None:
        """A request was answered."""
        self._bytes.take(peer, len(reply.encode()) * (WALKED if isinstance(request, SyncWalk) else 1), mono)

    def given(self, peer: bytes, records: int, size: int, mono: float) -> Origin:
        """It gives records of so many bytes: as what are they to be looked at?"""
        self._bytes.take(peer, size, mono)  # looking at them costs as telling does
        if self._records.wait(peer, records, mono):
            return Origin.UNSOLICITED
        self._records.take(peer, records, mono)
        return Origin.ASKED
