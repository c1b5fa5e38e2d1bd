"""What wallets say to each other: one signed record, and the receipt for it. Spec page: docs/spec/said.md."""

from __future__ import annotations

from rhotwist.wire.schema import Request, Schema, octets, text, u32, u64

TEXT_MOST = 900
"""Bytes of UTF-8 in one record, so that it fits into one packet with everything around it."""


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
