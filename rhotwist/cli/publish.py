"""``rho publish``: say where a wallet or a node is found, for everybody who has the directory."""

from __future__ import annotations

import time

import click

from rhotwist.cli.client import Client
from rhotwist.cli.directory_process import record_line, share, written
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.waiting import ask_and_tell
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import trouble, verbs
from rhotwist.control.directory import Publish, Published

PATIENCE = 300.0  # seconds; the work takes about one, on a slow machine ten
WORKING = "working for the record ({seconds} s); it takes a second or so, once in a quarter of a year"


@click.command("publish")
@click.argument("wallet", required=False, default="")
@click.option("--node", "of_node", is_flag=True, help="Publish where the node of this data folder is, no wallet.")
@click.option("--via", default="", metavar="NODE", help="The node at which the wallet is found; else its own process.")
@click.option("--address", "addresses", multiple=True, metavar="udp:HOST:PORT",
              help="How others reach the process; may be repeated. Else what it listens at.")
@click.option("--withdraw", is_flag=True, help="Take back what was published.")
@common
@pass_run
def command(
    run: Run, wallet: str, of_node: bool, via: str, addresses: tuple[str, ...], withdraw: bool
) -> None:
    """Sign a record of where WALLET is found and keep it in the directory. Printed is a bundle to give away."""
    if of_node and (wallet or via):
        raise trouble.OPTION_WRONG(
            option="--node", value="said beside a wallet", why="a node's record names the node alone",
            hint="publish one after the other",
        )  # fmt: skip
    patience = run.patience(PATIENCE)
    client = Client(run.places, "node", patience) if of_node else wallet_process(run, patience)
    began = time.monotonic()
    ask = Publish(wallet, of_node, via.strip(), addresses, withdraw)
    published: Published = ask_and_tell(run, client, verbs.PUBLISH, ask, WORKING)
    for row in published.records:
        run.advise(f"{record_line(row)}  until {time.strftime('%Y-%m-%d', time.gmtime(row.until_at))}")
    for note in published.notes:
        run.advise(note)
    with written(run, published.bundle.encode("ascii")) as path:
        share(run, client, path)
    run.advise(f"root {published.root}, after {time.monotonic() - began:.1f} s; others take this by rho bundle import:")
    run.result(published, published.bundle.removesuffix("\n"))
