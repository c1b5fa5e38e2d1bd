"""``rho transfers``: the files that go and come."""

from __future__ import annotations

import click

from rhotwist.cli.files import listing
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import verbs
from rhotwist.control.values import TransferList, TransfersAsk


@click.command("transfers")
@click.option("--limit", default=100, type=click.IntRange(1, 10_000), show_default=True, help="The newest so many.")
@common
@pass_run
def command(run: Run, limit: int) -> None:
    """List files that were sent or offered, the newest last, with the number that resume, cancel and receive take."""
    found: TransferList = wallet_process(run, run.patience(30.0)).ask(verbs.TRANSFERS, TransfersAsk((), limit))
    run.result(found, *map(listing, found.items))
    if not found.items:
        run.advise("nothing yet")
    elif any(row.state == "offered" and not row.outgoing for row in found.items):
        run.advise("rho receive takes what is offered")
