"""Bytes as text that survives chats, mail programs and clipboards: tokens, each good for itself.

    rho1. base64url(payload ‖ check 4) .       payload: kind 1, bundle 2, number 2, count 2, body at most 713
                                               check: BLAKE2b of the payload, personalised with the label

Parts of one bundle carry its mark (the first bytes of SHA-256 over all its bodies), and number and count, 1 to 65,535.
Everything around tokens is ornament. A reader takes out what programs put into text, and takes every token whose check
holds, wherever it stands; one wrong character costs one token at most. The check finds accidents; who made the data is
for signatures to say. Spec page: docs/spec/bundle.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import re
import struct
from collections.abc import Collection, Sequence

import attrs

from rhotwist.errors import BadArmour, LocalError

LABEL = b"rho/bundle/1"
TEXT_MOST = 1 << 24
"""Characters of a text that is looked at: 12 MB of bundle."""
BODY_MOST = 713
"""Bytes of a body: with header and check, two tokens fit the 2,000 characters of a chat message."""
TOKEN_MOST = 972
"""Characters of a token."""
PARTS_MOST = 0xFFFF
BEGIN, END = "-----BEGIN RHO BUNDLE-----", "-----END RHO BUNDLE-----"
#: A line with the number of the next part stands before every eighth, which costs two characters a part.
MARKED = 8
SAID_MOST = 12
"""Bundles, and runs of parts in one, that a complaint names."""

_HEAD = struct.Struct(">BHHH")
_CHECK = 4
#: Characters between the prefix and the dot, at least: Base64 makes 4 of 3 bytes.
_BODY_LEAST = (_HEAD.size + _CHECK) * 4 // 3 + 1
_PREFIX = "rho1."
_START = re.compile(r"rho1\.", re.IGNORECASE)  # keyboards write a capital at the beginning of a line
#: White space of every kind; quote marks, bars and stars of mail and chat; "=" of soft line breaks; what is not seen.
_DROPPED = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\xad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008" \
    "\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u202f\u205f\u2060\u2066" \
    "\u2067\u2068\u2069\u3000\ufeff>|*="  # fmt: skip
#: Hyphens, dashes and minus signs that programs make of "-"; what they make of "--", too, is left to _payload.
_CLEANED = {**dict.fromkeys(map(ord, _DROPPED)), **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2212\ufe63\uff0d"), "-")}
_DASHES = re.compile("[\u2013\u2014\u2015]")


@attrs.frozen
class Part:
    """One part of a bundle: what kind of body, the bundle's mark, its number from 1 on, how many there are."""

    kind: int
    bundle: int
    number: int
    count: int
    body: bytes = attrs.field(repr=False)


@attrs.frozen
class Found:
    """What a text held: whole parts, each once, as they came, and the places of tokens that are damaged."""

    parts: tuple[Part, ...]
    damaged: int

    def missing(self) -> dict[tuple[int, int], list[range]]:
        """The numbers that did not come whole, by mark and count of their bundle, for bundles of which something did.

        As ranges, because a stranger's token says how many there are.
        """
        here: dict[tuple[int, int], list[int]] = {}
        for part in self.parts:
            here.setdefault((part.bundle, part.count), []).append(part.number)
        found = {}
        for (bundle, count), numbers in here.items():
            edges = [0, *sorted(numbers), count + 1]
            lost = [range(one + 1, other) for one, other in itertools.pairwise(edges) if other - one > 1]
            if lost:
                found[bundle, count] = lost
        return found

    def trouble(self) -> str | None:
        """What to paste again, in words; None if all is there."""
        said = []
        for (_, count), lost in itertools.islice(self.missing().items(), SAID_MOST):
            total = sum(map(len, lost))
            are = "is" if total == 1 else "are"
            said.append(f"{total} of {count} parts {are} damaged or missing: paste part {_numbers(lost)} again")
        if not self.parts:
            said.append("no part is whole: paste all again")
        return "; ".join(said) or None


def tokens(parts: Sequence[tuple[int, bytes]]) -> list[str]:
    """The tokens of one bundle, of (kind, body) each; one token is what fits one QR code. Raises LocalError."""
    if len(parts) > PARTS_MOST:
        raise LocalError(f"{len(parts)} parts where a bundle has {PARTS_MOST} at most")
    mark = hashlib.sha256(b"".join(body for _, body in parts)).digest()[:2]
    made = []
    for number, (kind, body) in enumerate(parts, 1):
        if not 0 <= kind <= 0xFF or len(body) > BODY_MOST:
            raise LocalError(f"a part of kind {kind} and {len(body)} bytes; {BODY_MOST} fit")
        payload = _HEAD.pack(kind, int.from_bytes(mark, "big"), number, len(parts)) + body
        made.append(f"{_PREFIX}{base64.urlsafe_b64encode(payload + _check(payload)).decode().rstrip('=')}.")
    return made


def text(made: Sequence[str], only: Collection[int] | None = None) -> str:
    """Tokens as text to be pasted, a line each; only those of these numbers where numbers are given."""
    chosen = [number for number in range(1, len(made) + 1) if only is None or number in only]
    lines = [BEGIN]
    for place, number in enumerate(chosen):
        if len(chosen) > 1 and not place % MARKED:
            lines.append(f"part {number} of {len(made)}")
        lines.append(made[number - 1])
    return "\n".join([*lines, END, ""])


def read(pasted: str) -> Found:
    """Every part of a text that is whole. Raises BadArmour for a text that is too long or holds no token at all.

    The work is in proportion to the text: each character is cleaned once and decoded once.
    """
    if len(pasted) > TEXT_MOST:
        raise BadArmour(f"the text has {len(pasted):,} characters; {TEXT_MOST:,} are looked at")
    clean = pasted.translate(_CLEANED)
    starts = [found.end() for found in _START.finditer(clean)]
    if not starts:
        raise BadArmour(f"there is no {_PREFIX}...: a bundle is made of such words")
    parts: dict[Part, None] = {}
    damaged = 0
    for start in starts:
        end = clean.find(".", start, start + TOKEN_MOST - len(_PREFIX))
        part = _part(clean[start:end]) if end >= 0 else None
        if part is None:
            damaged += 1
        else:
            parts[part] = None
    return Found(tuple(parts), damaged)


def _part(body: str) -> Part | None:
    if len(body) < _BODY_LEAST:
        return None
    payload = _payload(body)
    if payload is None and _DASHES.search(body):
        # What was one dash or two of them: the check says which.
        payload = _payload(_DASHES.sub("-", body)) or _payload(_DASHES.sub("--", body))
    if payload is None:
        return None
    kind, bundle, number, count = _HEAD.unpack_from(payload)
    return Part(kind, bundle, number, count, payload[_HEAD.size :]) if 1 <= number <= count else None


def _payload(body: str) -> bytes | None:
    try:
        data = base64.b64decode(body + "=" * (-len(body) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    payload, check = data[:-_CHECK], data[-_CHECK:]
    if check != _check(payload):
        return None
    # The last character may have bits that nobody reads: one payload, one token.
    return payload if base64.urlsafe_b64encode(data).decode().rstrip("=") == body else None


def _check(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_CHECK, person=LABEL).digest()


def _numbers(lost: list[range]) -> str:
    """``1, 3 to 5 and 9``; not all of many."""
    said = [f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in lost[:SAID_MOST]]
    if len(lost) > SAID_MOST:
        said.append("others")
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
