"""How much somebody may, and when: token buckets by key, one number each, that tell how long to wait.

What exceeds a bucket is booked all the same and becomes due later: nothing here refuses, it only takes longer. A bucket
is kept as the time at which it will be full again (the virtual scheduling of ITU-T I.371).
"""

from __future__ import annotations

from rhotwist.errors import LocalError
from rhotwist.moment import Rng
from rhotwist.secret.crowd import Crowd


class Allowance:
    """Buckets of burst, filled at rate a second, for most keys; a random one is forgotten, and so full, beyond."""

    __slots__ = ("_burst", "_full_at", "_rate")

    def __init__(self, rate: float, burst: float, most: int, rng: Rng) -> None:
        if rate <= 0 or burst <= 0:
            raise LocalError(f"a bucket of {burst} filled at {rate} a second holds nothing")
        self._rate = rate
        self._burst = burst / rate  # seconds
        self._full_at: Crowd[bytes, float] = Crowd(most, rng)

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, key: bytes, amount: float, mono: float) -> float:
        """Seconds until amount is there; 0 at once."""
        return max(0.0, self._after(key, amount, mono) - mono - self._burst)

    def take(self, key: bytes, amount: float, mono: float) -> float:
        """Book amount and tell how many seconds it has to wait for that; 0: it may go at once.

        A negative amount takes a booking back.
        """
        after = self._after(key, amount, mono)
        self._full_at.put(key, after)
        return max(0.0, after - mono - self._burst)

    def _after(self, key: bytes, amount: float, mono: float) -> float:
        full_at = self._full_at.get(key)
        return (mono if full_at is None or full_at < mono else full_at) + amount / self._rate
