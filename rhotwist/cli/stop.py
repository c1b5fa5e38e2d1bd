"""``rho stop``: have a process of this data folder take its leave, and wait until it has."""

from __future__ import annotations

import threading
import time

import click

from rhotwist.cli.client import Client
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.control import trouble, verbs
from rhotwist.control.codec import plain
from rhotwist.control.places import ROLES

_LOOK = 0.05  # seconds between two looks whether it is gone


@click.command("stop")
@click.argument("role", type=click.Choice(ROLES), default="wallet")
@common
@pass_run
def command(run: Run, role: str) -> None:
    """Stop the wallet process, or with ``node`` the node. Wallets are locked; what was acknowledged is on disk."""
    patience = run.patience(30.0)
    client = Client(run.places, role, patience)
    stopping = client.ask(verbs.STOP)
    late = time.monotonic() + patience
    while client.runs():
        if time.monotonic() > late:
            raise trouble.PROCESS_BUSY(role=role, seconds=f"{patience:g}")
        threading.Event().wait(_LOOK)
    run.result(plain(stopping), f"stopped the {role} process (pid {stopping.pid})")
