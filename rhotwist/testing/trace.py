"""What happened in a run, boiled down to one hash: same seed, same trace.

The hash covers times, kinds, who, packet types, sizes and outcomes. It never covers sealed bytes: a key encapsulation
draws from the operating system's randomness and no seed reaches it, so those bytes differ from run to run while
everything that is seen of them here stays the same.
"""

from __future__ import annotations

import hashlib
from struct import Struct

#: Kinds of record; the first ones are the fates of a datagram.
SENT, LOST, QUEUE, MTU, CUT, NOBODY, NAT, DOWN, TICK, NOTE = range(10)
#: What each is called, in ``tail`` and in ``Network.lost``.
NAMES = ("sent", "loss", "queue", "mtu", "cut", "nobody", "nat", "down", "tick", "note")

# 8 virtual time  1 kind  2 from whom  2 to whom  1 packet type  4 size
_RECORD = Struct("!dBHHBI")
_FOLD = 4096  # records kept as they are before they go into the hash: one hash call for many

EVERYBODY = 0xFFFF
"""Stands for who, where a record is about nobody in particular."""


class Trace:
    """The record of one run. keep=True keeps every line for reading, where only the last few thousand would stay."""

    __slots__ = ("_records", "_hash", "_keep", "_older")

    def __init__(self, *, keep: bool = False) -> None:
        self._records: list[bytes] = []
        self._older: list[bytes] = []
        self._hash = hashlib.sha256()
        self._keep = keep

    def packet(self, now: float, kind: int, ends: tuple[int, int], first: int, size: int) -> None:
        """Record a datagram: its fate, from whom to whom, its first byte (the low 4 bits say the type) and size."""
        records = self._records
        records.append(_RECORD.pack(now, kind, ends[0], ends[1], first & 15, size))
        if len(records) >= _FOLD:
            self._fold()

    def note(self, now: float, who: int, text: str) -> None:
        """Record anything else, such as the outcome of a request. The text must not depend on sealed bytes."""
        data = text.encode("utf-8")
        self._records.append(_RECORD.pack(now, NOTE, who, EVERYBODY, 0, len(data)) + data)
        if len(self._records) >= _FOLD:
            self._fold()

    def digest(self) -> str:
        """The hash of all that happened so far, 64 hexadecimal digits."""
        self._fold()
        return self._hash.hexdigest()

    def tail(self, lines: int = 50) -> list[str]:
        """The last lines, readable. Comparing those of two runs shows where they part."""
        return [_line(record) for record in (self._older + self._records)[-lines:]]

    def _fold(self) -> None:
        self._hash.update(b"".join(self._records))
        self._older = self._older + self._records if self._keep else self._records or self._older
        self._records = []


def _line(record: bytes) -> str:
    now, kind, one, two, packet, size = _RECORD.unpack_from(record)
    if kind == NOTE:
        return f"{now:.9f} {one} {record[_RECORD.size :].decode('utf-8')}"
    return f"{now:.9f} {one}>{two} type {packet} {size} B {NAMES[kind]}"
