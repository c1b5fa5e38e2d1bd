"""The upper levels of a directory's tree as a picture: a box for each part, its colour taken from its hash."""

from __future__ import annotations

from rhotwist.control.directory import TreeLevels

WIDTH, HEIGHT = 1024, 28
"""Size of the root's box, in pixels; each level is half as wide."""
_DIGITS = 8


def counted(records: int) -> str:
    """So many records."""
    return f"{records} record" if records == 1 else f"{records} records"


def svg(tree: TreeLevels) -> str:
    """SVG without scripts, fonts or links. Equal parts have equal colours, so two pictures show where trees differ."""
    boxes = []
    for depth, level in enumerate(tree.levels):
        width = WIDTH / len(level)
        for number, hash in enumerate(level):
            box = f'<rect x="{number * width:g}" y="{depth * HEIGHT}" width="{width:g}" height="{HEIGHT}"'
            prefix = f"{number:0{depth}b}" if depth else "all"
            told = f"<title>{prefix}: {hash or 'empty'}</title>"
            boxes.append(f'{box} fill="{_colour(hash)}" stroke="#888">{told}</rect>')
    height = HEIGHT * len(tree.levels)
    label = f"directory of {counted(tree.count)}, root {tree.root}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">',
        f"<title>{label}</title>", *boxes, "</svg>", "",
    ])  # fmt: skip


def lines(tree: TreeLevels) -> list[str]:
    """The same for a terminal: the parts of the deepest level, eight a line, by the start of their hashes."""
    deepest = tree.levels[-1]
    found = [f"root {tree.root}  {counted(tree.count)}"]
    for start in range(0, len(deepest), 8):
        shown = " ".join(hash[:_DIGITS] or "-" * _DIGITS for hash in deepest[start : start + 8])
        found.append(f"{start:3d}  {shown}")
    return found


def _colour(hash: str) -> str:
    """Light enough for black text, and the same for the same hash."""
    if not hash:
        return "none"
    hue = int(hash[:4], 16) * 360 >> 16
    return f"hsl({hue}, {45 + int(hash[4:6], 16) % 40}%, {60 + int(hash[6:8], 16) % 25}%)"
