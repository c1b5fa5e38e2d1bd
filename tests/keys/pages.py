"""The worked vectors of our own spec pages, so that a page cannot say what the code does not do."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "spec"
_ROW = re.compile(r"\| (?P<what>[^|]+) \| `(?P<value>[^`]+)` \|")


def vectors(page: str) -> dict[str, str]:
    """Rows of two cells, the second one in code marks: what it is to its value."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {row["what"]: row["value"] for row in map(_ROW.fullmatch, text.splitlines()) if row}
