"""Bytes as a block of text that survives mail programs and clipboards.

    -----BEGIN RHO BUNDLE-----
    base64, 64 characters a line
    =xxxxxxxx
    -----END RHO BUNDLE-----

The last eight characters check the whole: 6 bytes of SHA256(title, 0, data), so that a block cut short, changed or
given another title is refused. Text around blocks, quoting (``> ``), carriage returns, other line widths and trailing
white space are all ignored on the way in. The check finds accidents; who made the data is for signatures to say.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from rhotwist.errors import BadArmour, LocalError

WIDTH = 64
_CHECK = 8
_DASHES = "-----"


def wrap(title: str, data: bytes) -> str:
    """A block under a title in capitals such as ``"BUNDLE"``, ending with a line feed. Raises LocalError."""
    if not (title.isascii() and title.replace(" ", "").isalpha() and title == title.upper()):
        raise LocalError(f"{title!r} is no title: capital letters A to Z")
    body = base64.b64encode(data).decode("ascii")
    lines = [body[at : at + WIDTH] for at in range(0, len(body), WIDTH)]
    return "\n".join([_line("BEGIN", title), *lines, _check(title, data), _line("END", title), ""])


def unwrap(title: str, text: str, most: int) -> list[bytes]:
    """The data of every block with this title, in order.

    Raises BadArmour, naming the line, for a block that is damaged or larger than most bytes, and where there is none.
    """
    found = []
    begun = 0
    inside: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip(" \t\r\ufeff\u00a0>")
        if line == _line("BEGIN", title):
            if begun:
                raise BadArmour(f"line {number}: a block begins inside the one of line {begun}")
            begun, inside = number, []
        elif begun and line == _line("END", title):
            found.append(_block(title, inside, begun, most))
            begun = 0
        elif begun:
            inside.append((number, line))
    if begun:
        raise BadArmour(f"line {begun}: the block has no end; the text was cut short")
    if not found:
        raise BadArmour(f"there is no line {_line('BEGIN', title)}")
    return found


def _block(title: str, lines: list[tuple[int, str]], begun: int, most: int) -> bytes:
    # Base64 makes 4 characters of 3 bytes; a check and its sign come on top. Too much is refused before any decoding.
    if sum(len(line) for _, line in lines) > 2 * most + 64:
        raise BadArmour(f"line {begun}: the block holds more than {most} bytes")
    for number, line in lines:
        for character in line:
            if not (character.isascii() and character.isalnum()) and character not in "+/= \t":
                raise BadArmour(f"line {number}: {character!a} is not part of a block")
    whole = "".join("".join(line.split()) for _, line in lines)
    body, check = whole[: -_CHECK - 1], whole[-_CHECK - 1 :]
    try:
        data = base64.b64decode(body, validate=True)
    except binascii.Error:
        raise BadArmour(f"line {begun}: the block is damaged: characters are missing or too many") from None
    if check != _check(title, data) or base64.b64encode(data).decode("ascii") != body:
        raise BadArmour(f"line {begun}: the block is damaged: its check does not fit")
    if len(data) > most:
        raise BadArmour(f"line {begun}: the block holds more than {most} bytes")
    return data


def _line(what: str, title: str) -> str:
    return f"{_DASHES}{what} RHO {title}{_DASHES}"


def _check(title: str, data: bytes) -> str:
    digest = hashlib.sha256(title.encode("ascii") + b"\0" + data).digest()
    return "=" + base64.b64encode(digest[: _CHECK * 3 // 4]).decode("ascii")
