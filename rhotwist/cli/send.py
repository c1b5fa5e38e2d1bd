"""``rho send``: a message or files to a wallet that is hot somewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rhotwist.cli.files import listing, send_on
from rhotwist.cli.run import Run, common, pass_run
from rhotwist.cli.waiting import ask_and_tell
from rhotwist.cli.wallet_process import wallet_process
from rhotwist.control import trouble, verbs
from rhotwist.control.text import span, visible
from rhotwist.control.values import FileSend, Send, Sent, TransferList, TransferRow
from rhotwist.errors import BadAddress, OperatorError
from rhotwist.keys.address import is_address, parse_address, parse_node_at

TEXT_READ_MOST = 1 << 16  # bytes of stdin; the wallet process says what one message carries
READ_MOST = 86_400.0  # seconds in which the wallet process must have read a file once
WAITING = "no receipt yet after {seconds} s; trying on (Ctrl-C stops)"
EXAMPLE = "rho1w… (63 characters)"
EXAMPLE_AT = "rho1n…@192.0.2.1:7460"


@click.command("send")
@click.argument("to", metavar="NAME|WALLET")
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("-m", "--message", help="The text; - reads it from stdin.")
@click.option("--at", default="", metavar="NODE@HOST:PORT",
              help="The process in which the wallet is hot; else where the contact or the directory says that it is.")
@click.option("--wallet", "sender", default="", metavar="NAME", help="Which of your wallets sends, if several are hot.")
@click.option("--background", is_flag=True, help="Set files on their way and return; rho transfers shows them.")
@click.option("--gentle", is_flag=True, help="Let everything else on the line go before these files.")
@common
@pass_run
def command(
    run: Run, to: str, paths: tuple[Path, ...], message: str | None, at: str, sender: str, background: bool,
    gentle: bool,
) -> int:  # fmt: skip
    """Send a text, or files of any size, to a contact or to the WALLET of an address.

    A text is kept durably on the other side when this prints so, and kept once. A file goes when its receiver takes it
    (rho receive there), and is there, checked whole, when this prints so; Ctrl-C stops it and rho resume goes on.
    """
    check_to(to)
    if at:
        check_node_at(at)
    if (message is None) == (not paths):
        raise trouble.OPTION_WRONG(
            option="rho send", value="told both" if paths else "told nothing",
            why="it sends either a text or files", hint="say -m TEXT, or name files",
        )  # fmt: skip
    if message is None:
        asks = [FileSend(to.strip(), at.strip(), str(path.absolute()), sender, gentle) for path in paths]
        return _send_files(run, asks, background)
    if message == "-":
        message = _from_stdin()
    patience = run.patience(30.0)
    client = wallet_process(run, patience + 10.0)
    ask = Send(to.strip(), at.strip(), message, sender, patience)
    sent: Sent = ask_and_tell(run, client, verbs.SEND, ask, WAITING)
    run.result(sent, f"kept by {sent.kept_by} (hash {sent.hash}) after {span(sent.seconds)}")
    return trouble.OK


def _send_files(run: Run, asks: list[FileSend], background: bool) -> int:
    client = wallet_process(run, READ_MOST)
    rows: list[TransferRow] = []
    try:
        for ask in asks:
            run.advise(f"reading {visible(ask.path)}")
            rows.append(client.ask(verbs.FILE_SEND, ask))
    except (KeyboardInterrupt, OperatorError):
        if rows:
            run.advise("on their way already: " + ", ".join(f"{row.number} {visible(row.name)}" for row in rows))
        raise
    if background:
        run.result(TransferList(tuple(rows)), *map(listing, rows))
        return trouble.OK
    return send_on(run, client, rows)


def _from_stdin() -> str:
    try:
        return sys.stdin.buffer.read(TEXT_READ_MOST).decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise trouble.OPTION_WRONG(
            option="the text on stdin", value="sent", why=f"byte {error.start} is not UTF-8", hint="send text"
        ) from None


def check_to(text: str) -> None:
    """Raises OperatorError for what is neither a wallet's address nor might be a contact's name."""
    if not is_address(text):
        return
    try:
        parse_address(text, "w")
    except BadAddress as error:
        raise trouble.ADDRESS_WRONG(
            text=repr(text[:80]), wanted="wallet's address", why=error, example=EXAMPLE
        ) from None


def check_node_at(text: str) -> None:
    """Raises OperatorError for what is no NODE@HOST:PORT."""
    try:
        parse_node_at(text)
    except BadAddress as error:
        raise trouble.ADDRESS_WRONG(
            text=repr(text[:120]), wanted="NODE@HOST:PORT", why=error, example=EXAMPLE_AT
        ) from None
