"""``rho cancel``: give files up."""

from __future__ import annotations

import click

from rhotwist.cli.files import listing
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import verbs
from rhotwist.control.values import TransferList, TransferNumbers


@click.command("cancel")
@click.argument("numbers", metavar="NUMBER...", type=click.IntRange(1), nargs=-1, required=True)
@common
@pass_run
def command(run: Run, numbers: tuple[int, ...]) -> None:
    """Send or take these files no more, and tell the other side. What came of them is removed; whole files stay."""
    client = wallet_process(run, run.patience(30.0))
    found: TransferList = client.ask(verbs.TRANSFER_CANCEL, TransferNumbers(numbers))
    run.result(found, *map(listing, found.items))
