"""What is in a bundle: records, and what two that compare their trees by pasting say to each other.

Every part is good for itself, but for a hello, which may take two: it is read when its bundle is whole. Spec page:
docs/spec/bundle.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import attrs

from rhotwist.directory import record
from rhotwist.errors import BadPacket, LocalError
from rhotwist.wire import armour
from rhotwist.wire.armour import BODY_MOST, Part

#: Kinds of part.
RECORDS, HELLO, WANT, STATEMENT = 1, 2, 3, 4
HELLO_MOST = 1_200
"""Bytes of a hello: what a datagram takes."""
PREFIX_SIZE = 5
"""Bytes of an address in a want."""


@attrs.frozen
class Bundle:
    """What one bundle holds. records are encoded, wants the first 5 bytes of addresses; hello and statement opaque."""

    records: tuple[bytes, ...] = ()
    hello: bytes = b""
    wants: tuple[bytes, ...] = ()
    statements: tuple[bytes, ...] = ()


@attrs.frozen
class Pasted:
    """What a text held: all that is whole of all its bundles, and in words what is to be pasted again, if anything."""

    records: tuple[bytes, ...]
    hellos: tuple[bytes, ...]
    wants: tuple[bytes, ...]
    statements: tuple[bytes, ...]
    trouble: str | None


def parts(bundle: Bundle, size: int = BODY_MOST) -> list[tuple[int, bytes]]:
    """A bundle as kinds and bodies, no record cut in two, records in bodies of that size where they fit.

    Raises LocalError for what does not fit, or nothing.
    """
    for what, length, most in (
        *(("record", len(one), record.MOST) for one in bundle.records),
        ("hello", len(bundle.hello), HELLO_MOST),
        *(("statement", len(one), BODY_MOST) for one in bundle.statements),
    ):
        if length > most:
            raise LocalError(f"a {what} of {length} bytes; {most} fit")
    if any(len(one) != PREFIX_SIZE for one in bundle.wants):
        raise LocalError(f"what is wanted is named by {PREFIX_SIZE} bytes")
    made = [(RECORDS, body) for body in _filled(bundle.records, size)]
    made += [(HELLO, bundle.hello[at : at + BODY_MOST]) for at in range(0, len(bundle.hello), BODY_MOST)]
    made += [(WANT, body) for body in _filled(bundle.wants, BODY_MOST)]
    made += [(STATEMENT, body) for body in bundle.statements]
    if not made:
        raise LocalError("a bundle of nothing")
    return made


def tokens(bundle: Bundle, size: int = BODY_MOST) -> list[str]:
    """A bundle as tokens, each for a QR code or a line of its own; size as for ``parts``. Raises LocalError."""
    return armour.tokens(parts(bundle, size))


def write(bundle: Bundle, only: Collection[int] | None = None) -> str:
    """A bundle as text to paste; only the parts of these numbers, where a reader asked for them. Raises LocalError."""
    return armour.text(tokens(bundle), only)


def read(pasted: str) -> Pasted:
    """All that is whole in a text, however much prose is around it. Raises BadArmour where there is nothing at all.

    A part whose check holds and whose body means nothing to this version is told, and costs nothing else.
    """
    found = armour.read(pasted)
    kinds: dict[int, list[bytes]] = {RECORDS: [], WANT: [], STATEMENT: []}
    unknown = 0
    for part in found.parts:
        if part.kind == HELLO:
            continue
        try:
            kinds[part.kind] += _items(part)
        except (BadPacket, KeyError):
            unknown += 1
    said = [found.trouble(), f"{unknown} of the parts are not understood by this version" if unknown else None]
    return Pasted(
        tuple(dict.fromkeys(kinds[RECORDS])), _hellos(found), tuple(dict.fromkeys(kinds[WANT])),
        tuple(dict.fromkeys(kinds[STATEMENT])), "; ".join(filter(None, said)) or None,
    )  # fmt: skip


def _filled(items: Iterable[bytes], size: int) -> list[bytes]:
    bodies: list[bytes] = []
    for item in items:
        if bodies and len(bodies[-1]) + len(item) <= size:
            bodies[-1] += item
        else:
            bodies.append(item)
    return bodies


def _items(part: Part) -> Sequence[bytes]:
    if part.kind == RECORDS:
        return record.split(part.body)
    if part.kind == STATEMENT:
        return (part.body,)
    if len(part.body) % PREFIX_SIZE:
        raise BadPacket("part")
    return [part.body[at : at + PREFIX_SIZE] for at in range(0, len(part.body), PREFIX_SIZE)]


def _hellos(found: armour.Found) -> tuple[bytes, ...]:
    """The hellos of bundles that are whole."""
    missing = found.missing()
    whole: dict[tuple[int, int], bytes] = {}
    for part in sorted(found.parts, key=lambda part: part.number):
        if part.kind == HELLO and (part.bundle, part.count) not in missing:
            place = (part.bundle, part.count)
            whole[place] = whole.get(place, b"") + part.body
    return tuple(hello for hello in whole.values() if len(hello) <= HELLO_MOST)
