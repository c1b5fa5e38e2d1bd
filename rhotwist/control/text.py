"""Words for people: what a stranger wrote is shown as quoted data, times and sizes as people say them."""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
"""What a wallet or a contact may be called: it is a file's name on every system, and no shell reads more in it."""
SHOWN_MOST = 200  # characters of a peer's text inside an error message


def visible(text: str, *, lines: bool = False) -> str:
    r"""text with every control, format and direction character spelt out, so that it cannot move the cursor.

    lines keeps line ends and tabs.

    >>> visible("red\x1b[31m \u202eback")
    'red\\x1b[31m \\u202eback'
    """
    return "".join(
        char if (lines and char in "\n\t") or unicodedata.category(char) not in _HIDDEN else _spelt(char)
        for char in text
    )


def quoted(text: str) -> str:
    """A peer's words inside a message of ours: visible, cut at SHOWN_MOST characters, in quotes.

    >>> quoted("no room")
    '"no room"'
    """
    cut = text if len(text) <= SHOWN_MOST else text[: SHOWN_MOST - 1] + "…"
    return f'"{visible(cut)}"'


def span(seconds: float) -> str:
    """A length of time as people say it.

    >>> span(0.00123), span(4), span(125), span(7300), span(200000)
    ('1.2 ms', '4 s', '2 min', '2 h', '2 d')
    """
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // unit)} {name}"
    return f"{int(seconds // 86_400)} d"


def size(octets: int) -> str:
    """A size in bytes, KiB, MiB or GiB.

    >>> size(999), size(4 * 2**20)
    ('999 B', '4.0 MiB')
    """
    if octets < 1024:
        return f"{octets} B"
    amount = float(octets)
    for name in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024 or name == "GiB":
            return f"{amount:.1f} {name}"
    raise AssertionError("unreachable")


def _spelt(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
