"""One direction of one link: what it does to datagrams, as a value, and the little it remembers between them."""

from __future__ import annotations

from random import Random

import attrs

from rhotwist.errors import LocalError
from rhotwist.testing.trace import CUT, LOST, MTU, QUEUE, SENT

_NOTHING: tuple[()] = ()


@attrs.frozen(kw_only=True)
class Faults:
    """How bad a link is. Shares are from 0 to 1, times virtual seconds, sizes bytes of the datagram itself.

    The default is a good link: 10 ms each way, nothing lost. Raises LocalError, naming value and limit.
    """

    delay: float = 0.010
    """Least time one way."""
    jitter: float = 0.0
    """Mean of an exponentially distributed delay on top. It alone never reorders: who was sent first comes first."""
    reorder: float = 0.0
    """Share of datagrams that lose their place in line: they come later by ``hold``, others pass them."""
    hold: float = 0.050
    """Mean of that exponentially distributed setback."""
    loss: float = 0.0
    """Share of datagrams lost."""
    burst: int = 1
    """Losses come in runs of 1 to so many datagrams, each length as likely; the share lost in all stays ``loss``."""
    duplicate: float = 0.0
    """Share of datagrams that arrive twice; the second copy comes later by ``hold``."""
    corrupt: float = 0.0
    """Share of datagrams of which one bit is flipped."""
    truncate: float = 0.0
    """Share of datagrams cut short, at any length from 0."""
    rate: float = 0.0
    """Bytes per second that fit through, headers included; 0: no limit."""
    queue: int = 64_000
    """Bytes that may wait where the rate is the limit; what does not fit is dropped (tail drop)."""
    mtu: int = 65_507
    """Largest datagram that passes; larger ones vanish without a word (a path MTU black hole)."""
    together: float = 0.5
    """Share of bursts that stay together and are read in one go, as a kernel hands over coalesced datagrams."""

    def __attrs_post_init__(self) -> None:
        for name in ("loss", "reorder", "duplicate", "corrupt", "truncate", "together"):
            if not 0 <= getattr(self, name) <= 1:
                raise LocalError(f"{name} {getattr(self, name)} is no share from 0 to 1")
        for name in ("delay", "jitter", "hold", "rate", "queue", "mtu"):
            if not getattr(self, name) >= 0:
                raise LocalError(f"{name} {getattr(self, name)} is below 0")
        if self.burst < 1:
            raise LocalError(f"burst {self.burst} is below 1")


HEADERS = 48
"""Bytes of headers counted against ``rate`` for each datagram: IPv6 40, UDP 8 (RFC 8200 3, RFC 768)."""

GOOD = Faults()
"""A link as one would like it: 10 ms each way, and everything arrives."""

HOSTILE = Faults(
    delay=0.020, jitter=0.020, loss=0.30, burst=3, duplicate=0.05, reorder=0.10, corrupt=0.02, truncate=0.01
)
"""A link as bad as a protocol has to live with: nearly a third lost, in runs, the rest doubled, late and damaged."""


class Link:
    """One direction of a link, with its own chance: what happens on other links does not change what happens here."""

    __slots__ = ("_faults", "closed", "_random", "_lossy", "_start", "_losing", "_free", "_last", "_damage")

    def __init__(self, faults: Faults, random: Random) -> None:
        #: True while a partition lies on it.
        self.closed = False
        self._random = random
        self._losing = 0  # datagrams the present run of losses still takes
        self._free = 0.0  # when the bottleneck has sent what waits before it
        self._last = 0.0  # latest arrival among those that keep their place in line
        self.faults = faults

    @property
    def faults(self) -> Faults:
        """How bad it is; may be changed in the middle of a run, and holds for what is sent from then on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        """A run of losses that is under way ends."""
        self._faults = faults
        # A run of mean length m starts after any datagram with chance s, so the share lost is m s / (1 - s + m s).
        mean = (1 + faults.burst) / 2
        self._start = faults.loss / (faults.loss + mean * (1 - faults.loss))
        self._damage = faults.corrupt > 0 or faults.truncate > 0
        self._losing = 0

    @property
    def busy_until(self) -> float:
        """When the bottleneck has sent all that waits before it."""
        return self._free

    def together(self) -> bool:
        """Draw whether a burst stays together."""
        return self._random.random() < self._faults.together

    def wait(self) -> float:
        """Draw how long the way takes."""
        faults = self._faults
        if faults.jitter:
            return faults.delay + self._random.expovariate(1.0) * faults.jitter
        return faults.delay

    def draw_loss(self) -> bool:
        """Draw whether a segment of a connection is lost or damaged, and so comes again."""
        return self._random.random() < 1 - (1 - self._faults.loss) * (1 - self._faults.corrupt)

    def through(self, now: float, size: int) -> float:
        """When so many bytes of a connection have passed the bottleneck, behind all that waits there already."""
        if self._faults.rate:
            self._free = max(self._free, now) + size / self._faults.rate
            return self._free
        return now

    def carry(self, now: float, datagram: bytes, wait: float) -> tuple[int, tuple[tuple[float, bytes], ...]]:
        """What becomes of a datagram that sets out now: its fate (``trace``) and each copy with its time of arrival."""
        faults = self._faults
        if self.closed:
            return CUT, _NOTHING
        if len(datagram) > faults.mtu:
            return MTU, _NOTHING
        if faults.rate:
            size = len(datagram) + HEADERS
            if max(0.0, self._free - now) * faults.rate + size > faults.queue:
                return QUEUE, _NOTHING
            self._free = max(now, self._free) + size / faults.rate
            arrival = self._free + wait
        else:
            arrival = now + wait
        random = self._random.random
        if self._losing:
            self._losing -= 1
            return LOST, _NOTHING
        if self._start and random() < self._start:
            self._losing = self._random.randint(1, faults.burst) - 1
            return LOST, _NOTHING
        if faults.reorder and random() < faults.reorder:
            arrival += self._random.expovariate(1.0) * faults.hold
        elif arrival < self._last:
            arrival = self._last
        else:
            self._last = arrival
        copy = self._damaged(datagram) if self._damage else datagram
        if faults.duplicate and random() < faults.duplicate:
            again = arrival + self._random.expovariate(1.0) * faults.hold
            return SENT, ((arrival, copy), (again, self._damaged(datagram) if self._damage else datagram))
        return SENT, ((arrival, copy),)

    def _damaged(self, datagram: bytes) -> bytes:
        faults = self._faults
        random = self._random
        if not datagram:
            return datagram
        if faults.corrupt and random.random() < faults.corrupt:
            changed = bytearray(datagram)
            bit = random.randrange(8 * len(changed))
            changed[bit >> 3] ^= 1 << (bit & 7)
            datagram = bytes(changed)
        if faults.truncate and random.random() < faults.truncate:
            datagram = datagram[: random.randrange(len(datagram))]
        return datagram
