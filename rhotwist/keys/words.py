"""The master secret on paper: 32 bytes as 24 English words of BIP39, and back.

The words are an encoding and nothing else: no passphrase enters them and no key stretching follows, so the words alone
restore everything and every other BIP39 tool shows the same words for the same bytes.
"""

from __future__ import annotations

import functools
import unicodedata
from os.path import commonprefix

from mnemonic import Mnemonic

from rhotwist.errors import BadWords, LocalError

COUNT = 24
SECRET_SIZE = 32
#: BIP39 gives no two words the same first four letters, so four letters that fit name the word.
_TELLING = 4
#: A longer word is near none of the list, whose words have at most eight letters.
_LONGEST_NEAR = 18


def to_words(secret: bytes | bytearray) -> str:
    """24 words with a space between. Raises LocalError for other than 32 bytes."""
    if len(secret) != SECRET_SIZE:
        raise LocalError(f"a master secret has {SECRET_SIZE} bytes, not {len(secret)}")
    return _book().to_mnemonic(bytes(secret))


def from_words(text: str) -> bytearray:
    """The 32 bytes of 24 words; case and white space do not matter. The caller wipes them.

    Raises BadWords: for a word that is not in the list (naming it, its place and the nearest ones), for another number
    of words, and for words that are all in the list but do not belong together.
    """
    words = unicodedata.normalize("NFKD", text).lower().split()
    known = _known()
    for place, word in enumerate(words, 1):
        if word not in known:
            raise BadWords(f"word {place}, {_short(word)}, is not in the list; {_nearest(word)}")
    if len(words) != COUNT:
        raise BadWords(f"{len(words)} words where a backup has {COUNT}")
    try:
        return _book().to_entropy(words)
    except ValueError:
        raise BadWords(
            "the checksum does not hold: all 24 words are in the list, but one of them is another than was written "
            "down, or two changed places"
        ) from None


def _nearest(word: str) -> str:
    """At most three: the one with the same four letters, then by letters in common, then by the same beginning."""
    meant = _starts().get(word[:_TELLING])
    near = [meant] if meant else []
    if len(word) <= _LONGEST_NEAR:
        rated = sorted(
            (-common / (len(word) + len(other)), -len(commonprefix((word, other))), other)
            for common, other in zip(_common(word), _book().wordlist, strict=True)
            if 10 * common >= 3 * (len(word) + len(other))
        )
        near += [other for *_, other in rated[:3] if other != meant]
    return f"nearest: {', '.join(near[:3])}" if near else "no word is near it"


def _common(word: str) -> list[int]:
    """How many letters a word has in common with each of the list, in the same order with others between.

    The longest common subsequence in bits (Hyyrö 2004), here for the whole list at once, as one number of 16 bits a
    word: of its low eight, those go out whose letters are found.
    """
    whole = int.from_bytes(b"\xff\0" * len(_book().wordlist), "little")
    rest = whole
    for letter in word:
        hit = rest & _letters().get(letter, 0)
        rest = (rest + hit | rest - hit) & whole
    return [8 - bits.bit_count() for bits in rest.to_bytes(2 * len(_book().wordlist), "little")[::2]]


def _short(word: str) -> str:
    return repr(word if len(word) <= 24 else word[:24] + "...")


@functools.cache
def _book() -> Mnemonic:
    return Mnemonic("english")


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(_book().wordlist)


@functools.cache
def _starts() -> dict[str, str]:
    return {word[:_TELLING]: word for word in _book().wordlist}


@functools.cache
def _letters() -> dict[str, int]:
    """Where each letter stands in the list, laid out as ``_common`` says."""
    found: dict[str, int] = {}
    for place, word in enumerate(_book().wordlist):
        for at, letter in enumerate(word):
            found[letter] = found.get(letter, 0) | 1 << 16 * place + at
    return found
