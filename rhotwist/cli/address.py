"""``rho address``: what to give to others."""

from __future__ import annotations

import click

from rhotwist.cli.qr import qr_lines
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.wallet import named
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import trouble, verbs


@click.command("address")
@click.argument("wallet", required=False)
@click.option("--qr", is_flag=True, help="Draw it as a QR code too.")
@common
@pass_run
def command(run: Run, wallet: str | None, qr: bool) -> None:
    """Print the address of WALLET, alone on a line."""
    row = named(wallet_process(run, run.patience(10.0)).ask(verbs.WALLETS), wallet)
    if not row.address:
        raise trouble.WALLET_LOCKED(name=row.name)
    run.result({"name": row.name, "address": row.address}, *(qr_lines(row.address) if qr else ()), row.address)
