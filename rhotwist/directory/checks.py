"""What of a record is dear to check, as values that go to a worker and come back as one byte each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rhotwist.directory import work
from rhotwist.errors import BadKey
from rhotwist.keys.pair import check_key, verify

#: What a check is booked with, microseconds of one core (measured): key and signature; work.
SIGNATURE_COST, WORK_COST = 75, 36
#: Verdicts, one byte a check.
GOOD, BAD_KEY, BAD_SIGNATURE, BAD_WORK = range(4)
#: What a verdict other than GOOD is called where refusals are counted.
REASONS = {BAD_KEY: "key", BAD_SIGNATURE: "signature", BAD_WORK: "work"}


class Check(NamedTuple):
    """One record's work for a worker.

    public, message and signature as ``verify`` takes them, further keys that must be keys, and quarter, address, nonce
    of the work to be looked at, None if it is proven or not asked for.
    """

    public: bytes
    message: bytes
    signature: bytes
    keys: tuple[bytes, ...]
    work: tuple[int, bytes, bytes] | None


def judge(checks: Iterable[Check], bits: int) -> bytes:
    """The verdict of each check, a byte each; bits is the work asked for. Pure and slow: for a worker."""
    return bytes(_verdict(check, bits) for check in checks)


def _verdict(check: Check, bits: int) -> int:
    try:
        for key in check.keys:
            check_key(key)
    except BadKey:
        return BAD_KEY
    if not verify(check.public, check.message, check.signature):
        return BAD_SIGNATURE
    if bits and check.work is not None and work.bits_of(*check.work) < bits:
        return BAD_WORK
    return GOOD
