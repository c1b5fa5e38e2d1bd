"""The catalogue of errors is whole, used, and printed in the docs."""

from __future__ import annotations

import re
import string
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rhotwist.control import errors_page, trouble
from rhotwist.control.trouble import ENTRIES, Entry

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "rhotwist").rglob("*.py"))}


def fields(entry: Entry) -> set[str]:
    """The names that an entry's templates want filled."""
    return {
        name for template in (entry.what, entry.why, entry.hint)
        for _, name, _, _ in string.Formatter().parse(template) if name
    }  # fmt: skip


class CatalogueTests(SynchronousTestCase):
    """Every code has an entry, every entry a use."""

    def test_every_code_in_the_sources_is_in_the_catalogue(self) -> None:
        wrong = [
            f"{path.name}: {code}"
            for path, text in SOURCES.items()
            for code in re.findall(r"RHO-\d{4}", text)
            if code not in ENTRIES
        ]
        self.assertEqual([], wrong)

    def test_every_entry_is_raised_somewhere(self) -> None:
        used = {
            name
            for path, text in SOURCES.items()
            for name in re.findall(r"\b\w+\.([A-Z][A-Z_]+)\b", text)
        }
        names = {name for name, value in vars(trouble).items() if isinstance(value, Entry)}
        self.assertEqual(set(), names - used)

    def test_no_two_entries_share_a_code(self) -> None:
        self.assertEqual(len(ENTRIES), sum(isinstance(value, Entry) for value in vars(trouble).values()))
        for code in ENTRIES:
            self.assertRegex(code, r"^RHO-\d{4}$")

    def test_every_entry_says_what_why_and_what_to_do_in_one_line_each(self) -> None:
        for entry in ENTRIES.values():
            error = entry(**{name: f"<{name}>" for name in fields(entry)})
            for text in (error.what, error.why, error.hint):
                self.assertTrue(text.strip(), entry.code)
                self.assertNotIn("\n", text, entry.code)
            self.assertEqual(3, len(str(error).splitlines()), entry.code)
            self.assertIn(entry.exit_status, (1, 2, 3, 4, 5, 6, 130))

    def test_the_page_in_the_docs_is_the_catalogue(self) -> None:
        self.assertEqual(errors_page.page(), (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
