"""Groups of commands that do something when no verb is said."""

from __future__ import annotations

import click


class ListByDefault(click.Group):
    """``rho NOUN`` alone lists."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Say ``list`` where nothing is said."""
        if not any(argument in self.commands or argument in ("-h", "--help") for argument in args):
            wordless = all(argument.startswith("-") for argument in args)
            args = [*args, "list"] if wordless else args
        return super().parse_args(context, args)
