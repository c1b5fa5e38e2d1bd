"""The master secret on paper: 32 bytes as 24 English words of BIP39, and back.

The words are an encoding and nothing else: no passphrase enters them and no key stretching follows, so the words alone
restore everything and every other BIP39 tool shows the same words for the same bytes.
"""

from __future__ import annotations

import difflib
import functools
import unicodedata

from mnemonic import Mnemonic

from rhotwist.errors import BadWords, LocalError

COUNT = 24
SECRET_SIZE = 32
#: BIP39 gives no two words the same first four letters, so four letters that fit name the word.
_TELLING = 4


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
    same_start = [w for w in _book().wordlist if len(word) >= _TELLING and w[:_TELLING] == word[:_TELLING]]
    near = same_start + [w for w in difflib.get_close_matches(word, _book().wordlist, n=3) if w not in same_start]
    return f"nearest: {', '.join(near[:3])}" if near else "no word is near it"


def _short(word: str) -> str:
    return repr(word if len(word) <= 24 else word[:24] + "...")


@functools.cache
def _book() -> Mnemonic:
    return Mnemonic("english")


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(_book().wordlist)
