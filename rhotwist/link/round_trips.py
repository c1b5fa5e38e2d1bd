"""How long the way there and back takes, as acks show it; what of that is queue. Times are mono seconds."""

from __future__ import annotations

from collections import deque
from math import inf

#: A queue is seen when the round trip is beyond the least by this share and time: what noise alone seldom makes.
SEEN_SHARE, SEEN_TIME = 1.1, 0.003
#: The better witness, for a line known to lose packets by itself.
SURE_SHARE, SURE_TIME = 1.25, 0.004
#: The least of so many samples is what is looked at: a radio's jitter is no queue.
RECENT = 8
#: The least round trip is forgotten after this long to twice this long: paths change.
LEAST_KEPT = 30.0


class RoundTrips:
    """round_trip and variation as in RFC 6298, latest the last sample, least of late; 0 before the first sample."""

    __slots__ = ("_least_next", "_least_since", "_recent", "latest", "least", "round_trip", "variation")

    def __init__(self, mono: float, round_trip: float) -> None:
        self.round_trip = self.latest = self.least = round_trip
        self.variation = round_trip / 2
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._least_next, self._least_since = inf, mono

    def take(self, sample: float, mono: float) -> None:
        """A packet was acknowledged sample seconds after it was sent."""
        self.latest = sample
        self._recent.append(sample)
        if not self.round_trip:
            self.round_trip, self.variation = sample, sample / 2
        else:
            self.variation += (abs(sample - self.round_trip) - self.variation) / 4
            self.round_trip += (sample - self.round_trip) / 8
        if mono - self._least_since > LEAST_KEPT:
            self.least, self._least_next, self._least_since = self._least_next, inf, mono
        self._least_next = min(self._least_next, sample)
        if not self.least or sample < self.least:
            self.least = sample

    def guess(self, sample: float) -> None:
        """Something else went there and back within sample seconds: better than nothing, which is what it replaces."""
        if not self.round_trip:
            self.round_trip, self.variation = sample, sample / 2

    def queue_seen(self, *, sure: bool = False) -> bool:
        """Whether a queue stands on the way."""
        share, time = (SURE_SHARE, SURE_TIME) if sure else (SEEN_SHARE, SEEN_TIME)
        return min(self._recent, default=0.0) > share * self.least + time
