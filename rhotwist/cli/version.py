"""``rho version``."""

from __future__ import annotations

import platform

import click

from rhotwist import __version__
from rhotwist.cli.run import Run, common, pass_run


@click.command("version")
@common
@pass_run
def command(run: Run) -> None:
    """Print the version of rhotwist and of Python."""
    python = platform.python_version()
    run.result({"rhotwist": __version__, "python": python}, f"rhotwist {__version__}  Python {python}")
