"""Every command's help ends with examples, and they are what the command understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from rhotwist.cli import main
from rhotwist.cli.examples import EXAMPLES
from tests.cli.stage import CliCase


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each command that does something, by its words."""
    for name in main.COMMANDS:
        command = main.rho.get_command(click.Context(main.rho), name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {verb}", inner) for verb, inner in command.commands.items())
        elif command is not None:
            yield name, command


class ExampleTests(CliCase):
    """One at least for each."""

    def test_every_command_has_examples_and_no_example_lacks_its_command(self) -> None:
        self.assertEqual(set(EXAMPLES), {words for words, _ in commands()})

    def test_help_shows_them_whole(self) -> None:
        for words, lines in EXAMPLES.items():
            printed = self.rho(*words.split(), "--help").out
            for line in lines:
                self.assertIn(f"\n    rho {line}\n", printed)

    def test_the_help_of_a_group_shows_one_of_each_of_its_commands(self) -> None:
        printed = self.rho("dir", "--help").out
        for line in ("dir root --node", "dir lookup bob", "dir tree --svg tree.svg"):
            self.assertIn(f"\n    rho {line}\n", printed)

    def test_each_is_understood(self) -> None:
        for words, command in commands():
            for line in EXAMPLES[words]:
                self.assertTrue(line.startswith(words), line)
                typed = shlex.split(re.sub(r" \d?[<>].*", "", line))[len(words.split()):]
                command.make_context(words, typed)
