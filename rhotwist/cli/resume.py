"""``rho resume``: go on with files that were stopped."""

from __future__ import annotations

import click

from rhotwist.cli.files import send_on
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.send import check_node_at
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import verbs
from rhotwist.control.values import TransferList, TransferNumbers


@click.command("resume")
@click.argument("numbers", metavar="[NUMBER]...", type=click.IntRange(1), nargs=-1)
@click.option("--at", default="", metavar="NODE@HOST:PORT", help="Where the receiver is now; else where it was.")
@common
@pass_run
def command(run: Run, numbers: tuple[int, ...], at: str) -> int:
    """Send what is missing of these files, or of all that are paused. Every part is checked by its hash."""
    if at:
        check_node_at(at)
    client = wallet_process(run, 60.0)
    found: TransferList = client.ask(verbs.TRANSFER_RESUME, TransferNumbers(numbers, at.strip()))
    if not found.items:
        run.result(found)
        run.advise("nothing is paused")
        return 0
    return send_on(run, client, found.items)
