"""One run of ``rho``: the options that every command takes, and how it speaks.

The result goes to stdout; progress, advice and errors go to stderr. ``--json`` prints the result as one JSON object and
is the stable interface; what is for people may change.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click

from rhotwist.control import codec, explain, places, trouble
from rhotwist.errors import OperatorError

F = TypeVar("F", bound=Callable[..., Any])


@attrs.define
class Run:
    """What the global options say."""

    json: bool = False
    quiet: bool = False
    debug: bool = False
    datadir: str | None = None
    timeout: float | None = None
    wallet: str = ""

    @property
    def places(self) -> places.Places:
        """The data folder of this run."""
        return places.find(self.datadir, os.environ, Path.cwd())

    def patience(self, default: float) -> float:
        """Seconds to wait: what --timeout says, else default."""
        return default if self.timeout is None else self.timeout

    def result(self, value: Any, *lines: str) -> None:
        """Print the outcome: value (frozen, or plain data) as JSON, or the lines for people."""
        if self.json:
            click.echo(json.dumps(codec.plain(value)))
            return
        for line in lines:
            click.echo(fitting(line, sys.stdout))

    def advise(self, line: str) -> None:
        """Tell a person something beside the result; silent with --quiet and --json."""
        if not self.quiet and not self.json:
            click.echo(fitting(line, sys.stderr), err=True)

    def complain(self, error: OperatorError, *, beside: bool = False) -> None:
        """Print an error: three lines on stderr, or one JSON object on stdout, unless a result stands there already."""
        if beside and self.json:
            return
        if self.json:
            click.echo(json.dumps({"error": codec.plain(explain.to_problem(error))}))
        else:
            click.echo(fitting(str(error), sys.stderr), err=True)


pass_run: Callable[[F], F] = click.make_pass_decorator(Run, ensure=True)  # type: ignore[assignment]


def fitting(line: str, stream: Any) -> str:
    """line with what the stream cannot show replaced, so that a mark never ends a command."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return line.translate(_PLAIN) if _lacks(encoding) else line


_PLAIN = str.maketrans({"✓": "ok", "✗": "NO", "…": "...", "→": "->", "█": "#", "·": "."})


def _lacks(encoding: str) -> bool:
    try:
        "✓✗…→█·".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def _setter(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        # Said before the command or after it, an option counts; left out there, it must not undo what was said here.
        if context.get_parameter_source(parameter.name or "") is not click.core.ParameterSource.DEFAULT:
            setattr(context.ensure_object(Run), name, value)

    return keep


def _seconds(context: click.Context, parameter: click.Parameter, value: float | None) -> None:
    if value is not None and not 0 < value <= 86_400:
        raise trouble.OPTION_WRONG(
            option="--timeout", value=value, why="it counts seconds, more than 0 and at most a day",
            hint="try --timeout 30",
        )  # fmt: skip
    _setter("timeout")(context, parameter, value)


_COMMON = (
    click.option("--json", is_flag=True, expose_value=False, callback=_setter("json"),
                 help="Print one JSON object: the stable interface for programs."),
    click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_setter("quiet"),
                 help="Print the result alone."),
    click.option("--debug", is_flag=True, expose_value=False, callback=_setter("debug"),
                 help="Show tracebacks."),
    click.option("--datadir", "--home", metavar="DIR", expose_value=False, callback=_setter("datadir"),
                 help="Data folder; else RHO_HOME, else the usual place of this system."),
    click.option("--timeout", type=float, metavar="SECONDS", expose_value=False, callback=_seconds,
                 help="Give up after this long."),
)  # fmt: skip


def common(command: F) -> F:
    """Give a command the options that all have; they may stand before it or after it."""
    for option in reversed(_COMMON):
        command = option(command)
    return command
