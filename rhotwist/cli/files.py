"""Looking on while files go or come, and what is said of them at the end; shared by send, receive and resume."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from rhotwist.cli.bar import LOOK, OVER, Bar, wait
from rhotwist.cli.client import Client
from rhotwist.cli.run import Run
from rhotwist.control import explain, trouble, verbs
from rhotwist.control.text import quoted, size, span, visible
from rhotwist.control.values import TransferList, TransferNumbers, TransferRow, TransfersAsk
from rhotwist.errors import OperatorError


def follow(run: Run, client: Client, rows: Sequence[TransferRow], *, until: float | None = None) -> list[TransferRow]:
    """Show how these stand until nothing more happens to any, or time.monotonic() is until. Their last rows.

    Raises OperatorError; KeyboardInterrupt goes through.
    """
    bar = Bar(run)
    try:
        while True:
            numbers = tuple(row.number for row in rows)
            answer: TransferList = client.ask(verbs.TRANSFERS, TransfersAsk(numbers))
            bar.draw(answer.items)
            late = until is not None and time.monotonic() >= until
            if late or all(row.state in OVER for row in answer.items):
                return list(answer.items)
            wait(LOOK)
    finally:
        bar.clear()


def send_on(run: Run, client: Client, rows: Sequence[TransferRow]) -> int:
    """Follow files of ours to their end and tell of it. Ctrl-C stops them, and says how they go on. The exit status."""
    until = None if run.timeout is None else time.monotonic() + run.timeout
    try:
        ended = follow(run, client, rows, until=until)
    except KeyboardInterrupt:
        raise _interrupted(client, rows) from None
    except OperatorError as error:
        if error.code not in (trouble.NOT_STARTED.code, trouble.ANSWER_UNREADABLE.code):
            raise
        raise trouble.TRANSFER_STOPPED(
            name=_name(rows), number=_numbers(rows), why="the wallet process is gone, and the wallet locked with it"
        ) from error
    told = [row for row in ended if row.state == "done"]
    run.result(TransferList(tuple(ended)), *map(arrived, told))
    for row in ended:
        if row.state not in OVER:
            run.advise(f"{row.name} is not there yet; it goes on: rho transfers")
        elif row.state != "done":
            run.complain(_problem(row), beside=True)
    if any(row.state not in OVER for row in ended):
        return trouble.QUEUED
    return trouble.OK if len(told) == len(ended) else trouble.FAILED


def arrived(row: TransferRow) -> str:
    """What is said of a file that is there."""
    seconds = max(1, (row.ended_at or row.begun_at) - row.begun_at)
    if row.outgoing:
        return f"{visible(row.name)}  {size(row.total)} checked by {row.peer} (root {row.root}) after {span(seconds)}"
    return f"{visible(row.place)}  {size(row.total)} from {row.peer} (root {row.root})"


def listing(row: TransferRow) -> str:
    """One transfer for people."""
    way = "to  " if row.outgoing else "from"
    share = 100 if row.state == "done" else min(99, 100 * row.done // row.total) if row.total else 0
    peer = row.peer[:12] + "…" + row.peer[-4:]
    why = f"  {_why(row)}" if row.why and row.state != "going" else ""
    stands = f"{row.number:>4}  {row.state:<9}  {share:3d} %  {size(row.total):>10}"
    return f"{stands}  {way} {peer}  {visible(row.name)}{why}"


def _why(row: TransferRow) -> str:
    return row.why if row.why.isprintable() else quoted(row.why)


def _problem(row: TransferRow) -> OperatorError:
    if row.problem is not None:
        return explain.from_problem(row.problem)
    if row.state == "cancelled":
        return trouble.TRANSFER_OVER(number=row.number, state=row.state)
    return trouble.TRANSFER_STOPPED(name=row.name, number=row.number, why=row.why or "it was stopped")


def _interrupted(client: Client, rows: Sequence[TransferRow]) -> OperatorError:
    """Stop what still goes; say how to go on."""
    stand = list(rows)
    with suppress(OperatorError):  # the process may be what was killed; the rows are on the disk
        answer: TransferList = client.ask(verbs.TRANSFER_PAUSE, TransferNumbers(tuple(row.number for row in rows)))
        stand = list(answer.items)
    left = [row for row in stand if row.state != "done"] or stand
    done, total = sum(row.done for row in stand), sum(row.total for row in stand)
    return trouble.TRANSFER_INTERRUPTED(
        name=_name(left), number=_numbers(left), done=f"{size(done)} of {size(total)}"
    )


def _name(rows: Sequence[TransferRow]) -> str:
    return visible(rows[0].name) if len(rows) == 1 else f"{len(rows)} files"


def _numbers(rows: Sequence[TransferRow]) -> str:
    return " ".join(str(row.number) for row in rows)


