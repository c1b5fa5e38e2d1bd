"""``rho receive``: take the files that others send."""

from __future__ import annotations

import time
from pathlib import Path

import click

from rhotwist.cli.bar import LOOK, OVER, Bar, wait
from rhotwist.cli.files import arrived
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.send import check_address
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import trouble, verbs
from rhotwist.control.text import size, visible
from rhotwist.control.values import Receive, TransferList, TransferRow, TransfersAsk


@click.command("receive")
@click.option("--into", default=".", metavar="DIR", help="The folder to put them in; else the working folder.")
@click.option("--from", "sender", default="", metavar="WALLET", help="Only what this wallet sends.")
@click.option("--wallet", default="", metavar="NAME", help="Only what is sent to this wallet of yours.")
@click.option("--keep", is_flag=True, help="Go on taking files until Ctrl-C.")
@click.argument("numbers", metavar="[NUMBER]...", type=click.IntRange(1), nargs=-1)
@common
@pass_run
def command(run: Run, into: str, sender: str, wallet: str, keep: bool, numbers: tuple[int, ...]) -> int:
    """Take files that are offered, wait for the first if none is, and show how they come.

    Nothing is taken that you do not take here; rho transfers lists what is offered. Ends when what it took is there.
    """
    if sender:
        check_address(sender)
    ask = Receive(str(Path(into).absolute()), wallet, sender.strip(), numbers)
    client = wallet_process(run, 60.0)
    until = None if run.timeout is None else time.monotonic() + run.timeout
    known: dict[int, TransferRow] = {}
    bar, waited = Bar(run), False
    try:
        while True:
            found: TransferList = client.ask(verbs.FILE_RECEIVE, ask)
            for row in found.items:
                if row.number not in known:
                    bar.clear()
                    run.advise(f"{visible(row.name)}, {size(row.total)}, from {row.peer}")
                    known[row.number] = row
            going = tuple(number for number, row in known.items() if row.state not in OVER)
            if going:
                answer: TransferList = client.ask(verbs.TRANSFERS, TransfersAsk(going))
                bar.draw(answer.items)
                for row in answer.items:
                    known[row.number] = row
                    if row.state == "done" and not run.json:
                        bar.clear()
                        run.result(row, arrived(row))
            elif known and not keep:
                break
            elif not waited:
                run.advise("waiting for files (Ctrl-C stops)")
                waited = True
            if until is not None and time.monotonic() >= until:
                raise trouble.RECEIVE_INTERRUPTED(why="nothing more came in the time you gave")
            wait(LOOK)
    except KeyboardInterrupt:
        why = f"{sum(row.state not in OVER for row in known.values())} files are on their way and go on coming"
        raise trouble.RECEIVE_INTERRUPTED(why=why) from None
    finally:
        bar.clear()
    if run.json:
        run.result(TransferList(tuple(known.values())))
    return trouble.OK if all(row.state == "done" for row in known.values()) else trouble.FAILED
