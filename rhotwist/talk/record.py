"""Records of a conversation: made, signed, checked. No clock, no net; spec page: docs/spec/said.md.

    conversation = SHA-256("rho/conv/1" ‖ lower key ‖ higher key)
    body         = pair hash 32 ‖ seen size u64 ‖ seen root 32 ‖ date u32 ‖ text (u16 length, UTF-8)
    signed       = "rho/said/1" ‖ conversation 32 ‖ address u64 ‖ body
    hash         = SHA-256(0 ‖ signed), by which a record is kept exactly once
"""

from __future__ import annotations

import hashlib
import hmac

import attrs

from rhotwist.errors import LocalError
from rhotwist.keys.pair import SeedKey, verify
from rhotwist.keys.pair_hash import pair_hash
from rhotwist.talk.messages import TEXT_MOST, Said
from rhotwist.tree.conversation import HIGHER, Entry

CONVERSATION_LABEL = b"rho/conv/1"
SAID_LABEL = b"rho/said/1"
INDEX_MOST = HIGHER - 1
NO_ROOT = bytes(32)
_SIGNATURE = 64
_ADDRESS, _REST = slice(32, 40), slice(72, None)


class BadRecord(Exception):
    """A record that its receiver refuses; the message says why, and holds nothing that the sender does not know."""


@attrs.frozen
class Pair:
    """The two wallets of a conversation, the lower key first, and their pair hash. 32 bytes each."""

    lower: bytes = attrs.field(repr=bytes.hex)
    higher: bytes = attrs.field(repr=bytes.hex)
    hash: bytes = attrs.field(repr=bytes.hex)

    @property
    def keys(self) -> tuple[bytes, bytes]:
        """Both, in the order of the author bit."""
        return self.lower, self.higher

    @property
    def name(self) -> bytes:
        """The name of their conversation, 32 bytes."""
        return conversation_of(self.lower, self.higher)

    def side(self, key: bytes) -> int:
        """The author bit of one of the two. Raises LocalError for another."""
        if key not in self.keys:
            raise LocalError(f"{key.hex()} is none of the two")
        return int(key == self.higher)

    def other(self, key: bytes) -> bytes:
        """The other one. Raises LocalError for a key that is none of the two."""
        return self.keys[1 - self.side(key)]


def pair_of(own: SeedKey, other: bytes) -> Pair:
    """The pair that a wallet makes with another; 66 µs. Raises BadKey, and LocalError for itself."""
    if own.public == other:
        raise LocalError(f"{other.hex()} has no conversation with itself")
    return Pair(min(own.public, other), max(own.public, other), pair_hash(own, other))


def conversation_of(one: bytes, other: bytes) -> bytes:
    """The 32-byte name of the conversation of two wallets, the same from both sides."""
    return hashlib.sha256(CONVERSATION_LABEL + min(one, other) + max(one, other)).digest()


def address_of(author: bytes, other: bytes, index: int) -> int:
    """Where the author's record number index stands. Raises LocalError for an index that no address holds."""
    if not 0 <= index <= INDEX_MOST:
        raise LocalError(f"record {index} is not from 0 to {INDEX_MOST}")
    return index | (HIGHER if author > other else 0)


@attrs.frozen
class Place:
    """Where a record goes: its number among its author's, and what he had seen of the other's, size and root."""

    index: int
    seen: int = 0
    seen_root: bytes = NO_ROOT


def compose(author: SeedKey, pair: Pair, place: Place, text: str, date: int) -> Said:
    """A signed record. date is ``Moment.date``. Raises LocalError for a text that is empty or over TEXT_MOST bytes."""
    length = len(text.encode("utf-8"))
    if not 1 <= length <= TEXT_MOST:
        raise LocalError(f"a text has 1 to {TEXT_MOST} bytes, not {length}")
    address = address_of(author.public, pair.other(author.public), place.index)
    parts = (pair.name, address, pair.hash, place.seen, place.seen_root, date, text)
    unsigned = Said(*parts, bytes(_SIGNATURE))
    return Said(*parts, author.sign(signed(unsigned)))


def signed(record: Said) -> bytes:
    """The bytes under the signature: the label and the record up to it."""
    return SAID_LABEL + record.encode()[:-_SIGNATURE]


def record_hash(record: Said) -> bytes:
    """The record's 32-byte name. It leaves the signature out: who signs twice has still said one thing."""
    return hashlib.sha256(b"\0" + signed(record)).digest()


def entry_of(record: Said) -> Entry:
    """What a record says about its conversation."""
    return Entry(record.address, record_hash(record), record.seen_size, record.seen_root, record.date)


def author_of(record: Said, pair: Pair) -> bytes:
    """Whose record it is, by its address."""
    return pair.keys[record.address >> 63]


def check(record: Said, pair: Pair) -> Entry:
    """What a record of the conversation of these two says about it. Raises BadRecord; 45 µs."""
    if record.conversation != pair.name:
        raise BadRecord("it belongs to another conversation")
    if not hmac.compare_digest(record.pair, pair.hash):
        raise BadRecord("it has another pair hash")
    if not record.text:
        raise BadRecord("it has no text")
    if not verify(author_of(record, pair), signed(record), record.signature):
        raise BadRecord("its signature does not hold")
    return entry_of(record)


def check_from(record: Said, pair: Pair, author: bytes) -> Entry:
    """The same for a record that its author brings himself. Raises BadRecord.

    author is the wallet that the session proved, so a record of a third party is refused even with a good signature.
    """
    if author not in pair.keys:
        raise BadRecord("its author is none of the two")
    if author_of(record, pair) != author:
        raise BadRecord("its address is one of the receiver's own")
    return check(record, pair)


def read_all(bodies: tuple[bytes, ...], pair: Pair) -> list[Said]:
    """Records that somebody brings, of either author, all checked. Raises BadRecord, and BadPacket for other bytes."""
    records = [Said.decode(body) for body in bodies]
    for record in records:
        check(record, pair)
    return records


# --- without what all have in common ----------------------------------------------------------------------------------


def to_line(record: Said) -> bytes:
    """A record without conversation and pair hash, 64 bytes less."""
    data = record.encode()
    return data[_ADDRESS] + data[_REST]


def from_line(line: bytes, pair: Pair) -> Said:
    """The record of a line, unchecked. Raises BadPacket."""
    return Said.decode(pair.name + line[:8] + pair.hash + line[8:])
