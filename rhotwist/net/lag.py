"""How late the reactor comes to what is due: the measure of whether something starves everybody else."""

from __future__ import annotations

from collections import deque

#: Samples kept: one minute at the usual ten a second.
KEPT = 600
#: Seconds between two samples while there is traffic; an idle node is not woken to measure nothing.
EVERY = 0.1


class LoopLag:
    """Lateness of the last delayed calls, in seconds."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=KEPT)

    def add(self, seconds: float) -> None:
        """A delayed call came this late. Less than nothing, as after a jump of the wall clock, counts as nothing."""
        self._samples.append(max(0.0, seconds))

    def p99(self) -> float:
        """What 99 of 100 samples do not exceed; 0.0 while there is none."""
        if not self._samples:
            return 0.0
        ordered = sorted(self._samples)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]

    def worst(self) -> float:
        """The largest sample kept; 0.0 while there is none."""
        return max(self._samples, default=0.0)
