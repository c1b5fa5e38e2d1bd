"""Which process of a data folder is asked about the directory, and how a text gets to it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from rhotwist.cli.client import Client
from rhotwist.cli.run import Run
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import trouble, verbs
from rhotwist.control.directory import BundleFile, Found, Lookup, Merged, RecordRow
from rhotwist.control.places import ROLES
from rhotwist.errors import OperatorError
from rhotwist.keys.address import is_address
from rhotwist.wire.armour import TEXT_MOST

F = TypeVar("F", bound=Callable[..., Any])
PATIENCE = 120.0  # seconds: a bundle of 16 MB takes 20 to be checked on a slow machine

of_node = click.option("--node", "of_node", is_flag=True, help="Ask the node, not the wallet process.")


def directory_process(run: Run, of_node: bool = False) -> Client:
    """The wallet process; where that does not run, the node; where neither does, a wallet process that is started."""
    patience = run.patience(PATIENCE)
    node = Client(run.places, "node", patience)
    if of_node:
        return node
    wallet = Client(run.places, "wallet", patience)
    if not wallet.runs() and node.runs():
        return node
    return wallet_process(run, patience)


def look_up(run: Run, key: str, of_node: bool = False) -> Found:
    """Where the wallet or node of an address is, or a contact, whom the wallet process knows. Raises OperatorError."""
    by_name = not of_node and not is_address(key)
    client = wallet_process(run, run.patience(PATIENCE)) if by_name else directory_process(run, of_node)
    found: Found = client.ask(verbs.LOOKUP, Lookup(key))
    return found


def others(run: Run, asked: Client) -> list[Client]:
    """The other processes of this data folder that run: each has a directory of its own."""
    made = [Client(run.places, role, run.patience(PATIENCE)) for role in ROLES if role != asked.role]
    return [client for client in made if client.runs()]


def share(run: Run, asked: Client, path: Path) -> None:
    """Give a bundle to the other processes of this data folder too. What they make of it is told beside."""
    for client in others(run, asked):
        try:
            merged: Merged = client.ask(verbs.BUNDLE_IMPORT, BundleFile(str(path)))
        except OperatorError as error:
            run.advise(f"the {client.role} did not take it: {error.why}")
        else:
            run.advise(f"the {client.role} has it, too: {merged.new} new, {merged.newer} newer")


@contextmanager
def handed_over(run: Run, source: str | None) -> Iterator[Path]:
    """The file with a text: the one that is named, or for a paste (None or ``-``) one that is gone afterwards.

    A request to a process has 64 KiB, a paste may have 16 MiB. Raises OperatorError: RHO-2610, RHO-2611.
    """
    if source is not None and source != "-":
        path = Path(source).absolute()
        try:
            size = path.stat().st_size
        except OSError as error:
            raise trouble.BUNDLE_UNREADABLE(path=path, why=error.strerror or error) from None
        if size > TEXT_MOST:
            raise trouble.BUNDLE_LONG(path=path, most=TEXT_MOST)
        yield path
        return
    if sys.stdin.isatty():
        run.advise("paste, then Ctrl-D on a line of its own")
    data = sys.stdin.buffer.read(TEXT_MOST + 1)
    if len(data) > TEXT_MOST:
        raise trouble.BUNDLE_LONG(path="the paste", most=TEXT_MOST)
    with written(run, data) as path:
        yield path


@contextmanager
def written(run: Run, data: bytes) -> Iterator[Path]:
    """A file with these bytes, in the data folder and for its owner alone; gone afterwards."""
    descriptor, name = tempfile.mkstemp(prefix="paste-", suffix=".rho", dir=run.places.datadir)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        yield path
    finally:
        path.unlink(missing_ok=True)


def record_line(row: RecordRow) -> str:
    """One record for people."""
    said = {"wallet": "is at", "node": "at", "withdrawn": "withdrawn", "delegation": "lets speak"}[row.kind]
    places = "  ".join(row.places)
    beside = "  (private)" if row.private else ""
    here = f"  {row.here}" if row.here else ""
    return f"{row.key}  {row.kind}{'' if row.kind == 'withdrawn' else f'  {said} {places}'}{beside}{here}"
