"""Which of two records of one address stands, and which addresses stand where there are too many.

Both are functions of the records and the quarter alone, whatever came first or twice, so that all who have seen the
same records keep the same.
"""

from __future__ import annotations

import bisect
import hashlib
import heapq
from collections.abc import Callable, Iterable, Sequence

from rhotwist.directory.record import Record
from rhotwist.errors import LocalError

_TAIL = 4_096
_sha256 = hashlib.sha256


def beats(issued: int, hash: bytes, held: tuple[int, bytes] | None) -> bool:
    """Whether a record issued then, with that SHA-256 of its body, stands against the held one (the same two)."""
    return held is None or issued > held[0] or (issued == held[0] and hash < held[1])


def join(one: Record, other: Record) -> Record:
    """The one of two records of an address that stands: the later issued, then the smaller hash. Raises LocalError."""
    if one.address != other.address:
        raise LocalError(f"records of {one.address.hex()} and of {other.address.hex()} are not compared")
    return one if beats(one.issued, one.hash, (other.issued, other.hash)) else other


def rank(quarter: int, address: bytes) -> bytes:
    """The place of an address in the queue for a full tree, the smallest first; drawn anew each quarter.

    It hangs on nothing that anybody could raise for a record of his, or lower for another's. A rank that did (the most
    work seen) left replicas unequal for ever, because it changes with the copy that came.
    """
    return _sha256(quarter.to_bytes(2, "big") + address).digest()


def surplus(quarter: int, addresses: Iterable[bytes], count: int) -> list[tuple[bytes, bytes]]:
    """The count addresses of the highest rank, each behind its rank, the highest first."""
    return heapq.nlargest(count, ((rank(quarter, address), address) for address in addresses))


class Cap:
    """The addresses of the lowest ranks, most of them: who must go from a tree that has more.

    The highest ranks of a full tree are remembered, so that all addresses are gone through once in thousands.
    """

    __slots__ = ("_floor", "_most", "_quarter", "_tail")

    def __init__(self, most: int) -> None:
        if most < 1:
            raise LocalError(f"a cap of {most} is not above 0")
        self._most = most
        self._quarter = -1
        # The addresses whose rank is above _floor, as (rank, address), ascending; none unless the tree is full.
        self._tail: list[tuple[bytes, bytes]] = []
        self._floor = b""

    def refuses(self, quarter: int, address: bytes) -> bool:
        """Whether the tree is full and this address, which is not in it, would be the first to go."""
        return quarter == self._quarter and bool(self._tail) and rank(quarter, address) > self._tail[-1][0]

    def settle(
        self, quarter: int, added: Sequence[bytes], count: int, everyone: Callable[[], Iterable[bytes]]
    ) -> list[bytes]:
        """Who must go when added, which are new, come to the count addresses that everyone gives.

        Whoever goes is taken as gone. What leaves the tree otherwise is told by ``forget``.
        """
        if quarter != self._quarter:
            self.forget()
            self._quarter = quarter
        for address in added if self._tail else ():
            self._add(address)
        total = count + len(added)
        going: list[bytes] = []
        while total - len(going) > self._most:
            if not self._tail:
                self._scan((*added, *everyone()), set(going))
            going.append(self._tail.pop()[1])
        return going

    def forget(self) -> None:
        """Addresses left the tree, or were pinned or no longer: nothing that is remembered holds."""
        self._tail.clear()

    def _add(self, address: bytes) -> None:
        made = (rank(self._quarter, address), address)
        if made[0] > self._floor:
            bisect.insort(self._tail, made)

    def _scan(self, addresses: Iterable[bytes], gone: set[bytes]) -> None:
        left = (address for address in addresses if address not in gone)
        floor, *tail = surplus(self._quarter, left, _TAIL + 1)[::-1]
        self._floor = floor[0]
        self._tail = tail
