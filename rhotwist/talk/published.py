"""A conversation for whoever was not part of it: he checks both signatures, one pair hash, and comes to one root.

Spec page: docs/spec/conversation.md.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from rhotwist.errors import BadPacket, LocalError
from rhotwist.talk import pasted
from rhotwist.talk.messages import PUBLISHED_MOST, Published, Said
from rhotwist.talk.record import BadRecord, Pair, check, from_line, to_line
from rhotwist.tree.conversation import Conversation

MAGIC = b"rhotalk1"
"""What the file of a published conversation begins with."""
FILE_MOST = 1 << 26
"""Bytes of such a file that are read."""


@attrs.frozen
class Shown:
    """A published conversation that was checked: who, every record with rivals beside each other, and the whole."""

    pair: Pair
    records: tuple[Said, ...]
    talk: Conversation = attrs.field(eq=False, repr=False)


def publish(pair: Pair, talk: Conversation, records: Iterable[Said]) -> Published:
    """All that stands in a conversation, and every rival. Raises LocalError for more than a reader takes."""
    lines = tuple(to_line(record) for record in records)
    if len(lines) > PUBLISHED_MOST:
        raise LocalError(f"{len(lines):,} records; {PUBLISHED_MOST:,} are published as one")
    return Published(pair.lower, pair.higher, pair.hash, talk.root, lines)


def to_file(published: Published) -> bytes:
    """As a file."""
    return MAGIC + published.encode()


def to_text(published: Published) -> str:
    """As text to paste. Raises LocalError where it is too long for that."""
    return pasted.write(pasted.PUBLISHED, published.encode())


def read(data: bytes) -> Published:
    """A published conversation, unchecked, from a file, or from a text that holds one.

    Raises BadArmour, saying what to paste again, and BadPacket for what is no such thing.
    """
    if data.startswith(MAGIC):
        return Published.decode(data[len(MAGIC) :])
    values = pasted.read(data.decode("utf-8", "replace"))
    if len(values) != 1 or values[0][0] != pasted.PUBLISHED:
        raise BadPacket("kind")
    return Published.decode(values[0][1])


def check_published(published: Published) -> Shown:
    """Check all of it, 50 µs a record. Raises BadRecord, and BadPacket for lines that are no records."""
    pair = Pair(published.lower_key, published.higher_key, published.pair)
    if pair.lower >= pair.higher:
        raise BadRecord("its two keys are one, or in the wrong order")
    talk, records, last = Conversation(), [], (-1, b"")
    for number, line in enumerate(published.lines, 1):
        record = from_line(line, pair)
        try:
            entry = check(record, pair)
        except BadRecord as wrong:
            raise BadRecord(f"record {number}: {wrong}") from None
        if (entry.address, entry.leaf) <= last:
            raise BadRecord(f"record {number} is not in its place")
        last = (entry.address, entry.leaf)
        talk.put(entry)
        records.append(record)
    if sum(talk.sizes) + len(talk.forks) != len(records):
        raise BadRecord("records are missing, or one address has more than two")
    if not all(talk.sizes):
        # A pair hash under one signature shows nothing: its author may have made it up.
        raise BadRecord("only one of the two has spoken, so nothing shows that the other has part in it")
    if talk.root != published.root:
        raise BadRecord("its records have another root than it says")
    return Shown(pair, tuple(records), talk)
