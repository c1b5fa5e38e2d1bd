"""Bech32m, the checked text form of BIP350, with the place of a typing error told.

The checksum is a BCH code: up to four wrong characters never go unnoticed in 90, and a single one can be found, because
every (place, difference) leaves another remainder. A likely correction is told to a person, never applied: BIP173 warns
that correcting weakens detection. Alphabet and limits are BIP173's. Errors are ``BadAddress``, places count from 1.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from operator import xor

from rhotwist.errors import BadAddress, LocalError

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
#: Characters a whole text may have (BIP173): beyond that the promise about four errors ends.
MOST = 90
CHECKSUM = 6
#: What a text with a good checksum leaves (BIP350).
GOOD = 0x2BC830A3

_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
#: What the five bits that leave the remainder put back into it.
_FOLDED = [
    functools.reduce(xor, (word for bit, word in enumerate(_GENERATOR) if top >> bit & 1), 0) for top in range(32)
]


def encode(prefix: str, values: Sequence[int]) -> str:
    """Text of a lower-case prefix and values below 32, with the checksum behind. Raises LocalError."""
    text = f"{prefix}1{''.join(ALPHABET[value] for value in values)}"
    if not prefix or prefix != prefix.lower() or any(not 33 <= ord(c) <= 126 for c in prefix):
        raise LocalError(f"{prefix!r} is no prefix: printable ASCII without capital letters")
    if len(text) + CHECKSUM > MOST:
        raise LocalError(f"{len(text) + CHECKSUM} characters where at most {MOST} fit")
    rest = _remainder([*_expanded(prefix), *values, *bytes(CHECKSUM)]) ^ GOOD
    return text + "".join(ALPHABET[rest >> 5 * (CHECKSUM - 1 - i) & 31] for i in range(CHECKSUM))


def decode(text: str, prefix: str | None = None) -> tuple[str, list[int]]:
    """Prefix and values of a text, checksum checked and taken off. Raises BadAddress, naming the place where it can.

    With a prefix given the text must have it; then a stray ``1`` further on is one wrong character, not a separator.
    """
    _check_characters(text)
    small = text.lower()
    if prefix is None:
        end = small.rfind("1")
        if end < 1:
            raise BadAddress("no separator: a character 1 with something before it")
    else:
        _check_prefix(text, small, prefix)
        end = len(prefix)
    head, tail = small[:end], small[end + 1 :]
    if len(tail) < CHECKSUM:
        raise BadAddress(f"{len(tail)} characters after the separator: the checksum alone has {CHECKSUM}")
    foreign = [at for at, character in enumerate(tail) if character not in _VALUE]
    values = [_VALUE.get(character, 0) for character in tail]
    error = find_error(head, values)
    if foreign:
        at = foreign[0]
        meant = ""
        if len(foreign) == 1 and (error is None or error[0] == at):
            meant = f"; likely meant: {ALPHABET[error[1] if error else values[at]]!r}"
        raise BadAddress(f"character {end + 2 + at}, {text[end + 1 + at]!r}, is in no such text{meant}")
    if error is None:
        return head, values[:-CHECKSUM]
    at, value = error
    if at < 0:
        raise BadAddress("the checksum does not hold: more than one character is wrong, or some are missing")
    raise BadAddress(
        f"the checksum does not hold: character {end + 2 + at}, {text[end + 1 + at]!r}, "
        f"is wrong; likely meant: {ALPHABET[value]!r}"
    )


def find_error(prefix: str, values: Sequence[int]) -> tuple[int, int] | None:
    """None where the checksum of values (it is among them) holds, else the one (index, right value) that would mend it.

    (-1, 0) where no single substitution would. At most ``MOST`` values.
    """
    off = _remainder([*_expanded(prefix), *values]) ^ GOOD
    if not off:
        return None
    behind, difference = _single_errors().get(off, (MOST, 0))
    at = len(values) - 1 - behind
    return (at, values[at] ^ difference) if at >= 0 else (-1, 0)


def to_fives(data: bytes) -> list[int]:
    """Bytes as values below 32, first bit first, zero bits behind."""
    count = (8 * len(data) + 4) // 5
    whole = int.from_bytes(data, "big") << (5 * count - 8 * len(data))
    return [whole >> 5 * (count - 1 - i) & 31 for i in range(count)]


def from_fives(values: Sequence[int]) -> bytes:
    """Back to bytes. Raises BadAddress for a count that no bytes have, and for padding that is not zero."""
    size, padding = divmod(5 * len(values), 8)
    if padding > 4:
        raise BadAddress(f"{len(values)} characters of content: no number of bytes has that many")
    whole = 0
    for value in values:
        whole = whole << 5 | value
    if whole & (1 << padding) - 1:
        raise BadAddress("the last bits of the content are not zero")
    return (whole >> padding).to_bytes(size, "big")


def _check_characters(text: str) -> None:
    for place, character in enumerate(text, 1):
        if not 33 <= ord(character) <= 126:
            raise BadAddress(f"character {place} is U+{ord(character):04X}, which is in no such text")
    if len(text) > MOST:
        raise BadAddress(f"{len(text)} characters where at most {MOST} fit")
    small = [place for place, character in enumerate(text, 1) if character.islower()]
    large = [place for place, character in enumerate(text, 1) if character.isupper()]
    if small and large:
        place = min(small, large, key=len)[0]
        raise BadAddress(f"capital and small letters mixed: character {place}, {text[place - 1]!r}")


def _check_prefix(text: str, small: str, prefix: str) -> None:
    want = prefix + "1"
    wrong = [at for at, character in enumerate(want) if small[at : at + 1] != character]
    if len(wrong) == 1 and len(text) > wrong[0]:
        raise BadAddress(f"character {wrong[0] + 1} is {text[wrong[0]]!r}; likely meant: {want[wrong[0]]!r}")
    if wrong:
        raise BadAddress(f"it does not begin with {want}")


def _expanded(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _remainder(values: Sequence[int]) -> int:
    rest = 1
    for value in values:
        rest = _step(rest, value)
    return rest


def _step(rest: int, value: int) -> int:
    """Bring one more value into the remainder. Linear: the effect of a difference does not depend on the rest."""
    return (rest & 0x1FFFFFF) << 5 ^ value ^ _FOLDED[rest >> 25]


@functools.cache
def _single_errors() -> dict[int, tuple[int, int]]:
    """(Values behind it, difference) of one wrong value, by what it leaves of the remainder; no two leave the same."""
    found = {}
    for difference in range(1, 32):
        left = difference
        for behind in range(MOST):
            found[left] = behind, difference
            left = _step(left, 0)
    return found
