"""Records of a conversation: made, signed, checked. No clock, no net; spec page: docs/spec/said.md.

    conversation = SHA-256("rho/conv/1" ‖ lower key ‖ higher key)
    body         = pair hash 32 ‖ seen size u64 ‖ seen root 32 ‖ date u32 ‖ text (u16 length, UTF-8)
    signed       = "rho/said/1" ‖ conversation 32 ‖ address u64 ‖ body
    hash         = SHA-256(0 ‖ signed), by which a record is kept exactly once
"""

from __future__ import annotations

import hashlib
import hmac

from rhotwist.errors import LocalError
from rhotwist.keys.pair import SeedKey, verify
from rhotwist.keys.pair_hash import pair_hash
from rhotwist.service.messages import TEXT_MOST, Said
from rhotwist.tree.conversation import HIGHER

CONVERSATION_LABEL = b"rho/conv/1"
SAID_LABEL = b"rho/said/1"
INDEX_MOST = HIGHER - 1
NO_ROOT = bytes(32)
_SIGNATURE = 64


class BadRecord(Exception):
    """A record that its receiver refuses; the message says why, and holds nothing that the sender does not know."""


def conversation_of(one: bytes, other: bytes) -> bytes:
    """The 32-byte name of the conversation of two wallets, the same from both sides."""
    return hashlib.sha256(CONVERSATION_LABEL + min(one, other) + max(one, other)).digest()


def address_of(author: bytes, other: bytes, index: int) -> int:
    """Where the author's record number index stands. Raises LocalError for an index that no address holds."""
    if not 0 <= index <= INDEX_MOST:
        raise LocalError(f"record {index} is not from 0 to {INDEX_MOST}")
    return index | (HIGHER if author > other else 0)


def compose(author: SeedKey, other: bytes, index: int, text: str, date: int) -> Said:
    """A signed record. date is ``Moment.date``. Raises LocalError for a text that is empty or over TEXT_MOST bytes."""
    length = len(text.encode("utf-8"))
    if not 1 <= length <= TEXT_MOST:
        raise LocalError(f"a text has 1 to {TEXT_MOST} bytes, not {length}")
    conversation = conversation_of(author.public, other)
    address = address_of(author.public, other, index)
    parts = (conversation, address, pair_hash(author, other), 0, NO_ROOT, date, text)
    unsigned = Said(*parts, bytes(_SIGNATURE))
    return Said(*parts, author.sign(signed(unsigned)))


def signed(record: Said) -> bytes:
    """The bytes under the signature: the label and the record up to it."""
    return SAID_LABEL + record.encode()[:-_SIGNATURE]


def record_hash(record: Said) -> bytes:
    """The record's 32-byte name. It leaves the signature out: who signs twice has still said one thing."""
    return hashlib.sha256(b"\0" + signed(record)).digest()


def check(record: Said, receiver: SeedKey, author: bytes) -> bytes:
    """The hash of a record that author may have sent to receiver. Raises BadRecord.

    author is the wallet that the session proved, so a record of a third party is refused even with a good signature.
    """
    if author == receiver.public:
        raise BadRecord("sender and receiver are one wallet")
    if record.conversation != conversation_of(author, receiver.public):
        raise BadRecord("it belongs to another conversation")
    if bool(record.address & HIGHER) != (author > receiver.public):
        raise BadRecord("its address is one of the receiver's own")
    if not hmac.compare_digest(record.pair, pair_hash(receiver, author)):
        raise BadRecord("it has another pair hash")
    if not record.text:
        raise BadRecord("it has no text")
    if not verify(author, signed(record), record.signature):
        raise BadRecord("its signature does not hold")
    return record_hash(record)

