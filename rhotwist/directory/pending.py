"""A tree as it will be once what was settled is written: what admission looks at while more of one import comes.

An import is settled a slice at a time and written whole. Each slice has to see those before it, or the tree would end
with more than its cap, and with the older of two records of one key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rhotwist.directory.admission import Holdings, Put, Settled, Standing
from rhotwist.directory.merge import beats


class Pending:
    """Fits ``admission.Holdings`` over holdings that nothing of it has reached yet."""

    def __init__(self, under: Holdings) -> None:
        self._under = under
        self._puts: dict[tuple[bytes, bool], Put] = {}
        #: What stood under each address that was touched, and what stands there now.
        self._before: dict[bytes, Standing | None] = {}
        self._now: dict[bytes, Standing | None] = {}
        self._more = 0

    def add(self, settled: Settled) -> None:
        """Count what was settled as done."""
        touched = [*settled.removed, *(put.address for put in settled.puts)]
        fresh = [address for address in touched if address not in self._before]
        for address, standing in zip(fresh, self._under.standing(fresh), strict=True):
            self._before[address] = self._now[address] = standing
        for address in settled.removed:
            self._puts.pop((address, False), None)
            self._stands(address, None)
        for put in settled.puts:
            other = self._puts.get((put.address, put.local))
            if other is not None and not _beats(put, other):
                continue
            self._puts[put.address, put.local] = put
            if not put.local:
                self._stands(put.address, Standing(put.record.issued, put.record.hash, put.record.nonce))

    @property
    def puts(self) -> tuple[Put, ...]:
        """All that is to be put."""
        return tuple(self._puts.values())

    @property
    def removed(self) -> tuple[bytes, ...]:
        """Addresses that are to be removed: those of them that stood before."""
        return tuple(one for one, standing in self._now.items() if standing is None and self._before[one] is not None)

    def newer(self, put: Put) -> bool:
        """Whether a record of its address stood before."""
        return self._before[put.address] is not None

    # --- Holdings

    def standing(self, addresses: Sequence[bytes]) -> Sequence[Standing | None]:
        """``Holdings.standing``."""
        asked = [address for address in addresses if address not in self._now]
        found = dict(zip(asked, self._under.standing(asked), strict=True))
        return [self._now[address] if address in self._now else found[address] for address in addresses]

    def count(self) -> int:
        """``Holdings.count``."""
        return self._under.count() + self._more

    def addresses(self) -> Iterable[bytes]:
        """``Holdings.addresses``."""
        yield from (address for address in self._under.addresses() if address not in self._now)
        yield from (one for one, standing in self._now.items() if standing is not None and not self.pinned(one))

    def pinned(self, address: bytes) -> bool:
        """``Holdings.pinned``."""
        return self._under.pinned(address)

    def _stands(self, address: bytes, standing: Standing | None) -> None:
        if not self.pinned(address):
            self._more += (standing is not None) - (self._now[address] is not None)
        self._now[address] = standing


def _beats(one: Put, other: Put) -> bool:
    return beats(one.record.issued, one.record.hash, (other.record.issued, other.record.hash))
