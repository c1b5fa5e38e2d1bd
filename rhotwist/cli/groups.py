"""Groups of commands that do something when no verb is said."""

from __future__ import annotations

import click


class ListByDefault(click.Group):
    """``rho NOUN`` alone lists."""

    verb = "list"

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Say the verb where none is said, whatever options are. Raises click.UsageError."""
        _, said, _ = self.make_parser(context).parse_args(list(args))
        return super().parse_args(context, args if said else [*args, self.verb])


class RootByDefault(ListByDefault):
    """``rho NOUN`` alone tells the root."""

    verb = "root"
