"""What time it is, as a value: cores are told, they never ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: Unix time of 2020-01-01 00:00 UTC, where the u32 seconds of our formats start.
EPOCH_2020 = 1_577_836_800

#: Gives that many random bytes, as ``os.urandom`` does; a seeded one in the simulator.
Rng = Callable[[int], bytes]


class Moment(NamedTuple):
    """One reading of both clocks.

    mono counts seconds from an arbitrary start and never goes back: every timer reads it.
    wall is seconds since the Unix epoch and may jump by years: only validity dates read it.
    """

    mono: float
    wall: float

    @property
    def date(self) -> int:
        """The wall clock as our formats write it: whole seconds since 2020-01-01, at least 0."""
        return max(0, int(self.wall) - EPOCH_2020)
