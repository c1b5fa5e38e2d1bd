"""``rho receive``: take the files that others send."""

from __future__ import annotations

import time
from pathlib import Path

import attrs
import click

from rhotwist.cli.asking import need_terminal
from rhotwist.cli.bar import LOOK, OVER, Bar, wait
from rhotwist.cli.client import Client
from rhotwist.cli.contact import address_of
from rhotwist.cli.files import arrived
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.send import check_to
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import explain, trouble, verbs
from rhotwist.control.text import size, visible
from rhotwist.control.values import Receive, TransferList, TransferRow, TransfersAsk

_LISTED = 200
"""Transfers that one look sees: more than there may be offers."""


@attrs.frozen
class Wanted:
    """What shall be taken. Without numbers, a sender and yes, a person is asked about each file."""

    into: str
    sender: str
    wallet: str
    numbers: tuple[int, ...]
    yes: bool

    @property
    def asks(self) -> bool:
        """Whether a person must say so of each file."""
        return not (self.yes or self.sender or self.numbers)

    def fits(self, row: TransferRow) -> bool:
        """Whether a transfer is one of these, and not over."""
        return not (
            row.outgoing or row.state in OVER or (self.sender and row.peer != self.sender)
            or (self.wallet and row.wallet != self.wallet) or (self.numbers and row.number not in self.numbers)
        )  # fmt: skip


@click.command("receive")
@click.argument("numbers", metavar="[NUMBER]...", type=click.IntRange(1), nargs=-1)
@click.option("--into", default=".", metavar="DIR", help="The folder to put them in; else the working folder.")
@click.option("--from", "sender", default="", metavar="NAME|WALLET", help="Whatever this one sends, without asking.")
@click.option("--wallet", default="", metavar="NAME", help="Only what is sent to this wallet of yours.")
@click.option("--keep", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--yes", is_flag=True, help="Whatever anybody sends, without asking.")
@common
@pass_run
def command(
    run: Run, numbers: tuple[int, ...], into: str, sender: str, wallet: str, keep: bool, yes: bool
) -> int:
    """Take files that are offered, wait for the first if none is, and show how they come.

    Each is asked about, unless you name it by its number (rho transfers), name its sender, or say --yes.
    """
    if sender:
        check_to(sender)
    wanted = Wanted(str(Path(into).absolute()), sender.strip(), wallet, numbers, yes)
    if wanted.asks:
        need_terminal("whether to take a file", "say --from WALLET, the numbers of rho transfers, or --yes")
    client = wallet_process(run, 60.0)
    if sender:
        wanted = attrs.evolve(wanted, sender=address_of(client, wanted.sender))
    if numbers:
        _check_numbers(client, numbers)
    until = None if run.timeout is None else time.monotonic() + run.timeout
    known: dict[int, TransferRow] = {}
    bar = Bar(run)
    try:
        _watch(run, client, wanted, known, bar, keep, until)
    except KeyboardInterrupt:
        coming = sum(row.state not in OVER for row in known.values())
        said = "1 file is on its way and goes" if coming == 1 else f"{coming} files are on their way and go"
        why = f"{said} on coming"
        raise trouble.RECEIVE_INTERRUPTED(why=why) from None
    finally:
        bar.clear()
    if run.json:
        run.result(TransferList(tuple(known.values())))
    return trouble.OK if all(row.state == "done" for row in known.values()) else trouble.FAILED


def _check_numbers(client: Client, numbers: tuple[int, ...]) -> None:
    """Raises OperatorError for what would be waited for in vain."""
    named: TransferList = client.ask(verbs.TRANSFERS, TransfersAsk(numbers))
    for row in named.items:
        if row.outgoing:
            raise trouble.TRANSFER_ABSENT(number=row.number, why="that file goes out; what comes has another number")
        if row.state in OVER:
            raise trouble.TRANSFER_OVER(number=row.number, state=row.state)


def _watch(
    run: Run, client: Client, wanted: Wanted, known: dict[int, TransferRow], bar: Bar, keep: bool,
    until: float | None,
) -> None:  # fmt: skip
    """Take and follow until what was taken is there. known gathers the rows of what was taken."""
    passed: set[int] = set()
    waited = False
    while True:
        listed: TransferList = client.ask(verbs.TRANSFERS, TransfersAsk((), _LISTED))
        for row in listed.items:
            if wanted.fits(row) and row.number not in known and row.number not in passed:
                bar.clear()
                if row.state != "offered" or _take(run, client, wanted, row):
                    known[row.number] = row
                else:
                    passed.add(row.number)
        going = tuple(number for number, row in known.items() if row.state not in OVER)
        if going:
            answer: TransferList = client.ask(verbs.TRANSFERS, TransfersAsk(going))
            bar.draw(answer.items)
            for row in answer.items:
                if row.problem is not None and known[row.number].problem is None:
                    bar.clear()
                    run.complain(explain.from_problem(row.problem), beside=True)
                known[row.number] = row
                if row.state == "done" and not run.json:
                    bar.clear()
                    run.result(row, arrived(row))
        elif known and not keep:
            return
        elif not waited:
            run.advise("waiting for files (Ctrl-C stops)")
            waited = True
        if until is not None and time.monotonic() >= until:
            raise trouble.RECEIVE_INTERRUPTED(why="nothing more came in the time you gave")
        wait(LOOK)


def _take(run: Run, client: Client, wanted: Wanted, row: TransferRow) -> bool:
    """Take an offered file, after asking if that is wanted. False to leave it offered."""
    what = f"{visible(row.name)}, {size(row.total)}, from {row.peer}"
    if wanted.asks and not click.confirm(f"Take {what}?", err=True):
        run.advise(f"left where it is; rho receive {row.number} takes it, rho cancel {row.number} refuses it")
        return False
    if not wanted.asks:
        run.advise(what)
    taken: TransferList = client.ask(verbs.FILE_RECEIVE, Receive(wanted.into, numbers=(row.number,)))
    return bool(taken.items)
