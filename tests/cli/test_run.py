"""The options that every command takes."""

from __future__ import annotations

import io
from pathlib import Path

import click

from rhotwist.cli.run import Run, common, fitting, pass_run
from tests.cli.stage import CliCase


@click.group()
@common
def group() -> None:
    """A group with the common options."""


@group.command()
@common
@pass_run
def command(run: Run) -> Run:
    """Give back what was said."""
    return run


class OptionTests(CliCase):
    """An option counts before the command and after it."""

    def said(self, *arguments: str) -> Run:
        """The Run that a command line gives."""
        found: Run = group.main(list(arguments), standalone_mode=False, obj=Run())
        return found

    def test_options_before_and_after_the_command_are_the_same(self) -> None:
        options = ("--json", "--quiet", "--debug", "--datadir", "/x", "--timeout", "3")
        expected = Run(json=True, quiet=True, debug=True, datadir="/x", timeout=3.0)
        self.assertEqual(expected, self.said(*options, "command"))
        self.assertEqual(expected, self.said("command", *options))
        self.assertEqual(expected, self.said("--json", "--home", "/x", "command", "-q", "--debug", "--timeout", "3"))
        self.assertEqual(Run(), self.said("command"))

    def test_the_later_of_two_counts(self) -> None:
        self.assertEqual("/y", self.said("--datadir", "/x", "command", "--datadir", "/y").datadir)

    def test_a_timeout_that_is_none_is_refused(self) -> None:
        for seconds in ("0", "-1", "86401", "nan", "inf"):
            self.assertIn("--timeout", self.rho("status", "--timeout", seconds).err)
        self.assertEqual(5.0, Run().patience(5.0))
        self.assertEqual(2.0, Run(timeout=2.0).patience(5.0))

    def test_the_folder_is_the_option_s_else_the_environment_s(self) -> None:
        self.assertEqual(Path("/x"), Run(datadir="/x").places.datadir)


class OutputTests(CliCase):
    """Results to stdout, advice to stderr."""

    def test_quiet_and_json_are_silent_on_stderr(self) -> None:
        self.assertIn("next:", self.rho("status").err)
        for option in ("--quiet", "--json"):
            self.assertEqual("", self.rho("status", option).err)

    def test_marks_that_the_terminal_cannot_show_are_words(self) -> None:
        latin, utf = (io.TextIOWrapper(io.BytesIO(), encoding=name) for name in ("latin-1", "utf-8"))
        self.assertEqual("ok x NO y", fitting("✓ x ✗ y", latin))
        self.assertEqual("✓ x ✗ y", fitting("✓ x ✗ y", utf))
        self.assertEqual("✓", fitting("✓", io.StringIO()))
