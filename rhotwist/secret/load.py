"""How much of the last second went into handshakes.

Work is booked at its nominal cost, not measured: a measured one would need a clock in the core, would differ from run
to run, and would let a slow moment of the machine look like an attack.
"""

from __future__ import annotations

from rhotwist.errors import LocalError

#: Parts that the second is kept in: work leaves the sum in steps of 1/20 s.
PARTS = 20


class Load:
    """Seconds of work booked in the last second of the monotonic clock."""

    __slots__ = ("_at", "_parts", "_sum")

    def __init__(self) -> None:
        self._parts = [0.0] * PARTS
        self._at = 0
        self._sum = 0.0

    def book(self, mono: float, cost: float) -> None:
        """Work of cost seconds begins now. Raises LocalError for a negative cost."""
        if cost < 0:
            raise LocalError(f"work of {cost} s")
        self._advance(mono)
        self._parts[self._at % PARTS] += cost
        self._sum += cost

    def share(self, mono: float) -> float:
        """The part of one core that the last second's bookings take; above 1 if more was booked than it can do."""
        self._advance(mono)
        return self._sum

    def _advance(self, mono: float) -> None:
        now = int(mono * PARTS)
        if now <= self._at:
            return
        if now - self._at >= PARTS:
            self._parts = [0.0] * PARTS
        else:
            for part in range(self._at + 1, now + 1):
                self._parts[part % PARTS] = 0.0
        self._at = now
        self._sum = sum(self._parts)  # anew, so that rounding does not add up
