"""What wallets say to each other about what they said, and the forms in which others are shown it.

Spec pages: docs/spec/said.md for a record and its receipt, docs/spec/conversation.md for the rest.
"""

from __future__ import annotations

from rhotwist.wire.schema import Request, Schema, blob, many, maybe, octets, text, u8, u32, u64

TEXT_MOST = 900
"""Bytes of UTF-8 in one record, so that it fits into one packet with everything around it."""
RECORD_MOST = 182 + TEXT_MOST
"""Bytes of a record."""
LINE_MOST = RECORD_MOST - 64
"""Bytes of a record without what all records of a conversation have in common."""
RECORDS_MOST = 48
"""Records that one message of an exchange carries: 52 kB, which a peer takes of anybody who has proven a wallet."""
PUBLISHED_MOST = 0xFFFF
"""Records of a published conversation."""
PATH_MOST = 64
"""Hashes of a path: a side has fewer than 2**63 records."""


class Kept(Schema, name="rho.kept"):
    """The record of this hash lies on the receiver's disk, and lies there once."""

    record: bytes = octets(32)


class Said(Request[Kept], name="rho.said"):
    """One record of the conversation of two wallets, signed by the one that speaks.

    address: bit 63 is 0 where the author's key is the lower of the two, 1 where it is the higher; the other 63 bits are
    the author's own count, from 0. seen_size and seen_root: how much of the other's side the author had seen, 0 and
    zeros for nothing. date: seconds since 2020-01-01.
    """

    conversation: bytes = octets(32)
    address: int = u64()
    pair: bytes = octets(32)
    seen_size: int = u64()
    seen_root: bytes = octets(32)
    date: int = u32()
    text: str = text(TEXT_MOST)
    signature: bytes = octets(64)


# --- the exchange -----------------------------------------------------------------------------------------------------


class TalkStand(Schema, name="rho.talk-stand"):
    """How many records of either author the answerer has, the roots over them, and records that the asker lacks."""

    lower: int = u64()
    higher: int = u64()
    lower_root: bytes = octets(32)
    higher_root: bytes = octets(32)
    records: tuple[bytes, ...] = many(blob(RECORD_MOST), RECORDS_MOST)


class TalkSync(Request[TalkStand], name="rho.talk-sync"):
    """The asker has so many records of either author of the two wallets' conversation; here are some for the other."""

    lower: int = u64()
    higher: int = u64()
    records: tuple[bytes, ...] = many(blob(RECORD_MOST), RECORDS_MOST)


class TalkRoot(Schema, name="rho.talk-root"):
    """The root that was asked for; zeros where the answerer has fewer records."""

    root: bytes = octets(32)


class TalkRootAt(Request[TalkRoot], name="rho.talk-root-at"):
    """The root over an author's first records? address holds the author's bit and the count."""

    address: int = u64()


# --- for others -------------------------------------------------------------------------------------------------------


class Published(Schema, name="rho.talk-published"):
    """A conversation for whoever wants to check it. lines: records in order of address, then of hash (record.to_line).

    root is the one that its reader must come to.
    """

    lower_key: bytes = octets(32)
    higher_key: bytes = octets(32)
    pair: bytes = octets(32)
    root: bytes = octets(32)
    lines: tuple[bytes, ...] = many(blob(LINE_MOST), PUBLISHED_MOST)


class Proof(Schema, name="rho.talk-proof"):
    """What a witness says of a conversation on a date, and what follows from it.

    version is 1; lower, higher and the roots are its sides as they stand. line with path: one record, and that it
    stands there. The old numbers and roots with their paths: that the sides begin with what they were then.
    """

    version: int = u8()
    lower_key: bytes = octets(32)
    higher_key: bytes = octets(32)
    pair: bytes = octets(32)
    lower: int = u64()
    higher: int = u64()
    lower_root: bytes = octets(32)
    higher_root: bytes = octets(32)
    date: int = u32()
    witness: bytes = octets(32)
    signature: bytes = octets(64)
    path: tuple[bytes, ...] = many(octets(32), PATH_MOST)
    old_lower: int = u64()
    old_higher: int = u64()
    old_lower_root: bytes = octets(32)
    old_higher_root: bytes = octets(32)
    lower_path: tuple[bytes, ...] = many(octets(32), 2 * PATH_MOST)
    higher_path: tuple[bytes, ...] = many(octets(32), 2 * PATH_MOST)
    line: bytes | None = maybe(blob(LINE_MOST))
