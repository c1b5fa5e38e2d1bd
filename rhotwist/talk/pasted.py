"""What is shown to others as text: a value in as many tokens as it takes. Spec page: docs/spec/bundle.md."""

from __future__ import annotations

from rhotwist.errors import BadArmour, LocalError
from rhotwist.wire import armour

#: Kinds of part, beside those of the directory.
PUBLISHED, PROOF = 16, 17


def write(kind: int, data: bytes) -> str:
    """A value as text to paste. Raises LocalError for more than is read back."""
    bodies = [data[at : at + armour.BODY_MOST] for at in range(0, len(data), armour.BODY_MOST)]
    if not bodies or 4 * len(data) // 3 + 32 * len(bodies) > armour.TEXT_MOST:
        raise LocalError(f"{len(data):,} bytes; a text of {armour.TEXT_MOST:,} characters is the longest that is read")
    return armour.text(armour.tokens([(kind, body) for body in bodies]))


def read(pasted: str) -> list[tuple[int, bytes]]:
    """The values of a text, each once, with their kinds. Raises BadArmour, saying what to paste again, if one is not
    whole."""
    found = armour.read(pasted)
    trouble = found.trouble()
    if trouble is not None:
        raise BadArmour(trouble)
    whole: dict[tuple[int, int, int], bytes] = {}
    for part in sorted(found.parts, key=lambda part: part.number):
        place = (part.kind, part.bundle, part.count)
        whole[place] = whole.get(place, b"") + part.body
    return [(kind, data) for (kind, _, _), data in whole.items()]
