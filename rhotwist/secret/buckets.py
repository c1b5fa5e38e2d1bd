"""How many handshakes one network may ask for: token buckets by prefix, in bounded memory.

An IPv4 address has one bucket. An IPv6 address has two, that of its /64 and that of its /48 which is eight times as
large, because whoever has a /48 has 65,536 of the others. Only addresses that have proven themselves by a cookie may
be asked about here: otherwise a spoofer would fill other people's buckets.
"""

from __future__ import annotations

from rhotwist.limits import Limits
from rhotwist.moment import Rng
from rhotwist.secret.crowd import Crowd
from rhotwist.wire.datagram import prefix

#: How much more a /48 may than a /64.
WIDE = 8.0

_SITE = 6  # bytes of a /48
_SUBNET = 8  # bytes of a /64


class PrefixBuckets:
    """Token buckets by prefix: rate tokens a second, up to burst saved. A prefix seen first has a full one.

    When prefix_max are remembered a random one makes room, and is full again when it comes back.
    """

    __slots__ = ("_buckets", "_burst", "_rate")

    def __init__(self, limits: Limits, rng: Rng) -> None:
        self._rate = limits.prefix_rate
        self._burst = limits.prefix_burst
        # prefix -> tokens at a time, seconds of the monotonic clock
        self._buckets: Crowd[bytes, tuple[float, float]] = Crowd(limits.prefix_max, rng)

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: bytes, mono: float) -> bool:
        """Take one handshake for an address (18 bytes) out of its buckets; False, and none taken, if one is empty."""
        narrow = prefix(address)
        tokens = self._tokens(narrow, mono, 1.0)
        if tokens < 1:
            return False
        if len(narrow) == _SUBNET:
            site = narrow[:_SITE]
            wide = self._tokens(site, mono, WIDE)
            if wide < 1:
                return False
            self._buckets.put(site, (wide - 1, mono))
        self._buckets.put(narrow, (tokens - 1, mono))
        return True

    def _tokens(self, key: bytes, mono: float, times: float) -> float:
        found = self._buckets.get(key)
        if found is None:
            return self._burst * times
        tokens, then = found
        return min(self._burst * times, tokens + (mono - then) * self._rate * times)
