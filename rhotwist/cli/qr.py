"""QR codes for the terminal, two squares a character."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"rho1[a-z0-9]+")
BORDER = 2  # squares of quiet zone; scanners manage with less than the standard's four


def qr_lines(text: str) -> list[str]:
    """text as a QR code, dark on the terminal's own background inverted, so that it is read on dark and light ones.

    An address goes in upper case, which QR codes pack tighter (version 3 instead of 4).
    """
    import segno

    code = segno.make_qr(text.upper() if _ADDRESS.fullmatch(text) else text)
    rows = [list(row) for row in code.matrix_iter(border=BORDER)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    # Light squares are drawn, dark ones left: on a dark terminal that is a proper code, and scanners take the inverse.
    shapes = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return [
        "".join(shapes[bool(upper), bool(lower)] for upper, lower in zip(rows[at], rows[at + 1], strict=True))
        for at in range(0, len(rows), 2)
    ]
