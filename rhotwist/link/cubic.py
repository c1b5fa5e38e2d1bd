"""The curve by which a window grows back after congestion: CUBIC, RFC 9438. Sizes bytes, times mono seconds."""

from __future__ import annotations

#: What one packet is taken for in the curve's arithmetic.
PACKET = 1_440
#: RFC 9438 4.6 and 4.1: what is left after congestion, and how steeply the window grows (packets, seconds).
BETA, STEEPNESS = 0.7, 0.4
#: RFC 9438 4.3: packets a round gained by who would be fair to Reno.
FRIENDLY = 3 * (1 - BETA) / (1 + BETA)


class Cubic:
    """Where the window was flat last (top), and when growing began (epoch, -1 while it has not)."""

    __slots__ = ("_flat", "_reno", "epoch", "top")

    def __init__(self) -> None:
        self.top = 0.0
        self.epoch = -1.0
        self._flat = 0.0
        self._reno = 0.0

    def cut(self, window: float) -> None:
        """Congestion met at this window. Below the last top it leaves room for others (RFC 9438 4.7)."""
        self.top = window * (1 + BETA) / 2 if window < self.top else window
        self.epoch = -1.0

    def rest(self) -> None:
        """Nothing was sent for a while: the curve begins anew where the window is."""
        self.epoch = -1.0

    def gain(self, window: float, size: int, round_trip: float, mono: float) -> float:
        """By how much the window grows for size bytes acknowledged (4.2 to 4.4)."""
        if self.epoch < 0:
            self.epoch = mono
            self._reno = window
            self.top = max(self.top, window)
            self._flat = ((self.top - window) / PACKET / STEEPNESS) ** (1 / 3)
        age = mono - self.epoch + round_trip - self._flat
        target = self.top + STEEPNESS * age * age * age * PACKET
        self._reno += FRIENDLY * PACKET * size / window
        return max(min((target - window) / window, 0.5) * size, min(self._reno - window, 0.5 * size), 0.0)
